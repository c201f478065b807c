/*
 * base/secret.h - bytes that must not outlive their use
 *
 * A struct mu_secret owns its bytes, is wiped before it is freed, is never logged and never
 * copied by assignment: use mu_secret_set or MU_SECRET_TAKE.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"

#include <stdbool.h>

struct mu_secret {
	unsigned char *bytes;		/* NUL-terminated one past size_bytes */
	size_t size_bytes;
};

#define MU_SECRET_INIT { NULL, 0 }

void mu_secret_clear(struct mu_secret *s);
void mu_secret_set(struct mu_secret *s, const void *bytes, size_t bytes_count);
void mu_secret_move(struct mu_secret *to, struct mu_secret *from);	/* from is empty after */
const char *mu_secret_text(const struct mu_secret *s);			/* "" when empty */

/* Equal in a time that depends on the lengths alone. */
bool mu_secret_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/*
 * Reads a whole file, at most max_bytes, and drops one newline at its end.
 * MU_ECONFIG  cannot be opened or read, empty, larger, or readable by group or others
 */
MU_CHECKED enum mu_rc mu_secret_read(const char *path, size_t max_bytes, struct mu_secret *out_secret,
    struct mu_err *err);

/* The same from an open descriptor, whoever may read it; name stands in errors. */
MU_CHECKED enum mu_rc mu_secret_read_fd(int fd, const char *name, size_t max_bytes,
    struct mu_secret *out_secret, struct mu_err *err);

#endif
