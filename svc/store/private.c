#include "store/private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/uuid.h"
#include "store/role_priv.h"
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_NAME		".s.PGSQL.5432"
#define PORT			"5432"		/* only a part of the socket's name */
#define SUPERUSER		"muster"
#define PASSWORD_RANDOM_BYTES	24		/* 192 bits, 32 characters */
#define LOG_MAX_BYTES		(4 << 20)
#define START_WAIT_MS		120000
#define FAST_WAIT_MS		30000
#define IMMEDIATE_WAIT_MS	5000
#define MAJOR_MIN		14
#define MAJOR_MAX		30

/* execve(2) takes but does not change them */
#define ARG(text)	((char *)(uintptr_t)(text))

struct store_private {
	char *state_dir, *store_dir, *data_dir, *socket_dir, *bin_dir, *conninfo;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int lock_fd;
	int major;
};

/*
 * What the server is told, whatever stands in its files: small, durable, on its socket alone. Shared
 * buffers are taken from the machine as they are used: the rows of 10,000 people fill 20 MB of them.
 */
static const char *const settings[] = {
	"listen_addresses=", ("port=" PORT), "max_connections=64", "shared_buffers=256MB",
	"wal_buffers=16MB",
	"maintenance_work_mem=32MB", "huge_pages=off", "jit=off",
	"max_parallel_workers_per_gather=0", "max_worker_processes=2", "autovacuum_max_workers=2",
	"max_logical_replication_workers=0", "synchronous_commit=on", "fsync=on",
	"full_page_writes=on", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=1GB",
	"recovery_init_sync_method=syncfs", "checkpoint_timeout=15min", "timezone=UTC",
	"log_timezone=UTC", "logging_collector=off", "log_destination=stderr",
	"log_checkpoints=off", "log_error_verbosity=terse", "log_min_error_statement=panic",
	"password_encryption=scram-sha-256", "cluster_name=muster",
};

static char *
path_join(const char *dir, const char *name)
{
	struct mu_buf b = MU_BUF_INIT;

	mu_buf_format(&b, "%s/%s", dir, name);
	return b.data;
}

/* --- Children ------------------------------------------------------------------------- */

/* In the child: another user, a life that ends with ours, no descriptors and no signals of ours. */
static void
child_become(const struct store_private *p, pid_t parent, int keep_fd)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(p->gid, p->gid, p->gid) != 0 ||
	    setresuid(p->uid, p->uid, p->uid) != 0))
		_exit(126);
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGINT) != 0 || getppid() != parent)
		_exit(126);
	(void)setpgid(0, 0);
	(void)umask(077);
	if (chdir(p->store_dir) != 0)
		_exit(126);
	if (keep_fd >= 0 && (dup2(keep_fd, 3) != 3 || fcntl(3, F_SETFD, 0) != 0))
		_exit(126);
	(void)close_range(keep_fd >= 0 ? 4 : 3, ~0u, 0);
}

/*
 * Starts bin_dir/argv[0]; out_fd (may be -1) takes its output, keep_fd (may be -1) becomes its
 * descriptor 3; stale_pid (0 for none) is passed as PG_GRANDPARENT_PID.
 */
static pid_t
child_start(const struct store_private *p, char **argv, int out_fd, int keep_fd, pid_t stale_pid)
{
	MU_AUTO(mu_freep) char *path = path_join(p->bin_dir, argv[0]);
	pid_t parent = getpid(), pid;
	char grandparent[64];
	char *env[] = { ARG("PATH=/usr/bin:/bin"), ARG("LC_ALL=C.UTF-8"),
	    ARG("TZ=UTC"), NULL, NULL };

	if (stale_pid > 0) {
		(void)snprintf(grandparent, sizeof(grandparent), "PG_GRANDPARENT_PID=%d",
		    (int)stale_pid);
		env[3] = grandparent;
	}
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, 0);
		if (out_fd >= 0) {
			(void)dup2(out_fd, 1);
			(void)dup2(out_fd, 2);
		}
		child_become(p, parent, keep_fd);
		argv[0] = path;		/* by it they find each other */
		(void)execve(path, argv, env);
		_exit(127);
	}
	return pid;
}

