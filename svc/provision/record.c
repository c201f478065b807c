#include "provision/record.h"

#include "adapters/adapter.h"
#include "audit/record.h"
#include "base/clock.h"
#include "store/audit.h"
#include "store/credential.h"

/* A receipt's record, formatted and signed before the transaction begins. */
struct sealed {
	struct mu_uuid id;
	struct mu_buf body, signature;
};

enum mu_rc
record_take(const struct record *r, struct store_works *out_works, struct mu_err *err)
{
	if (store_begin(r->store, err) != MU_OK)
		return err->rc;
	if (store_queue_take(r->store, r->platform, r->holder, mu_now_s(), RECORD_LEASE_S, 1, out_works,
	    err) != MU_OK) {
		store_rollback(r->store);
		return err->rc;
	}
	if (store_commit(r->store, err) == MU_OK)
		return MU_OK;
	store_works_clear(out_works);
	return err->rc;
}

enum mu_rc
record_begin(const struct record *r, const struct work_begin *b, struct mu_err *err)
{
	int64_t now_s = mu_now_s();

	if (store_begin(r->store, err) != MU_OK)
		return err->rc;
	if (b->create)
		store_queue_create_begun(r->store, b->work, r->holder, now_s);
	if (b->giving != NULL)
		store_queue_giving(r->store, b->work, r->holder, b->giving);
	if (b->credential_id != NULL)
		store_credential_write(r->store, b->credential_id, &b->work->want, b->sealed, now_s);
	return store_commit(r->store, err);
}

static enum mu_rc
receipt_seal(const struct record *r, const struct work_end *e, const struct work_receipt *x,
    struct sealed *out, struct mu_err *err)
{
	const struct account_want *want = &e->work->want;
	char person[MU_UUID_TEXT_BYTES], account[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(&want->person_id, person)),
		AUDIT_TEXT("account", mu_uuid_format(&want->account_id, account)),
		AUDIT_TEXT("platform", r->platform),
		AUDIT_TEXT("step", step_kind_name(x->kind)),
		AUDIT_TEXT("outcome", adapter_outcome_name((enum adapter_outcome)x->outcome)),
		AUDIT_NUMBER("sessions_ended", x->sessions_ended),
		AUDIT_NUMBER("sessions_left", x->sessions_left),
		AUDIT_TEXT("text", x->text),
	};

	mu_uuid_new(&out->id);
	audit_record_format(&out->body, &out->id, AUDIT_PROVISION_STEP, x->at_ms, fields,
	    MU_COUNT(fields));
	return r->sign(r->sign_ctx, &out->body, &out->signature, err);
}

static void
receipt_write(const struct record *r, const struct work_end *e, const struct work_receipt *x,
    const struct sealed *s)
{
	const struct store_receipt row = {
		.receipt_id = s->id, .account_id = e->work->want.account_id,
		.version = e->work->want.version, .step = x->kind,
		.outcome = adapter_outcome_name((enum adapter_outcome)x->outcome), .text = x->text,
		.sessions_ended = x->sessions_ended, .sessions_left = x->sessions_left,
		.made_at_ms = x->at_ms, .signature = s->signature.data,
		.signature_bytes = s->signature.size_bytes,
	};

	store_receipt_write(r->store, &row);
	store_audit_write(r->store, &s->id, x->at_ms, audit_kind_name(AUDIT_PROVISION_STEP),
	    s->body.data);
}

static void
settled_write(const struct record *r, const struct work_end *e)
{
	const struct account_want *want = &e->work->want;
	char person[MU_UUID_TEXT_BYTES], account[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(&want->person_id, person)),
		AUDIT_TEXT("account", mu_uuid_format(&want->account_id, account)),
		AUDIT_TEXT("platform", r->platform),
		AUDIT_NUMBER("version", want->version),
	};

	if (e->credential_set) {
		store_credential_set(r->store, &e->work->credential_id, &want->account_id, mu_now_s());
		audit_record(r->store, AUDIT_CREDENTIAL_MADE, mu_now_ms(), fields,
		    MU_COUNT(fields) - 1, NULL);
	}
	store_queue_settle(r->store, e->work, r->holder, e->seen, mu_now_s());
	audit_record(r->store, AUDIT_PROVISION_SETTLED, mu_now_ms(), fields, MU_COUNT(fields), NULL);
}

/* What is parked without a step of its own being refused leaves a record too. */
static void
parked_write(const struct record *r, const struct work_end *e)
{
	const struct account_want *want = &e->work->want;
	char person[MU_UUID_TEXT_BYTES], account[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(&want->person_id, person)),
		AUDIT_TEXT("account", mu_uuid_format(&want->account_id, account)),
		AUDIT_TEXT("platform", r->platform),
		AUDIT_TEXT("step", step_kind_name(STEP_GET)),
		AUDIT_TEXT("outcome", e->answer),
		AUDIT_TEXT("text", e->text),
	};

	if (e->receipt_count == 0)
		audit_record(r->store, AUDIT_PROVISION_STEP, mu_now_ms(), fields, MU_COUNT(fields), NULL);
	store_queue_park(r->store, e->work, r->holder, e->answer, e->text);
}

static enum mu_rc
end_write(const struct record *r, const struct work_end *e, const struct sealed *sealed,
    struct mu_err *err)
{
	if (store_begin(r->store, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < e->receipt_count; i++)
		receipt_write(r, e, &e->receipts[i], &sealed[i]);
	if (e->owned)
		store_queue_owned(r->store, e->work, r->holder);
	if (e->create_undone)
		store_queue_create_undone(r->store, e->work, r->holder);
	switch (e->outcome) {
	case WORK_SETTLED:
		settled_write(r, e);
		break;
	case WORK_RETRY:
		store_queue_retry(r->store, e->work, r->holder, e->next_attempt_s, e->answer, e->text);
		break;
	case WORK_PARKED:
		parked_write(r, e);
		break;
	case WORK_RELEASED:
		store_queue_release(r->store, e->work, r->holder);
		break;
	}
	return store_commit(r->store, err);
}

enum mu_rc
record_end(const struct record *r, const struct work_end *e, struct mu_err *err)
{
	struct sealed *sealed = mu_alloc_zero(e->receipt_count + 1, sizeof(*sealed));
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < e->receipt_count && rc == MU_OK; i++)
		rc = receipt_seal(r, e, &e->receipts[i], &sealed[i], err);
	if (rc == MU_OK)
		rc = end_write(r, e, sealed, err);
	for (size_t i = 0; i < e->receipt_count; i++) {
		mu_buf_clear(&sealed[i].body);
		mu_buf_clear(&sealed[i].signature);
	}
	mu_free(sealed);
	return rc;
}

enum mu_rc
record_unpark(const struct record *r, struct mu_err *err)
{
	if (store_begin(r->store, err) != MU_OK)
		return err->rc;
	store_queue_unpark(r->store, r->platform, mu_now_s());
	return store_commit(r->store, err);
}
