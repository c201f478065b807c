/*
 * action/kinds.c - what there is to be done: a row per kind of action, its checks and its effects
 *
 * Each works in the open transaction of a job, on people who are locked; a preview is the same with
 * a rollback behind it, so whatever stands here must have its effects in the store alone.
 */
#include "action/action_priv.h"

#include "audit/record.h"
#include "auth/client.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/settings.h"
#include "config/yaml.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "store/brake.h"
#include "store/client.h"
#include "store/credential.h"
#include "store/grant.h"
#include "store/queue.h"
#include "store/source.h"

#include <stdlib.h>
#include <string.h>

void
action_job_clear(struct action_job *j)
{
	store_people_clear(&j->people);
	action_effects_clear(&j->effects);
	mu_buf_clear(&j->lines);
	mu_buf_clear(&j->faults);
	mu_buf_clear(&j->recorded);
	mu_free(j->certificate);
	mu_secret_clear(&j->shown);
	strings_clear(&j->agreed);
	*j = (struct action_job){ .approvals = 0 };
}

/* --- What several kinds share ----------------------------------------------------------------- */

static const char *
text_of(const struct action_job *j, enum action_arg arg)
{
	return j->doc->args.text[arg];
}

const char *
action_called(const struct store_person *p)
{
	return p->uid[0] != '\0' ? p->uid : store_person_name(p);
}

enum mu_rc
action_about_person(struct action_job *j, const struct store_person *p, struct mu_err *err)
{
	char id[MU_UUID_TEXT_BYTES];

	mu_buf_reset(&j->recorded);
	mu_buf_format(&j->recorded, "%s: %s", mu_uuid_format(&p->person_id, id), err->text);
	return mu_wrap(err, "%s", action_called(p));
}

/* What was right at the proposal and is so no longer is the world's doing, not the request's. */
static enum mu_rc
outdated(const struct action_job *j)
{
	return j->earnest ? MU_ECONFLICT : MU_EINPUT;
}

typedef bool settled_fn(const struct action_job *j, const struct store_person *p);

/* MU_ECONFLICT when nobody would change. */
static enum mu_rc
unsettled_check(const struct action_job *j, settled_fn *settled, const char *text,
    struct mu_err *err)
{
	for (size_t i = 0; i < j->people.count; i++)
		if (!settled(j, &j->people.list[i]))
			return MU_OK;
	return mu_fail(err, MU_ECONFLICT, "%s", text);
}

enum mu_rc
action_mac_make(const struct action_job *j, const struct mu_buf *bytes,
    unsigned char out_mac[MAC_BYTES], struct mu_err *err)
{
	unsigned char macs[1][MAC_BYTES];

	if (auth_mac((void *)(uintptr_t)j->host->auth, bytes, 1, macs, err) != MU_OK)
		return err->rc;
	(void)memcpy(out_mac, macs[0], MAC_BYTES);
	return MU_OK;
}

enum mu_rc
action_mac_right(const struct action_job *j, const struct mu_buf *bytes,
    const unsigned char mac[MAC_BYTES], bool *out_right, struct mu_err *err)
{
	unsigned char macs[1][MAC_BYTES];

	(void)memcpy(macs[0], mac, MAC_BYTES);
	return auth_mac_check((void *)(uintptr_t)j->host->auth, bytes,
	    (const unsigned char (*)[MAC_BYTES])macs, 1, out_right, err);
}

/* --- revoke, reinstate, suspend, resume ------------------------------------------------------- */

static bool
is_blocked(const struct action_job *j, const struct store_person *p)
{
	(void)j;
	return p->blocked;
}

static bool
is_unblocked(const struct action_job *j, const struct store_person *p)
{
	(void)j;
	return !p->blocked;
}

static bool
is_suspended(const struct action_job *j, const struct store_person *p)
{
	return p->suspended && p->resume_at_s == j->doc->args.until_s;
}

static bool
is_resumed(const struct action_job *j, const struct store_person *p)
{
	(void)j;
	return !p->suspended;
}

static enum mu_rc
revoke_check(struct action_job *j, struct mu_err *err)
{
	return unsettled_check(j, is_blocked, "revoked already: muster revoke has nothing to add,"
	    " see muster person show for what is not confirmed yet", err);
}

static enum mu_rc
reinstate_check(struct action_job *j, struct mu_err *err)
{
	return unsettled_check(j, is_unblocked, "not revoked: there is nothing to reinstate", err);
}

static enum mu_rc
suspend_check(struct action_job *j, struct mu_err *err)
{
	if (j->doc->args.until_s != 0 && j->doc->args.until_s <= j->now_ms / 1000)
		return mu_fail(err, outdated(j), "args.until: a time in the future is wanted");
	return unsettled_check(j, is_suspended, "suspended so already", err);
}

static enum mu_rc
resume_check(struct action_job *j, struct mu_err *err)
{
	return unsettled_check(j, is_resumed, "not suspended by an action: what the directory"
	    " suspends is resumed there", err);
}

static enum mu_rc
revoke_execute(struct action_job *j, struct mu_err *err)
{
	(void)err;
	for (size_t i = 0; i < j->people.count; i++)
		if (!j->people.list[i].blocked)
			store_person_block(j->host->store, &j->people.list[i].person_id, true);
	return MU_OK;
}