/* Waits for the end of a process, child or not; true when it ended within wait_ms. */
static bool
end_wait(pid_t pid, int64_t wait_ms)
{
	int64_t until_ms = mu_tick_ms() + wait_ms;
	int fd = pidfd_open(pid, 0);
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int got;

	if (fd < 0)
		return true;
	do {
		int64_t left_ms = until_ms - mu_tick_ms();

		got = poll(&ready, 1, left_ms < 0 ? 0 : (int)left_ms);
	} while (got < 0 && errno == EINTR);
	(void)close(fd);
	return got == 1;
}

/* Runs a program to its end; its output, at most 4 KiB of it, is in out_text. */
static enum mu_rc
child_run(const struct store_private *p, char **argv, int keep_fd, struct mu_buf *out_text,
    struct mu_err *err)
{
	char chunk[512];
	int pipe_fd[2], status = 0;
	ssize_t got;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) != 0)
		return mu_fail_errno(err, MU_ERETRY, "pipe");
	pid = child_start(p, argv, pipe_fd[1], keep_fd, 0);
	(void)close(pipe_fd[1]);
	if (pid < 0) {
		(void)close(pipe_fd[0]);
		return mu_fail_errno(err, MU_ERETRY, "fork");
	}
	while ((got = read(pipe_fd[0], chunk, sizeof(chunk))) > 0 || (got < 0 && errno == EINTR))
		if (got > 0 && out_text->size_bytes < 4096)
			mu_buf_add(out_text, chunk, (size_t)got);
	(void)close(pipe_fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		while (out_text->size_bytes > 0 && out_text->data[out_text->size_bytes - 1] == '\n')
			out_text->data[--out_text->size_bytes] = '\0';
		return mu_fail(err, MU_ECONFIG, "%s/%s: status %d: %.300s", p->bin_dir, argv[0],
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		    mu_buf_text(out_text));
	}
	return MU_OK;
}

/* --- Finding the programs ------------------------------------------------------------- */

static bool
programs_in(const char *dir)
{
	MU_AUTO(mu_freep) char *postgres = path_join(dir, "postgres"), *initdb = path_join(dir,
	    "initdb");

	return access(postgres, X_OK) == 0 && access(initdb, X_OK) == 0;
}

/* The cluster's major version, 0 when there is no cluster. */
static int
cluster_major(const struct store_private *p)
{
	MU_AUTO(mu_freep) char *path = path_join(p->data_dir, "PG_VERSION");
	FILE *f = fopen(path, "re");
	int major = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &major) != 1)
		major = 0;
	(void)fclose(f);
	return major;
}

/* The newest packaged version, or that of the cluster; then wherever else they may be. */
static char *
programs_find(int wanted_major)
{
	static const char *const others[] = { "/usr/local/pgsql/bin", "/usr/local/bin",
	    "/usr/bin" };
	char dir[64];

	for (int major = MAJOR_MAX; major >= MAJOR_MIN; major--) {
		if (wanted_major != 0 && major != wanted_major)
			continue;
		(void)snprintf(dir, sizeof(dir), "/usr/lib/postgresql/%d/bin", major);
		if (programs_in(dir))
			return mu_strdup(dir);
		(void)snprintf(dir, sizeof(dir), "/usr/pgsql-%d/bin", major);
		if (programs_in(dir))
			return mu_strdup(dir);
	}
	for (size_t i = 0; i < MU_COUNT(others); i++)
		if (programs_in(others[i]))
			return mu_strdup(others[i]);
	return wanted_major != 0 ? programs_find(0) : NULL;
}

