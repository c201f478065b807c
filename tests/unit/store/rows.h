/*
 * Tests that are rows of a table: what a role must not do, and what a query of sql/check finds.
 */
#ifndef UNIT_STORE_ROWS_H
#define UNIT_STORE_ROWS_H

#include "unit/store/rig.h"

struct forbidden {
	const char *name;
	enum store_role role;
	const char *sql;
};

static inline void
forbidden_row(void **state)
{
	struct forbidden *f = *state;
	PGconn *conn = PQconnectdb(rig.logins.conninfo[f->role]);
	PGresult *rows;
	const char *sqlstate;

	assert_int_equal(CONNECTION_OK, PQstatus(conn));
	rows = PQexec(conn, f->sql);
	sqlstate = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
	if (sqlstate == NULL || strcmp(sqlstate, "42501") != 0)
		fail_msg("%s: %s: not refused (%s)", f->name, f->sql, sqlstate == NULL ? "done" :
		    sqlstate);
	PQclear(rows);
	PQfinish(conn);
}

struct check {
	/* breaks: SQL that makes the query return a row; "": it returns none */
	const char *name, *query, *fault, *breaks;
};

/* A query of sql/check as text; it ends with a semicolon. */
static inline char *
check_read(const char *name)
{
	char path[512];
	static char text[8192];
	FILE *f;
	size_t got;

	(void)snprintf(path, sizeof(path), SOURCE_DIR "/sql/check/%s.sql", name);
	f = fopen(path, "r");
	assert_non_null(f);
	got = fread(text, 1, sizeof(text) - 1, f);
	text[got] = '\0';
	(void)fclose(f);
	return text;
}

static inline void
check_row(void **state)
{
	struct check *c = *state;
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));
	PGresult *rows;
	bool found = false;

	PQclear(PQexec(conn, "BEGIN"));
	rows = PQexec(conn, c->breaks);
	if (c->breaks[0] != '\0' && (PQresultStatus(rows) != PGRES_COMMAND_OK ||
	    strcmp(PQcmdTuples(rows), "0") == 0))
		fail_msg("%s: broke nothing: %s", c->name, PQresultErrorMessage(rows));
	PQclear(rows);
	rows = PQexec(conn, check_read(c->query));
	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", c->query, PQresultErrorMessage(rows));
	for (int i = 0; i < PQntuples(rows); i++) {
		found = found || strcmp(c->fault, PQgetvalue(rows, i, 0)) == 0;
		if (c->breaks[0] == '\0')
			fail_msg("%s: %s %s", c->query, PQgetvalue(rows, i, 0), PQgetvalue(rows, i,
			    1));
	}
	if (c->breaks[0] != '\0' && !found)
		fail_msg("%s: not found among %d rows", c->fault, PQntuples(rows));
	PQclear(rows);
	PQclear(PQexec(conn, "ROLLBACK"));
	PQfinish(conn);
}

#endif
