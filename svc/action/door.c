/*
 * action/door.c - propose, execute, approve, deny, show: each one visit to the door
 *
 * Whoever brings a code locks the action first and has the code evaluated behind that: what was
 * sent twice finds the action executed and is answered, without a second evaluation that would
 * count as a wrong code. From then on all is looked at again, in the transaction that has used the
 * code; a refusal rolls it back, so the code is then unused, and has a transaction of its own.
 */
#include "action/action_priv.h"

#include "audit/record.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "store/brake.h"
#include "store/source.h"

#include <assert.h>
#include <string.h>

struct visit {
	const struct action_host *host;
	const struct auth_who *who;
	const char *address;
	int64_t now_ms;
	struct action_file file;
	struct action_job job;
	bool known;		/* file.action.kind says what it is about */
	bool has_digest;
	bool tampered;		/* the action's row is none of ours */
	bool told;		/* auth has recorded the refusal, and no transaction is open */
};

static void
visit_clear(struct visit *v)
{
	action_job_clear(&v->job);
	action_file_clear(&v->file);
}

/* --- Records ---------------------------------------------------------------------------------- */

/* The record of a step, with up to four fields of its own. */
static void
record(const struct visit *v, enum audit_kind kind, const struct mu_uuid *actor,
    const struct audit_field *more, size_t more_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf digest = MU_BUF_INIT;
	char id[MU_UUID_TEXT_BYTES];
	struct audit_field fields[AUDIT_FIELDS_MAX];
	size_t count = 0;

	if (actor != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("actor", mu_uuid_format(actor,
		    id));
	if (v->known)
		fields[count++] = (struct audit_field)AUDIT_TEXT("action",
		    action_kind_name(v->file.action.kind));
	if (v->has_digest) {
		mu_hex_format(&digest, v->file.action.digest, ACTION_DIGEST_BYTES);
		fields[count++] = (struct audit_field)AUDIT_TEXT("digest", digest.data);
	}
	for (size_t i = 0; i < more_count; i++)
		fields[count++] = more[i];
	audit_record(v->host->store, kind, v->now_ms, fields, count, NULL);
}

/* "person" where it is about one, so that it is found by it, and "targets" in any case. */
static size_t
targets_fields(const struct action_document *d, struct mu_buf *text, struct audit_field fields[2])
{
	char id[MU_UUID_TEXT_BYTES];
	size_t count = 0;

	for (size_t i = 0; i < d->target_count; i++)
		mu_buf_format(text, "%s%s", i == 0 ? "" : " ", mu_uuid_format(&d->targets[i], id));
	if (d->target_count == 1)
		fields[count++] = (struct audit_field)AUDIT_TEXT("person", mu_buf_text(text));
	fields[count++] = (struct audit_field)AUDIT_TEXT("targets", mu_buf_text(text));
	return count;
}

static bool
is_refusal(enum mu_rc rc)
{
	return rc == MU_EINPUT || rc == MU_EDENIED || rc == MU_EABSENT || rc == MU_ECONFLICT;
}

/* Ends a visit that came to nothing; err stays what it was. */
static void
refuse(const struct visit *v, const struct mu_err *err)
{
	const char *reason = v->job.recorded.size_bytes > 0 ? v->job.recorded.data : err->text;
	const struct audit_field why[] = { AUDIT_TEXT("reason", reason) };
	struct mu_err lost = MU_ERR_INIT;

	if (v->told)
		return;
	store_rollback(v->host->store);
	if (!is_refusal(err->rc) || store_begin(v->host->store, &lost) != MU_OK)
		goto end;
	if (v->tampered) {
		MU_AUTO(mu_buf_clear) struct mu_buf row = MU_BUF_INIT;

		mu_hex_format(&row, v->file.action.digest, ACTION_DIGEST_BYTES);
		audit_record(v->host->store, AUDIT_ROW_TAMPERED, v->now_ms,
		    (const struct audit_field[]){ AUDIT_TEXT("table", "action"),
		    AUDIT_TEXT("row", row.data) }, 2, NULL);
	}
	record(v, AUDIT_ACTION_REFUSED, &v->who->person_id, why, MU_COUNT(why));
	(void)!store_commit(v->host->store, &lost);
end:
	if (lost.rc != MU_OK)
		mu_log_err(&lost, "action.refusal_not_recorded", "reason", reason, NULL);
}

/* --- The rows and their MACs ------------------------------------------------------------------ */

static void
number_encode(struct mu_buf *b, int64_t value)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	mu_buf_format(&text, "%lld", (long long)value);
	mu_buf_column_add(b, text.data, text.size_bytes);
}

