#include "auth/auth_priv.h"

void
auth_failed_record(const struct auth_try *t, const char *reason, int64_t failures)
{
	struct audit_field fields[4] = { AUDIT_TEXT("reason", reason) };
	char person[MU_UUID_TEXT_BYTES];
	size_t count = 1;

	if (t->person_id != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("actor",
		    mu_uuid_format(t->person_id, person));
	if (t->address != NULL)
		fields[count++] = (struct audit_field)AUDIT_TEXT("address", t->address);
	if (failures >= 0)
		fields[count++] = (struct audit_field)AUDIT_NUMBER("failures", failures);
	audit_record(t->host->store, AUDIT_AUTH_FAILED, t->now_ms, fields, count, NULL);
}

enum mu_rc
auth_refuse(const struct auth_try *t, const char *reason, struct mu_err *err)
{
	struct mu_err lost = MU_ERR_INIT;

	auth_failed_record(t, reason, -1);
	if (store_commit(t->host->store, &lost) != MU_OK)
		*err = lost;
	return err->rc;
}

enum mu_rc
auth_refuse_alone(const struct auth_try *t, const char *reason, struct mu_err *err)
{
	struct mu_err lost = MU_ERR_INIT;

	store_rollback(t->host->store);
	if (store_begin(t->host->store, &lost) == MU_OK)
		return auth_refuse(t, reason, err);
	*err = lost;
	return err->rc;
}