static enum mu_rc
reinstate_execute(struct action_job *j, struct mu_err *err)
{
	(void)err;
	for (size_t i = 0; i < j->people.count; i++)
		if (j->people.list[i].blocked)
			store_person_block(j->host->store, &j->people.list[i].person_id, false);
	return MU_OK;
}

static enum mu_rc
suspend_execute(struct action_job *j, struct mu_err *err)
{
	(void)err;
	for (size_t i = 0; i < j->people.count; i++)
		if (!is_suspended(j, &j->people.list[i]))
			store_person_suspend(j->host->store, &j->people.list[i].person_id, true,
			    j->doc->args.until_s);
	return MU_OK;
}

static enum mu_rc
resume_execute(struct action_job *j, struct mu_err *err)
{
	(void)err;
	for (size_t i = 0; i < j->people.count; i++)
		if (j->people.list[i].suspended)
			store_person_suspend(j->host->store, &j->people.list[i].person_id, false,
			    0);
	return MU_OK;
}

/* --- identify --------------------------------------------------------------------------------- */

static enum mu_rc
identify_check(struct action_job *j, struct mu_err *err)
{
	if (policy_level_exists(j->policy, text_of(j, ARG_LEVEL)))
		return MU_OK;
	return mu_fail(err, MU_EABSENT, "args.level: no level %s in identification.yaml of the"
	    " policy in force", text_of(j, ARG_LEVEL));
}

static enum mu_rc
identify_execute(struct action_job *j, struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&j->doc->requester, actor);
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
		struct identification x = {	/* borrowed */
			.person_id = p->person_id, .verifier = j->doc->requester,
			.level = j->doc->args.text[ARG_LEVEL],
			.method = j->doc->args.text[ARG_METHOD],
			.evidence = j->doc->args.text[ARG_EVIDENCE],
			.identified_at_s = j->now_ms / 1000,
			.version = p->vouched.version + 1,
		};
		const struct audit_field fields[] = {
			AUDIT_TEXT("person", mu_uuid_format(&p->person_id, person)),
			AUDIT_TEXT("actor", actor),
			AUDIT_TEXT("level", x.level), AUDIT_TEXT("method", x.method),
			AUDIT_TEXT("evidence", x.evidence),
		};

		identification_encode(&x, &bytes);
		if (action_mac_make(j, &bytes, x.mac, err) != MU_OK)
			return err->rc;
		store_identification_write(j->host->store, &x);
		mu_buf_format(&j->lines, "%s: identified as %s by %s, on file as %s; until now"
		    " %s\n", action_called(p), x.level, x.method, x.evidence,
		    p->identified == NULL || p->identified[0] == '\0' ?
		    "not identified" : p->identified);
		audit_record(j->host->store, AUDIT_PERSON_IDENTIFIED, j->now_ms, fields,
		    MU_COUNT(fields), NULL);
	}
	return MU_OK;
}

/* --- grant, ungrant --------------------------------------------------------------------------- */

/* Roles of the person's grants that run now; one whose MAC is wrong counts for nothing. */
static enum mu_rc
granted_read(const struct action_job *j, const struct store_person *p, struct strings *out,
    struct mu_err *err)
{
	int64_t now_s = j->now_ms / 1000;

	for (size_t i = 0; i < p->grant_count; i++) {
		const struct grant *g = &p->grants[i];
		MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
		bool right;

		if (!policy_grant_runs(j->policy, g, now_s))
			continue;
		grant_encode(g, &bytes);
		if (action_mac_right(j, &bytes, g->mac, &right, err) != MU_OK)
			return err->rc;
		if (right)
			strings_add(out, g->role);
	}
	return MU_OK;
}

static enum mu_rc
vouched_read(const struct action_job *j, const struct store_person *p, const char **out_level,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	bool right;

	*out_level = "";
	if (p->vouched.level == NULL || p->vouched.level[0] == '\0')
		return MU_OK;
	identification_encode(&p->vouched, &bytes);
	if (action_mac_right(j, &bytes, p->vouched.mac, &right, err) != MU_OK)
		return err->rc;
	if (right)
		*out_level = p->vouched.level;
	return MU_OK;
}

/* The person as the policy decides on them; borrows p and granted, which it fills. */
static enum mu_rc
subject_make(const struct action_job *j, const struct store_person *p, struct strings *granted,
    struct policy_subject *out, struct mu_err *err)
{
	*out = (struct policy_subject){
		.facts = action_facts(j->host, p), .state = p->state, .blocked = p->blocked,
		.granted = granted,
	};
	if (granted_read(j, p, granted, err) != MU_OK)
		return err->rc;
	return vouched_read(j, p, &out->identified, err);
}

/* P5-11: whoever administers muster is given no role that their own excludes. */
static enum mu_rc
grant_administrator_check(const struct action_job *j, const struct store_person *p,
    struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(strings_clear) struct strings role = STRINGS_INIT;
	enum mu_rc rc = store_administrator_get(j->host->store, &p->person_id, false, &a, err);

	if (rc == MU_EABSENT) {
		*err = (struct mu_err)MU_ERR_INIT;
		return MU_OK;
	}
	strings_add(&role, text_of(j, ARG_ROLE));
	if (rc != MU_OK || policy_admin_conflict(j->policy, a.role, &role) == NULL)
		return rc;
	return mu_fail(err, MU_EDENIED, "role %s conflicts with their role %s of administrators:"
	    " nobody is both", text_of(j, ARG_ROLE), a.role);
}