static enum mu_rc
programs_check(struct store_private *p, struct mu_err *err)
{
	char *argv[] = { ARG("postgres"), ARG("--version"), NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	int wanted = cluster_major(p);
	const char *number;

	if (p->bin_dir == NULL)
		p->bin_dir = programs_find(wanted);
	if (p->bin_dir == NULL || !programs_in(p->bin_dir))
		return mu_fail(err, MU_ECONFIG, "no PostgreSQL programs%s%s: install the package"
		    " postgresql, or set store to a conninfo", p->bin_dir == NULL ? "" : " in ",
		    p->bin_dir == NULL ? "" : p->bin_dir);
	if (child_run(p, argv, -1, &text, err) != MU_OK)
		return err->rc;
	number = strstr(mu_buf_text(&text), ") ");
	p->major = number == NULL ? 0 : atoi(number + 2);
	if (p->major < MAJOR_MIN)
		return mu_fail(err, MU_ECONFIG, "%s: PostgreSQL %d, need %d or later", p->bin_dir,
		    p->major, MAJOR_MIN);
	if (wanted != 0 && wanted != p->major)
		return mu_fail(err, MU_ECONFIG, "%s was made by PostgreSQL %d,"
		    " %s is %d: install postgresql-%d", p->data_dir, wanted, p->bin_dir, p->major,
		    wanted);
	return MU_OK;
}

/* --- The cluster ---------------------------------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static enum mu_rc
tree_remove(const char *path, struct mu_err *err)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return mu_fail_errno(err, MU_ECONFIG, "remove %s", path);
	return MU_OK;
}

static void
password_make(struct mu_secret *out_password)
{
	unsigned char random[PASSWORD_RANDOM_BYTES];
	struct mu_buf text = MU_BUF_INIT;

	mu_random(random, sizeof(random));
	mu_base64url_format(&text, random, sizeof(random));
	mu_secret_set(out_password, text.data, text.size_bytes);
	mu_buf_wipe(&text);
	explicit_bzero(random, sizeof(random));
}

static enum mu_rc
dir_sync(const char *path, struct mu_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		(void)close(fd);
	return rc == 0 ? MU_OK : mu_fail_errno(err, MU_ECONFIG, "sync %s", path);
}

/* Whole or not at all. */
static enum mu_rc
password_keep(const struct store_private *p, const struct mu_secret *password, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(p->state_dir, "store.password");
	MU_AUTO(mu_freep) char *fresh = path_join(p->state_dir, "store.password.new");
	int fd;

	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "create %s", fresh);
	if (write(fd, password->bytes, password->size_bytes) != (ssize_t)password->size_bytes ||
	    fsync(fd) != 0) {
		(void)mu_fail_errno(err, MU_ECONFIG, "write %s", fresh);
		(void)close(fd);
		return err->rc;
	}
	(void)close(fd);
	if (rename(fresh, path) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "rename %s", fresh);
	return dir_sync(p->state_dir, err);
}

/* initdb into data.new, then rename: a crash never leaves half a cluster. */
static enum mu_rc
cluster_init(struct store_private *p, const struct mu_secret *password, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *fresh = path_join(p->store_dir, "data.new");
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	char *argv[] = { ARG("initdb"), ARG("-D"), fresh,
	    ARG("--username=" SUPERUSER), ARG("--pwfile=/proc/self/fd/3"),
	    ARG("--auth-local=scram-sha-256"), ARG("--auth-host=reject"),
	    ARG("--encoding=UTF8"), ARG("--locale=C.UTF-8"),
	    ARG("--data-checksums"), ARG("--no-instructions"), NULL };
	enum mu_rc rc;
	int fd;

	if (tree_remove(fresh, err) != MU_OK)
		return err->rc;
	/* the server's user reads it, and nobody else */
	fd = memfd_create("password", MFD_CLOEXEC);
	if (fd < 0 || write(fd, password->bytes,
	    password->size_bytes) != (ssize_t)password->size_bytes || lseek(fd, 0, SEEK_SET) != 0)
		rc = mu_fail_errno(err, MU_ERETRY, "password for initdb");
	else
		rc = child_run(p, argv, fd, &text, err);
	if (fd >= 0)
		(void)close(fd);
	if (rc != MU_OK)
		return rc;
	if (rename(fresh, p->data_dir) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "rename %s", fresh);
	return dir_sync(p->store_dir, err);
}

