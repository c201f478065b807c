/*
 * model/names.h - the enums that are spelled out in the store, in logs and in JSON
 */
#ifndef MODEL_NAMES_H
#define MODEL_NAMES_H

#include <stdbool.h>

enum person_state {
	PERSON_STAGED,		/* starts in the future: holds nothing yet */
	PERSON_ACTIVE,
	PERSON_SUSPENDED,	/* holds nothing, comes back */
	PERSON_LEAVER,		/* holds nothing, kept for the grace period */
	PERSON_ERASED,
};

/* What a directory read was worth; only complete ever removes anyone. */
enum verdict {
	VERDICT_NONE,		/* not read yet */
	VERDICT_COMPLETE,
	VERDICT_UNREACHABLE,
	VERDICT_TRUNCATED,	/* a limit or a lost connection cut it short */
	VERDICT_STALE,		/* the server is older than what we have seen */
	VERDICT_NARROWED,	/* far fewer people than last time */
	VERDICT_EMPTY,
};

/* What an account on a platform is to be, or was seen to be. */
enum account_state {
	ACCOUNT_ABSENT,
	ACCOUNT_DISABLED,
	ACCOUNT_ENABLED,
};

/* What a brake counts, and over what. */
enum brake_kind {
	BRAKE_REMOVAL,		/* of an account, or of roles without any gained */
	BRAKE_POWER,		/* a level above member is gained */
	BRAKE_JOIN,		/* who had nothing gets something */
};
#define BRAKE_KIND_COUNT 3
enum brake_scope {
	BRAKE_SOURCE,
	BRAKE_PLATFORM,
	BRAKE_GLOBAL,
};

const char *person_state_name(enum person_state state);
const char *verdict_name(enum verdict verdict);
const char *account_state_name(enum account_state state);
const char *brake_kind_name(enum brake_kind kind);
const char *brake_scope_name(enum brake_scope scope);

/* false when the name is none of them */
bool person_state_parse(const char *name, enum person_state *out_state);
bool verdict_parse(const char *name, enum verdict *out_verdict);
bool account_state_parse(const char *name, enum account_state *out_state);
bool brake_kind_parse(const char *name, enum brake_kind *out_kind);

#endif
