/* The embedded PostgreSQL: made once, started after any end, and never by two. */
#include "store/private.h"

#include "unit/store/rig.h"

#include "base/buf.h"
#include "base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static void
file_write(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(strlen(text), write(fd, text, strlen(text)));
	assert_int_equal(0, fchown(fd, rig.config.uid, rig.config.gid));
	assert_int_equal(0, close(fd));
}

static void
reopen(void)
{
	struct mu_err err = MU_ERR_INIT;

	store_private_close(rig.server);
	rig.server = NULL;
	MUST(store_private_open(&rig.config, &rig.server, &err));
}

static void
start(void)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_private_start(rig.server, &err));
	rig_sql_is("muster", "SELECT current_database()");
}

/* The server dies at once, as at a power cut; whoever reaps says so. */
static void
kill_server(void)
{
	pid_t pid = store_private_pid(rig.server);

	assert_int_equal(0, kill(pid, SIGKILL));
	assert_int_equal(pid, waitpid(pid, NULL, 0));
	store_private_ended(rig.server);
}

static void
one_at_a_time(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_private *other = NULL;

	(void)state;
	assert_int_equal(MU_ECONFIG, store_private_open(&rig.config, &other, &err));
	assert_non_null(strstr(err.text, "another musterd"));
}

static void
survives_a_kill(void **state)
{
	(void)state;
	free(rig_sql("CREATE TABLE kept AS SELECT 1 AS n"));
	kill_server();
	start();
	rig_sql_is("1", "SELECT n FROM kept");
	free(rig_sql("DROP TABLE kept"));
}