static void
conninfo_make(struct store_private *p, const struct mu_secret *password)
{
	struct mu_buf b = MU_BUF_INIT;

	store_conninfo_add(&b, "host", p->socket_dir);
	store_conninfo_add(&b, "port", PORT);
	store_conninfo_add(&b, "dbname", "muster");
	store_conninfo_add(&b, "user", SUPERUSER);
	store_conninfo_add(&b, "password", mu_secret_text(password));
	p->conninfo = b.data;
}

static enum mu_rc
cluster_open(struct store_private *p, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(p->state_dir, "store.password");
	MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT;

	if (cluster_major(p) == 0) {
		password_make(&password);
		if (password_keep(p, &password, err) != MU_OK || cluster_init(p, &password,
		    err) != MU_OK)
			return err->rc;
	} else if (mu_secret_read(path, 1024, &password, err) != MU_OK) {
		return mu_wrap(err, "the store's superuser password");
	}
	conninfo_make(p, &password);
	return MU_OK;
}

/*
 * The folder of cluster and socket: the server's, and as root passable for the other processes'
 * users.
 */
static enum mu_rc
store_dir_make(const struct store_private *p, struct mu_err *err)
{
	bool root = geteuid() == 0;

	if (mkdir(p->store_dir, 0700) != 0 && errno != EEXIST)
		return mu_fail_errno(err, MU_ECONFIG, "create %s", p->store_dir);
	if ((root && lchown(p->store_dir, p->uid, p->gid) != 0) || chmod(p->store_dir, root ? 0711 :
	    0700) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "give %s to user %u", p->store_dir,
		    (unsigned int)p->uid);
	return MU_OK;
}

