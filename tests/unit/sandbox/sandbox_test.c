/*
 * Each row: a child enters a process's sandbox, tries something, and is killed, refused or allowed.
 * What sanitizers need makes the walls of the test build lower; rows that it lowers say so.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/landlock_priv.h"

#define KILLED		(-1)	/* by SIGSYS */
#define DONE		0
#define NO_ENTRY	250	/* exit status: the sandbox could not be closed */

/* Attempts: 0 or errno. */

static int
result(long got)
{
	return got < 0 ? errno : 0;
}

static int
try_nothing(void)
{
	return 0;
}

static int
try_exec(void)
{
	char *argv[] = { "true", NULL };

	return result(execv("/bin/true", argv));
}

static int
try_exec_at(void)
{
	char *argv[] = { "true", NULL };

	return result(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0));
}

static int
try_trace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
try_memory_of_another(void)
{
	return result(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0));
}

static int
try_inet(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
try_packet(void)
{
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int
try_family_beyond(void)
{
	return result(syscall(SYS_socket, 200L, (long)SOCK_STREAM, 0L));
}

static int
try_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
try_netlink_firewall(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW, 12));
}

static int
try_open_hosts(void)
{
	return result(open("/etc/hosts", O_RDONLY));
}

static int
try_open_other(void)
{
	return result(open("/etc/hostname", O_RDONLY));
}

static int
try_open_handed_in(void)
{
	return result(open("/etc/debian_version", O_RDONLY));
}

static int
try_open_write(void)
{
	return result(open("/dev/null", O_WRONLY));
}

static int
try_mkdir(void)
{
	return result(mkdir("/tmp/muster-sandbox-test", 0700));
}

static int
try_fork(void)
{
	return result(syscall(SYS_fork));
}

static int
try_bind(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons(48999);
	return result(bind(fd, (const struct sockaddr *)&at, sizeof(at)));
}