static void
action_encode(const struct store_action *a, struct mu_buf *b)
{
	const char *kind = action_kind_name(a->kind);

	mu_buf_text_add(b, "action:");
	mu_buf_column_add(b, a->digest, sizeof(a->digest));
	mu_buf_column_add(b, kind, strlen(kind));
	mu_buf_column_add(b, a->requester.bytes, sizeof(a->requester.bytes));
	number_encode(b, a->requested_at_s);
	number_encode(b, a->lapses_at_s);
}

static void
approval_encode(const struct store_approval *a, struct mu_buf *b)
{
	mu_buf_text_add(b, "approval:");
	mu_buf_column_add(b, a->digest, sizeof(a->digest));
	mu_buf_column_add(b, a->person_id.bytes, sizeof(a->person_id.bytes));
	number_encode(b, a->approved ? 1 : 0);
	mu_buf_column_add(b, a->reason, strlen(a->reason));
	number_encode(b, a->made_at_s);
}

/* auth's functions take the host as the context of a callback. */
static enum mu_rc
mac_make(const struct visit *v, const struct mu_buf *bytes, unsigned char out_mac[MAC_BYTES],
    struct mu_err *err)
{
	unsigned char macs[1][MAC_BYTES];

	if (auth_mac((void *)(uintptr_t)v->host->auth, bytes, 1, macs, err) != MU_OK)
		return err->rc;
	(void)memcpy(out_mac, macs[0], MAC_BYTES);
	return MU_OK;
}

static enum mu_rc
mac_right(const struct visit *v, const struct mu_buf *bytes, const unsigned char mac[MAC_BYTES],
    bool *out_right, struct mu_err *err)
{
	unsigned char macs[1][MAC_BYTES];

	(void)memcpy(macs[0], mac, MAC_BYTES);
	return auth_mac_check((void *)(uintptr_t)v->host->auth, bytes,
	    (const unsigned char (*)[MAC_BYTES])macs, 1, out_right, err);
}

/*
 * Is the row one that was written here, and the document the one with this digest? MU_EABSENT: no.
 * Reads the document and the approvals.
 */
static enum mu_rc
file_read(struct visit *v, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct store_action *a = &v->file.action;
	unsigned char digest[CRYPTO_SHA256_BYTES];
	bool right;

	crypto_sha256(a->document, strlen(a->document), digest);
	action_encode(a, &bytes);
	if (mac_right(v, &bytes, a->mac, &right, err) != MU_OK)
		return err->rc;
	v->tampered = !right || memcmp(digest, a->digest, sizeof(digest)) != 0;
	if (v->tampered)
		return mu_fail(err, MU_EABSENT, "the row of this action was changed past muster, so"
		    " it is as if it were not there: propose it again, and find out who did");
	if (action_document_parse(a->document, &v->file.doc, err) != MU_OK)
		return err->rc;
	return store_approval_list(v->host->store, a->digest, &v->file.approvals, err);
}

/* Begins a transaction with the action in hand. */
static enum mu_rc
visit_open(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES], bool lock,
    struct mu_err *err)
{
	assert(v->host->store == v->host->auth->store);
	(void)memcpy(v->file.action.digest, digest, ACTION_DIGEST_BYTES);
	v->has_digest = true;
	if (store_begin(v->host->store, err) != MU_OK)
		return err->rc;
	if (store_action_get(v->host->store, digest, lock, &v->file.action, err) != MU_OK)
		return err->rc == MU_EABSENT ? mu_fail(err, MU_EABSENT,
		    "no action has this digest: it lapsed, or never was") : err->rc;
	v->known = true;
	return file_read(v, err);
}

static enum mu_rc
code_use(struct visit *v, const struct mu_secret *code, struct mu_err *err)
{
	if (auth_code_use(v->host->auth, &v->who->person_id, code, v->address, v->now_ms,
	    err) == MU_OK)
		return MU_OK;
	v->told = true;
	return err->rc;
}

static enum mu_rc
policy_take(struct visit *v, struct mu_err *err)
{
	int64_t version;

	v->job.host = v->host;
	v->job.doc = &v->file.doc;
	v->job.now_ms = v->now_ms;
	return v->host->policy(v->host->ctx, &v->job.policy, &version, err);
}

/* --- Who may ---------------------------------------------------------------------------------- */

/* Policy, clients and reads are everybody's; and who administers reaches whom their own role does. */
static bool
is_about_all(const struct action_document *d)
{
	return d->target_count == 0 || d->kind == ACTION_ADMIN_ENROL;
}

