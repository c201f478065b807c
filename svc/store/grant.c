#include "store/grant.h"

#include "store/store_priv.h"

static const struct store_sql grant_put = { STORE_GRANT, "grant_write",
    "INSERT INTO requested_grant (grant_id, person_id, role, granted_by, reason, starts_at,"
    " ends_at, action_digest, mac) VALUES ($1, $2, $3, $4, $5, to_timestamp($6::bigint),"
    " to_timestamp($7::bigint), $8, $9) ON CONFLICT (person_id, role) DO UPDATE SET"
    " grant_id = excluded.grant_id, granted_by = excluded.granted_by, reason = excluded.reason,"
    " starts_at = excluded.starts_at, ends_at = excluded.ends_at,"
    " action_digest = excluded.action_digest, mac = excluded.mac, reviewed_at = NULL,"
    " reviewed_by = NULL" };
static const struct store_sql grant_review = { STORE_GRANT, "grant_review",
    "UPDATE requested_grant SET reviewed_at = to_timestamp($2::bigint), reviewed_by = $3, mac = $4"
    " WHERE grant_id = $1" };
static const struct store_sql grant_holders = { STORE_GRANT, "grant_holders",
    "SELECT DISTINCT g.person_id FROM " IDS EACH("SELECT person_id FROM requested_grant"
    " WHERE grant_id = i.id") "AS g ORDER BY g.person_id" };
static const struct store_sql grant_drop = { STORE_GRANT, "grant_drop",
    "DELETE FROM requested_grant WHERE grant_id = $1" };
static const struct store_sql identification_insert = { STORE_GRANT, "identification_insert",
    "INSERT INTO identification (person_id, verifier, level, method, evidence, identified_at,"
    " version, mac) VALUES ($1, $2, $3, $4, $5, to_timestamp($6::bigint), $7::bigint, $8)" };
static const struct store_sql identification_update = { STORE_GRANT, "identification_update",
    "UPDATE identification SET verifier = $2, level = $3, method = $4, evidence = $5,"
    " identified_at = to_timestamp($6::bigint), version = $7::bigint, mac = $8"
    " WHERE person_id = $1 AND version = $7::bigint - 1" };
static const struct store_sql block = { STORE_GRANT, "person_block",
    "UPDATE person SET version = version + 1, blocked = $2 WHERE person_id = $1" };
static const struct store_sql suspend = { STORE_GRANT, "person_suspend",
    "UPDATE person SET version = version + 1, suspended = $2, resume_at = " AS_TIME("$3")
    " WHERE person_id = $1" };

const struct store_sql *const store_grant_sql[] = { &grant_put, &grant_review, &grant_holders,
    &grant_drop, &identification_insert, &identification_update, &block, &suspend, NULL };

void
store_grant_write(struct store *s, const struct grant *g)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &g->grant_id);
	arg_uuid(&args, &g->person_id);
	arg_text(&args, g->role);
	arg_uuid(&args, &g->granted_by);
	arg_text(&args, g->reason);
	arg_int(&args, g->starts_at_s);
	arg_int(&args, g->ends_at_s);
	arg_bytes(&args, g->action_digest, sizeof(g->action_digest));
	arg_bytes(&args, g->mac, sizeof(g->mac));
	store_put(s, &grant_put, &args, true);
}

void
store_grant_review(struct store *s, const struct grant *g)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &g->grant_id);
	arg_int(&args, g->reviewed_at_s);
	arg_uuid(&args, &g->reviewed_by);
	arg_bytes(&args, g->mac, sizeof(g->mac));
	store_put(s, &grant_review, &args, true);
}

enum mu_rc
store_grant_holders(struct store *s, const struct mu_uuid *grant_ids, size_t count,
    struct mu_uuid *out_person_ids, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuids(&args, grant_ids, count);
	return store_ids_ask(s, &grant_holders, &args, out_person_ids, count, out_count, err);
}

void
store_grant_drop(struct store *s, const struct mu_uuid *grant_id)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, grant_id);
	store_put(s, &grant_drop, &args, true);
}

void
store_identification_write(struct store *s, const struct identification *i)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &i->person_id);
	arg_uuid(&args, &i->verifier);
	arg_text(&args, i->level);
	arg_text(&args, i->method);
	arg_text(&args, i->evidence);
	arg_int(&args, i->identified_at_s);
	arg_int(&args, i->version);
	arg_bytes(&args, i->mac, sizeof(i->mac));
	store_put(s, i->version == 1 ? &identification_insert : &identification_update, &args,
	    true);
}

void
store_person_block(struct store *s, const struct mu_uuid *person_id, bool blocked)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	arg_bool(&args, blocked);
	store_put(s, &block, &args, true);
}

void
store_person_suspend(struct store *s, const struct mu_uuid *person_id, bool suspended,
    int64_t resume_at_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	arg_bool(&args, suspended);
	arg_int(&args, resume_at_s);
	store_put(s, &suspend, &args, true);
}
