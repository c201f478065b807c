/*
 * model/action.h - what administrators may do: actions by name, and the permissions that allow them
 *
 * An action's name is what stands in documents, gates.yaml, audit records and administrators.yaml.
 * A permission is an action's name, or one of the reads below. There are no wildcards among
 * permissions: a role of administrators lists each (DESIGN: least privilege).
 */
#ifndef MODEL_ACTION_H
#define MODEL_ACTION_H

#include <stdbool.h>
#include <stddef.h>

enum action_kind {
	ACTION_REVOKE,			/* "revoke": everything, everywhere, until reinstated */
	ACTION_SUSPEND,			/* "suspend" */
	ACTION_RESUME,
	ACTION_REINSTATE,
	ACTION_IDENTIFY,
	ACTION_GRANT,
	ACTION_UNGRANT,
	ACTION_CREDENTIAL_ISSUE,	/* "credential.issue" */
	ACTION_BRAKE_RELEASE,		/* "brake.release" */
	ACTION_POLICY_APPLY,
	ACTION_CLIENT_ADD,
	ACTION_CLIENT_RENEW,
	ACTION_CLIENT_REMOVE,
	ACTION_ADMIN_ENROL,
	ACTION_ADMIN_UNLOCK,
	ACTION_ADMIN_REMOVE,
	ACTION_SYNC_RUN,		/* "sync.run" */
	ACTION_REVIEW_CONFIRM,		/* "review.confirm": a requested grant is held on */
	ACTION_REVIEW_DROP,
};
#define ACTION_KIND_COUNT (ACTION_REVIEW_DROP + 1)

const char *action_kind_name(enum action_kind kind);
bool action_kind_parse(const char *name, enum action_kind *out_kind);

/*
 * What no policy may go below, however gates.yaml is written: these change who decides. approvals
 * are of administrators other than the one who asks.
 */
struct action_floor {
	bool code;
	int approvals;
};
struct action_floor action_floor(enum action_kind kind);

/* An action's name, or "approve", "job", "read.accounts", "read.administrators", "read.audit",
 * "read.clients", "read.people", "read.reviews", "read.status". */
bool permission_valid(const char *name);
/* The index-th permission there is, NULL past the end: for tests and documentation. */
const char *permission_at(size_t index);

#endif