/*
 * Who may not remove administrators touches none of them: else a helpdesk shuts everybody out with
 * one code. A review takes nothing from those whose grants it confirms. Reads all administrators,
 * of whom there are few, and only where somebody is meant.
 */
static enum mu_rc
administrators_check(const struct action_job *j, const struct auth_who *who, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators list = { NULL, 0 };
	const char *removes = action_kind_name(ACTION_ADMIN_REMOVE);

	if (j->people.count == 0 || j->doc->kind == ACTION_REVIEW_CONFIRM ||
	    policy_admin_may(j->policy, who->role, removes))
		return MU_OK;
	if (store_administrator_list(j->host->store, &list, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < list.count; i++)
		if (action_person_find(&j->people, &list.list[i].person_id) != NULL)
			return mu_fail(err, MU_EDENIED, "one of them is an administrator, and the"
			    " role %s has no permission %s: ask an administrator who has it",
			    who->role, removes);
	return MU_OK;
}

/* Nobody acts on their own rights; and everyone it is about is within the scope. */
static enum mu_rc
reach_check(const struct action_job *j, const struct auth_who *who, const char *permission,
    struct mu_err *err)
{
	if (action_allow(j->policy, who, permission, NULL, err) != MU_OK)
		return err->rc;
	if (is_about_all(j->doc) && policy_admin_is_scoped(j->policy, who->role))
		return mu_fail(err, MU_EDENIED, "the scope of the role %s is some people, and %s is"
		    " about everybody: ask an administrator whose role has no scope", who->role,
		    action_kind_name(j->doc->kind));
	for (size_t i = 0; i < j->people.count; i++) {
		const struct store_person *p = &j->people.list[i];
		const struct facts facts = action_facts(j->host, p);

		if (mu_uuid_equal(&p->person_id, &who->person_id))
			return mu_fail(err, MU_EDENIED, "nobody acts on their own rights: ask"
			    " another administrator");
		if (action_allow(j->policy, who, permission, &facts, err) != MU_OK)
			return err->rc;
	}
	return strcmp(permission, "approve") == 0 ? MU_OK : administrators_check(j, who, err);
}

/*
 * Are they, at this moment, an administrator who may? The row is read anew: a role that was taken
 * back since takes back what was asked for or approved with it. Their role joins out_agreed, NULL:
 * nowhere. MU_EDENIED: no.
 */
static enum mu_rc
standing_check(const struct visit *v, const struct mu_uuid *person_id, const char *permission,
    struct strings *out_agreed, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	bool right;

	if (store_administrator_get(v->host->store, person_id, false, &a, err) != MU_OK)
		return err->rc != MU_EABSENT ? err->rc : mu_fail(err, MU_EDENIED,
		    "no administrator any more");
	auth_administrator_encode(&a, &bytes);
	if (mac_right(v, &bytes, a.mac, &right, err) != MU_OK)
		return err->rc;
	if (!right || !auth_stands(v->host->auth, &a))
		return mu_fail(err, MU_EDENIED, "no administrator any more");
	if (reach_check(&v->job, &(struct auth_who){ .person_id = *person_id, .role = a.role },
	    permission, err) != MU_OK)
		return err->rc;
	if (out_agreed != NULL)
		strings_add(out_agreed, a.role);
	return MU_OK;
}

/* Counts the approvals that hold now; their ids, with blanks between, go to out_ids. */
static enum mu_rc
approvals_count(struct visit *v, int64_t *out_count, struct mu_buf *out_ids, struct mu_err *err)
{
	*out_count = 0;
	for (size_t i = 0; i < v->file.approvals.count; i++) {
		const struct store_approval *a = &v->file.approvals.list[i];
		MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
		struct mu_err void_err = MU_ERR_INIT;
		char id[MU_UUID_TEXT_BYTES];
		bool right;

		if (!a->approved || mu_uuid_equal(&a->person_id, &v->file.action.requester))
			continue;
		approval_encode(a, &bytes);
		if (mac_right(v, &bytes, a->mac, &right, err) != MU_OK)
			return err->rc;
		(void)mu_uuid_format(&a->person_id, id);
		if (!right) {
			audit_record(v->host->store, AUDIT_ROW_TAMPERED, v->now_ms,
			    (const struct audit_field[]){ AUDIT_TEXT("table", "action_approval"),
			    AUDIT_TEXT("person", id) }, 2, NULL);
			continue;
		}
		if (standing_check(v, &a->person_id, "approve", &v->job.agreed,
		    &void_err) == MU_OK) {
			mu_buf_format(out_ids, "%s%s", *out_count == 0 ? "" : " ", id);
			(*out_count)++;
		} else if (!is_refusal(void_err.rc)) {
			*err = void_err;
			return err->rc;
		}
	}
	return MU_OK;
}

static const struct store_approval *
approval_of(const struct visit *v, const struct mu_uuid *person_id)
{
	for (size_t i = 0; i < v->file.approvals.count; i++)
		if (mu_uuid_equal(&v->file.approvals.list[i].person_id, person_id))
			return &v->file.approvals.list[i];
	return NULL;
}

static bool
is_requester(const struct visit *v)
{
	return mu_uuid_equal(&v->file.action.requester, &v->who->person_id);
}

static bool
has_lapsed(const struct visit *v)
{
	return action_lapses_at_s(&v->file.action) <= v->now_ms / 1000;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static enum mu_rc
answer(struct visit *v, const struct action_job *preview, const struct mu_secret *shown,
    struct action_answer *out, struct mu_err *err)
{
	struct json_writer w;

	if (action_file_people(v->host, &v->file, err) != MU_OK)
		return err->rc;
	mu_buf_reset(&out->json);
	json_begin(&w, &out->json);
	action_file_json(&v->file, preview, shown, &w);
	json_end(&w);
	out->state = v->file.action.state;
	return MU_OK;
}

/* As things stand; nothing is written. */
static enum mu_rc
answer_again(struct visit *v, struct action_answer *out, struct mu_err *err)
{
	if (answer(v, NULL, NULL, out, err) != MU_OK)
		return err->rc;
	store_rollback(v->host->store);
	return MU_OK;
}

/* --- Propose ---------------------------------------------------------------------------------- */

/* brake.release is about whoever is held now; the first of very many. */
static enum mu_rc
held_resolve(struct visit *v, struct mu_err *err)
{
	MU_AUTO(store_holds_clear) struct store_holds holds = { NULL, 0 };
	struct action_document *d = &v->file.doc;
	const char *source = d->args.text[ARG_SOURCE];

	if (store_brake_hold_list(v->host->store, source, &holds, err) != MU_OK)
		return err->rc;
	mu_free(d->targets);
	d->targets = mu_alloc_zero(ACTION_HELD_MAX, sizeof(*d->targets));
	for (size_t i = 0; i < holds.count && d->target_count < ACTION_HELD_MAX; i++)
		if (!holds.list[i].released)
			d->targets[d->target_count++] = holds.list[i].person_id;
	d->target_count = action_uuids_unique(d->targets, d->target_count);
	if (d->target_count == 0)
		return mu_fail(err, MU_EABSENT, "the brake holds nobody of the source %s: muster"
		    " brake list shows who is held", source);
	return MU_OK;
}

static enum mu_rc
targets_resolve(struct visit *v, const struct action_request *r, struct action_answer *out,
    struct mu_err *err)
{
	switch (action_row(r->kind)->about) {
	case ABOUT_HELD:
		return held_resolve(v, err);
	case ABOUT_GRANTS:
		return action_review_resolve(v->host, &v->file.doc, err);
	case ABOUT_NOBODY: case ABOUT_ONE: case ABOUT_PEOPLE:
		break;
	}
	return action_who_resolve(&v->job, v->who, r, &v->file.doc, &out->json, err);
}

/* What it would do: the very execution, rolled back by the caller. */
static enum mu_rc
preview(struct visit *v, const struct json_node *request, struct action_answer *out,
    struct mu_err *err)
{
	struct action_request r = { .target_count = 0 };
	enum mu_rc rc;

	if (action_request_parse(request, &v->file.action.kind, &v->known, &r, err) != MU_OK)
		return err->rc;
	rc = store_begin(v->host->store, err);
	if (rc == MU_OK)
		rc = policy_take(v, err);
	if (rc == MU_OK)
		rc = action_allow(v->job.policy, v->who, action_kind_name(r.kind), NULL, err);
	if (rc == MU_OK) {
		action_document_begin(&r, &v->who->person_id, &v->file.doc);
		rc = targets_resolve(v, &r, out, err);
	}
	action_request_clear(&r);
	if (rc != MU_OK || action_job_open(&v->job, err) != MU_OK ||
	    reach_check(&v->job, v->who, action_kind_name(v->file.doc.kind), err) != MU_OK ||
	    action_job_check(&v->job, err) != MU_OK)
		return err->rc;
	v->file.action.approvals_needed = v->job.approvals;
	strings_add(&v->job.agreed, v->who->role);
	return action_job_execute(&v->job, err);
}

static enum mu_rc
propose(struct visit *v, const struct json_node *request, struct action_answer *out,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf document = MU_BUF_INIT, bytes = MU_BUF_INIT,
	    targets = MU_BUF_INIT;
	struct store_action *a = &v->file.action;
	struct audit_field fields[2];

	if (preview(v, request, out, err) != MU_OK) {
		if (err->rc == MU_EINPUT && v->job.faults.size_bytes > 0)
			action_faults_json(&v->job, &out->json);
		return err->rc;
	}
	store_rollback(v->host->store);
	action_document_format(&v->file.doc, &document);
	if (document.size_bytes > ACTION_DOCUMENT_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "request: a document of %zu bytes, at most %u",
		    document.size_bytes, ACTION_DOCUMENT_MAX_BYTES);
	a->document = mu_strdup(document.data);
	crypto_sha256(document.data, document.size_bytes, a->digest);
	a->requester = v->who->person_id;
	a->requested_at_s = v->now_ms / 1000;
	a->lapses_at_s = a->requested_at_s + ACTION_LAPSE_S;
	a->state = ACTION_PREPARED;
	a->target_count = (int64_t)v->file.doc.target_count;
	a->result = mu_strdup("");
	action_encode(a, &bytes);
	if (mac_make(v, &bytes, a->mac, err) != MU_OK || store_begin(v->host->store, err) != MU_OK)
		return err->rc;
	v->has_digest = true;
	store_action_insert(v->host->store, a);
	record(v, AUDIT_ACTION_PROPOSED, &v->who->person_id, fields, targets_fields(&v->file.doc,
	    &targets, fields));
	if (store_commit(v->host->store, err) != MU_OK)
		return err->rc;
	action_proposal_json(&v->file, &v->job, &out->json);
	out->state = ACTION_PREPARED;
	return MU_OK;
}

/* --- Execute, approve, deny ------------------------------------------------------------------- */

/* Behind the commit: whoever waits for it hears of it. */
static void
tell(const struct visit *v)
{
	const struct action_row *row = action_row(v->file.action.kind);
	const struct action_args *args = &v->file.doc.args;

	if (row->hint != NULL)
		store_hint(v->host->store, row->hint);
	if (v->job.certificate != NULL) {
		MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;

		mu_buf_format(&name, "clients/%s.crt", args->text[ARG_NAME]);
		v->host->publish(v->host->ctx, name.data, v->job.certificate);
	}
}

static enum mu_rc
execute_now(struct visit *v, const struct mu_buf *approvers, struct action_answer *out,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf result = MU_BUF_INIT, targets = MU_BUF_INIT;
	struct store_action *a = &v->file.action;
	struct audit_field fields[4];
	size_t count = targets_fields(&v->file.doc, &targets, fields);

	if (action_job_execute(&v->job, err) != MU_OK)
		return err->rc;
	action_result_json(&v->job, &result);
	mu_free(a->result);
	a->result = mu_strdup(result.data);
	a->state = ACTION_EXECUTED;
	a->ended_at_s = v->now_ms / 1000;
	store_action_moved(v->host->store, a);
	fields[count++] = (struct audit_field)AUDIT_TEXT("reason", v->file.doc.reason);
	fields[count++] = (struct audit_field)AUDIT_TEXT("approvers", mu_buf_text(approvers));
	record(v, AUDIT_ACTION_EXECUTED, &a->requester, fields, count);
	if (answer(v, NULL, &v->job.shown, out, err) != MU_OK || store_commit(v->host->store,
	    err) != MU_OK)
		return err->rc;
	tell(v);
	return MU_OK;
}

/*
 * The code is right: looks at everything again, and executes if enough have approved. Commits.
 */
static enum mu_rc
settle(struct visit *v, struct action_answer *out, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf approvers = MU_BUF_INIT;
	struct store_action *a = &v->file.action;
	bool was_prepared = a->state == ACTION_PREPARED;
	int64_t approvals;

	v->job.earnest = true;
	if (action_job_open(&v->job, err) != MU_OK)
		return err->rc;
	if (standing_check(v, &a->requester, action_kind_name(a->kind), &v->job.agreed,
	    err) != MU_OK)
		return is_requester(v) ? err->rc : mu_wrap(err, "whoever asked for it may not any"
		    " more, so deny it or let it lapse");
	if (!is_requester(v) && standing_check(v, &v->who->person_id, "approve", NULL,
	    err) != MU_OK)
		return err->rc;
	if (action_job_check(&v->job, err) != MU_OK || approvals_count(v, &approvals, &approvers,
	    err) != MU_OK)
		return err->rc;
	a->approvals_needed = v->job.approvals;
	if (approvals >= a->approvals_needed)
		return execute_now(v, &approvers, out, err);
	a->state = ACTION_PENDING;
	store_action_moved(v->host->store, a);
	if (was_prepared)
		record(v, AUDIT_ACTION_PENDING, &a->requester, (const struct audit_field[]){
		    AUDIT_NUMBER("approvals", a->approvals_needed) }, 1);
	if (answer(v, NULL, NULL, out, err) != MU_OK)
		return err->rc;
	return store_commit(v->host->store, err);
}

static enum mu_rc
execute(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES],
    const struct mu_secret *code, struct action_answer *out, struct mu_err *err)
{
	if (visit_open(v, digest, true, err) != MU_OK)
		return err->rc;
	if (!is_requester(v))
		return mu_fail(err, MU_EABSENT, "no action of yours has this digest");
	switch (v->file.action.state) {
	case ACTION_EXECUTED:
		return answer_again(v, out, err);
	case ACTION_DENIED:
		return mu_fail(err, MU_ECONFLICT, "it was denied: propose it again");
	case ACTION_PREPARED: case ACTION_PENDING: case ACTION_LAPSED:
		break;
	}
	if (v->file.action.state == ACTION_LAPSED || has_lapsed(v))
		return mu_fail(err, MU_ECONFLICT, "it has lapsed: propose it again");
	if (v->file.action.state == ACTION_PENDING)
		return answer_again(v, out, err);
	if (code_use(v, code, err) != MU_OK || policy_take(v, err) != MU_OK)
		return err->rc;
	return settle(v, out, err);
}

/* May it still be approved or denied? */
static enum mu_rc
pending_check(const struct visit *v, struct mu_err *err)
{
	switch (v->file.action.state) {
	case ACTION_PREPARED:
		return mu_fail(err, MU_ECONFLICT, "it waits for the code of whoever proposed it,"
		    " not for others");
	case ACTION_EXECUTED:
		return mu_fail(err, MU_ECONFLICT, "it has been executed already");
	case ACTION_DENIED:
		return mu_fail(err, MU_ECONFLICT, "it has been denied already");
	case ACTION_LAPSED:
		return mu_fail(err, MU_ECONFLICT, "it has lapsed");
	case ACTION_PENDING:
		break;
	}
	if (has_lapsed(v))
		return mu_fail(err, MU_ECONFLICT, "it has lapsed");
	return MU_OK;
}

/* Writes who approved or denied, and reads all who have. */
static enum mu_rc
approval_add(struct visit *v, bool approved, const char *reason, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct store_approval a = {
		.person_id = v->who->person_id, .approved = approved, .reason = mu_strdup(reason),
		.made_at_s = v->now_ms / 1000,
	};
	enum mu_rc rc;

	(void)memcpy(a.digest, v->file.action.digest, sizeof(a.digest));
	approval_encode(&a, &bytes);
	rc = mac_make(v, &bytes, a.mac, err);
	if (rc == MU_OK)
		store_approval_write(v->host->store, &a);
	mu_free(a.reason);
	store_approvals_clear(&v->file.approvals);
	return rc == MU_OK ? store_approval_list(v->host->store, v->file.action.digest,
	    &v->file.approvals, err) : rc;
}

static enum mu_rc
approve(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES],
    const struct mu_secret *code, struct action_answer *out, struct mu_err *err)
{
	const struct store_approval *mine;

	if (visit_open(v, digest, true, err) != MU_OK)
		return err->rc;
	if (is_requester(v))
		return mu_fail(err, MU_EDENIED, "nobody approves what they asked for themselves:"
		    " another administrator does");
	mine = approval_of(v, &v->who->person_id);
	if (mine != NULL && mine->approved && (v->file.action.state == ACTION_EXECUTED ||
	    (v->file.action.state == ACTION_PENDING && !has_lapsed(v))))
		return answer_again(v, out, err);
	if (pending_check(v, err) != MU_OK || code_use(v, code, err) != MU_OK || policy_take(v,
	    err) != MU_OK || approval_add(v, true, "", err) != MU_OK)
		return err->rc;
	record(v, AUDIT_ACTION_APPROVED, &v->who->person_id, NULL, 0);
	return settle(v, out, err);
}

