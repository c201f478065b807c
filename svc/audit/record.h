/*
 * audit/record.h - one record of what happened, written in the transaction of its cause
 *
 * A record is an RFC 8785 JSON object: "at" (RFC 3339), "kind" from the catalogue below, "record"
 * (its id) and the fields given. People are named by person_id alone; names, addresses and secrets
 * never stand in a record.
 */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include "base/uuid.h"
#include "store/store.h"

/* The event catalogue: closed; names are what stands in "kind". */
enum audit_kind {
	AUDIT_PERSON_JOINED,		/* "person.joined": person, source, state, reason, gained, lost; level,
					 * evidence if the same news identified them */
	AUDIT_PERSON_CHANGED,		/* the same, as all transitions */
	AUDIT_PERSON_SUSPENDED,
	AUDIT_PERSON_RESUMED,
	AUDIT_PERSON_LEFT,
	AUDIT_PERSON_RETURNED,
	AUDIT_PERSON_OVERDUE,		/* their planned return has come, they are suspended still */
	AUDIT_PERSON_ERASED,
	AUDIT_PERSON_IDENTIFIED,	/* person, level, evidence */
	AUDIT_ACCOUNT_REFUSED,		/* person, platform, reason: could not even be wanted */
	AUDIT_SOURCE_VERDICT,		/* source, verdict, text */
	AUDIT_ENTRY_QUARANTINED,	/* source, entry (UUID), reason */
	AUDIT_BRAKE_TRIPPED,		/* source, scope, of, effect, wanted, limit, within_s, held */
	AUDIT_POLICY_SEEDED,		/* version, digest */
	AUDIT_PROVISION_STEP,		/* person, account, platform, step, outcome, sessions_ended, text */
	AUDIT_PROVISION_SETTLED,	/* person, account, platform, version */
	AUDIT_CREDENTIAL_MADE,		/* person, account, platform */
	AUDIT_CREDENTIAL_CLAIMED,
	AUDIT_CLAIM_REFUSED,		/* person (if known), reason */
	AUDIT_CLIENT_ISSUED,		/* client, platform, fingerprint, not_after */
	AUDIT_CLIENT_REMOVED,		/* client, platform */
	AUDIT_GRANT_PULLED,		/* client, person, minute */
	AUDIT_GRANT_REFUSED,		/* client, reason; person if known */
	AUDIT_JOB_RUN,			/* job; uid on the console, else actor */
	AUDIT_AUTH_LOGIN,		/* "auth.login": actor, session, address */
	AUDIT_AUTH_LOGOUT,		/* actor, session */
	AUDIT_AUTH_FAILED,		/* "auth.failed": reason; actor if known, failures, address */
	AUDIT_AUTH_LOCKED,		/* actor: five wrong codes in a row */
	AUDIT_ADMIN_BOOTSTRAPPED,	/* "admin.bootstrapped": person, role, uid of the console's caller */
	AUDIT_ADMIN_ENROLLED,		/* person, role, actor */
	AUDIT_ADMIN_COLLECTED,		/* actor, address: the one-time code was spent, the seed handed out */
	AUDIT_ADMIN_ACTIVATED,		/* person, role: the first code was verified */
	AUDIT_ADMIN_UNLOCKED,		/* person, actor */
	AUDIT_ADMIN_REMOVED,		/* person, role, actor */
	AUDIT_ADMIN_READ,		/* "admin.read": actor, what, query, rows, reason; person if one is meant */
	AUDIT_ACTION_PROPOSED,		/* "action.proposed": actor, action, digest, targets */
	AUDIT_ACTION_PENDING,		/* the asker's code came, approvals are missing: actor, action, digest, approvals */
	AUDIT_ACTION_APPROVED,		/* actor, action, digest */
	AUDIT_ACTION_DENIED,		/* actor, action, digest, reason */
	AUDIT_ACTION_EXECUTED,		/* actor, action, digest, targets, reason, approvers */
	AUDIT_ACTION_LAPSED,		/* action, digest */
	AUDIT_ACTION_REFUSED,		/* actor, action, digest if it has one, reason: what was wrong */
	AUDIT_GRANT_ADDED,		/* "grant.added": person, role, ends, actor */
	AUDIT_GRANT_ENDED,		/* person, role, reason: "ended", "not reviewed" */
	AUDIT_GRANT_REVIEWED,		/* person, role, due: confirmed until then, actor */
	AUDIT_BRAKE_RELEASED,		/* source, people, actor */
	AUDIT_POLICY_APPLIED,		/* version, digest, actor */
	AUDIT_ROW_TAMPERED,		/* "row.tampered": table, row; person if known: its MAC is wrong */
	AUDIT_SYNC_ASKED,		/* source, actor */
};
#define AUDIT_KIND_COUNT (AUDIT_SYNC_ASKED + 1)
const char *audit_kind_name(enum audit_kind kind);

/* One field: text, or a number when text is NULL. Keys are ASCII, lower case with '_'. */
struct audit_field {
	const char *key;
	const char *text;
	int64_t number;			/* within +-2^53 */
};
#define AUDIT_TEXT(k, t)	{ (k), (t), 0 }
#define AUDIT_NUMBER(k, n)	{ (k), NULL, (n) }

#define AUDIT_FIELDS_MAX 16

/*
 * Queues the record in s's open transaction. fields in any order, at most AUDIT_FIELDS_MAX; text that is
 * not UTF-8 is written with its bad bytes replaced. out_id may be NULL.
 */
void audit_record(struct store *s, enum audit_kind kind, int64_t now_ms, const struct audit_field *fields,
    size_t field_count, struct mu_uuid *out_id);

/* The same, among the rows of a flood. */
struct store_flood;
void audit_record_flood(struct store_flood *rows, enum audit_kind kind, int64_t now_ms,
    const struct audit_field *fields, size_t field_count);

/* The bytes alone, for those who write rows their own way (token's pipeline). */
void audit_record_format(struct mu_buf *b, const struct mu_uuid *id, enum audit_kind kind, int64_t now_ms,
    const struct audit_field *fields, size_t field_count);

#endif