/* May this person have the role, and how long, and what does it take? */
static enum mu_rc
grant_person_check(struct action_job *j, const struct store_person *p, struct mu_err *err)
{
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT;
	struct policy_subject subject;
	struct policy_request request;
	int64_t lasts_s = j->doc->args.until_s - j->now_ms / 1000;

	if (subject_make(j, p, &granted, &subject, err) != MU_OK)
		return err->rc;
	if (policy_request_check(j->policy, &subject, text_of(j, ARG_ROLE), &request,
	    err) != MU_OK || grant_administrator_check(j, p, err) != MU_OK)
		return action_about_person(j, p, err);
	if (lasts_s > request.longest_s) {
		MU_AUTO(mu_buf_clear) struct mu_buf latest = MU_BUF_INIT;

		mu_time_format(&latest, j->now_ms / 1000 + request.longest_s);
		return mu_fail(err, outdated(j), "args.until: a grant of %s now ends by %s",
		    text_of(j, ARG_ROLE), latest.data);
	}
	if (request.approvals > j->approvals)
		j->approvals = request.approvals;
	return MU_OK;
}

static enum mu_rc
grant_check(struct action_job *j, struct mu_err *err)
{
	if (j->doc->args.until_s <= j->now_ms / 1000)
		return mu_fail(err, outdated(j), "args.until: a time in the future is wanted");
	for (size_t i = 0; i < j->people.count; i++)
		if (grant_person_check(j, &j->people.list[i], err) != MU_OK)
			return err->rc;
	return MU_OK;
}

static enum mu_rc
grant_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf document = MU_BUF_INIT, ends = MU_BUF_INIT;
	unsigned char digest[ACTION_DIGEST_BYTES];
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];

	action_document_format(j->doc, &document);
	crypto_sha256(document.data, document.size_bytes, digest);
	mu_time_format(&ends, j->doc->args.until_s);
	(void)mu_uuid_format(&j->doc->requester, actor);
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
		struct grant g = {		/* borrowed */
			.person_id = p->person_id, .granted_by = j->doc->requester,
			.role = j->doc->args.text[ARG_ROLE], .reason = j->doc->reason,
			.starts_at_s = j->now_ms / 1000, .ends_at_s = j->doc->args.until_s,
		};
		const struct audit_field fields[] = {
			AUDIT_TEXT("person", mu_uuid_format(&p->person_id, person)),
			AUDIT_TEXT("actor", actor),
			AUDIT_TEXT("role", g.role), AUDIT_TEXT("ends", ends.data),
		};

		mu_uuid_new(&g.grant_id);
		(void)memcpy(g.action_digest, digest, sizeof(g.action_digest));
		grant_encode(&g, &bytes);
		if (action_mac_make(j, &bytes, g.mac, err) != MU_OK)
			return err->rc;
		store_grant_write(j->host->store, &g);
		audit_record(j->host->store, AUDIT_GRANT_ADDED, j->now_ms, fields, MU_COUNT(fields),
		    NULL);
	}
	return MU_OK;
}

static const struct grant *
grant_find(const struct store_person *p, const char *role)
{
	for (size_t i = 0; i < p->grant_count; i++)
		if (strcmp(p->grants[i].role, role) == 0)
			return &p->grants[i];
	return NULL;
}

static enum mu_rc
ungrant_check(struct action_job *j, struct mu_err *err)
{
	for (size_t i = 0; i < j->people.count; i++)
		if (grant_find(&j->people.list[i], text_of(j, ARG_ROLE)) != NULL)
			return MU_OK;
	return mu_fail(err, MU_EABSENT, "no grant of %s stands: what is held by birthright ends in"
	    " the directory", text_of(j, ARG_ROLE));
}

static enum mu_rc
ungrant_execute(struct action_job *j, struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];

	(void)err;
	(void)mu_uuid_format(&j->doc->requester, actor);
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];
		const struct grant *g = grant_find(p, text_of(j, ARG_ROLE));
		const struct audit_field fields[] = {
			AUDIT_TEXT("person", mu_uuid_format(&p->person_id, person)),
			AUDIT_TEXT("actor", actor),
			AUDIT_TEXT("role", text_of(j, ARG_ROLE)), AUDIT_TEXT("reason", "ungranted"),
		};

		if (g == NULL)
			continue;
		store_grant_drop(j->host->store, &g->grant_id);
		audit_record(j->host->store, AUDIT_GRANT_ENDED, j->now_ms, fields, MU_COUNT(fields),
		    NULL);
	}
	return MU_OK;
}

/* --- credential.issue ------------------------------------------------------------------------- */

static const struct store_account *
enabled_account(const struct store_person *p, const char *platform)
{
	for (size_t i = 0; i < p->account_count; i++)
		if (strcmp(p->accounts[i].want.platform, platform) == 0 &&
		    p->accounts[i].want.state == ACCOUNT_ENABLED)
			return &p->accounts[i];
	return NULL;
}

static enum mu_rc
platform_check(const struct action_job *j, struct mu_err *err)
{
	if (j->host->platform_exists(j->host->ctx, text_of(j, ARG_PLATFORM)))
		return MU_OK;
	return mu_fail(err, MU_EABSENT, "args.platform: no platform %s in the configuration",
	    text_of(j, ARG_PLATFORM));
}