/* The number in postmaster.pid belongs to somebody else of the same user now. */
static void
stale_number(void **state)
{
	char number[64];
	pid_t stranger = fork();

	(void)state;
	if (stranger == 0) {
		if (geteuid() == 0 && setresuid(rig.config.uid, rig.config.uid,
		    rig.config.uid) != 0)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	kill_server();
	(void)snprintf(number, sizeof(number), "%d\n", (int)stranger);
	file_write("store/data/postmaster.pid", number, 0600);
	start();
	assert_int_equal(0, kill(stranger, SIGKILL));
	assert_int_equal(stranger, waitpid(stranger, NULL, 0));
}

/* A child of the killed server that does not notice: it keeps the cluster's shared memory. */
static void
leftover(void **state)
{
	PGconn *conn = PQconnectdb(store_private_conninfo(rig.server));

	(void)state;
	assert_int_equal(CONNECTION_OK, PQstatus(conn));
	assert_int_equal(0, kill((pid_t)PQbackendPID(conn), SIGSTOP));
	kill_server();
	start();
	PQfinish(conn);
}

/* A supervisor that is killed takes its server along; one that is still ending is waited for. */
static void
orphan(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int ready[2];
	pid_t supervisor;
	char c;

	(void)state;
	store_private_close(rig.server);
	rig.server = NULL;
	assert_int_equal(0, pipe(ready));
	supervisor = fork();
	if (supervisor == 0) {
		if (store_private_open(&rig.config, &rig.server, &err) != MU_OK ||
		    store_private_start(rig.server, &err) != MU_OK)
			_exit(1);
		(void)!write(ready[1], "y", 1);
		(void)pause();
	}
	assert_int_equal(1, read(ready[0], &c, 1));
	assert_int_equal(0, kill(supervisor, SIGKILL));
	assert_int_equal(supervisor, waitpid(supervisor, NULL, 0));
	(void)close(ready[0]);
	(void)close(ready[1]);
	MUST(store_private_open(&rig.config, &rig.server, &err));
	start();
}

static void
half_a_cluster(void **state)
{
	struct rig whole = rig;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	rig = (struct rig){ .server = NULL };
	rig_dir_make(&rig);
	(void)snprintf(err.text, sizeof(err.text), "%s/store", rig.dir);
	assert_int_equal(0, mkdir(err.text, 0700));
	(void)snprintf(err.text, sizeof(err.text), "%s/store/data.new", rig.dir);
	assert_int_equal(0, mkdir(err.text, 0700));
	file_write("store/data.new/PG_VERSION", "15\n", 0600);
	MUST(store_private_open(&rig.config, &rig.server, &err));
	start();
	store_private_close(rig.server);
	rig_dir_remove(&rig);
	rig = whole;
}

static void
passwords_change(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_logins fresh;
	PGconn *conn;

	(void)state;
	MUST(store_private_passwords_set(rig.server, &fresh, &err));
	for (int i = 0; i < STORE_ROLE_COUNT; i++) {
		conn = PQconnectdb(rig.logins.conninfo[i]);
		assert_int_equal(CONNECTION_BAD, PQstatus(conn));
		PQfinish(conn);
		conn = PQconnectdb(fresh.conninfo[i]);
		assert_int_equal(CONNECTION_OK, PQstatus(conn));
		PQfinish(conn);
	}
	store_logins_clear(&rig.logins);
	rig.logins = fresh;
}

static void
nobody_without_password(void **state)
{
	const char *conninfo = store_private_conninfo(rig.server);
	struct mu_buf bare = MU_BUF_INIT;
	PGconn *conn;

	(void)state;
	mu_buf_add(&bare, conninfo, (size_t)(strstr(conninfo, " password=") - conninfo));
	conn = PQconnectdb(bare.data);
	assert_int_equal(CONNECTION_BAD, PQstatus(conn));
	PQfinish(conn);
	mu_buf_clear(&bare);
}

static void
other_version(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_private *p = NULL;
	char *version = rig_sql("SELECT current_setting('server_version_num')::int / 10000");

	(void)state;
	store_private_close(rig.server);
	rig.server = NULL;
	file_write("store/data/PG_VERSION", "9\n", 0600);
	assert_int_equal(MU_ECONFIG, store_private_open(&rig.config, &p, &err));
	assert_non_null(strstr(err.text, "was made by PostgreSQL 9"));
	assert_non_null(strstr(err.text, "install postgresql-9"));
	file_write("store/data/PG_VERSION", version, 0600);
	free(version);
	reopen();
	start();
}

static void
lost_password(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_private *p = NULL;
	char from[128], to[128];

	(void)state;
	store_private_close(rig.server);
	rig.server = NULL;
	(void)snprintf(from, sizeof(from), "%s/store.password", rig.dir);
	(void)snprintf(to, sizeof(to), "%s/elsewhere", rig.dir);
	assert_int_equal(0, rename(from, to));
	assert_int_equal(MU_ECONFIG, store_private_open(&rig.config, &p, &err));
	assert_non_null(strstr(err.text, "store.password"));
	assert_int_equal(0, rename(to, from));
	reopen();
	start();
}

static void
long_path(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_private *p = NULL;
	struct store_private_config config = rig.config;
	char dir[200];

	(void)state;
	(void)memset(dir, 'd', sizeof(dir));
	dir[0] = '/';
	dir[94] = '\0';
	config.socket_dir = dir;
	assert_int_equal(MU_ECONFIG, store_private_open(&config, &p, &err));
	assert_non_null(strstr(err.text, "107 bytes"));
}

static void
not_as_root(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_private *p = NULL;
	struct store_private_config config = rig.config;

	(void)state;
	if (geteuid() != 0)
		skip();
	config.uid = 0;
	assert_int_equal(MU_ECONFIG, store_private_open(&config, &p, &err));
	assert_non_null(strstr(err.text, "refuses to run as root"));
}

static void
schema_from_the_future(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int64_t applied = -1;
	char version[24];

	(void)state;
	MUST(store_migrate(store_private_conninfo(rig.server), &applied, &err));
	assert_int_equal(0, applied);
	(void)snprintf(version, sizeof(version), "%lld", (long long)store_schema_version());
	rig_sql_is(version, "SELECT max(version) FROM schema_version");
	free(rig_sql("INSERT INTO schema_version VALUES (9999)"));
	assert_int_equal(MU_ECONFIG, store_migrate(store_private_conninfo(rig.server), &applied,
	    &err));
	assert_non_null(strstr(err.text, "run the newer musterd"));
	free(rig_sql("DELETE FROM schema_version WHERE version = 9999"));
}

static void
a_missing_role(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	int64_t applied;

	(void)state;
	free(rig_sql("ALTER ROLE muster_work NOLOGIN"));
	assert_int_equal(MU_ECONFIG, store_migrate(store_private_conninfo(rig.server), &applied,
	    &err));
	assert_non_null(strstr(err.text, "CREATE ROLE muster_work LOGIN"));
	free(rig_sql("ALTER ROLE muster_work LOGIN"));
}

/* The conninfo of the server's superuser with another user, password and database. */
static char *
given_conninfo(const char *user, const char *password)
{
	const char *conninfo = store_private_conninfo(rig.server);
	struct mu_buf b = MU_BUF_INIT;

	mu_buf_add(&b, conninfo, (size_t)(strstr(conninfo, " dbname=") - conninfo));
	mu_buf_format(&b, " dbname=given user=%s password=%s", user, password);
	return b.data;
}

static void
a_given_store(void **state)
{
	struct mu_err err = MU_ERR_INIT;
	char *owner, *stranger = given_conninfo("muster_work", "wrong");
	struct store *s = NULL;
	struct mu_buf work = MU_BUF_INIT;
	int64_t applied = -1;

	(void)state;
	free(rig_sql("CREATE ROLE keeper LOGIN PASSWORD 'kept'"));
	free(rig_sql("CREATE DATABASE given OWNER keeper"));
	owner = given_conninfo("keeper", "kept");
	assert_int_equal(MU_ERETRY, store_migrate(stranger, &applied, &err));
	MUST(store_migrate(owner, &applied, &err));
	assert_int_equal(store_schema_version(), applied);
	MUST(store_migrate(owner, &applied, &err));
	assert_int_equal(0, applied);
	mu_buf_format(&work, "%s dbname=given", rig.logins.conninfo[STORE_ROLE_WORK]);
	MUST(store_open(work.data, STORE_PERSON, &s, &err));
	store_close(s);
	free(rig_sql("DROP DATABASE given"));
	free(rig_sql("DROP ROLE keeper"));
	mu_buf_clear(&work);
	mu_free(owner);
	mu_free(stranger);
}

#define ALL_PASSWORDS \
	"muster_cycle:a\nmuster_provision:b\n# a remark\n\nmuster_audit:c\n" \
	"muster_token:d:'\\x\nmuster_admin:e\nmuster_claim:f\nmuster_work:g\n"

static struct login_row {
	/* want: a part of muster_token's conninfo, or of the error */
	const char *name, *conninfo, *file, *want;
	mode_t mode;
} login_rows[] = {
	{ "a password stands in its role's conninfo", "host=/run/pg dbname=m user=x password=y",
	    ALL_PASSWORDS, "dbname='m' host='/run/pg' user='muster_token' password='d:\\'\\\\x'",
	    0600 },
	{ "over the network without verify-full is refused", "host=db.example dbname=m",
	    ALL_PASSWORDS, "verify-full", 0600 },
	{ "a second host over the network is seen", "host=/run/pg,db.example dbname=m",
	    ALL_PASSWORDS, "verify-full", 0600 },
	{ "an address is the network too", "host=/run/pg hostaddr=192.0.2.1", ALL_PASSWORDS,
	    "verify-full", 0600 },
	{ "with verify-full it is welcome", "host=db.example sslmode=verify-full", ALL_PASSWORDS,
	    "sslmode='verify-full' user='muster_token'", 0600 },
	{ "a role without a line is named", "host=/run/pg", "muster_cycle:a\n",
	    "no line \"muster_provision:...\"", 0600 },
	{ "a role without a password has none", "host=/run/pg",
	    "muster_cycle:\nmuster_provision:b\n", "no line \"muster_cycle:...\"", 0600 },
	{ "a malformed line is named", "host=/run/pg", "muster_cycle:a\nmuster_provision\n",
	    "passwords:2: expected", 0600 },
	{ "a file that others can read is refused", "host=/run/pg", ALL_PASSWORDS, "passwords",
	    0644 },
	{ "a malformed conninfo is named", "host", ALL_PASSWORDS, "conninfo: ", 0600 },
};

static void
login_row(void **state)
{
	struct login_row *r = *state;
	struct store_logins logins = { .conninfo = { NULL } };
	struct mu_err err = MU_ERR_INIT;
	char path[128];
	const char *got;

	(void)snprintf(path, sizeof(path), "%s/passwords", rig.dir);
	(void)unlink(path);
	file_write("passwords", r->file, r->mode);
	assert_int_equal(0, chown(path, geteuid(), getegid()));
	assert_int_equal(0, chmod(path, r->mode));
	if (store_logins_read(r->conninfo, path, &logins, &err) == MU_OK)
		got = logins.conninfo[STORE_ROLE_TOKEN];
	else
		got = err.rc == MU_ECONFIG ? err.text : "not MU_ECONFIG";
	if (strstr(got, r->want) == NULL)
		fail_msg("%s: %s, want %s", r->name, got, r->want);
	store_logins_clear(&logins);
}

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		{ "a second musterd on the same state directory is refused", one_at_a_time, NULL,
		    NULL, NULL },
		{ "a killed server starts again with what was committed", survives_a_kill, NULL,
		    NULL, NULL },
		{ "a stale postmaster.pid with a living stranger's number is no obstacle",
		    stale_number, NULL, NULL, NULL },
		{ "a child of the killed server that holds still is no obstacle", leftover, NULL,
		    NULL, NULL },
		{ "the server of a killed supervisor ends, and its successor starts", orphan, NULL,
		    NULL, NULL },
		{ "half a cluster is thrown away and made anew", half_a_cluster, NULL, NULL, NULL },
		{ "passwords are fresh at every start, old ones refused", passwords_change, NULL,
		    NULL, NULL },
		{ "nobody gets in without a password, not even the superuser",
		    nobody_without_password, NULL, NULL, NULL },
		{ "a cluster of another major version is refused, with what to install",
		    other_version, NULL, NULL, NULL },
		{ "a lost superuser password is named", lost_password, NULL, NULL, NULL },
		{ "a socket path above 107 bytes is refused", long_path, NULL, NULL, NULL },
		{ "root without another user is refused", not_as_root, NULL, NULL, NULL },
		{ "migrating twice changes nothing; a newer schema is refused",
		    schema_from_the_future, NULL, NULL, NULL },
		{ "a given store is migrated by its owner, who is no superuser", a_given_store,
		    NULL, NULL, NULL },
		{ "a role that may not log in is named with the remedy", a_missing_role, NULL, NULL,
		    NULL },
	};
	struct CMUnitTest tests[MU_COUNT(fixed) + MU_COUNT(login_rows)];

	(void)memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < MU_COUNT(login_rows); i++)
		tests[MU_COUNT(fixed) + i] = (struct CMUnitTest){ login_rows[i].name, login_row,
		    NULL, NULL,
			&login_rows[i] };
	return cmocka_run_group_tests(tests, rig_up, rig_down);
}
