#include "store/policy.h"

#include "store/store_priv.h"

#include <string.h>

static const struct store_sql current = { STORE_POLICY, "policy_current",
    "SELECT version, digest, mac, applied_by, " AS_UNIX("applied_at") " FROM policy_version"
    " ORDER BY version DESC LIMIT 1" };
static const struct store_sql files_of = { STORE_POLICY, "policy_files",
    "SELECT name, content FROM policy_file WHERE version = $1 ORDER BY name" };
static const struct store_sql version_insert = { STORE_POLICY, "policy_version_insert",
    "INSERT INTO policy_version (version, digest, mac, applied_by, applied_at)"
    " VALUES ($1, $2, $3, $4, " AS_TIME("$5") ")" };
static const struct store_sql file_insert = { STORE_POLICY, "policy_file_insert",
    "INSERT INTO policy_file (version, name, content) VALUES ($1, $2, $3)" };

static const struct store_sql newest = { STORE_POLICY, "policy_newest",
    "SELECT coalesce(max(version), 0) FROM policy_version" };
static const struct store_sql decided = { STORE_POLICY, "policy_decided",
    "SELECT coalesce(max(version), 0) FROM policy_decided" };
static const struct store_sql decided_put = { STORE_POLICY, "policy_decided_write",
    "INSERT INTO policy_decided AS d (version, decided_at) VALUES ($1, " AS_TIME("$2") ")"
    " ON CONFLICT (one) DO UPDATE SET version = greatest(d.version, excluded.version),"
    " decided_at = excluded.decided_at" };

const struct store_sql *const store_policy_sql[] = { &decided, &decided_put, &newest, &current,
    &files_of, &version_insert, &file_insert, NULL };

void
store_policy_clear(struct store_policy *p)
{
	for (size_t i = 0; i < p->file_count; i++) {
		mu_free(p->files[i].name);
		mu_free(p->files[i].content);
	}
	mu_free(p->files);
	mu_free(p->applied_by);
	*p = (struct store_policy){ .version = 0 };
}

/* A version's rows never change, so its files belong to it also when read a moment later. */
enum mu_rc
store_policy_current(struct store *s, struct store_policy *out_policy, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL, *files = NULL;
	struct store_policy p = { .version = 0 };

	if (store_ask(s, &current, NULL, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "the store has no policy yet");
	p.version = row_int(rows, 0, 0);
	arg_int(&args, p.version);
	if (store_ask(s, &files_of, &args, &files, err) != MU_OK)
		return err->rc;
	(void)row_bytes(rows, 0, 1, p.digest, sizeof(p.digest));
	(void)row_bytes(rows, 0, 2, p.mac, sizeof(p.mac));
	p.applied_by = row_text_copy(rows, 0, 3);
	p.applied_at_s = row_int(rows, 0, 4);
	p.file_count = (size_t)PQntuples(files);
	p.files = mu_alloc_zero(p.file_count + 1, sizeof(*p.files));
	for (size_t i = 0; i < p.file_count; i++) {
		p.files[i].name = row_text_copy(files, (int)i, 0);
		p.files[i].content = row_text_copy(files, (int)i, 1);
	}
	*out_policy = p;
	return MU_OK;
}

static enum mu_rc
version_ask(struct store *s, const struct store_sql *sql, int64_t *out_version, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, sql, NULL, &rows, err) != MU_OK)
		return err->rc;
	*out_version = row_int(rows, 0, 0);
	return MU_OK;
}

enum mu_rc
store_policy_version(struct store *s, int64_t *out_version, struct mu_err *err)
{
	return version_ask(s, &newest, out_version, err);
}

enum mu_rc
store_policy_decided(struct store *s, int64_t *out_version, struct mu_err *err)
{
	return version_ask(s, &decided, out_version, err);
}

void
store_policy_decided_write(struct store *s, int64_t version, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, version);
	arg_int(&args, now_s);
	store_put(s, &decided_put, &args, true);
}

void
store_policy_write(struct store *s, const struct store_policy *p)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, p->version);
	arg_bytes(&args, p->digest, sizeof(p->digest));
	arg_bytes(&args, p->mac, sizeof(p->mac));
	arg_text(&args, p->applied_by);
	arg_int(&args, p->applied_at_s);
	store_put(s, &version_insert, &args, true);
	for (size_t i = 0; i < p->file_count; i++) {
		MU_AUTO(store_args_clear) struct store_args file = STORE_ARGS_INIT;

		arg_int(&file, p->version);
		arg_text(&file, p->files[i].name);
		arg_text(&file, p->files[i].content);
		store_put(s, &file_insert, &file, true);
	}
}