static enum mu_rc
credential_check(struct action_job *j, struct mu_err *err)
{
	if (platform_check(j, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];

		if (enabled_account(p, text_of(j, ARG_PLATFORM)) != NULL)
			continue;
		(void)mu_fail(err, MU_ECONFLICT, "has no enabled account on %s, and gets a"
		    " credential only with one: muster person explain says what is missing",
		    text_of(j, ARG_PLATFORM));
		return action_about_person(j, p, err);
	}
	return MU_OK;
}

static enum mu_rc
credential_execute(struct action_job *j, struct mu_err *err)
{
	(void)err;
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];
		const struct store_account *a = enabled_account(p, text_of(j, ARG_PLATFORM));

		store_credential_renew(j->host->store, &a->want.account_id, j->now_ms / 1000);
		mu_buf_format(&j->lines, "%s: a new credential for the account %s on %s, to be"
		    " collected at the claim page\n", action_called(p), a->want.name,
		    a->want.platform);
	}
	return MU_OK;
}

/* --- brake.release, sync.run ------------------------------------------------------------------ */

static enum mu_rc
source_check(struct action_job *j, struct mu_err *err)
{
	if (j->host->source_exists(j->host->ctx, text_of(j, ARG_SOURCE)))
		return MU_OK;
	return mu_fail(err, MU_EABSENT, "args.source: no source %s in the configuration", text_of(j,
	    ARG_SOURCE));
}

static enum mu_rc
brake_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_holds_clear) struct store_holds holds = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *ids = NULL;
	const char *source = text_of(j, ARG_SOURCE);
	char actor[MU_UUID_TEXT_BYTES];
	size_t count = 0, others = 0;

	if (store_brake_hold_list(j->host->store, source, &holds, err) != MU_OK)
		return err->rc;
	ids = mu_alloc_zero(holds.count + 1, sizeof(*ids));
	for (size_t i = 0; i < holds.count; i++) {
		const struct store_hold *x = &holds.list[i];

		if (x->released)
			continue;
		if (bsearch(&x->person_id, j->doc->targets, j->doc->target_count,
		    sizeof(x->person_id), action_uuid_order) == NULL) {
			others++;
			continue;
		}
		ids[count++] = x->person_id;
		mu_buf_format(&j->lines, "%s: %s\n", x->uid[0] != '\0' ? x->uid : x->display_name,
		    x->reason);
	}
	if (count == 0)
		return mu_fail(err, MU_EABSENT, "the brake of %s holds none of them any more",
		    source);
	count = action_uuids_unique(ids, count);	/* somebody may be held for two reasons */
	if (others > 0)
		mu_buf_format(&j->lines, "%zu more are held and stay so: release them after"
		    " these\n", others);
	store_brake_release(j->host->store, source, ids, count);
	store_sync_ask(j->host->store, source, j->now_ms);
	audit_record(j->host->store, AUDIT_BRAKE_RELEASED, j->now_ms, (const struct audit_field[]){
	    AUDIT_TEXT("source", source), AUDIT_NUMBER("people", (int64_t)count),
	    AUDIT_TEXT("actor", mu_uuid_format(&j->doc->requester, actor)) }, 3, NULL);
	return MU_OK;
}

static enum mu_rc
sync_execute(struct action_job *j, struct mu_err *err)
{
	char actor[MU_UUID_TEXT_BYTES];

	(void)err;
	store_sync_ask(j->host->store, text_of(j, ARG_SOURCE), j->now_ms);
	audit_record(j->host->store, AUDIT_SYNC_ASKED, j->now_ms, (const struct audit_field[]){
	    AUDIT_TEXT("source", text_of(j, ARG_SOURCE)),
	    AUDIT_TEXT("actor", mu_uuid_format(&j->doc->requester, actor)) }, 2, NULL);
	mu_buf_format(&j->lines, "the source %s is read from end to end\n", text_of(j, ARG_SOURCE));
	return MU_OK;
}

/* --- policy.apply ----------------------------------------------------------------------------- */

static const char *
content_find(const char *name, const struct store_policy *p)
{
	for (size_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i].name, name) == 0)
			return p->files[i].content;
	return NULL;
}

/* Which files differ from the policy in force. */
static enum mu_rc
policy_compare(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_policy_clear) struct store_policy now = { .version = 0 };
	const struct action_args *a = &j->doc->args;

	if (store_policy_current(j->host->store, &now, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < a->file_count; i++) {
		const char *old = content_find(a->files[i].name, &now);

		mu_buf_format(&j->lines, "%s: %s\n", a->files[i].name, old == NULL ? "new" :
		    strcmp(old, a->files[i].content) == 0 ? "as it is" : "changed");
	}
	for (size_t i = 0; i < now.file_count; i++) {
		size_t k = 0;

		while (k < a->file_count && strcmp(a->files[k].name, now.files[i].name) != 0)
			k++;
		if (k == a->file_count)
			mu_buf_format(&j->lines, "%s: gone\n", now.files[i].name);
	}
	return MU_OK;
}

enum mu_rc
action_standing_keep(const struct action_job *j, struct store_administrators *l, struct mu_err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct store_administrator a = l->list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
		bool right;

		auth_administrator_encode(&a, &bytes);
		if (action_mac_right(j, &bytes, a.mac, &right, err) != MU_OK)
			return err->rc;
		if (!right || !auth_stands(j->host->auth, &a))
			continue;
		l->list[i] = l->list[kept];
		l->list[kept++] = a;
	}
	while (l->count > kept)
		store_administrator_clear(&l->list[--l->count]);
	return MU_OK;
}

