#include "model/action.h"

#include <string.h>

#include "base/attr.h"

static const char *const names[ACTION_KIND_COUNT] = {
	[ACTION_REVOKE] = "revoke", [ACTION_SUSPEND] = "suspend", [ACTION_RESUME] = "resume",
	[ACTION_REINSTATE] = "reinstate", [ACTION_IDENTIFY] = "identify", [ACTION_GRANT] = "grant",
	[ACTION_UNGRANT] = "ungrant", [ACTION_CREDENTIAL_ISSUE] = "credential.issue",
	[ACTION_BRAKE_RELEASE] = "brake.release", [ACTION_POLICY_APPLY] = "policy.apply",
	[ACTION_CLIENT_ADD] = "client.add", [ACTION_CLIENT_RENEW] = "client.renew",
	[ACTION_CLIENT_REMOVE] = "client.remove", [ACTION_ADMIN_ENROL] = "admin.enrol",
	[ACTION_ADMIN_UNLOCK] = "admin.unlock", [ACTION_ADMIN_REMOVE] = "admin.remove",
	[ACTION_SYNC_RUN] = "sync.run", [ACTION_REVIEW_CONFIRM] = "review.confirm",
	[ACTION_REVIEW_DROP] = "review.drop",
};

static const char *const others[] = {
	"approve", "job", "read.accounts", "read.administrators", "read.audit", "read.clients",
	"read.people", "read.reviews", "read.status",
};

const char *
action_kind_name(enum action_kind kind)
{
	return names[kind];
}

bool
action_kind_parse(const char *name, enum action_kind *out_kind)
{
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*out_kind = (enum action_kind)i;
		return true;
	}
	return false;
}

struct action_floor
action_floor(enum action_kind kind)
{
	switch (kind) {
	case ACTION_REINSTATE: case ACTION_BRAKE_RELEASE: case ACTION_POLICY_APPLY:
	case ACTION_ADMIN_ENROL: case ACTION_ADMIN_REMOVE:
		return (struct action_floor){ .code = true, .approvals = 1 };
	case ACTION_REVOKE: case ACTION_SUSPEND: case ACTION_RESUME: case ACTION_IDENTIFY:
	case ACTION_GRANT: case ACTION_UNGRANT: case ACTION_CREDENTIAL_ISSUE: case ACTION_CLIENT_ADD:
	case ACTION_CLIENT_RENEW: case ACTION_CLIENT_REMOVE: case ACTION_ADMIN_UNLOCK:
	case ACTION_SYNC_RUN: case ACTION_REVIEW_CONFIRM: case ACTION_REVIEW_DROP:
		return (struct action_floor){ .code = true, .approvals = 0 };
	}
	return (struct action_floor){ .code = true, .approvals = 2 };
}

const char *
permission_at(size_t index)
{
	if (index < ACTION_KIND_COUNT)
		return names[index];
	index -= ACTION_KIND_COUNT;
	return index < MU_COUNT(others) ? others[index] : NULL;
}

bool
permission_valid(const char *name)
{
	for (size_t i = 0; permission_at(i) != NULL; i++)
		if (strcmp(permission_at(i), name) == 0)
			return true;
	return false;
}
