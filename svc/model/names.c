#include "model/names.h"

#include "base/attr.h"

#include <string.h>

static const char *const person_states[] = {
	[PERSON_STAGED] = "staged", [PERSON_ACTIVE] = "active", [PERSON_SUSPENDED] = "suspended",
	[PERSON_LEAVER] = "leaver", [PERSON_ERASED] = "erased",
};
static const char *const verdicts[] = {
	[VERDICT_NONE] = "none", [VERDICT_COMPLETE] = "complete", [VERDICT_UNREACHABLE] = "unreachable",
	[VERDICT_TRUNCATED] = "truncated", [VERDICT_STALE] = "stale", [VERDICT_NARROWED] = "narrowed",
	[VERDICT_EMPTY] = "empty",
};
static const char *const account_states[] = {
	[ACCOUNT_ABSENT] = "absent", [ACCOUNT_DISABLED] = "disabled", [ACCOUNT_ENABLED] = "enabled",
};
static const char *const brake_kinds[] = {
	[BRAKE_REMOVAL] = "removal", [BRAKE_POWER] = "power", [BRAKE_JOIN] = "join",
};
static const char *const brake_scopes[] = {
	[BRAKE_SOURCE] = "source", [BRAKE_PLATFORM] = "platform", [BRAKE_GLOBAL] = "global",
};

static int
find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *
person_state_name(enum person_state state)
{
	return person_states[state];
}

const char *
verdict_name(enum verdict verdict)
{
	return verdicts[verdict];
}

const char *
account_state_name(enum account_state state)
{
	return account_states[state];
}

const char *
brake_kind_name(enum brake_kind kind)
{
	return brake_kinds[kind];
}

const char *
brake_scope_name(enum brake_scope scope)
{
	return brake_scopes[scope];
}

bool
person_state_parse(const char *name, enum person_state *out_state)
{
	int at = find(person_states, MU_COUNT(person_states), name);

	if (at >= 0)
		*out_state = (enum person_state)at;
	return at >= 0;
}

bool
verdict_parse(const char *name, enum verdict *out_verdict)
{
	int at = find(verdicts, MU_COUNT(verdicts), name);

	if (at >= 0)
		*out_verdict = (enum verdict)at;
	return at >= 0;
}

bool
account_state_parse(const char *name, enum account_state *out_state)
{
	int at = find(account_states, MU_COUNT(account_states), name);

	if (at >= 0)
		*out_state = (enum account_state)at;
	return at >= 0;
}

bool
brake_kind_parse(const char *name, enum brake_kind *out_kind)
{
	int at = find(brake_kinds, MU_COUNT(brake_kinds), name);

	if (at >= 0)
		*out_kind = (enum brake_kind)at;
	return at >= 0;
}