static enum mu_rc
lock_take(struct store_private *p, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(p->state_dir, "store.lock");

	p->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->lock_fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "open %s", path);
	if (flock(p->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return mu_fail(err, MU_ECONFIG, "%s: another musterd runs on this state directory",
		    p->state_dir);
	return MU_OK;
}

enum mu_rc
store_private_open(const struct store_private_config *config, struct store_private **out_private,
    struct mu_err *err)
{
	struct store_private *p = mu_alloc_zero(1, sizeof(*p));
	MU_AUTO(mu_freep) char *state = realpath(config->state_dir, NULL);
	size_t socket_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	p->lock_fd = -1;
	p->uid = config->uid;
	p->gid = config->gid;
	p->bin_dir = mu_strdup(config->bin_dir);
	if (state == NULL) {
		(void)mu_fail_errno(err, MU_ECONFIG, "state directory %s", config->state_dir);
		goto fail;
	}
	p->state_dir = mu_strdup(state);
	p->store_dir = path_join(state, "store");
	p->data_dir = path_join(p->store_dir, "data");
	p->socket_dir = mu_strdup(config->socket_dir == NULL ? p->store_dir : config->socket_dir);
	if (geteuid() == 0 && (p->uid == 0 || p->gid == 0)) {
		(void)mu_fail(err, MU_ECONFIG, "PostgreSQL refuses to run as root: give the store a"
		    " user of its own");
		goto fail;
	}
	if (strlen(p->socket_dir) + sizeof(SOCKET_NAME) > socket_max) {
		(void)mu_fail(err, MU_ECONFIG, "%s/" SOCKET_NAME
		    " is longer than the %zu bytes a socket's path may have: choose a shorter"
		    " directory", p->socket_dir, socket_max);
		goto fail;
	}
	if (lock_take(p, err) == MU_OK && store_dir_make(p, err) == MU_OK && programs_check(p,
	    err) == MU_OK && cluster_open(p, err) == MU_OK) {
		*out_private = p;
		return MU_OK;
	}
fail:
	store_private_close(p);
	return err->rc;
}

void
store_private_close(struct store_private *p)
{
	if (p == NULL)
		return;
	store_private_stop(p);
	if (p->lock_fd >= 0)
		(void)close(p->lock_fd);
	if (p->conninfo != NULL)
		explicit_bzero(p->conninfo, strlen(p->conninfo));
	mu_free(p->conninfo);
	mu_free(p->state_dir);
	mu_free(p->store_dir);
	mu_free(p->data_dir);
	mu_free(p->socket_dir);
	mu_free(p->bin_dir);
	mu_free(p);
}

/* --- Start and stop ------------------------------------------------------------------- */

/* Is it a postgres that works in our cluster? Its number alone says nothing. */
static bool
is_our_server(const struct store_private *p, pid_t pid)
{
	char link[64], target[4096];
	const char *base;
	ssize_t got;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	got = readlink(link, target, sizeof(target) - 1);
	if (got <= 0)
		return false;
	target[got] = '\0';
	base = strrchr(target, '/');
	if (base == NULL || !mu_text_starts(base, "/postgres"))
		return false;
	(void)snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	got = readlink(link, target, sizeof(target) - 1);
	if (got <= 0)
		return false;
	target[got] = '\0';
	return strcmp(target, p->data_dir) == 0;
}

/*
 * Children of a killed server that have not noticed yet: the cluster's shared memory is theirs
 * until they end.
 */
static void
leftovers_wait(const struct store_private *p)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int64_t number;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (!mu_int_parse(entry->d_name, 2, INT32_MAX, &number) || !is_our_server(p,
		    (pid_t)number))
			continue;
		if (!end_wait((pid_t)number, IMMEDIATE_WAIT_MS)) {
			(void)kill((pid_t)number, SIGKILL);
			(void)end_wait((pid_t)number, IMMEDIATE_WAIT_MS);
		}
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/*
 * A predecessor's postmaster.pid: if that server still runs it is stopped; if not, its number is
 * returned, so that the new server believes it stale whoever bears the number now.
 */
static pid_t
predecessor_settle(const struct store_private *p)
{
	MU_AUTO(mu_freep) char *path = path_join(p->data_dir, "postmaster.pid");
	FILE *f = fopen(path, "re");
	int number = 0;
	pid_t pid;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &number) != 1)
		number = 0;
	(void)fclose(f);
	pid = (pid_t)number;
	if (pid <= 1)
		return 0;
	if (is_our_server(p, pid)) {
		mu_log("store.predecessor", "action", "stop", NULL);
		(void)kill(pid, SIGINT);
		if (!end_wait(pid, FAST_WAIT_MS)) {
			(void)kill(pid, SIGQUIT);
			(void)end_wait(pid, IMMEDIATE_WAIT_MS);
		}
	}
	leftovers_wait(p);
	return pid;
}

static int
log_open(const struct store_private *p, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(p->state_dir, "store.log");
	MU_AUTO(mu_freep) char *old = path_join(p->state_dir, "store.log.1");
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0 && st.st_size > LOG_MAX_BYTES)
		(void)rename(path, old);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		(void)mu_fail_errno(err, MU_ECONFIG, "open %s", path);
	return fd;
}

/* The last line of the log, for whoever has to mend it. */
static void
log_last(const struct store_private *p, char *out_line, size_t room_bytes)
{
	MU_AUTO(mu_freep) char *path = path_join(p->state_dir, "store.log");
	FILE *f = fopen(path, "re");
	char line[256];

	out_line[0] = '\0';
	if (f == NULL)
		return;
	(void)fseek(f, -4096, SEEK_END);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			(void)snprintf(out_line, room_bytes, "%s", line);
	}
	(void)fclose(f);
}

/*
 * postmaster.pid of this very server says "ready" in its eighth line; asking by connecting
 * would fill the log.
 */
