#include "store/migrate.h"

#include "store/migrate_priv.h"
#include "store/role.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

int64_t
store_schema_version(void)
{
	int64_t version = 0;

	while (store_migrations[version].name != NULL)
		version++;
	return version;
}

static void
finish(PGconn **conn)
{
	PQfinish(*conn);
}

/* Runs a script or a question; a race with another musterd that migrates is MU_ERETRY. */
static enum mu_rc
run(PGconn *conn, const char *text, const char *place, PGresult **out_rows, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = PQexec(conn, text);
	ExecStatusType status = PQresultStatus(rows);
	const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		if (out_rows != NULL)
			*out_rows = MU_TAKE(rows);
		return MU_OK;
	}
	(void)store_fail(err, rows, place);
	if (state != NULL && (strcmp(state, "23505") == 0 || strcmp(state, "42P07") == 0))
		err->rc = MU_ERETRY;
	return err->rc;
}

static enum mu_rc
encoding_check(PGconn *conn, struct mu_err *err)
{
	const char *encoding = PQparameterStatus(conn, "server_encoding");

	if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
		return mu_fail(err, MU_ECONFIG, "store: the database's encoding is %s,"
		    " need UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
		    encoding == NULL ? "unknown" : encoding);
	return MU_OK;
}

static enum mu_rc
roles_check(PGconn *conn, struct mu_err *err)
{
	for (int i = 0; i < STORE_ROLE_COUNT; i++) {
		const char *values[] = { store_role_name((enum store_role)i) };
		MU_AUTO(store_rows_clear) PGresult *rows = PQexecParams(conn,
		    "SELECT 1 FROM pg_roles WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper", 1,
		    NULL, values, NULL, NULL, 0);

		if (PQresultStatus(rows) != PGRES_TUPLES_OK)
			return store_fail(err, rows, "looking for roles");
		if (PQntuples(rows) != 1)
			return mu_fail(err, MU_ECONFIG, "store: role %s is missing, may not log in,"
			    " or is a superuser: CREATE ROLE %s LOGIN PASSWORD '...'", values[0],
			    values[0]);
	}
	return MU_OK;
}

static enum mu_rc
version_read(PGconn *conn, int64_t *out_version, struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *there = NULL, *rows = NULL;

	*out_version = 0;
	if (run(conn, "SELECT to_regclass('public.schema_version') IS NOT NULL", "schema version",
	    &there, err) != MU_OK)
		return err->rc;
	if (!row_bool(there, 0, 0))
		return MU_OK;
	if (run(conn, "SELECT coalesce(max(version), 0) FROM public.schema_version",
	    "schema version", &rows, err) != MU_OK)
		return err->rc;
	*out_version = row_int(rows, 0, 0);
	return MU_OK;
}

static enum mu_rc
migrate(PGconn *conn, int64_t *out_applied, struct mu_err *err)
{
	int64_t version;

	if (run(conn, "SET search_path = public; SET client_min_messages = error", "session", NULL,
	    err) != MU_OK || encoding_check(conn, err) != MU_OK || roles_check(conn,
	    err) != MU_OK || version_read(conn, &version, err) != MU_OK)
		return err->rc;
	if (version > store_schema_version())
		return mu_fail(err, MU_ECONFIG, "store: its schema is version %lld,"
		    " this musterd knows %lld: run the newer musterd", (long long)version,
		    (long long)store_schema_version());
	*out_applied = 0;
	for (const struct store_migration *m = &store_migrations[version]; m->name != NULL; m++) {
		if (run(conn, m->text, m->name, NULL, err) != MU_OK)
			return err->rc;
		++*out_applied;
	}
	return run(conn, store_roles_text, "roles.sql", NULL, err);
}

enum mu_rc
store_migrate(const char *conninfo, int64_t *out_applied, struct mu_err *err)
{
	const char *keys[] = { "connect_timeout", "dbname", "fallback_application_name", NULL };
	const char *values[] = { "10", conninfo, "musterd migrate", NULL };
	MU_AUTO(finish) PGconn *conn = PQconnectdbParams(keys, values, 1);

	store_quiet(conn);
	if (PQstatus(conn) != CONNECTION_OK)
		return mu_fail(err, MU_ERETRY, "store: connecting to migrate: %.300s",
		    PQerrorMessage(conn));
	return migrate(conn, out_applied, err);
}
