/*
 * cli/args.h - a command's arguments: written down once, as people read them, and taken from there
 *
 * A spec is the usage line itself:
 *
 *	WHO		one argument	WHO...		one or more, at most once a spec
 *	[ROLE]		may be missing	[WHO...]	none or more
 *	--reason TEXT	an option with a value; [--wait] one without, which may be missing
 *	(--csr FILE | --cert FILE)	exactly one of them
 *
 * An argument goes by its name without dashes and brackets: "WHO", "reason".
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

#define ARGS_MAX	12
#define ARG_NAME_BYTES	24

struct arg {
	char name[ARG_NAME_BYTES];
	char value[ARG_NAME_BYTES];	/* what an option takes: "TEXT"; "" for none */
	bool is_option, is_required, is_many;
	bool is_either;			/* one of several, of which exactly one is to be given */
};

struct arg_spec {
	struct arg list[ARGS_MAX];
	size_t count;
};

/* A spec is ours: what does not parse is a mistake in the table of commands. */
void arg_spec_parse(const char *text, struct arg_spec *out_spec);

struct args {
	struct arg_spec spec;
	/* Beside spec.list; "" for an option without a value; NULL: not given. */
	const char *values[ARGS_MAX];
	const char **many;		/* of the argument that is_many */
	size_t many_count;
};

void args_init(struct args *a, const char *spec);
void args_clear(struct args *a);

/* NULL: not given. Asking for what the spec does not have is a mistake of ours. */
const char *args_get(const struct args *a, const char *name);
bool args_has(const struct args *a, const char *name);

/*
 * Takes argv[*at], an option, into a, or into globals if it is one of theirs, and moves *at behind
 * it.
 * MU_EINPUT  there is no such option: names the nearest; its value is missing; or it was given
 * before
 */
MU_CHECKED enum mu_rc args_option_take(struct args *a, struct args *globals, int argc,
    const char *const *argv, int *at, struct mu_err *err);

/* All that is left of argv. MU_EINPUT also: too many arguments, or one that is missing. */
MU_CHECKED enum mu_rc args_take(struct args *a, struct args *globals, int argc,
    const char *const *argv, int at, struct mu_err *err);

#endif