/* The targets as they are, without a lock: for those who only look. */
static enum mu_rc
targets_read(struct visit *v, struct mu_err *err)
{
	const struct action_document *d = &v->file.doc;

	if (d->target_count == 0)
		return MU_OK;
	store_people_clear(&v->job.people);
	return store_person_read_ids(v->host->store, d->targets, d->target_count, &v->job.people,
	    err);
}

static enum mu_rc
deny(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code,
    const char *reason, struct action_answer *out, struct mu_err *err)
{
	struct store_action *a = &v->file.action;
	const struct store_approval *mine;

	if (visit_open(v, digest, true, err) != MU_OK || action_text_check(reason, "reason",
	    ACTION_REASON_MAX_BYTES, err) != MU_OK)
		return err->rc;
	mine = approval_of(v, &v->who->person_id);
	if (a->state == ACTION_DENIED && mine != NULL && !mine->approved)
		return answer_again(v, out, err);
	if ((a->state != ACTION_PREPARED || !is_requester(v)) && pending_check(v, err) != MU_OK)
		return err->rc;
	if (code_use(v, code, err) != MU_OK || policy_take(v, err) != MU_OK || targets_read(v,
	    err) != MU_OK)
		return err->rc;
	if (!is_requester(v) && standing_check(v, &v->who->person_id, "approve", NULL,
	    err) != MU_OK)
		return err->rc;
	/* An approval stays as it was made: who denies after it has said so in the record. */
	if (mine == NULL && approval_add(v, false, reason, err) != MU_OK)
		return err->rc;
	a->state = ACTION_DENIED;
	a->ended_at_s = v->now_ms / 1000;
	store_action_moved(v->host->store, a);
	record(v, AUDIT_ACTION_DENIED, &v->who->person_id, (const struct audit_field[]){
	    AUDIT_TEXT("reason", reason) }, 1);
	if (answer(v, NULL, NULL, out, err) != MU_OK)
		return err->rc;
	return store_commit(v->host->store, err);
}