static bool
is_ready(const struct store_private *p)
{
	MU_AUTO(mu_freep) char *path = path_join(p->data_dir, "postmaster.pid");
	FILE *f = fopen(path, "re");
	bool ready = false;
	char line[1024];

	if (f == NULL)
		return false;
	for (int number = 1; fgets(line, sizeof(line), f) != NULL; number++) {
		if (number == 1 && atoi(line) != (int)p->pid)
			break;
		if (number == 8)
			ready = mu_text_starts(line, "ready");
	}
	(void)fclose(f);
	return ready;
}

static enum mu_rc
ready_wait(struct store_private *p, struct mu_err *err)
{
	int64_t until_ms = mu_tick_ms() + START_WAIT_MS;
	char line[300];

	while (mu_tick_ms() < until_ms) {
		if (is_ready(p))
			return MU_OK;
		if (end_wait(p->pid, 5)) {
			(void)waitpid(p->pid, NULL, 0);
			p->pid = 0;
			log_last(p, line, sizeof(line));
			return mu_fail(err, MU_ERETRY, "PostgreSQL ended while starting: %s", line);
		}
	}
	store_private_stop(p);
	return mu_fail(err, MU_ERETRY, "PostgreSQL did not answer for %d s: see store.log",
	    START_WAIT_MS / 1000);
}

static void
finish(PGconn **conn)
{
	PQfinish(*conn);
}

/* Connects as the superuser; dbname NULL: the one in conninfo. */
static enum mu_rc
superuser_connect(const struct store_private *p, const char *dbname, PGconn **out_conn,
    struct mu_err *err)
{
	const char *keys[] = { "dbname", "connect_timeout", "dbname", NULL };
	const char *values[] = { p->conninfo, "10", dbname, NULL };
	PGconn *conn;

	if (dbname == NULL)
		keys[2] = NULL;
	conn = PQconnectdbParams(keys, values, 1);
	store_quiet(conn);
	if (PQstatus(conn) != CONNECTION_OK) {
		(void)mu_fail(err, MU_ERETRY, "store: connecting as superuser: %.300s",
		    PQerrorMessage(conn));
		PQfinish(conn);
		return err->rc;
	}
	*out_conn = conn;
	return MU_OK;
}

static enum mu_rc
run(PGconn *conn, const char *sql, const char *place, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = PQexec(conn, sql);

	if (PQresultStatus(rows) != PGRES_COMMAND_OK && PQresultStatus(rows) != PGRES_TUPLES_OK)
		return store_fail(err, rows, place);
	return MU_OK;
}

static enum mu_rc
database_ensure(const struct store_private *p, struct mu_err *err)
{
	MU_AUTO(finish) PGconn *conn = NULL;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (superuser_connect(p, "postgres", &conn, err) != MU_OK)
		return err->rc;
	rows = PQexec(conn, "SELECT 1 FROM pg_database WHERE datname = 'muster'");
	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		return store_fail(err, rows, "looking for the database");
	if (PQntuples(rows) == 1)
		return MU_OK;
	if (run(conn, "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC", "closing postgres",
	    err) != MU_OK)
		return err->rc;
	return run(conn, "CREATE DATABASE muster", "creating the database", err);
}

enum mu_rc
store_private_start(struct store_private *p, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf socket = MU_BUF_INIT;
	char *argv[2 * MU_COUNT(settings) + 8];
	size_t count = 0;
	int log_fd;

	mu_buf_format(&socket, "unix_socket_directories=\"%s\"", p->socket_dir);
	argv[count++] = ARG("postgres");
	argv[count++] = ARG("-D");
	argv[count++] = p->data_dir;
	for (size_t i = 0; i < MU_COUNT(settings); i++) {
		argv[count++] = ARG("-c");
		argv[count++] = ARG(settings[i]);
	}
	argv[count++] = ARG("-c");
	argv[count++] = socket.data;
	argv[count++] = ARG("-c");
	argv[count++] = ARG(geteuid() == 0 ? "unix_socket_permissions=0777" :
	    "unix_socket_permissions=0700");
	argv[count] = NULL;
	log_fd = log_open(p, err);
	if (log_fd < 0)
		return err->rc;
	p->pid = child_start(p, argv, log_fd, -1, predecessor_settle(p));
	(void)close(log_fd);
	if (p->pid < 0) {
		p->pid = 0;
		return mu_fail_errno(err, MU_ERETRY, "fork");
	}
	if (ready_wait(p, err) != MU_OK)
		return err->rc;
	if (database_ensure(p, err) != MU_OK) {
		store_private_stop(p);
		return err->rc;
	}
	return MU_OK;
}