/* Under this policy they would administer nothing any more. */
static void
conflicting_drop(const struct policy *p, struct store_administrators *l)
{
	for (size_t i = l->count; i > 0; i--) {
		struct store_administrator *a = &l->list[i - 1];

		if (policy_admin_conflict(p, a->role, &a->holds) == NULL)
			continue;
		store_administrator_clear(a);
		*a = l->list[--l->count];
	}
}

static int64_t
may_count(const struct policy *p, const struct store_administrators *l, const char *permission)
{
	int64_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += policy_admin_may(p, l->list[i].role, permission);
	return count;
}

/* Could one of these administrators ask for the next policy, and enough others approve it? */
static bool
is_changeable(const struct policy *p, const struct store_administrators *l, int64_t approvals)
{
	int64_t approvers = may_count(p, l, "approve");

	for (size_t i = 0; i < l->count; i++)
		if (policy_admin_may(p, l->list[i].role, "policy.apply") &&
		    approvers - policy_admin_may(p, l->list[i].role, "approve") >= approvals)
			return true;
	return false;
}

/* A policy under which nobody could ever bring in another locks everyone out: it is refused. */
static enum mu_rc
policy_way_back_check(const struct action_job *j, struct mu_err *err)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(store_administrators_clear) struct store_administrators there = { NULL, 0 };
	const char *apply = action_kind_name(ACTION_POLICY_APPLY);
	struct policy *next = NULL;
	int64_t active, approvals;
	enum mu_rc rc;

	if (policy_parse(j->doc->args.files, j->doc->args.file_count, NULL, NULL, &faults, &next,
	    err) != MU_OK)
		return err->rc;
	approvals = policy_gate(next, ACTION_POLICY_APPLY, 0).approvals;
	rc = store_administrator_count_lock(j->host->store, &active, err);
	if (rc == MU_OK)
		rc = store_administrator_list(j->host->store, &there, err);
	if (rc == MU_OK)
		rc = action_standing_keep(j, &there, err);
	if (rc == MU_OK)
		conflicting_drop(next, &there);
	if (rc == MU_OK && !is_changeable(next, &there, approvals))
		rc = mu_fail(err, MU_ECONFLICT, "under this policy nobody could change the policy"
		    " again: it takes one administrator who may %s and %lld more who may approve,"
		    " and of the %zu there are %lld may %s and %lld approve. Leave these in"
		    " administrators.yaml to roles that they have, or enrol others first", apply,
		    (long long)approvals, there.count, (long long)may_count(next, &there, apply),
		    apply, (long long)may_count(next, &there, "approve"));
	policy_free(next);
	return rc;
}

static enum mu_rc
policy_execute(struct action_job *j, struct mu_err *err)
{
	const struct action_args *a = &j->doc->args;
	char actor[MU_UUID_TEXT_BYTES];

	if ((a->given & ARG(ARG_OUTCOME)) == 0)
		return mu_fail(err, MU_EINPUT, "args.outcome is missing: it is what the plan of"
		    " this policy came to, so plan it first");
	if (policy_compare(j, err) != MU_OK || j->host->policy_apply(j->host->ctx, a->files,
	    a->file_count, a->base, mu_uuid_format(&j->doc->requester, actor), &j->version,
	    &j->faults, err) != MU_OK || policy_way_back_check(j, err) != MU_OK)
		return err->rc;
	if (j->host->policy_outcome(j->host->ctx, a->files, a->file_count, a->base,
	    text_of(j, ARG_OUTCOME), &j->lines, err) != MU_OK)
		return err->rc;
	mu_buf_format(&j->lines, "version %lld comes into force in place of version %lld\n",
	    (long long)j->version, (long long)a->base);
	return MU_OK;
}

/* --- client.add, client.renew, client.remove -------------------------------------------------- */

/* As the configuration spells them: [a-z][a-z0-9-]*. */
static bool
client_name_valid(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) <= SETTINGS_NAME_MAX_BYTES &&
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static struct store_client *
client_find(const struct store_clients *clients, const char *name)
{
	for (size_t i = 0; i < clients->count; i++)
		if (strcmp(clients->list[i].name, name) == 0)
			return &clients->list[i];
	return NULL;
}

/* The client that the action is about, as long as it is an action's to change. */
static enum mu_rc
client_own(const struct action_job *j, const struct store_clients *clients,
    struct store_client **out_client, struct mu_err *err)
{
	*out_client = client_find(clients, text_of(j, ARG_NAME));
	if (*out_client == NULL)
		return mu_fail(err, MU_EABSENT, "args.name: no client %s: muster client list shows"
		    " them", text_of(j, ARG_NAME));
	if ((*out_client)->configured)
		return mu_fail(err, MU_ECONFLICT, "the client %s stands in the configuration file:"
		    " change it there", text_of(j, ARG_NAME));
	return MU_OK;
}

