#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/landlock_priv.h"

enum need {
	NEED_FILES	= 1 << 0,	/* opens files to read: names, TLS, plug-ins of libc */
	NEED_NETWORK	= 1 << 1,	/* connects to other hosts */
	NEED_LOCAL	= 1 << 2,	/* connects to Unix sockets: PostgreSQL, slapd */
	NEED_CLIENTS	= 1 << 3,	/* takes connections of a listener that it was given */
};

static const struct profile {
	const char *process;
	unsigned needs;
} profiles[] = {
	{ "keys",	0 },
	{ "cycle",	NEED_FILES | NEED_NETWORK | NEED_LOCAL },
	{ "login",	NEED_FILES | NEED_NETWORK | NEED_LOCAL },
	{ "provision",	NEED_LOCAL },
	{ "adapter",	NEED_FILES | NEED_NETWORK | NEED_LOCAL },
	{ "audit",	NEED_LOCAL },
	{ "token",	NEED_LOCAL | NEED_CLIENTS },
	{ "admin",	NEED_LOCAL | NEED_CLIENTS },
	{ "claim",	NEED_LOCAL | NEED_CLIENTS },
	{ "work",	NEED_LOCAL },
	{ "dryrun",	NEED_FILES | NEED_NETWORK | NEED_LOCAL },
};

/* Everybody's: memory, time, the loop, channels, what is open already, and the end. */
static const char *const calls_always[] = {
	"brk", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "dup",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2",
	"exit", "exit_group", "fdatasync", "fstat", "fsync", "ftruncate", "futex",
	"getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom", "getrlimit",
	"getrusage", "gettid", "gettimeofday", "getuid", "lseek", "madvise", "mremap",
	"munmap", "nanosleep", "pause", "poll", "ppoll", "pread64", "pselect6", "pwrite64",
	"read", "readv", "recvfrom", "recvmsg", "restart_syscall", "rseq", "rt_sigaction",
	"rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
	"sched_getaffinity", "sched_yield", "select", "sendmmsg", "sendmsg", "sendto",
	"set_robust_list", "shutdown", "sigaltstack", "sysinfo", "time",
	"timerfd_create", "timerfd_settime", "uname", "write", "writev",
};

static const char *const calls_connect[] = {
	"bind", "connect", "getpeername", "getsockname", "getsockopt", "recvmmsg", "setsockopt",
};

static const char *const calls_clients[] = {
	"accept", "accept4", "getpeername", "getsockname", "getsockopt", "setsockopt",
};

/* open and openat are not here: they are for reading only. */
static const char *const calls_files[] = {
	"access", "faccessat", "faccessat2", "fstatfs", "getdents64", "lstat", "newfstatat",
	"readlink", "readlinkat", "stat", "statfs", "statx",
};

static const char *const calls_fatal[] = {
	"execve", "execveat", "process_vm_readv", "process_vm_writev",
#ifndef MUSTER_SANITIZED
	"ptrace",
#endif
};

/* What name resolution, TLS and the C library read. /etc stays shut: passwords lie there. */
static const char *const readable[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime", "/etc/ld.so.cache", "/etc/ssl",
	"/etc/ca-certificates", "/etc/gnutls", "/etc/pki", "/etc/ldap", "/etc/passwd", "/etc/group",
	"/run/systemd/resolve", "/run/resolvconf", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/p11-kit",
	"/usr/share/zoneinfo", "/dev/null", "/dev/urandom",
#ifdef MUSTER_SANITIZED
	"/proc", "/proc/self/exe",
#endif
	NULL,
};

#ifdef MUSTER_SANITIZED
/* Reports, stack traces, and LeakSanitizer, which traces us from a process of its own. */
#define NEEDS_SANITIZED NEED_FILES
static const char *const calls_sanitized[] = {
	"arch_prctl", "clone", "clone3", "dup2", "fcntl", "getdents", "getpgrp", "kill", "membarrier",
	"mmap", "mprotect", "pipe", "pipe2", "prctl", "prlimit64", "ptrace", "sched_setaffinity",
	"setrlimit", "tgkill", "wait4",
};
#else
#define NEEDS_SANITIZED 0u
#endif

static struct scmp_arg_cmp
equal(unsigned argument, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){ .arg = argument, .op = SCMP_CMP_EQ, .datum_a = value };
}

static struct scmp_arg_cmp
at_least(unsigned argument, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){ .arg = argument, .op = SCMP_CMP_GE, .datum_a = value };
}

static struct scmp_arg_cmp
masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){
		.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value,
	};
}

static int
calls_add(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t count)
{
	int fault = 0;

	for (size_t i = 0; i < count && fault == 0; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0)
			fault = seccomp_rule_add(f, action, number, 0);
	}
	return fault;
}

static int
sockets_add(scmp_filter_ctx f, unsigned needs)
{
	const bool network = (needs & NEED_NETWORK) != 0;
	const bool local = (needs & NEED_LOCAL) != 0 || network;
	int fault = 0;

	/* The C library asks netlink which families this host has, and goes on without. */
	for (unsigned family = 0; family < AF_MAX && fault == 0; family++) {
		uint32_t action = SCMP_ACT_KILL_PROCESS;

		if ((network && (family == AF_INET || family == AF_INET6)) ||
		    (local && family == AF_UNIX))
			action = SCMP_ACT_ALLOW;
		else if (local && family == AF_NETLINK && !network)
			action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
		if (network && family == AF_NETLINK)
			fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			    equal(0, family), equal(2, NETLINK_ROUTE));
		else
			fault = seccomp_rule_add(f, action, SCMP_SYS(socket), 1,
			    equal(0, family));
	}
	if (fault == 0)
		fault = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1,
		    at_least(0, AF_MAX));
	if (fault == 0 && network)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
		    equal(0, AF_UNIX));
	return fault;
}