/* --- Looking ---------------------------------------------------------------------------------- */

/* By asker, approvers and whoever may approve. Behind targets_read. */
static enum mu_rc
visible_check(const struct visit *v, struct mu_err *err)
{
	if (is_requester(v) || approval_of(v, &v->who->person_id) != NULL)
		return MU_OK;
	return reach_check(&v->job, v->who, "approve", err);
}

/*
 * What the action would do now, for whoever is to approve it: the execution, to be rolled back
 * before anything else is read, since a refusal of the store's ends the transaction.
 */
static enum mu_rc
preview_again(struct visit *v, struct mu_err *err)
{
	struct action_job *j = &v->job;

	store_people_clear(&j->people);
	if (action_job_open(j, err) == MU_OK && action_job_check(j, err) == MU_OK &&
	    action_job_execute(j, err) == MU_OK)
		return MU_OK;
	if (!is_refusal(err->rc))
		return err->rc;
	action_effects_clear(&j->effects);
	mu_buf_reset(&j->lines);
	mu_buf_format(&j->lines, "It would be refused now: %s\n", err->text);
	*err = (struct mu_err)MU_ERR_INIT;
	return MU_OK;
}

static enum mu_rc
show(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES], struct action_answer *out,
    struct mu_err *err)
{
	if (visit_open(v, digest, false, err) != MU_OK || policy_take(v, err) != MU_OK ||
	    targets_read(v, err) != MU_OK || visible_check(v, err) != MU_OK)
		return err->rc;
	if (v->file.action.state != ACTION_PENDING || has_lapsed(v))
		return answer_again(v, out, err);
	if (preview_again(v, err) != MU_OK)
		return err->rc;
	store_rollback(v->host->store);
	if (store_begin(v->host->store, err) != MU_OK ||
	    answer(v, &v->job, NULL, out, err) != MU_OK)
		return err->rc;
	store_rollback(v->host->store);
	return MU_OK;
}