static int
try_executable_memory(void)
{
	const void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
try_memory(void)
{
	char *p = malloc(8u << 20);

	if (p == NULL)
		return ENOMEM;
	(void)memset(p, 1, 8u << 20);
	free(p);
	return 0;
}

static int
try_signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static int
try_signal_parents_thread(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int
try_signal_itself(void)
{
	return result(syscall(SYS_tgkill, getpid(), gettid(), 0));
}

static int
try_signal_owner(void)
{
	return result(fcntl(0, F_SETOWN, getppid()));
}

static int
try_unshare(void)
{
	return result(syscall(SYS_unshare, 0));
}

enum walls {
	ALWAYS,
	RELEASE,	/* the sanitized build must allow it */
	LANDLOCK,	/* and where the kernel has Landlock */
	LANDLOCK_NET,
};

static struct row {
	const char *name, *process;
	int (*attempt)(void);
	int want;	/* KILLED, DONE or errno */
	enum walls walls;
} rows[] = {
	{ "keys lives on",
	    "keys", try_nothing, DONE, ALWAYS },
	{ "keys has memory",
	    "keys", try_memory, DONE, ALWAYS },
	{ "keys executes nothing",
	    "keys", try_exec, KILLED, ALWAYS },
	{ "keys executes nothing by descriptor",
	    "keys", try_exec_at, KILLED, ALWAYS },
	{ "keys traces nobody",
	    "keys", try_trace, KILLED, RELEASE },
	{ "keys writes nobody's memory",
	    "keys", try_memory_of_another, KILLED, ALWAYS },
	{ "keys has no network",
	    "keys", try_inet, KILLED, ALWAYS },
	{ "keys has no socket at all",
	    "keys", try_unix, KILLED, ALWAYS },
	{ "keys opens no file",
	    "keys", try_open_hosts, ENOSYS, RELEASE },
	{ "keys makes no folder",
	    "keys", try_mkdir, ENOSYS, ALWAYS },
	{ "keys makes no process",
	    "keys", try_fork, ENOSYS, ALWAYS },
	{ "keys makes no code",
	    "keys", try_executable_memory, ENOSYS, RELEASE },
	{ "keys signals nobody",
	    "keys", try_signal_parent, ENOSYS, RELEASE },
	{ "token signals no neighbour's thread",
	    "token", try_signal_parents_thread, ENOSYS, RELEASE },
	{ "token may end itself",
	    "token", try_signal_itself, DONE, ALWAYS },
	{ "token has the kernel signal nobody",
	    "token", try_signal_owner, ENOSYS, RELEASE },
	{ "token speaks to PostgreSQL",
	    "token", try_unix, DONE, ALWAYS },
	{ "token reaches no host",
	    "token", try_inet, KILLED, ALWAYS },
	{ "token executes nothing",
	    "token", try_exec, KILLED, ALWAYS },
	{ "token opens no file",
	    "token", try_open_hosts, ENOSYS, RELEASE },
	{ "token goes on without netlink",
	    "token", try_netlink, EAFNOSUPPORT, ALWAYS },
	{ "claim reaches no host",
	    "claim", try_inet, KILLED, ALWAYS },
	{ "admin reaches no host",
	    "admin", try_inet, KILLED, ALWAYS },
	{ "provision reaches no host",
	    "provision", try_inet, KILLED, ALWAYS },
	{ "audit reaches no host",
	    "audit", try_inet, KILLED, ALWAYS },
	{ "work reaches no host",
	    "work", try_inet, KILLED, ALWAYS },
	{ "a dry run reaches hosts",
	    "dryrun", try_inet, DONE, ALWAYS },
	{ "a dry run executes nothing",
	    "dryrun", try_exec, KILLED, ALWAYS },
	{ "cycle reaches hosts",
	    "cycle", try_inet, DONE, ALWAYS },
	{ "cycle asks which families there are",
	    "cycle", try_netlink, DONE, ALWAYS },
	{ "cycle does not speak to the firewall",
	    "cycle", try_netlink_firewall, ENOSYS, ALWAYS },
	{ "cycle sees no packets",
	    "cycle", try_packet, KILLED, ALWAYS },
	{ "no family beyond those known",
	    "cycle", try_family_beyond, KILLED, ALWAYS },
	{ "cycle resolves names",
	    "cycle", try_open_hosts, DONE, ALWAYS },
	{ "cycle reads what it was handed",
	    "cycle", try_open_handed_in, DONE, ALWAYS },
	{ "cycle reads nothing else",
	    "cycle", try_open_other, EACCES, LANDLOCK },
	{ "cycle writes no file",
	    "cycle", try_open_write, ENOSYS, ALWAYS },
	{ "cycle listens nowhere",
	    "cycle", try_bind, EACCES, LANDLOCK_NET },
	{ "cycle executes nothing",
	    "cycle", try_exec, KILLED, ALWAYS },
	{ "login reaches hosts",
	    "login", try_inet, DONE, ALWAYS },
	{ "login writes no file",
	    "login", try_open_write, ENOSYS, ALWAYS },
	{ "an adapter reaches hosts",
	    "adapter", try_inet, DONE, ALWAYS },
	{ "an adapter executes nothing",
	    "adapter", try_exec, KILLED, ALWAYS },
	{ "an adapter leaves namespaces alone",
	    "adapter", try_unshare, ENOSYS, ALWAYS },
	{ "an adapter reads no other's files",
	    "adapter", try_open_other, EACCES, LANDLOCK },
	{ "a process unknown stays out",
	    "nobody", try_nothing, NO_ENTRY, ALWAYS },
};

static bool
applies(const struct row *r)
{
#ifdef MUSTER_SANITIZED
	if (r->walls == RELEASE)
		return false;
#endif
	if (r->walls == LANDLOCK)
		return landlock_abi() >= 1;
	return r->walls != LANDLOCK_NET || landlock_abi() >= LANDLOCK_ABI_NETWORK;
}

static void
sandbox_row(void **state)
{
	static const char *const files[] = { "/etc/debian_version", "/nonexistent/ca.pem", NULL };
	const struct row *r = *state;
	const struct sandbox_more more = { .files = files };
	struct mu_err err = MU_ERR_INIT;
	int status;
	pid_t pid;

	if (!applies(r))
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(r->process, &more, &err) != MU_OK)
			_exit(NO_ENTRY);
		_exit(r->attempt());
	}
	assert_int_equal(pid, waitpid(pid, &status, 0));
	if (r->want == KILLED) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(SIGSYS, WTERMSIG(status));
	} else {
		assert_true(WIFEXITED(status));
		assert_int_equal(r->want, WEXITSTATUS(status));
	}
}

static void
prepared_leaves_no_core_and_gains_nothing(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct rlimit core;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(sandbox_prepare(&err) != MU_OK || getrlimit(RLIMIT_CORE, &core) != 0 ||
		    core.rlim_max != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_int_equal(0, status);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1] = {
		cmocka_unit_test(prepared_leaves_no_core_and_gains_nothing),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 1] = (struct CMUnitTest){
			rows[i].name, sandbox_row, NULL, NULL, &rows[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