pid_t
store_private_pid(const struct store_private *p)
{
	return p->pid;
}

void
store_private_ended(struct store_private *p)
{
	p->pid = 0;
}

void
store_private_stop(struct store_private *p)
{
	if (p->pid == 0)
		return;
	(void)kill(p->pid, SIGINT);
	if (!end_wait(p->pid, FAST_WAIT_MS)) {
		mu_log("store.stop", "now", "immediate", NULL);
		(void)kill(p->pid, SIGQUIT);
		if (!end_wait(p->pid, IMMEDIATE_WAIT_MS))
			(void)kill(p->pid, SIGKILL);
	}
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

const char *
store_private_conninfo(const struct store_private *p)
{
	return p->conninfo;
}

/* --- Roles ---------------------------------------------------------------------------- */

/* The server sees the SCRAM verifier only. */
static enum mu_rc
role_set(PGconn *conn, const char *role, const struct mu_secret *password, struct mu_err *err)
{
	const char *values[] = { role };
	MU_AUTO(store_rows_clear) PGresult *rows = PQexecParams(conn, "SELECT 1 FROM pg_roles"
	    " WHERE rolname = $1", 1, NULL, values, NULL, NULL, 0);
	MU_AUTO(mu_buf_wipe) struct mu_buf sql = MU_BUF_INIT;
	char *verifier = PQencryptPasswordConn(conn, mu_secret_text(password), role,
	    "scram-sha-256");

	if (verifier == NULL || PQresultStatus(rows) != PGRES_TUPLES_OK) {
		PQfreemem(verifier);
		return mu_fail(err, MU_ERETRY, "store: password of %s: %.200s", role,
		    PQerrorMessage(conn));
	}
	if (PQntuples(rows) == 0)
		mu_buf_format(&sql, "CREATE ROLE %s; ", role);
	mu_buf_format(&sql, "ALTER ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT"
	    " PASSWORD '%s'; GRANT CONNECT ON DATABASE muster TO %s", role, verifier, role);
	PQfreemem(verifier);
	return run(conn, sql.data, role, err);
}

enum mu_rc
store_private_passwords_set(struct store_private *p, struct store_logins *out_logins,
    struct mu_err *err)
{
	MU_AUTO(store_logins_clear) struct store_logins logins = { .conninfo = { NULL } };
	MU_AUTO(finish) PGconn *conn = NULL;

	if (superuser_connect(p, NULL, &conn, err) != MU_OK ||
	    run(conn, "REVOKE ALL ON DATABASE muster FROM PUBLIC", "closing the database",
	    err) != MU_OK)
		return err->rc;
	for (int i = 0; i < STORE_ROLE_COUNT; i++) {
		MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT;
		const char *role = store_role_name((enum store_role)i);
		struct mu_buf b = MU_BUF_INIT;

		password_make(&password);
		if (role_set(conn, role, &password, err) != MU_OK)
			return err->rc;
		store_conninfo_add(&b, "host", p->socket_dir);
		store_conninfo_add(&b, "port", PORT);
		store_conninfo_add(&b, "dbname", "muster");
		store_conninfo_add(&b, "user", role);
		store_conninfo_add(&b, "password", mu_secret_text(&password));
		logins.conninfo[i] = b.data;
	}
	*out_logins = logins;
	logins = (struct store_logins){ .conninfo = { NULL } };
	return MU_OK;
}