/* The files of a pending policy.apply, out of its document. */
static enum mu_rc
files_take(struct visit *v, const unsigned char digest[ACTION_DIGEST_BYTES],
    struct policy_folder *out, struct mu_err *err)
{
	struct action_args *args = &v->file.doc.args;

	if (visit_open(v, digest, false, err) != MU_OK || policy_take(v, err) != MU_OK ||
	    targets_read(v, err) != MU_OK || visible_check(v, err) != MU_OK)
		return err->rc;
	if (v->file.action.kind != ACTION_POLICY_APPLY ||
	    v->file.action.state != ACTION_PENDING || has_lapsed(v))
		return mu_fail(err, MU_EABSENT, "no policy waits under this digest");
	*out = (struct policy_folder){ args->files, args->file_count };
	args->files = NULL;
	args->file_count = 0;
	return MU_OK;
}

/* One pending action, if they may see it; a row that was tampered with is not shown. */
static enum mu_rc
pending_write(struct visit *v, struct json_writer *w, struct mu_err *err)
{
	enum mu_rc rc = file_read(v, err);

	if (rc == MU_OK)
		rc = policy_take(v, err);
	if (rc == MU_OK)
		rc = targets_read(v, err);
	if (rc == MU_OK)
		rc = visible_check(v, err);
	if (rc == MU_OK && action_file_people(v->host, &v->file, err) == MU_OK) {
		action_file_json(&v->file, NULL, NULL, w);
		return MU_OK;
	}
	return rc == MU_EDENIED || v->tampered ? MU_OK : err->rc;
}