/* Sets certificate, fingerprint and expiry from what was given. */
static enum mu_rc
client_certify(struct action_job *j, struct store_client *c, struct mu_err *err)
{
	const char *csr = text_of(j, ARG_CSR), *pinned = text_of(j, ARG_CERTIFICATE);
	struct msg_issued issued = { .certificate = NULL };

	(void)memset(c->csr_digest, 0, sizeof(c->csr_digest));
	mu_free(c->certificate);
	c->certificate = NULL;
	if (csr[0] == '\0') {
		c->certificate = mu_strdup(pinned);
		if (crypto_cert_read(pinned, c->fingerprint, &c->not_after_s, err) != MU_OK)
			return mu_wrap(err, "args.certificate");
		if (c->not_after_s <= j->now_ms / 1000)
			return mu_fail(err, outdated(j), "args.certificate: it has expired");
		return MU_OK;
	}
	crypto_sha256(csr, strlen(csr), c->csr_digest);
	if (auth_client_issue(j->host->auth, c->name, csr, &issued, err) != MU_OK)
		return err->rc == MU_EINPUT ? mu_wrap(err, "args.csr") : err->rc;
	c->certificate = MU_TAKE(issued.certificate);
	(void)memcpy(c->fingerprint, issued.fingerprint, sizeof(c->fingerprint));
	c->not_after_s = issued.not_after_s;
	msg_issued_clear(&issued);
	return MU_OK;
}

/* Writes the row with its record; c's certificate becomes the job's result. */
static enum mu_rc
client_write(struct action_job *j, struct store_client *c, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT, print = MU_BUF_INIT,
	    until = MU_BUF_INIT;
	char actor[MU_UUID_TEXT_BYTES];

	auth_client_encode(c, &bytes);
	if (action_mac_make(j, &bytes, c->mac, err) != MU_OK)
		return err->rc;
	store_client_write(j->host->store, c);
	mu_hex_format(&print, c->fingerprint, sizeof(c->fingerprint));
	mu_time_format(&until, c->not_after_s);
	audit_record(j->host->store, AUDIT_CLIENT_ISSUED, j->now_ms, (const struct audit_field[]){
	    AUDIT_TEXT("client", c->name), AUDIT_TEXT("platform", c->platform),
	    AUDIT_TEXT("fingerprint", print.data), AUDIT_TEXT("not_after", until.data),
	    AUDIT_TEXT("actor", mu_uuid_format(&j->doc->requester, actor)) }, 5, NULL);
	mu_buf_format(&j->lines, "the client %s may ask for the grants of %s until %s\n", c->name,
	    c->platform, until.data);
	j->not_after_s = c->not_after_s;
	j->certificate = MU_TAKE(c->certificate);
	return MU_OK;
}

static enum mu_rc
client_add_check(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };
	const struct action_args *a = &j->doc->args;

	if (!client_name_valid(text_of(j, ARG_NAME)))
		return mu_fail(err, MU_EINPUT, "args.name: a letter, then letters, digits and '-'"
		    " in lower case, at most %d of them", SETTINGS_NAME_MAX_BYTES);
	if (((a->given & ARG(ARG_CSR)) != 0) == ((a->given & ARG(ARG_CERTIFICATE)) != 0))
		return mu_fail(err, MU_EINPUT, "args: either csr or certificate is wanted");
	if (platform_check(j, err) != MU_OK || store_client_list(j->host->store, &clients,
	    err) != MU_OK)
		return err->rc;
	if (client_find(&clients, text_of(j, ARG_NAME)) != NULL)
		return mu_fail(err, MU_ECONFLICT, "there is a client %s already: renew it, or"
		    " remove it first", text_of(j, ARG_NAME));
	return MU_OK;
}

static enum mu_rc
client_add_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };
	MU_AUTO(store_client_clear) struct store_client c = { .version = 1,
	    .name = mu_strdup(text_of(j, ARG_NAME)), .platform = mu_strdup(text_of(j,
	    ARG_PLATFORM)) };

	mu_uuid_new(&c.client_id);
	if (client_certify(j, &c, err) != MU_OK || store_client_list(j->host->store, &clients,
	    err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < clients.count; i++)
		if (memcmp(clients.list[i].fingerprint, c.fingerprint, sizeof(c.fingerprint)) == 0)
			return mu_fail(err, MU_ECONFLICT, "args.certificate: the client %s has this"
			    " certificate, and one certificate is one client",
			    clients.list[i].name);
	return client_write(j, &c, err);
}

static enum mu_rc
client_renew_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct store_client *c;
	bool right;

	if (store_client_list(j->host->store, &clients, err) != MU_OK || client_own(j, &clients, &c,
	    err) != MU_OK)
		return err->rc;
	/* What others wrote is not vouched for by renewing it. */
	auth_client_encode(c, &bytes);
	if (action_mac_right(j, &bytes, c->mac, &right, err) != MU_OK)
		return err->rc;
	if (!right)
		return mu_fail(err, MU_ECONFLICT, "the row of the client %s was changed past"
		    " muster: remove the client and add it anew", c->name);
	c->version++;
	if (client_certify(j, c, err) != MU_OK)
		return err->rc;
	return client_write(j, c, err);
}

static enum mu_rc
client_remove_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_clients_clear) struct store_clients clients = { NULL, 0 };
	struct store_client *c;
	char actor[MU_UUID_TEXT_BYTES];

	if (store_client_list(j->host->store, &clients, err) != MU_OK || client_own(j, &clients, &c,
	    err) != MU_OK)
		return err->rc;
	store_client_remove(j->host->store, &c->client_id);
	audit_record(j->host->store, AUDIT_CLIENT_REMOVED, j->now_ms, (const struct audit_field[]){
	    AUDIT_TEXT("client", c->name), AUDIT_TEXT("platform", c->platform),
	    AUDIT_TEXT("actor", mu_uuid_format(&j->doc->requester, actor)) }, 3, NULL);
	mu_buf_format(&j->lines, "the client %s of %s may ask for nothing any more\n", c->name,
	    c->platform);
	return MU_OK;
}

