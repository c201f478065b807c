#include "store/administrator.h"

#include "store/store_priv.h"

static const struct store_sql enrolment_put = { STORE_ADMIN, "enrolment_write",
    "INSERT INTO enrolment (person_id, code_digest, expires_at, failures) VALUES ($1, $2, "
    AS_TIME("$3") ", $4) ON CONFLICT (person_id) DO UPDATE SET code_digest = excluded.code_digest,"
    " expires_at = excluded.expires_at, failures = excluded.failures" };
static const struct store_sql enrolment_get = { STORE_ADMIN, "enrolment_get",
    "SELECT code_digest, " AS_UNIX("expires_at") ", failures FROM enrolment WHERE person_id = $1"
    " FOR UPDATE" };
static const struct store_sql enrolment_drop = { STORE_ADMIN, "enrolment_drop",
    "DELETE FROM enrolment WHERE person_id = $1" };
static const struct store_sql enrolment_sweep = { STORE_ADMIN, "enrolment_sweep",
    "DELETE FROM enrolment WHERE expires_at < " AS_TIME("$1") };
static const struct store_sql session_insert = { STORE_ADMIN, "session_write",
    "INSERT INTO admin_session (session_id, person_id, fingerprint, issued_at, expires_at,"
    " address, mac) VALUES ($1, $2, $3, " AS_TIME("$4") ", " AS_TIME("$5") ", $6, $7)" };
static const struct store_sql session_find = { STORE_ADMIN, "session_find",
    "SELECT session_id, person_id, fingerprint, " AS_UNIX("issued_at") ", " AS_UNIX("expires_at")
    ", address, mac FROM admin_session WHERE fingerprint = $1" };
static const struct store_sql session_drop = { STORE_ADMIN, "session_drop",
    "DELETE FROM admin_session WHERE session_id = $1" };
static const struct store_sql session_drop_all = { STORE_ADMIN, "session_drop_all",
    "DELETE FROM admin_session WHERE person_id = $1" };
static const struct store_sql session_sweep = { STORE_ADMIN, "session_sweep",
    "DELETE FROM admin_session WHERE expires_at < " AS_TIME("$1") };

const struct store_sql *const store_session_sql[] = { &enrolment_put, &enrolment_get,
    &enrolment_drop, &enrolment_sweep, &session_insert, &session_find, &session_drop,
    &session_drop_all, &session_sweep, NULL };

void
store_enrolment_write(struct store *s, const struct mu_uuid *person_id,
    const struct store_enrolment *e)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, person_id);
	arg_bytes(&args, e->code_digest, sizeof(e->code_digest));
	arg_int(&args, e->expires_at_s);
	arg_int(&args, e->failures);
	store_put(s, &enrolment_put, &args, true);
}

enum mu_rc
store_enrolment_get(struct store *s, const struct mu_uuid *person_id,
    struct store_enrolment *out_enrolment, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_enrolment e = { .failures = 0 };
	char text[MU_UUID_TEXT_BYTES];

	arg_uuid(&args, person_id);
	if (store_ask(s, &enrolment_get, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "person %s has no enrolment code",
		    mu_uuid_format(person_id, text));
	(void)row_bytes(rows, 0, 0, e.code_digest, sizeof(e.code_digest));
	e.expires_at_s = row_int(rows, 0, 1);
	e.failures = row_int(rows, 0, 2);
	*out_enrolment = e;
	return MU_OK;
}

static void
key_put(struct store *s, const struct store_sql *sql, const struct mu_uuid *id)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, id);
	store_put(s, sql, &args, false);
}

void
store_enrolment_drop(struct store *s, const struct mu_uuid *person_id)
{
	key_put(s, &enrolment_drop, person_id);
}

void
store_session_clear(struct store_session *x)
{
	mu_free(x->address);
	*x = (struct store_session){ .address = NULL };
}

void
store_session_write(struct store *s, const struct store_session *x)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &x->session_id);
	arg_uuid(&args, &x->person_id);
	arg_bytes(&args, x->fingerprint, sizeof(x->fingerprint));
	arg_int(&args, x->issued_at_s);
	arg_int(&args, x->expires_at_s);
	arg_text(&args, x->address);
	arg_bytes(&args, x->mac, sizeof(x->mac));
	store_put(s, &session_insert, &args, true);
}

enum mu_rc
store_session_find(struct store *s, const unsigned char fingerprint[32],
    struct store_session *out_session, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_session x = { .address = NULL };

	arg_bytes(&args, fingerprint, sizeof(x.fingerprint));
	if (store_ask(s, &session_find, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "no session has this certificate");
	row_uuid(rows, 0, 0, &x.session_id);
	row_uuid(rows, 0, 1, &x.person_id);
	(void)row_bytes(rows, 0, 2, x.fingerprint, sizeof(x.fingerprint));
	x.issued_at_s = row_int(rows, 0, 3);
	x.expires_at_s = row_int(rows, 0, 4);
	x.address = row_text_copy(rows, 0, 5);
	(void)row_bytes(rows, 0, 6, x.mac, sizeof(x.mac));
	*out_session = x;
	return MU_OK;
}

void
store_session_drop(struct store *s, const struct mu_uuid *session_id)
{
	key_put(s, &session_drop, session_id);
}

void
store_session_drop_all(struct store *s, const struct mu_uuid *person_id)
{
	key_put(s, &session_drop_all, person_id);
}

void
store_session_sweep(struct store *s, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, now_s);
	store_put(s, &session_sweep, &args, false);
	store_put(s, &enrolment_sweep, &args, false);
}
