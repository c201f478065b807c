/*
 * sandbox/landlock_priv.h - landlock(7) by its system calls, which the C library does not have
 *
 * All that the running kernel can refuse is refused, but for what is named here.
 */
#ifndef SANDBOX_LANDLOCK_PRIV_H
#define SANDBOX_LANDLOCK_PRIV_H

#include "base/err.h"

#include <stdbool.h>

#define LANDLOCK_ABI_NETWORK	4	/* from here on: binding and connecting of TCP sockets */
#define LANDLOCK_ABI_SCOPE	6	/* from here on: signals and abstract sockets of others */

/* The version of the kernel's Landlock, 0 when it has none. */
int landlock_abi(void);

/*
 * readable, more  files and folders, ended by NULL; may be NULL
 * connect         TCP connections may be made
 */
MU_CHECKED enum mu_rc landlock_close(int abi, const char *const *readable,
    const char *const *more, bool connect, struct mu_err *err);

#endif
