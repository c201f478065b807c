/*
 * action/action.h - the one door: every change by a person is an action through here
 *
 * An action is a canonical document (RFC 8785 JSON); its SHA-256 is its digest and its name from then on:
 *
 *	{"action": "grant", "args": {"role": "ops-moderator", "until": "2026-11-21T18:00:00Z"},
 *	 "id": UUID, "reason": TEXT, "requester": UUID, "targets": [UUID, ...]}
 *
 * Proposing resolves who is meant (never guessing), checks role, scope and self, says what the action would
 * do and what it needs. Executing uses the asker's code and commits with the action, or leaves it pending
 * until enough others have approved the same digest, each with a code of their own; the last approval
 * executes. Gates, roles, scopes and the people's facts are looked at again when it is executed. It is executed once
 * however often it is sent: whoever sends it again gets the same answer. Pending actions lapse after 24 h.
 *
 * Who has no permission admin.remove acts on no administrator. Nobody acts on their own rights: neither asker nor approver is among the targets. Every refusal is
 * recorded (AUDIT_ACTION_REFUSED), so is every step that succeeds, in the transaction of its effect.
 */
#ifndef ACTION_ACTION_H
#define ACTION_ACTION_H

#include "auth/administrator.h"
#include "json/read.h"
#include "policy/policy.h"
#include "store/action.h"
#include "store/policy.h"

#define ACTION_TARGETS_MAX	500
#define ACTION_HELD_MAX		20000	/* whom the brake holds: an organisation may halve */
#define ACTION_REASON_MAX_BYTES	1000
#define ACTION_DOCUMENT_MAX_BYTES (3u << 20)	/* a policy's files are in it, escaped */
#define ACTION_PREPARED_S	600
#define ACTION_LAPSE_S		(24 * 3600)
#define ACTION_CANDIDATES_MAX	10

/* What deciding a person anew changed: filled by the host from struct cycle_effect. */
struct action_effect {
	struct mu_uuid person_id;
	char *uid, *display_name;
	enum person_state from, to;
	struct strings gained, lost, accounts;
	char *refused;
};
struct action_effects {
	struct action_effect *list;
	size_t count;
};
void action_effects_clear(struct action_effects *e);

/* What the room needs of those above it. */
struct action_host {
	struct store *store;	/* PERSON, SOURCE, POLICY, AUDIT, CLIENT, CREDENTIAL, ADMIN, ACTION, GRANT, LOOK */
	const struct auth_host *auth;
	/* The policy in force, parsed; borrowed until the next call. */
	enum mu_rc (*policy)(void *ctx, const struct policy **out_policy, int64_t *out_version, struct mu_err *err);
	/* Decides these people anew in the open transaction (cycle_again); earnest: not a preview. */
	enum mu_rc (*decide)(void *ctx, const struct mu_uuid *person_ids, size_t count, int64_t now_ms,
	    bool earnest, struct action_effects *out_effects, struct mu_err *err);
	/* Writes the next policy version in the open transaction (cycle_policy_apply). out_faults: a line for
	 * each fault of the files. */
	enum mu_rc (*policy_apply)(void *ctx, const struct policy_file *files, size_t file_count, int64_t base,
	    const char *applied_by, int64_t *out_version, struct mu_buf *out_faults, struct mu_err *err);
	/* Does a fresh plan of these files on base come to outcome? Its counts and worst lines go to out_lines
	 * (api_console_outcome_check). */
	enum mu_rc (*policy_outcome)(void *ctx, const struct policy_file *files, size_t file_count, int64_t base,
	    const char *outcome, struct mu_buf *out_lines, struct mu_err *err);
	/* Is it a platform, a source of the configuration? */
	bool (*platform_exists)(void *ctx, const char *name);
	bool (*source_exists)(void *ctx, const char *name);
	/* The only roles and levels that a source may give its people; NULL: all. */
	const struct authority *(*authority)(void *ctx, const char *source);
	/* After a commit: hands a public file out ("clients/NAME.crt"). */
	void (*publish)(void *ctx, const char *name, const char *content);
	const char *mail;	/* the mapped name of mail addresses, "" for none */
	void *ctx;
};

/* What is answered, as canonical JSON for the client; see api/admin.h for the members. */
struct action_answer {
	enum action_state state;
	struct mu_buf json;
};
void action_answer_clear(struct action_answer *a);

/*
 * Proposes. request: {"action", "args", "reason", "targets": ["WHO", ...]} as a client writes it; targets
 * are names, addresses or ids.
 *
 * MU_EINPUT     malformed, too large, unknown action or argument, a reason missing; or targets that are
 *               nobody or not one person alone: then out_answer->json has {"targets": [{"candidates": [...],
 *               "given": "WHO"}]}, all of them at once; or a policy with faults: then it has {"faults":
 *               [TEXT]}; and nothing was prepared
 * MU_EDENIED    the administrator's role does not allow it, a target is out of scope, or it is themselves
 * MU_EABSENT, MU_ECONFLICT  what it is about is not there, or is that way already
 */
MU_CHECKED enum mu_rc action_propose(const struct action_host *h, const struct auth_who *who,
    const struct json_node *request, int64_t now_ms, struct action_answer *out_answer, struct mu_err *err);

/*
 * The asker's code: executes, or leaves it pending. ERRORS as auth_code_use, and:
 * MU_EABSENT    no such action, or not theirs
 * MU_ECONFLICT  denied, lapsed, or what it is about has moved: propose again
 */
MU_CHECKED enum mu_rc action_execute(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code, const char *address,
    int64_t now_ms, struct action_answer *out_answer, struct mu_err *err);

/* Another administrator's code. MU_EDENIED also: it is their own action, or they are a target. */
MU_CHECKED enum mu_rc action_approve(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code, const char *address,
    int64_t now_ms, struct action_answer *out_answer, struct mu_err *err);
/* The asker may take it back this way, too. */
MU_CHECKED enum mu_rc action_deny(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code, const char *reason,
    const char *address, int64_t now_ms, struct action_answer *out_answer, struct mu_err *err);

/* One action, whole; by asker, approvers and whoever may approve. */
MU_CHECKED enum mu_rc action_show(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], int64_t now_ms, struct action_answer *out_answer,
    struct mu_err *err);
/* The files that a pending policy.apply would bring into force: for whoever may see it.
 * MU_EABSENT  no such action, or it is about no policy */
MU_CHECKED enum mu_rc action_policy_files(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], int64_t now_ms, struct policy_folder *out_files,
    struct mu_err *err);
/* {"pending": [...]}: with who asked, what, for whom, needs and until when. */
MU_CHECKED enum mu_rc action_pending(const struct action_host *h, const struct auth_who *who, int64_t now_ms,
    struct mu_buf *out_json, struct mu_err *err);

/* Ends what lapsed, with its records; the caller's clock calls it every minute. */
MU_CHECKED enum mu_rc action_lapse(const struct action_host *h, int64_t now_ms, struct mu_err *err);

/*
 * May this administrator do that to this person? For reads as well as actions. facts NULL: it is about
 * nobody. Records nothing. MU_EDENIED: text names role and permission.
 */
MU_CHECKED enum mu_rc action_allow(const struct policy *p, const struct auth_who *who, const char *permission,
    const struct facts *facts, struct mu_err *err);

/* Who is meant by one text, to one person alone. MU_EABSENT: nobody; MU_ECONFLICT: several. For reads. */
MU_CHECKED enum mu_rc action_who(const struct action_host *h, const char *text, struct mu_uuid *out_person_id,
    struct mu_err *err);

#endif