static enum mu_rc
pending(const struct action_host *h, const struct auth_who *who, int64_t now_ms,
    struct json_writer *w, struct mu_err *err)
{
	MU_AUTO(store_actions_clear) struct store_actions actions = { NULL, 0 };

	if (store_action_pending(h->store, now_ms / 1000, &actions, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < actions.count; i++) {
		struct visit v = { .host = h, .who = who, .now_ms = now_ms,
		    .file.action = actions.list[i] };
		enum mu_rc rc;

		actions.list[i] = (struct store_action){ .document = NULL };
		rc = pending_write(&v, w, err);
		visit_clear(&v);
		if (rc != MU_OK)
			return rc;
	}
	return MU_OK;
}

/* --- The door --------------------------------------------------------------------------------- */

/* Every visit ends here. */
static enum mu_rc
visit_end(struct visit *v, enum mu_rc rc, const struct mu_err *err)
{
	if (rc != MU_OK)
		refuse(v, err);
	visit_clear(v);
	return rc;
}

enum mu_rc
action_propose(const struct action_host *h, const struct auth_who *who,
    const struct json_node *request, int64_t now_ms, struct action_answer *out_answer,
    struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .now_ms = now_ms };

	return visit_end(&v, propose(&v, request, out_answer, err), err);
}

