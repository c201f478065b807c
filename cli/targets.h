/*
 * cli/targets.h - whom a command is about: from its arguments, and from a file with a name a line
 *
 * A name is a login name, an address or an id, as the server resolves it: 1 to TARGET_MAX_BYTES
 * bytes of UTF-8 without control characters. In a file, blanks around it do not count; lines that
 * are empty or begin with # are passed over. Named twice is named once.
 */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include "base/buf.h"
#include "base/err.h"

#define TARGETS_MAX	500
#define TARGET_MAX_BYTES 256

struct targets {
	char **list;
	size_t count;
};

#define TARGETS_INIT { NULL, 0 }

void targets_clear(struct targets *t);

/* MU_EINPUT: not a name; says so. More than TARGETS_MAX are for targets_check to find. */
MU_CHECKED enum mu_rc targets_add(struct targets *t, const char *name, struct mu_err *err);

/*
 * Adds every name of a file's text.
 * MU_EINPUT  at least one line is bad: out_faults has "FILE:LINE: what is wrong\n" for each of them
 */
MU_CHECKED enum mu_rc targets_parse(struct targets *t, const char *text, size_t text_bytes,
    const char *file, struct mu_buf *out_faults, struct mu_err *err);
MU_CHECKED enum mu_rc targets_read(struct targets *t, const char *file, struct mu_buf *out_faults,
    struct mu_err *err);

/* MU_EINPUT: nobody, or too many. */
MU_CHECKED enum mu_rc targets_check(const struct targets *t, struct mu_err *err);

#endif
