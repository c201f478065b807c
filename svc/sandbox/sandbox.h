/*
 * sandbox/sandbox.h - what a process may still do once it is ready
 *
 * Three walls, closed for good by sandbox_enter, from a table with a row per process:
 *
 *	seccomp(2)	system calls not on the list are answered ENOSYS; execve, execveat, ptrace,
 *			process_vm_*, and socket() of a family the process has no use for kill it
 *	landlock(7)	no file but those that name resolution and TLS read, and those handed in;
 *			no TCP port is bound, and none is connected to by who has no network; where
 *			the kernel has it: sandbox_report says what it lacks
 *	prctl(2)	no_new_privs, not dumpable, no core
 *
 * What sanitizers need beyond that is one #ifdef MUSTER_SANITIZED list in sandbox.c.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

/* What the configuration adds to the row of a process. */
struct sandbox_more {
	/* What it reads later (a CA's certificates), ended by NULL; what is absent is skipped. */
	const char *const *files;
	bool network;		/* its store is elsewhere */
};

/*
 * Closes the sandbox of the process of that name ("keys", ...) around the caller, for good.
 * MU_EBROKEN  the kernel has no seccomp, or refuses
 */
MU_CHECKED enum mu_rc sandbox_enter(const char *process, const struct sandbox_more *more,
    struct mu_err *err);

/* A line for each thing that this kernel cannot enforce; nothing when it enforces all. */
void sandbox_report(struct mu_buf *b);

/* For every process, as early as possible, and inherited: no_new_privs and no core. */
MU_CHECKED enum mu_rc sandbox_prepare(struct mu_err *err);

#endif