enum mu_rc
action_execute(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code,
    const char *address, int64_t now_ms, struct action_answer *out_answer, struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .address = address, .now_ms = now_ms };

	return visit_end(&v, execute(&v, digest, code, out_answer, err), err);
}

enum mu_rc
action_approve(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code,
    const char *address, int64_t now_ms, struct action_answer *out_answer, struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .address = address, .now_ms = now_ms };

	return visit_end(&v, approve(&v, digest, code, out_answer, err), err);
}

enum mu_rc
action_deny(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], const struct mu_secret *code,
    const char *reason, const char *address, int64_t now_ms, struct action_answer *out_answer,
    struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .address = address, .now_ms = now_ms };

	return visit_end(&v, deny(&v, digest, code, reason, out_answer, err), err);
}

enum mu_rc
action_policy_files(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], int64_t now_ms,
    struct policy_folder *out_files, struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .now_ms = now_ms };
	struct policy_folder files = { .file_count = 0 };
	enum mu_rc rc = files_take(&v, digest, &files, err);

	store_rollback(h->store);
	if (visit_end(&v, rc, err) != MU_OK) {
		policy_folder_clear(&files);
		return err->rc;
	}
	*out_files = files;
	return MU_OK;
}

enum mu_rc
action_show(const struct action_host *h, const struct auth_who *who,
    const unsigned char digest[ACTION_DIGEST_BYTES], int64_t now_ms,
    struct action_answer *out_answer, struct mu_err *err)
{
	struct visit v = { .host = h, .who = who, .now_ms = now_ms };

	return visit_end(&v, show(&v, digest, out_answer, err), err);
}

enum mu_rc
action_pending(const struct action_host *h, const struct auth_who *who, int64_t now_ms,
    struct mu_buf *out_json, struct mu_err *err)
{
	struct json_writer w;
	enum mu_rc rc;

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	mu_buf_reset(out_json);
	json_begin(&w, out_json);
	json_object_begin(&w, NULL);
	json_list_begin(&w, "pending");
	rc = pending(h, who, now_ms, &w, err);
	store_rollback(h->store);
	if (rc != MU_OK)
		return rc;
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
	return MU_OK;
}

enum mu_rc
action_lapse(const struct action_host *h, int64_t now_ms, struct mu_err *err)
{
	MU_AUTO(store_actions_clear) struct store_actions lapsed = { NULL, 0 };

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (store_action_lapse(h->store, now_ms / 1000, &lapsed, err) != MU_OK) {
		store_rollback(h->store);
		return err->rc;
	}
	for (size_t i = 0; i < lapsed.count; i++) {
		struct visit v = { .host = h, .now_ms = now_ms, .file.action = lapsed.list[i],
		    .known = true, .has_digest = true };

		record(&v, AUDIT_ACTION_LAPSED, NULL, NULL, 0);
	}
	return store_commit(h->store, err);
}
