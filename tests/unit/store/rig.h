/*
 * A private PostgreSQL for one test program: made by store/private.h in a folder of its own,
 * migrated, with a conninfo per role; and the plain words tests use to look into it as its
 * superuser.
 */
#ifndef UNIT_STORE_RIG_H
#define UNIT_STORE_RIG_H

#include "store/audit.h"
#include "store/flood.h"
#include "store/migrate.h"
#include "store/private.h"
#include "store/store.h"

#include <ftw.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MUST(call) do { \
	enum mu_rc must_rc = (call); \
	if (must_rc != MU_OK) \
		fail_msg("%s: %s: %s", #call, mu_rc_name(must_rc), err.text); \
} while (0)

struct rig {
	char dir[64];
	struct store_private_config config;
	struct store_private *server;
	struct store_logins logins;
};
static struct rig rig;

static inline int
rig_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* A fresh state directory; as root the server's user is whoever is there. */
static inline void
rig_dir_make(struct rig *r)
{
	static const char *const users[] = { "muster-store", "postgres", "nobody" };

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/muster-store-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(0, chmod(r->dir, 0711));
	r->config = (struct store_private_config){ .state_dir = r->dir, .uid = getuid(),
	    .gid = getgid() };
	for (size_t i = 0; geteuid() == 0 && i < 3; i++) {
		struct passwd *user = getpwnam(users[i]);

		if (user == NULL)
			continue;
		r->config.uid = user->pw_uid;
		r->config.gid = user->pw_gid;
		break;
	}
}

static inline void
rig_dir_remove(struct rig *r)
{
	(void)nftw(r->dir, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int
rig_up(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int64_t applied;

	(void)state;
	rig_dir_make(&rig);
	if (store_private_open(&rig.config, &rig.server, &err) != MU_OK ||
	    store_private_start(rig.server, &err) != MU_OK ||
	    store_private_passwords_set(rig.server, &rig.logins, &err) != MU_OK ||
	    store_migrate(store_private_conninfo(rig.server), &applied, &err) != MU_OK) {
		print_error("the store does not start: %s\n", err.text);
		return 1;
	}
	return 0;
}

static inline int
rig_down(void **state)
{
	(void)state;
	store_private_close(rig.server);
	store_logins_clear(&rig.logins);
	rig_dir_remove(&rig);
	return 0;
}

/*
 * As the superuser; the first column of the first row ("" for none), fresh. Fails the test when
 * it is refused.
 */
static inline char *
rig_sql(const char *sql)
{
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));
	PGresult *rows = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(rows);
	char *text;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	text = strdup(PQntuples(rows) > 0 ? PQgetvalue(rows, 0, 0) : "");
	PQclear(rows);
	PQfinish(conn);
	return text;
}

static inline void
rig_sql_is(const char *want, const char *sql)
{
	char *got = rig_sql(sql);

	if (strcmp(want, got) != 0)
		fail_msg("%s: %s, want %s", sql, got, want);
	free(got);
}

/* The server and all its processes at once, as at a power cut. */
static inline void
rig_server_kill(void)
{
	pid_t server = store_private_pid(rig.server);
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));
	PGresult *rows = PQexec(conn, "SELECT pid FROM pg_stat_activity");

	assert_true(PQntuples(rows) > 0);
	/* it shall not tidy up after its children */
	assert_int_equal(0, kill(server, SIGSTOP));
	for (int i = 0; i < PQntuples(rows); i++)
		(void)kill((pid_t)atoi(PQgetvalue(rows, i, 0)), SIGKILL);
	assert_int_equal(0, kill(server, SIGKILL));
	assert_int_equal(server, waitpid(server, NULL, 0));
	store_private_ended(rig.server);
	PQclear(rows);
	PQfinish(conn);
}

/* The store as one process sees it. */
static inline struct store *
rig_open(enum store_role role, unsigned int parts)
{
	struct mu_err err = MU_ERR_INIT;
	struct store *s = NULL;

	MUST(store_open(rig.logins.conninfo[role], parts, &s, &err));
	return s;
}

/* Gives these records the numbers from first on; the transaction is over. */
static inline enum mu_rc
rig_number(struct store *s, int64_t first, const struct mu_uuid *ids, size_t count,
    struct mu_err *err)
{
	struct store_flood *leaves = store_flood_new();

	store_audit_numbered(s, ids, count);
	for (size_t i = 0; i < count; i++) {
		const unsigned char hash[32] = { (unsigned char)(first + (int64_t)i) };

		store_flood_leaf(leaves, first + (int64_t)i, &ids[i], hash);
	}
	if (store_flood_start(s, leaves, err) != MU_OK)
		return err->rc;
	return store_flood_end(s, err);
}

#endif
