/*
 * api/admin.h - the administrators' API: mutual TLS on its own listener, JSON in and out
 *
 * Every route but login needs the certificate of a session (auth/administrator.h): 401 without. What a role
 * does not allow is 403. Refusals are RFC 9457 problem details; members beyond type, title, status and
 * detail are named below. Times are RFC 3339 in UTC, ids UUIDs, digests hex. Every answer that shows people
 * has been recorded (AUDIT_ADMIN_READ) before its first row leaves. Members marked ? may be null. Every refusal
 * is recorded once, as AUDIT_AUTH_FAILED where nobody is known, else as AUDIT_ACTION_REFUSED.
 *
 * People out of the role's scope are not listed, and not found by name: neither are accounts, records, holds
 * and administrators of theirs. Pages are looked for for a moment only: "next" says that there may be more, even when
 * a page has fewer rows than limit, or none.
 *
 * POST /v1/login {"action"?, "code", "csr"?, "password", "user"}
 *	code is six digits, or the one-time code of a new administrator. With csr (PEM, P-256):
 *	200 {"certificate": PEM, "expires_at", "person": PERSON-REF, "role"}
 *	200 {"enrolment": {"uri": "otpauth://..."}}	for a one-time code: log in again with the first code
 *	With action (a request as for /v1/actions) and no csr: login and action in one request; answers as execute.
 *	401 wrong user, password or code, alike; 429 with Retry-After
 * POST /v1/logout				204
 * GET /v1/whoami				{"expires_at", "person": PERSON-REF, "role"}
 *
 * POST /v1/actions {"action", "args": {}, "reason", "targets": ["WHO"]}		propose
 *	200 {"action", "digest", "document", "lapses_at", "needs": {"approvals": n, "code": true},
 *	     "preview": {"lines": [TEXT], "people": [EFFECT], "summary": TEXT}}
 *	400 unknown or ambiguous targets: also "targets": [{"candidates": [PERSON-REF], "given": "WHO"}];
 *	a policy with faults: also "faults": [TEXT]
 *	403, 404, 409
 *	EFFECT: {"accounts": [TEXT], "from": STATE, "gained": [ROLE], "lost": [ROLE], "person": PERSON-REF,
 *	     "refused"?: TEXT, "to": STATE}
 *	PERSON-REF: {"id", "name", "uid"}
 * GET  /v1/actions/{digest}			ACTION, and while it is pending "preview": what it would do now
 * POST /v1/actions/{digest}/execute {"code"}
 * POST /v1/actions/{digest}/approve {"code"}
 * POST /v1/actions/{digest}/deny {"code", "reason"}
 *	200 ACTION (executed or denied), 202 ACTION (pending); 429 with Retry-After after too many wrong codes
 *	ACTION: {"action", "approvals": [{"approved": bool, "at", "person": PERSON-REF, "reason"}], "digest",
 *	     "document", "ended_at"?, "lapses_at", "needs": {"approvals": n, "code": bool}, "reason",
 *	     "requested_at", "requester": PERSON-REF, "result"?: OBJECT, "shown"?: OBJECT,
 *	     "state": "prepared|pending|executed|denied|lapsed", "targets": [PERSON-REF]}
 *	shown is answered once, to the request that executed it, and kept nowhere: {"enrolment_code": TEXT} of
 *	admin.enrol. result: {"people": [EFFECT]}, {"certificate": PEM, "not_after"} of client.add and client.renew,
 *	{"version": n} of policy.apply.
 * GET  /v1/pending				{"pending": [ACTION]}
 *
 *	action			targets	args
 *	revoke, resume, reinstate, admin.unlock, admin.remove	people	{}
 *	suspend			people	{"until"?: TIME}
 *	identify		people	{"evidence": TEXT, "level": TEXT, "method": TEXT}
 *	grant			people	{"role": TEXT, "until": TIME}
 *	ungrant			people	{"role": TEXT}
 *	credential.issue	people	{"platform": TEXT}
 *	admin.enrol		one	{"role": TEXT}
 *	brake.release		none	{"source": TEXT}: the people held now become the targets
 *	policy.apply		none	{"base": n, "files": {"roles.yaml": TEXT, ...}, "outcome": HEX}: base and outcome as
 *				the plan of these files said; when proposed and when executed, the newest plan of
 *				them must be no older than ten minutes and have come to that outcome (409)
 *	client.add		none	{"csr": PEM or "certificate": PEM, "name": TEXT, "platform": TEXT}
 *	client.renew		none	{"csr": PEM, "name": TEXT}
 *	client.remove		none	{"name": TEXT}
 *	sync.run		none	{"source": TEXT}
 *	review.confirm, review.drop	none	{"grants": [ID]}: whose they are become the targets
 *
 * The permission that each needs: read.people for people, explain and brake; read.reviews; read.accounts;
 * read.status for status, platforms, sources and policy; read.clients; read.administrators; read.audit; job. Actions, pending and
 * receipts: as action/action.h says.
 *
 * GET /v1/people?state=&match=&after=&limit=	{"next"?: CURSOR, "people": [PERSON]}; match: RFC 4515 filter;
 *	limit 1 to 200 (100)
 * GET /v1/people/{who}				PERSON and "accounts": [ACCOUNT], "grants": [{"ends_at", "granted_by":
 *	PERSON-REF, "reason", "review_due_at"?, "role", "starts_at"}], "groups": [TEXT], "identification"?: {"at", "evidence",
 *	"level", "method", "verifier": PERSON-REF}; 404; 409 with "candidates": [PERSON-REF]
 *	PERSON: {"attributes": {NAME: [TEXT]}, "blocked", "ends_at"?, "evidence", "held", "id", "identified",
 *	     "name", "resume_at"?, "roles": [ROLE], "source", "starts_at"?, "state", "state_since", "suspended", "uid"}
 * GET /v1/people/{who}/explain?role=		{"lines": [TEXT], "person": PERSON-REF}; with role also how their last
 *	grant of it ended, as far as the newest records tell
 * GET /v1/accounts?platform=&unsettled=true&after=&limit=	{"accounts": [ACCOUNT], "next"?}
 *	ACCOUNT: {"attempts", "claimed_at"?, "credential": "none|sealed|claimable|claimed", "debt_since"?,
 *	     "entitlements": [TEXT], "id", "name", "observed": STATE, "observed_at"?, "outcome", "parked",
 *	     "person": PERSON-REF, "platform", "roles": [ROLE], "settled": bool, "text", "wanted": STATE}
 * GET /v1/receipts?action=DIGEST&after=ID	receipts of the action's targets since it was executed, held back until
 *	there is one or all is settled, 10 s at most: {"next": ID, "receipts": [{"account": NAME, "at", "outcome",
 *	"person": PERSON-REF, "platform", "sessions_ended", "sessions_left", "signature", "step", "text"}],
 *	"unsettled": n}; next is what to give as after, also when there is none; 409 not executed
 * GET /v1/reviews?due=true&all=true&after=&limit=	{"next"?: CURSOR, "reviews": [REVIEW]}, soonest due first:
 *	requested grants that lapse unless they are confirmed before they end; due: those of the next 14 days alone;
 *	all: all requested grants, those last whose role is not reviewed
 *	REVIEW: {"by": [ADMIN ROLE], "due_at"?, "ends_at", "granted_by": PERSON-REF, "id", "person": PERSON-REF,
 *	     "reason", "reviewed_at"?, "reviewed_by"?: PERSON-REF, "role", "starts_at"}
 * GET /v1/platforms				{"platforms": [PLATFORM]}
 * GET /v1/platforms/{name}			PLATFORM and "settings": [{"key", "value"}], secrets left out
 *	PLATFORM: {"accounts", "adapter", "name", "oldest_debt"?, "parked", "unsettled", "url"?}
 * GET /v1/sources				{"quarantine": [{"entry", "reason", "since", "source"}], "sources": as in status}
 * GET /v1/brake				{"held": [{"kind": "removal" | "power" | "join", "person": PERSON-REF, "reason", "released", "since", "source"}]}
 * GET /v1/clients				{"clients": [{"configured", "fingerprint", "name", "not_after", "platform"}]}
 * GET /v1/administrators			{"administrators": [{"active", "conflict"?: ROLE, "enrolled_at", "enrolled_by"?: PERSON-REF,
 *	"failures", "locked_at"?, "person": PERSON-REF, "role", "state", "blocked"}]}
 * GET /v1/policy				{"applied_at", "applied_by", "digest", "files": {NAME: TEXT}, "version"}
 * GET /v1/audit?reason=&kind=&person=&since=&until=&before=&limit=	{"next"?, "records": [RECORD]}; without reason: 400.
 *	RECORD: the record's own members, and "leaf": n or null
 * GET /v1/status				as on the console (api/console.h), and "pending": n, "administrators": n
 * POST /v1/jobs {"action"?: DIGEST, "files"?: {NAME: TEXT}, "form"?, "kind": "plan|dry-run", "source"?}	as on the
 *	console; action in place of files: what the policy of a pending policy.apply would change, also for
 *	whoever may approve it without the permission job
 */
#ifndef API_ADMIN_H
#define API_ADMIN_H

#include "action/action.h"
#include "api/console.h"
#include "base/loop.h"
#include "config/settings.h"
#include "ipc/ipc.h"

#define API_ADMIN_PEOPLE_MAX	200	/* in one page */

struct api_admin_host {
	struct mu_loop *loop;
	const struct settings *settings;
	policy_attr_fn *attr_known;		/* may a filter name this attribute; its ctx is settings */
	const struct action_host *actions;
	const struct auth_host *auth;
	struct api_console *console;		/* its status and jobs are served here, too */
	struct ipc_channel *(*login)(void *ctx);	/* to `login`; NULL while away */
	void *ctx;
	int listen_fd;				/* owned from the call on */
	const struct mu_secret *key_pem, *chain_pem, *ca_pem;	/* of the listener; borrowed for the call */
};

struct api_admin;

MU_CHECKED enum mu_rc api_admin_open(const struct api_admin_host *host, struct api_admin **out_api,
    struct mu_err *err);
void api_admin_close(struct api_admin *api);		/* NULL is fine */

#endif
