/*
 * model/step.h - what is asked of a platform about one account, and what it answered
 *
 * A step travels from provision to an adapter process, a receipt back. Both may be repeated.
 */
#ifndef MODEL_STEP_H
#define MODEL_STEP_H

#include "base/secret.h"
#include "base/uuid.h"
#include "model/entitlement.h"
#include "model/names.h"
#include "model/strings.h"

enum step_kind {
	STEP_PROBE,		/* is the platform there: no account */
	STEP_GET,		/* read the account: fills receipt.seen and sessions_left */
	STEP_CREATE,		/* with secret where the platform needs one at once; made disabled if it can */
	STEP_UPDATE,		/* display name and the like */
	STEP_DISABLE,		/* login refused from now on; live sessions are STEP_KILL's */
	STEP_ENABLE,
	STEP_SET_CREDENTIAL,	/* secret becomes the password */
	STEP_JOIN,		/* right: group or room, with its level */
	STEP_LEAVE,		/* right */
	STEP_MEMBERS,		/* who has right: names in receipt.names */
	STEP_KILL,		/* end live sessions: sessions_ended, sessions_left */
	STEP_REMOVE,		/* the account and all its memberships */
};
#define STEP_KIND_COUNT (STEP_REMOVE + 1)

struct step {
	enum step_kind kind;
	struct mu_uuid account_id;	/* external id where the platform can hold one */
	char *name;			/* normalised account name; "" for STEP_PROBE */
	char *display_name;		/* "" when not known */
	struct entitlement right;	/* JOIN, LEAVE, MEMBERS: owned */
	struct entitlements rights;	/* GET: those to look for, whatever else the account holds */
	struct mu_secret secret;	/* CREATE, SET_CREDENTIAL, lossy ENABLE */
	int64_t patience_ms;		/* the step answers within this time */
};

/* An account as a platform shows it. */
struct observed {
	enum account_state state;	/* ACCOUNT_ABSENT: there is none */
	struct entitlements rights;	/* of those asked for, the ones held, with the level held */
	char *external_id;		/* "" when the platform has no such field */
};

struct receipt {
	uint8_t outcome;		/* enum adapter_outcome of adapters/adapter.h */
	struct observed seen;		/* STEP_GET: DONE also when there is no account */
	struct strings names;		/* STEP_MEMBERS */
	uint32_t sessions_ended, sessions_left;
	int64_t retry_after_ms;		/* 0: the caller chooses */
	char *text;			/* for people; never a secret */
};

void step_clear(struct step *s);
void receipt_clear(struct receipt *r);
void observed_clear(struct observed *o);
const char *step_kind_name(enum step_kind kind);	/* "disable", ... for logs and audit */

#endif
