#include "store/administrator.h"

#include "store/store_priv.h"

/* No uuid is all zeros outside and NULL inside. */
#define AS_UUID(arg)	"nullif(" arg "::uuid, '00000000-0000-0000-0000-000000000000')"

#define ADMINISTRATORS \
	"SELECT a.person_id, a.role, a.enrolled_by, " AS_UNIX("a.enrolled_at") ", a.active," \
	" a.version, a.mac, p.source, p.dn, p.uid, p.display_name, p.state, p.blocked, t.seed_id," \
	" t.sealed, t.algorithm, t.confirmed, t.version, t.mac, t.last_step, t.failures, " \
	AS_UNIX("t.locked_at") ", p.roles FROM administrator a JOIN person p" \
	" ON p.person_id = a.person_id LEFT JOIN totp_seed t ON t.person_id = a.person_id "

static const struct store_sql lock_row = { STORE_ADMIN, "administrator_lock",
    "SELECT 1 FROM administrator WHERE person_id = $1 FOR UPDATE" };
static const struct store_sql lock_seed = { STORE_ADMIN, "administrator_lock_seed",
    "SELECT 1 FROM totp_seed WHERE person_id = $1 FOR UPDATE" };
static const struct store_sql get = { STORE_ADMIN, "administrator_get",
    ADMINISTRATORS "WHERE a.person_id = $1" };
static const struct store_sql find = { STORE_ADMIN, "administrator_find",
    ADMINISTRATORS "WHERE lower(p.uid) = lower($1) AND p.uid <> '' ORDER BY a.person_id" };
static const struct store_sql list = { STORE_ADMIN, "administrator_list",
    ADMINISTRATORS "ORDER BY lower(p.uid), a.person_id" };
/* Rows that are not there yet cannot be locked: it is the table, against all who write it. */
static const struct store_sql lock_all = { STORE_ADMIN, "administrator_lock_all",
    "LOCK TABLE administrator IN SHARE ROW EXCLUSIVE MODE" };
static const struct store_sql count_active = { STORE_ADMIN, "administrator_count",
    "SELECT count(*) FROM administrator a JOIN person p ON p.person_id = a.person_id"
    " WHERE a.active AND p.state = 'active' AND NOT p.blocked" };
static const struct store_sql administrator_insert = { STORE_ADMIN, "administrator_insert",
    "INSERT INTO administrator (person_id, role, enrolled_by, enrolled_at, active, version, mac)"
    " VALUES ($1, $2, " AS_UUID("$3") ", " AS_TIME("$4") ", $5, $6::bigint, $7)" };
static const struct store_sql administrator_update = { STORE_ADMIN, "administrator_update",
    "UPDATE administrator SET role = $2, enrolled_by = " AS_UUID("$3") ", enrolled_at = "
    AS_TIME("$4") ", active = $5, version = $6::bigint, mac = $7 WHERE person_id = $1"
    " AND version = $6::bigint - 1" };
static const struct store_sql seed_delete = { STORE_ADMIN, "seed_delete",
    "DELETE FROM totp_seed WHERE person_id = $1" };
static const struct store_sql administrator_delete = { STORE_ADMIN, "administrator_delete",
    "DELETE FROM administrator WHERE person_id = $1" };
static const struct store_sql seed_put = { STORE_ADMIN, "seed_write",
    "INSERT INTO totp_seed (person_id, seed_id, sealed, algorithm, confirmed, version, mac,"
    " last_step, failures, locked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, " AS_TIME("$10")
    ") ON CONFLICT (person_id) DO UPDATE SET seed_id = excluded.seed_id, sealed = excluded.sealed,"
    " algorithm = excluded.algorithm, confirmed = excluded.confirmed, version = excluded.version,"
    " mac = excluded.mac, last_step = excluded.last_step, failures = excluded.failures,"
    " locked_at = excluded.locked_at" };
static const struct store_sql seed_moved = { STORE_ADMIN, "seed_moved",
    "UPDATE totp_seed SET last_step = $3::bigint, failures = $4, locked_at = " AS_TIME("$5")
    " WHERE person_id = $1 AND seed_id = $2 AND last_step <= $3::bigint" };

const struct store_sql *const store_administrator_sql[] = { &lock_row, &lock_seed, &get, &find,
    &list, &lock_all, &count_active, &administrator_insert, &administrator_update, &seed_delete,
    &administrator_delete, &seed_put, &seed_moved, NULL };

void
store_administrator_clear(struct store_administrator *a)
{
	mu_free(a->role);
	mu_free(a->source);
	mu_free(a->dn);
	mu_free(a->uid);
	mu_free(a->display_name);
	strings_clear(&a->holds);
	mu_secret_clear(&a->seed.sealed);
	mu_free(a->seed.algorithm);
	*a = (struct store_administrator){ .version = 0 };
}

void
store_administrators_clear(struct store_administrators *l)
{
	for (size_t i = 0; i < l->count; i++)
		store_administrator_clear(&l->list[i]);
	mu_free(l->list);
	*l = (struct store_administrators){ .count = 0 };
}

