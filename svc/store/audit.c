#include "store/audit.h"

#include "store/store_priv.h"

#include <string.h>

#define LEAVES_A_PAGE	10000

static const struct store_sql record_insert = { STORE_AUDIT, "audit_write",
    "WITH r AS (INSERT INTO audit_record (record_id, happened_at, kind, body)"
    " VALUES ($1, to_timestamp($2::bigint / 1000.0), $3, $4))"
    " INSERT INTO audit_pending (record_id) VALUES ($1)" };
static const struct store_sql unnumbered = { STORE_TREE, "audit_unnumbered",
    "SELECT r.record_id, r.body FROM (SELECT record_id FROM audit_pending ORDER BY record_id"
    " LIMIT $1::bigint) AS p" EACH("SELECT record_id, body FROM audit_record WHERE record_id"
    " = p.record_id AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.record_id = p.record_id)")
    "AS r" };
static const struct store_sql pending_drop = { STORE_TREE, "audit_numbered",
    "DELETE FROM audit_pending WHERE record_id = ANY ($1::uuid[])" };
static const struct store_sql leaves = { STORE_TREE, "leaf_page",
    "SELECT leaf_index, leaf_hash FROM audit_leaf WHERE leaf_index >= $1::bigint"
    " ORDER BY leaf_index LIMIT $2::bigint" };
static const struct store_sql checkpoint_last = { STORE_TREE, "checkpoint_last",
    "SELECT tree_size, note FROM audit_checkpoint ORDER BY tree_size DESC LIMIT 1" };
static const struct store_sql checkpoint_insert = { STORE_TREE, "checkpoint_write",
    "INSERT INTO audit_checkpoint (tree_size, note, made_at) VALUES ($1, $2, " AS_TIME("$3") ")" };

const struct store_sql *const store_audit_sql[] = { &record_insert, &unnumbered, &pending_drop,
    &leaves, &checkpoint_last, &checkpoint_insert, NULL };

void
store_audit_write(struct store *s, const struct mu_uuid *record_id, int64_t happened_at_ms,
    const char *kind, const char *body)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, record_id);
	arg_int(&args, happened_at_ms);
	arg_text(&args, kind);
	arg_text(&args, body);
	store_put(s, &record_insert, &args, true);
}

enum mu_rc
store_audit_unnumbered(struct store *s, size_t max, store_record_fn *each, void *ctx,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_int(&args, (int64_t)max);
	if (store_ask(s, &unnumbered, &args, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		struct mu_uuid record_id;

		row_uuid(rows, i, 0, &record_id);
		each(ctx, &record_id, row_text(rows, i, 1), (size_t)PQgetlength(rows, i, 1));
	}
	return MU_OK;
}

void
store_audit_numbered(struct store *s, const struct mu_uuid *record_ids, size_t count)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuids(&args, record_ids, count);
	store_put(s, &pending_drop, &args, false);
}

enum mu_rc
store_leaf_each(struct store *s, store_leaf_fn *each, void *ctx, struct mu_err *err)
{
	int64_t from = 0;
	int got;

	do {
		MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
		MU_AUTO(store_rows_clear) PGresult *rows = NULL;

		arg_int(&args, from);
		arg_int(&args, LEAVES_A_PAGE);
		if (store_ask(s, &leaves, &args, &rows, err) != MU_OK)
			return err->rc;
		got = PQntuples(rows);
		for (int i = 0; i < got; i++) {
			unsigned char hash[32] = { 0 };

			(void)row_bytes(rows, i, 1, hash, sizeof(hash));
			each(ctx, row_int(rows, i, 0), hash);
		}
		if (got > 0)
			from = row_int(rows, got - 1, 0) + 1;
	} while (got == LEAVES_A_PAGE);
	return MU_OK;
}

enum mu_rc
store_checkpoint_last(struct store *s, int64_t *out_size, struct mu_buf *out_note,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, &checkpoint_last, NULL, &rows, err) != MU_OK)
		return err->rc;
	*out_size = PQntuples(rows) == 0 ? 0 : row_int(rows, 0, 0);
	mu_buf_reset(out_note);
	if (PQntuples(rows) > 0)
		mu_buf_text_add(out_note, row_text(rows, 0, 1));
	return MU_OK;
}

void
store_checkpoint_write(struct store *s, int64_t tree_size, const char *note, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, tree_size);
	arg_text(&args, note);
	arg_int(&args, now_s);
	store_put(s, &checkpoint_insert, &args, true);
}
