#include "proc/spawn.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_FD	3
#define EXIT_NO_START	71	/* sysexits.h EX_OSERR */

/* Between fork and exec: the child ends rather than go on with more than it may have. */
static void
child_must(bool done)
{
	if (!done)
		_exit(EXIT_NO_START);
}

static void
signals_reset(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &usual, NULL);
	(void)sigemptyset(&none);
	child_must(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
}

static void
identity_drop(const struct crew_user *user)
{
	if (geteuid() != 0)
		return;
	child_must(setgroups(0, NULL) == 0);
	child_must(setresgid(user->gid, user->gid, user->gid) == 0);
	child_must(setresuid(user->uid, user->uid, user->uid) == 0);
	child_must(setuid(0) != 0);
}

static void
child_become(enum process_kind kind, const struct crew_user *user, int fd, pid_t parent)
{
	char *argv[] = { "musterd", "--process", mu_strdup(process_kind_name(kind)), NULL };

	if (fd == CONTROL_FD)
		child_must(fcntl(fd, F_SETFD, 0) == 0);
	else
		child_must(dup2(fd, CONTROL_FD) == CONTROL_FD);
	child_must(close_range(CONTROL_FD + 1, ~0u, 0) == 0);
	signals_reset();
	(void)umask(077);
	if (process_is_job(kind))
		(void)setpriority(PRIO_PROCESS, 0, SPAWN_NICE_WORK);
	identity_drop(user);
	child_must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent);
	(void)execv("/proc/self/exe", argv);
	_exit(EXIT_NO_START);
}

enum mu_rc
spawn(enum process_kind kind, const struct crew_user *user, pid_t *out_pid, int *out_fd,
    struct mu_err *err)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return mu_fail_errno(
		    err, MU_ERETRY, "cannot make a channel to %s", process_kind_name(kind));
	pid = fork();
	if (pid == 0)
		child_become(kind, user, ends[1], parent);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)mu_fail_errno(err, MU_ERETRY, "cannot start %s", process_kind_name(kind));
		(void)close(ends[0]);
		return err->rc;
	}
	*out_pid = pid;
	*out_fd = ends[0];
	return MU_OK;
}

void
spawn_environment_clean(void)
{
	static const char *const kept[] = {
		"TZ",
#ifdef MUSTER_SANITIZED
		"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "ASAN_SYMBOLIZER_PATH",
#endif
	};
	char *values[MU_COUNT(kept)];

	for (size_t i = 0; i < MU_COUNT(kept); i++)
		values[i] = mu_strdup(getenv(kept[i]));
	(void)clearenv();
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	(void)setenv("LANG", "C.UTF-8", 1);
	for (size_t i = 0; i < MU_COUNT(kept); i++) {
		if (values[i] != NULL)
			(void)setenv(kept[i], values[i], 1);
		mu_free(values[i]);
	}
}