static enum mu_rc
row_administrator(const PGresult *rows, int row, struct store_administrator *a, struct mu_err *err)
{
	struct store_seed *seed = &a->seed;

	row_uuid(rows, row, 0, &a->person_id);
	a->role = row_text_copy(rows, row, 1);
	row_uuid(rows, row, 2, &a->enrolled_by);
	a->enrolled_at_s = row_int(rows, row, 3);
	a->active = row_bool(rows, row, 4);
	a->version = row_int(rows, row, 5);
	(void)row_bytes(rows, row, 6, a->mac, sizeof(a->mac));
	a->source = row_text_copy(rows, row, 7);
	a->dn = row_text_copy(rows, row, 8);
	a->uid = row_text_copy(rows, row, 9);
	a->display_name = row_text_copy(rows, row, 10);
	a->blocked = row_bool(rows, row, 12);
	row_uuid(rows, row, 13, &seed->seed_id);
	row_secret(rows, row, 14, &seed->sealed);
	seed->algorithm = row_text_copy(rows, row, 15);
	seed->confirmed = row_bool(rows, row, 16);
	seed->version = row_int(rows, row, 17);
	(void)row_bytes(rows, row, 18, seed->mac, sizeof(seed->mac));
	seed->last_step = row_int(rows, row, 19);
	seed->failures = row_int(rows, row, 20);
	seed->locked_at_s = row_int(rows, row, 21);
	if (!strings_parse(row_text(rows, row, 22), &a->holds))
		return store_row_fail(err, "person", &a->person_id);
	if (!person_state_parse(row_text(rows, row, 11), &a->state))
		return store_row_fail(err, "person", &a->person_id);
	return MU_OK;
}

static enum mu_rc
administrators_ask(struct store *s, const struct store_sql *sql, const struct store_args *args,
    struct store_administrators *out_list, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators got = { .count = 0 };
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, sql, args, &rows, err) != MU_OK)
		return err->rc;
	got.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*got.list));
	for (int i = 0; i < PQntuples(rows); i++)
		if (row_administrator(rows, i, &got.list[got.count++], err) != MU_OK)
			return err->rc;
	*out_list = got;
	got = (struct store_administrators){ .count = 0 };
	return MU_OK;
}

/* What is read stands behind the locks in the pipeline, so it sees what they waited for. */
enum mu_rc
store_administrator_get(struct store *s, const struct mu_uuid *person_id, bool lock,
    struct store_administrator *out_administrator, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators got = { .count = 0 };
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	char text[MU_UUID_TEXT_BYTES];

	arg_uuid(&args, person_id);
	if (lock) {
		store_put(s, &lock_row, &args, false);
		store_put(s, &lock_seed, &args, false);
	}
	if (administrators_ask(s, &get, &args, &got, err) != MU_OK)
		return err->rc;
	if (got.count == 0)
		return mu_fail(err, MU_EABSENT, "person %s is no administrator",
		    mu_uuid_format(person_id, text));
	*out_administrator = got.list[0];
	got.count = 0;
	return MU_OK;
}

enum mu_rc
store_administrator_find(struct store *s, const char *uid, struct store_administrators *out_list,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, uid);
	return administrators_ask(s, &find, &args, out_list, err);
}

enum mu_rc
store_administrator_list(struct store *s, struct store_administrators *out_list, struct mu_err *err)
{
	return administrators_ask(s, &list, NULL, out_list, err);
}

enum mu_rc
store_administrator_count_lock(struct store *s, int64_t *out_active, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	store_put(s, &lock_all, NULL, false);
	if (store_ask(s, &count_active, NULL, &rows, err) != MU_OK)
		return err->rc;
	*out_active = row_int(rows, 0, 0);
	return MU_OK;
}

void
store_administrator_write(struct store *s, const struct store_administrator *a)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &a->person_id);
	arg_text(&args, a->role);
	arg_uuid(&args, &a->enrolled_by);
	arg_int(&args, a->enrolled_at_s);
	arg_bool(&args, a->active);
	arg_int(&args, a->version);
	arg_bytes(&args, a->mac, sizeof(a->mac));
	store_put(s, a->version == 1 ? &administrator_insert : &administrator_update, &args, true);
}

void
store_administrator_remove(struct store *s, const struct mu_uuid *person_id)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	store_session_drop_all(s, person_id);
	store_enrolment_drop(s, person_id);
	store_seed_drop(s, person_id);
	arg_uuid(&args, person_id);
	store_put(s, &administrator_delete, &args, true);
}

void
store_seed_write(struct store *s, const struct mu_uuid *person_id, const struct store_seed *seed)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	arg_uuid(&args, &seed->seed_id);
	arg_bytes(&args, seed->sealed.bytes, seed->sealed.size_bytes);
	arg_text(&args, seed->algorithm);
	arg_bool(&args, seed->confirmed);
	arg_int(&args, seed->version);
	arg_bytes(&args, seed->mac, sizeof(seed->mac));
	arg_int(&args, seed->last_step);
	arg_int(&args, seed->failures);
	arg_int(&args, seed->locked_at_s);
	store_put(s, &seed_put, &args, true);
}

void
store_seed_drop(struct store *s, const struct mu_uuid *person_id)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	store_put(s, &seed_delete, &args, false);
}

void
store_seed_moved(struct store *s, const struct mu_uuid *person_id, const struct store_seed *seed)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	arg_uuid(&args, &seed->seed_id);
	arg_int(&args, seed->last_step);
	arg_int(&args, seed->failures);
	arg_int(&args, seed->locked_at_s);
	store_put(s, &seed_moved, &args, true);
}