/* Files are opened to be read. Memory becomes code only for who loads the C library's plug-ins. */
static int
files_add(scmp_filter_ctx f, unsigned needs)
{
	const bool files = (needs & NEED_FILES) != 0;
	const scmp_datum_t no_write = O_ACCMODE | O_CREAT | O_TRUNC;
	int fault;

	if (!files) {
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    masked(2, PROT_EXEC, 0));
		if (fault != 0)
			return fault;
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    masked(2, PROT_EXEC, 0));
	}
	fault = calls_add(f, SCMP_ACT_ALLOW, calls_files, MU_COUNT(calls_files));
	if (fault == 0)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		    masked(2, no_write, O_RDONLY));
	if (fault == 0)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
		    masked(1, no_write, O_RDONLY));
	if (fault == 0)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 0);
	if (fault == 0)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 0);
	return fault;
}

/*
 * Processes of one user could signal each other: abort(3) may reach ourselves alone, and fcntl(2) does
 * not choose whom the kernel signals.
 */
static int
signals_add(scmp_filter_ctx f)
{
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	int fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    equal(0, (scmp_datum_t)getpid()));

	for (size_t i = 0; i < MU_COUNT(commands) && fault == 0; i++)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    equal(1, (scmp_datum_t)commands[i]));
	return fault;
}

static int
rules_add(scmp_filter_ctx f, unsigned needs)
{
	static const unsigned long ioctls[] = { FIONBIO, FIONREAD };
	int fault = calls_add(f, SCMP_ACT_ALLOW, calls_always, MU_COUNT(calls_always));

	if (fault == 0)
		fault = calls_add(f, SCMP_ACT_KILL_PROCESS, calls_fatal, MU_COUNT(calls_fatal));
	if (fault == 0 && (needs & (NEED_NETWORK | NEED_LOCAL)) != 0)
		fault = calls_add(f, SCMP_ACT_ALLOW, calls_connect, MU_COUNT(calls_connect));
	if (fault == 0 && (needs & NEED_CLIENTS) != 0)
		fault = calls_add(f, SCMP_ACT_ALLOW, calls_clients, MU_COUNT(calls_clients));
	for (size_t i = 0; i < MU_COUNT(ioctls) && fault == 0; i++)
		fault = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    equal(1, ioctls[i]));
	if (fault == 0)
		fault = signals_add(f);
	if (fault == 0)
		fault = files_add(f, needs | NEEDS_SANITIZED);
	if (fault == 0)
		fault = sockets_add(f, needs);
#ifdef MUSTER_SANITIZED
	if (fault == 0)
		fault = calls_add(f, SCMP_ACT_ALLOW, calls_sanitized, MU_COUNT(calls_sanitized));
#endif
	return fault;
}

static enum mu_rc
seccomp_close(unsigned needs, struct mu_err *err)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int fault = f == NULL ? -ENOMEM : 0;

	if (fault == 0)
		fault = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (fault == 0)
		fault = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (fault == 0)
		fault = rules_add(f, needs);
	if (fault == 0)
		fault = seccomp_load(f);
	seccomp_release(f);
	if (fault == 0)
		return MU_OK;
	errno = -fault;
	return mu_fail_errno(err, MU_EBROKEN, "seccomp");
}

enum mu_rc
sandbox_prepare(struct mu_err *err)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return mu_fail_errno(err, MU_EBROKEN, "no_new_privs");
	return MU_OK;
}

enum mu_rc
sandbox_enter(const char *process, const struct sandbox_more *more, struct mu_err *err)
{
	const struct profile *p = profiles;
	const char *const *paths = NULL;
	unsigned needs;

	while (p < profiles + MU_COUNT(profiles) && strcmp(p->process, process) != 0)
		p++;
	if (p == profiles + MU_COUNT(profiles))
		return mu_fail(err, MU_EBROKEN, "no sandbox for %s", process);
	needs = p->needs | (more->network ? NEED_NETWORK | NEED_FILES : 0u);
	if (sandbox_prepare(err) != MU_OK)
		return err->rc;
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return mu_fail_errno(err, MU_EBROKEN, "not dumpable");
	if (((needs | NEEDS_SANITIZED) & NEED_FILES) != 0)
		paths = readable;
	if (landlock_close(landlock_abi(), paths, more->files, (needs & NEED_NETWORK) != 0,
	    err) != MU_OK)
		return err->rc;
	return seccomp_close(needs, err);
}

void
sandbox_report(struct mu_buf *b)
{
	int abi = landlock_abi();

	if (seccomp_api_get() < 3)
		mu_buf_text_add(b, "note: this kernel has no seccomp with KILL_PROCESS: "
		    "musterd will not start\n");
	if (abi == 0)
		mu_buf_text_add(b, "note: this kernel has no Landlock: which files a process reads "
		    "is left to their owners and modes\n");
	else if (abi < LANDLOCK_ABI_NETWORK)
		mu_buf_text_add(b, "note: this kernel's Landlock cannot forbid TCP ports: which "
		    "hosts a process reaches is left to seccomp and the firewall\n");
	if (abi != 0 && abi < LANDLOCK_ABI_SCOPE)
		mu_buf_text_add(b, "note: this kernel's Landlock cannot forbid signals: processes "
		    "of one user can end each other\n");
}
