#include "store/person.h"

#include "store/store_priv.h"

#include <string.h>

static const struct store_sql group_lock = { STORE_PERSON, "group_lock",
    "SELECT name, content_hash FROM directory_group WHERE source = $1 AND entry_uuid = $2"
    " FOR UPDATE" };
static const struct store_sql group_put = { STORE_PERSON, "group_write",
    "INSERT INTO directory_group (source, entry_uuid, name, content_hash) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (source, entry_uuid) DO UPDATE SET name = excluded.name,"
    " content_hash = excluded.content_hash" };
/* $4: everybody in it counts as changed, because its name does. */
static const struct store_sql group_members = { STORE_PERSON, "group_members",
    "WITH given AS MATERIALIZED (SELECT DISTINCT dn FROM unnest($3::text[]) AS d (dn)),"
    " gone AS (DELETE FROM directory_member m WHERE m.source = $1 AND m.entry_uuid = $2"
    " AND NOT EXISTS (SELECT 1 FROM given WHERE given.dn = m.member_dn) RETURNING m.member_dn),"
    " fresh AS (INSERT INTO directory_member (source, entry_uuid, member_dn) SELECT $1, $2, dn"
    " FROM given ON CONFLICT (source, entry_uuid, member_dn) DO NOTHING RETURNING member_dn)"
    " SELECT p.person_id FROM (SELECT member_dn FROM gone UNION SELECT member_dn FROM fresh"
    " UNION SELECT dn FROM given WHERE $4::boolean) AS changed (dn) CROSS JOIN LATERAL"
    " (SELECT person_id FROM person WHERE source = $1 AND dn = changed.dn OFFSET 0) AS p"
    " ORDER BY p.person_id" };
static const struct store_sql group_drop = { STORE_PERSON, "group_drop",
    "DELETE FROM directory_group WHERE source = $1 AND entry_uuid = $2" };
static const struct store_sql group_entries = { STORE_PERSON, "group_entries",
    "SELECT entry_uuid FROM directory_group WHERE source = $1 AND entry_uuid > $2::uuid"
    " ORDER BY entry_uuid LIMIT $3::bigint" };

const struct store_sql *const store_group_sql[] = { &group_lock, &group_put, &group_members,
    &group_drop, &group_entries, NULL };

static enum mu_rc
members_write(struct store *s, const char *source, const struct mu_uuid *entry_uuid,
    const char *const *member_dns, size_t member_count, bool all_changed,
    struct mu_uuid **out_changed_ids, size_t *out_changed_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	arg_uuid(&args, entry_uuid);
	arg_texts(&args, member_dns, member_count);
	arg_bool(&args, all_changed);
	if (store_ask(s, &group_members, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_changed_count = (size_t)PQntuples(rows);
	*out_changed_ids = mu_alloc_zero(*out_changed_count + 1, sizeof(**out_changed_ids));
	for (size_t i = 0; i < *out_changed_count; i++)
		row_uuid(rows, (int)i, 0, &(*out_changed_ids)[i]);
	return MU_OK;
}

enum mu_rc
store_group_write(struct store *s, const char *source, const struct mu_uuid *entry_uuid,
    const char *name, const char *const *member_dns, size_t member_count,
    const unsigned char content_hash[CONTENT_HASH_BYTES], struct mu_uuid **out_changed_ids,
    size_t *out_changed_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args key = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	unsigned char before[CONTENT_HASH_BYTES];
	bool renamed;

	arg_text(&key, source);
	arg_uuid(&key, entry_uuid);
	if (store_ask(s, &group_lock, &key, &rows, err) != MU_OK)
		return err->rc;
	*out_changed_count = 0;
	renamed = PQntuples(rows) == 1 && strcmp(row_text(rows, 0, 0), name) != 0;
	if (PQntuples(rows) == 1 && row_bytes(rows, 0, 1, before, sizeof(before)) &&
	    memcmp(before, content_hash, sizeof(before)) == 0)
		return MU_OK;
	arg_text(&key, name);
	arg_bytes(&key, content_hash, CONTENT_HASH_BYTES);
	store_put(s, &group_put, &key, true);
	return members_write(s, source, entry_uuid, member_dns, member_count, renamed,
	    out_changed_ids, out_changed_count, err);
}

enum mu_rc
store_group_remove(struct store *s, const char *source, const struct mu_uuid *entry_uuid,
    struct mu_uuid **out_changed_ids, size_t *out_changed_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args key = STORE_ARGS_INIT;

	arg_text(&key, source);
	arg_uuid(&key, entry_uuid);
	store_put(s, &group_drop, &key, false);
	return members_write(s, source, entry_uuid, NULL, 0, false, out_changed_ids,
	    out_changed_count, err);
}

enum mu_rc
store_group_each(struct store *s, const char *source, store_entry_fn *each, void *ctx,
    struct mu_err *err)
{
	return store_entries_each(s, &group_entries, source, each, ctx, err);
}
