/*
 * directory/login.h - is this the person's directory password?
 *
 * One LDAP bind as the person (RFC 4513 5.1.3) on a connection of its own, under the same TLS rules
 * as the source. Nothing is asked of the directory afterwards. An empty password never leaves
 * (RFC 4513 5.1.2: the server would say yes to nobody in particular).
 */
#ifndef DIRECTORY_LOGIN_H
#define DIRECTORY_LOGIN_H

#include "base/loop.h"
#include "base/secret.h"
#include "directory/directory.h"

#define LOGIN_DEADLINE_MS		10000
#define LOGIN_PASSWORD_MAX_BYTES	1024
#define LOGIN_AT_ONCE_MAX		32

enum login_answer {
	LOGIN_YES,
	LOGIN_NO,		/* the directory has judged: wrong, locked, unknown */
	/* cannot say: not reachable, refused for another reason, too busy */
	LOGIN_UNKNOWN,
};

/*
 * Reads what login_ask needs of the disk, once for the life of the process: before its sandbox
 * closes.
 * MU_ECONFIG  the address, transport or CA file cannot be right
 */
MU_CHECKED enum mu_rc login_prepare(const struct directory_source *source, struct mu_err *err);

/* text says why it is not LOGIN_YES; for logs, never for who asked. */
typedef void login_answer_fn(void *ctx, enum login_answer answer, const char *text);

/*
 * Asks; calls answer exactly once from the loop, within LOGIN_DEADLINE_MS. source is borrowed until
 * then, dn and password are copied.
 */
void login_ask(struct mu_loop *loop, const struct directory_source *source, const char *dn,
    const struct mu_secret *password, login_answer_fn *answer, void *ctx);

#endif
