/*
 * proc/spawn.h - brings a child process into being
 *
 * fork(2) and execve(2) of /proc/self/exe: the child has its standard streams, the control channel
 * on descriptor 3 and nothing else; default signals; no capability of ours, as its own user; and it
 * does not outlive the supervisor.
 */
#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include "base/err.h"
#include "proc/crew.h"

#define SPAWN_NICE_WORK 10	/* a job takes what the others leave */

/* out_fd is our end of its control channel. MU_ERETRY  no process or descriptor to be had now */
MU_CHECKED enum mu_rc spawn(enum process_kind kind, const struct crew_user *user, pid_t *out_pid,
    int *out_fd, struct mu_err *err);

/* The environment shrinks to PATH, LANG and TZ, for us and all that we start. */
void spawn_environment_clean(void);

#endif