/* --- admin.enrol, admin.unlock, admin.remove -------------------------------------------------- */

/* P5-11: separation of duties covers the administrators of muster, too. */
static enum mu_rc
enrol_conflict_check(struct action_job *j, const struct store_person *p, struct mu_err *err)
{
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT;
	struct policy_subject subject;
	const char *with;

	if (subject_make(j, p, &granted, &subject, err) != MU_OK)
		return err->rc;
	with = policy_admin_conflict_of(j->policy, text_of(j, ARG_ROLE), &subject);
	if (with == NULL)
		return MU_OK;
	(void)mu_fail(err, MU_EDENIED, "the role %s of administrators conflicts with the role %s,"
	    " which is theirs: nobody is both", text_of(j, ARG_ROLE), with);
	return action_about_person(j, p, err);
}

static enum mu_rc
enrol_check(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;

	if (policy_admin_exists(j->policy, text_of(j, ARG_ROLE)))
		return enrol_conflict_check(j, &j->people.list[0], err);
	policy_admin_names(j->policy, &names);
	return mu_fail(err, MU_EABSENT, "args.role: no role %s in administrators.yaml; there are:"
	    " %s", text_of(j, ARG_ROLE), mu_buf_text(&names));
}

/* P5-11: nobody gives others more than they may themselves, unless whoever may it agrees. */
static enum mu_rc
cover_check(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf missing = MU_BUF_INIT;

	if (policy_admin_covers(j->policy, &j->agreed, text_of(j, ARG_ROLE), &missing))
		return MU_OK;
	if (j->earnest)
		return mu_fail(err, MU_EDENIED, "the role %s may %s, and nobody of those who agree"
		    " may: it takes the approval of an administrator who may", text_of(j, ARG_ROLE),
		    missing.data);
	mu_buf_format(&j->lines, "it takes the approval of an administrator who may %s\n",
	    missing.data);
	return MU_OK;
}

static enum mu_rc
enrol_execute(struct action_job *j, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	const struct store_person *p = &j->people.list[0];
	enum mu_rc rc = store_administrator_get(j->host->store, &p->person_id, false, &a, err);

	if (rc != MU_OK && rc != MU_EABSENT)
		return rc;
	if (cover_check(j, err) != MU_OK)
		return err->rc;
	if (rc == MU_OK)
		mu_buf_format(&j->lines, "%s is an administrator already (%s), and loses seed and"
		    " sessions: a new authenticator takes their place\n", action_called(p), a.role);
	if (auth_enrol(j->host->auth, &p->person_id, text_of(j, ARG_ROLE), &j->doc->requester,
	    j->now_ms, &j->shown, err) != MU_OK)
		return action_about_person(j, p, err);
	mu_buf_format(&j->lines, "%s becomes an administrator with the role %s: hand the one-time"
	    " code over in person, it lasts 24 hours\n", action_called(p), text_of(j, ARG_ROLE));
	return MU_OK;
}

static enum mu_rc
unlock_execute(struct action_job *j, struct mu_err *err)
{
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];

		if (auth_unlock(j->host->auth, &p->person_id, &j->doc->requester, j->now_ms,
		    err) != MU_OK)
			return action_about_person(j, p, err);
		mu_buf_format(&j->lines, "%s: codes are taken again\n", action_called(p));
	}
	return MU_OK;
}

/* How many of the targets work as administrators now; MU_EABSENT: one is none. */
static enum mu_rc
active_count(struct action_job *j, int64_t *out_count, struct mu_err *err)
{
	*out_count = 0;
	for (size_t i = 0; i < j->people.count; i++) {
		MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };

		if (store_administrator_get(j->host->store, &j->people.list[i].person_id, false, &a,
		    err) != MU_OK)
			return err->rc == MU_EABSENT ? action_about_person(j, &j->people.list[i],
			    err) : err->rc;
		*out_count += auth_stands(j->host->auth, &a);
	}
	return MU_OK;
}

static enum mu_rc
remove_execute(struct action_job *j, struct mu_err *err)
{
	int64_t active, going;

	if (auth_standing_count_lock(j->host->auth, &active, err) != MU_OK ||
	    active_count(j, &going, err) != MU_OK)
		return err->rc;
	if (going > 0 && active - going < AUTH_BOOTSTRAP_COUNT)
		return mu_fail(err, MU_ECONFLICT, "%lld administrators would be left, and it takes"
		    " %d: enrol another first", (long long)(active - going), AUTH_BOOTSTRAP_COUNT);
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];

		if (auth_remove(j->host->auth, &p->person_id, &j->doc->requester, j->now_ms,
		    err) != MU_OK)
			return action_about_person(j, p, err);
		mu_buf_format(&j->lines, "%s is an administrator no more\n", action_called(p));
	}
	return MU_OK;
}

/* --- The table -------------------------------------------------------------------------------- */

#define ACCOUNTS	STORE_CHANNEL_ACCOUNTS

