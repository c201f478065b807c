#include "audit/record.h"

#include "base/clock.h"
#include "json/write.h"
#include "store/audit.h"
#include "store/flood.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[AUDIT_KIND_COUNT] = {
	[AUDIT_PERSON_JOINED] = "person.joined",
	[AUDIT_PERSON_CHANGED] = "person.changed",
	[AUDIT_PERSON_SUSPENDED] = "person.suspended",
	[AUDIT_PERSON_RESUMED] = "person.resumed",
	[AUDIT_PERSON_LEFT] = "person.left",
	[AUDIT_PERSON_RETURNED] = "person.returned",
	[AUDIT_PERSON_OVERDUE] = "person.overdue",
	[AUDIT_PERSON_ERASED] = "person.erased",
	[AUDIT_PERSON_IDENTIFIED] = "person.identified",
	[AUDIT_ACCOUNT_REFUSED] = "account.refused",
	[AUDIT_SOURCE_VERDICT] = "source.verdict",
	[AUDIT_ENTRY_QUARANTINED] = "entry.quarantined",
	[AUDIT_BRAKE_TRIPPED] = "brake.tripped",
	[AUDIT_POLICY_SEEDED] = "policy.seeded",
	[AUDIT_PROVISION_STEP] = "provision.step",
	[AUDIT_PROVISION_SETTLED] = "provision.settled",
	[AUDIT_CREDENTIAL_MADE] = "credential.made",
	[AUDIT_CREDENTIAL_CLAIMED] = "credential.claimed",
	[AUDIT_CLAIM_REFUSED] = "claim.refused",
	[AUDIT_CLIENT_ISSUED] = "client.issued",
	[AUDIT_CLIENT_REMOVED] = "client.removed",
	[AUDIT_GRANT_PULLED] = "grant.pulled",
	[AUDIT_GRANT_REFUSED] = "grant.refused",
	[AUDIT_JOB_RUN] = "job.run",
	[AUDIT_AUTH_LOGIN] = "auth.login",
	[AUDIT_AUTH_LOGOUT] = "auth.logout",
	[AUDIT_AUTH_FAILED] = "auth.failed",
	[AUDIT_AUTH_LOCKED] = "auth.locked",
	[AUDIT_ADMIN_BOOTSTRAPPED] = "admin.bootstrapped",
	[AUDIT_ADMIN_ENROLLED] = "admin.enrolled",
	[AUDIT_ADMIN_COLLECTED] = "admin.collected",
	[AUDIT_ADMIN_ACTIVATED] = "admin.activated",
	[AUDIT_ADMIN_UNLOCKED] = "admin.unlocked",
	[AUDIT_ADMIN_REMOVED] = "admin.removed",
	[AUDIT_ADMIN_READ] = "admin.read",
	[AUDIT_ACTION_PROPOSED] = "action.proposed",
	[AUDIT_ACTION_PENDING] = "action.pending",
	[AUDIT_ACTION_APPROVED] = "action.approved",
	[AUDIT_ACTION_DENIED] = "action.denied",
	[AUDIT_ACTION_EXECUTED] = "action.executed",
	[AUDIT_ACTION_LAPSED] = "action.lapsed",
	[AUDIT_ACTION_REFUSED] = "action.refused",
	[AUDIT_GRANT_ADDED] = "grant.added",
	[AUDIT_GRANT_ENDED] = "grant.ended",
	[AUDIT_GRANT_REVIEWED] = "grant.reviewed",
	[AUDIT_BRAKE_RELEASED] = "brake.released",
	[AUDIT_POLICY_APPLIED] = "policy.applied",
	[AUDIT_ROW_TAMPERED] = "row.tampered",
	[AUDIT_SYNC_ASKED] = "sync.asked",
};

const char *
audit_kind_name(enum audit_kind kind)
{
	return kinds[kind];
}

#define RECORD_USUAL_BYTES 448

static int
by_key(const void *x, const void *y)
{
	const struct audit_field *a = x, *b = y;

	return strcmp(a->key, b->key);
}

void
audit_record_format(struct mu_buf *b, const struct mu_uuid *id, enum audit_kind kind, int64_t now_ms,
    const struct audit_field *fields, size_t field_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf at = MU_BUF_INIT;
	struct audit_field all[AUDIT_FIELDS_MAX + 3];
	char record[MU_UUID_TEXT_BYTES];
	struct json_writer w;

	assert(field_count <= AUDIT_FIELDS_MAX);
	if (field_count > 0)
		(void)memcpy(all, fields, field_count * sizeof(*fields));
	mu_time_format(&at, now_ms / 1000);
	all[field_count] = (struct audit_field)AUDIT_TEXT("at", at.data);
	all[field_count + 1] = (struct audit_field)AUDIT_TEXT("kind", kinds[kind]);
	all[field_count + 2] = (struct audit_field)AUDIT_TEXT("record", mu_uuid_format(id, record));
	qsort(all, field_count + 3, sizeof(*all), by_key);
	mu_buf_reserve(b, RECORD_USUAL_BYTES);
	json_begin(&w, b);
	json_object_begin(&w, NULL);
	for (size_t i = 0; i < field_count + 3; i++) {
		if (all[i].text != NULL)
			json_text(&w, all[i].key, all[i].text);
		else
			json_int(&w, all[i].key, all[i].number);
	}
	json_object_end(&w);
	json_end(&w);
}

void
audit_record(struct store *s, enum audit_kind kind, int64_t now_ms, const struct audit_field *fields,
    size_t field_count, struct mu_uuid *out_id)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_uuid id;

	mu_uuid_new(&id);
	audit_record_format(&body, &id, kind, now_ms, fields, field_count);
	store_audit_write(s, &id, now_ms, kinds[kind], body.data);
	if (out_id != NULL)
		*out_id = id;
}

void
audit_record_flood(struct store_flood *rows, enum audit_kind kind, int64_t now_ms,
    const struct audit_field *fields, size_t field_count)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_uuid id;

	mu_uuid_new(&id);
	audit_record_format(&body, &id, kind, now_ms, fields, field_count);
	store_flood_record(rows, &id, now_ms, kinds[kind], &body);
}