static const struct action_row rows[ACTION_KIND_COUNT] = {
	[ACTION_REVOKE] = { ABOUT_PEOPLE, 0, 0, "everything is taken away, on every platform, until"
	    " reinstated", true, ACCOUNTS, revoke_check, revoke_execute },
	[ACTION_SUSPEND] = { ABOUT_PEOPLE, 0, ARG(ARG_UNTIL), "nothing is held until resumed",
	    true, ACCOUNTS, suspend_check, suspend_execute },
	[ACTION_RESUME] = { ABOUT_PEOPLE, 0, 0, "suspended no more, and what is theirs is held"
	    " again", true, ACCOUNTS, resume_check, resume_execute },
	[ACTION_REINSTATE] = { ABOUT_PEOPLE, 0, 0, "revoked no more, and what is theirs is held"
	    " again", true, ACCOUNTS, reinstate_check, reinstate_execute },
	[ACTION_IDENTIFY] = { ABOUT_PEOPLE, ARG(ARG_EVIDENCE) | ARG(ARG_LEVEL) | ARG(ARG_METHOD), 0,
	    "vouched for", true, ACCOUNTS, identify_check, identify_execute },
	[ACTION_GRANT] = { ABOUT_PEOPLE, ARG(ARG_ROLE) | ARG(ARG_UNTIL), 0,
	    "the role is held for a time", true, ACCOUNTS, grant_check, grant_execute },
	[ACTION_UNGRANT] = { ABOUT_PEOPLE, ARG(ARG_ROLE), 0, "the granted role is held no more",
	    true, ACCOUNTS, ungrant_check, ungrant_execute },
	[ACTION_CREDENTIAL_ISSUE] = { ABOUT_PEOPLE, ARG(ARG_PLATFORM), 0,
	    "a new credential in place of the old", false, ACCOUNTS, credential_check,
	    credential_execute },
	[ACTION_BRAKE_RELEASE] = { ABOUT_HELD, ARG(ARG_SOURCE), 0,
	    "held by the brake no more: the read that follows may remove them",
	    false, STORE_CHANNEL_SYNC, source_check, brake_execute },
	[ACTION_POLICY_APPLY] = { ABOUT_NOBODY, ARG(ARG_BASE) | ARG(ARG_FILES), ARG(ARG_OUTCOME),
	    "a policy comes into force",
	    false, STORE_CHANNEL_POLICY, NULL, policy_execute },
	[ACTION_CLIENT_ADD] = { ABOUT_NOBODY, ARG(ARG_NAME) | ARG(ARG_PLATFORM),
	    ARG(ARG_CERTIFICATE) | ARG(ARG_CSR), "a platform's client may use the token API", false,
	    NULL, client_add_check, client_add_execute },
	[ACTION_CLIENT_RENEW] = { ABOUT_NOBODY, ARG(ARG_CSR) | ARG(ARG_NAME), 0,
	    "a platform's client gets a new certificate, and the old one ends", false, NULL, NULL,
	    client_renew_execute },
	[ACTION_CLIENT_REMOVE] = { ABOUT_NOBODY, ARG(ARG_NAME), 0, "a platform's client is refused"
	    " from now on", false, NULL, NULL, client_remove_execute },
	[ACTION_ADMIN_ENROL] = { ABOUT_ONE, ARG(ARG_ROLE), 0, "to be an administrator",
	    false, NULL, enrol_check, enrol_execute },
	[ACTION_ADMIN_UNLOCK] = { ABOUT_PEOPLE, 0, 0, "codes are taken again", false, NULL, NULL,
	    unlock_execute },
	[ACTION_ADMIN_REMOVE] = { ABOUT_PEOPLE, 0, 0, "administrator no more", false, NULL, NULL,
	    remove_execute },
	[ACTION_SYNC_RUN] = { ABOUT_NOBODY, ARG(ARG_SOURCE), 0, "a source is read anew",
	    false, STORE_CHANNEL_SYNC, source_check, sync_execute },
	[ACTION_REVIEW_CONFIRM] = { ABOUT_GRANTS, ARG(ARG_GRANTS), 0, "granted roles are held on,"
	    " until the next review", true, ACCOUNTS, action_review_confirm_check,
	    action_review_confirm },
	[ACTION_REVIEW_DROP] = { ABOUT_GRANTS, ARG(ARG_GRANTS), 0, "granted roles are held no more",
	    true, ACCOUNTS, action_review_drop_check, action_review_drop },
};

const struct action_row *
action_row(enum action_kind kind)
{
	return &rows[kind];
}

enum mu_rc
action_job_open(struct action_job *j, struct mu_err *err)
{
	const struct action_document *d = j->doc;

	if (d->target_count > 0 && store_person_lock_ids(j->host->store, d->targets,
	    d->target_count, &j->people, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < j->people.count; i++)
		if (j->people.list[i].state == PERSON_ERASED)
			return mu_fail(err, MU_ECONFLICT, "one of the people meant has been erased:"
			    " propose it again without them");
	if (j->people.count != d->target_count)
		return mu_fail(err, MU_ECONFLICT, "one of the people meant is not there any more:"
		    " propose it again");
	return MU_OK;
}

enum mu_rc
action_job_check(struct action_job *j, struct mu_err *err)
{
	const struct action_document *d = j->doc;
	const struct action_row *row = &rows[d->kind];

	j->approvals = policy_gate(j->policy, d->kind, (int64_t)d->target_count).approvals;
	return row->check == NULL ? MU_OK : row->check(j, err);
}

enum mu_rc
action_job_execute(struct action_job *j, struct mu_err *err)
{
	const struct action_document *d = j->doc;
	const struct action_row *row = &rows[d->kind];

	if (row->execute(j, err) != MU_OK)
		return err->rc;
	if (!row->decides)
		return MU_OK;
	return j->host->decide(j->host->ctx, d->targets, d->target_count, j->now_ms, j->earnest,
	    &j->effects, err);
}
