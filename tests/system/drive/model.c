/*
 * drive/model.c - the real cycle, clock and store, driven by model_test.py: one command a line, one
 * answer a line
 *
 * Fields are separated by tabs; "=" stands between an attribute and its value. The wall clock stands
 * still at what "now" says, at the end of that second, so that the cycle's clock ticks at once.
 *
 *	now T				policy FOLDER, the next one in force
 *	entry TAG DN A=V ...		gone TAG			group NAME DN ...
 *	begin				slice				end PEOPLE GROUPS, of a full read
 *	block TAG, unblock TAG		suspend TAG UNTIL, resume TAG	identify TAG LEVEL
 *	grant TAG ROLE UNTIL		ungrant TAG ROLE		restart, as after a kill
 *	settle, until nobody is due	dump, a line for each person	kinds, of what is recorded
 *	forget, everything		faults NAME, found by that query of sql/check
 *
 * Answers: "ok", "no TEXT" where muster refuses. dump and kinds answer in lines that end with "ok".
 */
#include "unit/cycle/world.h"
#include "unit/store/rows.h"

#include <sys/syscall.h>
#include <time.h>

#define FIELDS_MAX	64

static int64_t now_s;		/* 0: as it is */
static PGconn *eye;		/* the superuser's */

/* Everything that tells the time in this program asks here. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && id == CLOCK_REALTIME && now_s != 0)
		*ts = (struct timespec){ .tv_sec = (time_t)now_s, .tv_nsec = 999000000 };
	return rc;
}

static PGresult *
look(const char *sql)
{
	PGresult *rows = PQexec(eye, sql);

	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(eye));
	return rows;
}

/* The rows' columns, separated by tabs. */
static void
lines_print(const char *sql)
{
	PGresult *rows = look(sql);

	for (int i = 0; i < PQntuples(rows); i++)
		for (int k = 0; k < PQnfields(rows); k++)
			(void)printf("%s%c", PQgetvalue(rows, i, k),
			    k + 1 < PQnfields(rows) ? '\t' : '\n');
	PQclear(rows);
}

/* Runs the loop until the statement says t. */
static void
run_until(const char *sql)
{
	struct mu_timer *after = mu_loop_timer(loop, loop_stop, NULL);
	int64_t since_ms = mu_tick_ms();
	bool is_so = false;

	while (!is_so) {
		PGresult *rows = look(sql);

		is_so = strcmp(PQgetvalue(rows, 0, 0), "t") == 0;
		PQclear(rows);
		if (!is_so && mu_tick_ms() - since_ms > 30000)
			fail_msg("never so: %s", sql);
		mu_timer_set(after, 2);
		if (!is_so)
			(void)mu_loop_run(loop);
	}
	mu_timer_free(after);
}

/* --- The directory -------------------------------------------------------------------------- */

static void
entry_tell(char *const *fields, size_t count)
{
	struct attrs attrs = ATTRS_INIT;
	struct directory_entry e = { .entry_uuid = uuid_of(fields[1]), .dn = fields[2],
		.attrs = &attrs };
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 3; i < count; i++) {
		char *value = strchr(fields[i], '=');

		*value = '\0';
		attrs_add(&attrs, fields[i], value + 1);
	}
	MUST(directory.events->entry(directory.ctx, DIRECTORY_PEOPLE, &e, &err));
	attrs_clear(&attrs);
}

static void
read_begin(void)
{
	begins(DIRECTORY_GROUPS, true);
	begins(DIRECTORY_PEOPLE, true);
}

static void
read_end(char *const *fields)
{
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED,
	    (size_t)atoi(fields[2]));
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED,
	    (size_t)atoi(fields[1]));
	slice();
}

/* --- Actions, as the admin process does them ------------------------------------------------ */

/* Locks the person with this tag in admin's open transaction. */
static void
person_lock(const char *tag, struct store_people *out_people)
{
	const struct mu_uuid entry = uuid_of(tag);
	struct mu_err err = MU_ERR_INIT;

	MUST(store_person_lock_entries(admin, source.name, &entry, 1, out_people, &err));
	assert_int_equal(1, out_people->count);
}

static enum mu_rc
grant_add(const struct store_person *p, const char *role, int64_t ends_at_s, struct mu_err *err)
{
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT;
	const struct policy_subject subject = {
		.facts = { &p->attrs, &p->groups, p->source, NULL }, .state = p->state,
		.blocked = p->blocked, .identified = p->vouched.level, .granted = &granted };
	struct policy_request request;

	for (size_t i = 0; i < p->grant_count; i++)
		if (policy_grant_runs(policy, &p->grants[i], now_s))
			strings_add(&granted, p->grants[i].role);
	if (policy_request_check(policy, &subject, role, &request, err) != MU_OK)
		return err->rc;
	if (ends_at_s - now_s > request.longest_s)
		return mu_fail(err, MU_EINPUT, "too long");
	grant_write(&p->person_id, role, now_s, ends_at_s);
	return MU_OK;
}

static enum mu_rc
grant_drop(const struct store_person *p, const char *role, struct mu_err *err)
{
	for (size_t i = 0; i < p->grant_count; i++)
		if (strcmp(p->grants[i].role, role) == 0) {
			store_grant_drop(admin, &p->grants[i].grant_id);
			return MU_OK;
		}
	return mu_fail(err, MU_EABSENT, "no such grant");
}

static void
identify(const struct store_person *p, char *level)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	char method[] = "passport", evidence[] = "file 7";
	struct identification x = { .person_id = p->person_id, .level = level, .method = method,
		.evidence = evidence, .identified_at_s = now_s,
		.version = p->vouched.version + 1 };

	mu_uuid_new(&x.verifier);
	identification_encode(&x, &bytes);
	mac_one(&bytes, x.mac);
	store_identification_write(admin, &x);
}

/* False: the word is no action's. */
static bool
fact_change(const struct store_person *p, char *const *fields, enum mu_rc *out_rc,
    struct mu_err *err)
{
	const char *word = fields[0];

	*out_rc = MU_OK;
	if (strcmp(word, "block") == 0 || strcmp(word, "unblock") == 0)
		store_person_block(admin, &p->person_id, word[0] == 'b');
	else if (strcmp(word, "suspend") == 0)
		store_person_suspend(admin, &p->person_id, true, atoll(fields[2]));
	else if (strcmp(word, "resume") == 0)
		store_person_suspend(admin, &p->person_id, false, 0);
	else if (strcmp(word, "identify") == 0)
		identify(p, fields[2]);
	else if (strcmp(word, "grant") == 0)
		*out_rc = grant_add(p, fields[2], atoll(fields[3]), err);
	else if (strcmp(word, "ungrant") == 0)
		*out_rc = grant_drop(p, fields[2], err);
	else
		return false;
	return true;
}

static bool
act(char *const *fields, size_t count, struct mu_err *out_refusal)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = MU_OK;

	if (count < 2)
		return false;
	MUST(store_begin(admin, &err));
	person_lock(fields[1], &people);
	if (!fact_change(&people.list[0], fields, &rc, out_refusal)) {
		store_rollback(admin);
		return false;
	}
	if (rc != MU_OK) {
		store_rollback(admin);
		return true;
	}
	again(&people.list[0].person_id, 1, &effects);
	MUST(store_commit(admin, &err));
	cycle_effects_clear(&effects);
	return true;
}

/* --- Policies ------------------------------------------------------------------------------- */

static struct policy *
folder_parse(const struct policy_folder *folder)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *made = NULL;
	struct mu_err err = MU_ERR_INIT;

	MUST(policy_parse(folder->files, folder->file_count, attr_known, NULL, &faults, &made,
	    &err));
	return made;
}

/* The first one seeds the store, and the cycle starts by it. */
static void
policy_seed(const struct policy_folder *folder)
{
	struct mu_err err = MU_ERR_INIT;

	/* These few are of a million, so that the brake lets them pass. */
	free(rig_sql("INSERT INTO brake_people (scope, name, until, writer, people)"
	    " VALUES ('source', 'corp', '2000-01-01', 0, 1000000)"));
	MUST(cycle_policy_in_force(store, folder->files, folder->file_count, mac, mac_check, NULL,
	    attr_known, NULL, &policy, &policy_version, &err));
	cycle_start();
	run_until("SELECT coalesce(max(version), 0) = 1 FROM policy_decided");
}

static void
policy_next(const struct policy_folder *folder)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *before = policy;
	struct mu_err err = MU_ERR_INIT;
	char decided[100];

	MUST(store_begin(admin, &err));
	MUST(cycle_policy_apply(admin, folder->files, folder->file_count, policy_version, "a test",
	    mac, NULL, attr_known, NULL, &faults, &policy_version, &err));
	MUST(store_commit(admin, &err));
	cycle_hinted();
	(void)snprintf(decided, sizeof(decided),
	    "SELECT coalesce(max(version), 0) = %lld FROM policy_decided",
	    (long long)policy_version);
	run_until(decided);
	policy = folder_parse(folder);
	policy_free(before);		/* the cycle has one of its own now */
}

static void
policy_read(const char *path)
{
	MU_AUTO(policy_folder_clear) struct policy_folder folder = { NULL, 0 };
	struct mu_err err = MU_ERR_INIT;

	MUST(policy_folder_read(path, &folder, &err));
	if (policy == NULL)
		policy_seed(&folder);
	else
		policy_next(&folder);
}

/* As if nothing had ever been. */
static void
forget(void)
{
	if (policy == NULL)
		return;
	cycle_end();
	cycle = NULL;
	policy_free(policy);
	policy = NULL;
	policy_version = 0;
	world_empty();
}

/* --- Commands ------------------------------------------------------------------------------- */

/* Until nobody is due. */
static void
settle(void)
{
	char sql[100];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT count(*) = 0 FROM person WHERE due_at <= to_timestamp(%lld)",
	    (long long)now_s);
	run_until(sql);
}

static const char people_sql[] =
    "SELECT replace(p.entry_uuid::text, '-', ''), p.person_id, p.state,"
    " extract(epoch FROM p.state_since)::bigint,"
    " coalesce(extract(epoch FROM p.due_at)::bigint, 0), p.blocked, p.suspended,"
    " coalesce(extract(epoch FROM p.resume_at)::bigint, 0), p.identified,"
    " replace(trim(both E'\\n' from p.roles), E'\\n', ','), p.uid,"
    " coalesce((SELECT string_agg(concat_ws('/', a.platform, a.name, a.wanted_state,"
    " replace(trim(both E'\\n' from a.roles), E'\\n', ','),"
    " replace(trim(both E'\\n' from a.entitlements), E'\\n', ',')), ';' ORDER BY a.platform)"
    " FROM account a WHERE a.person_id = p.person_id), ''),"
    " coalesce((SELECT string_agg(concat_ws('/', g.role,"
    " extract(epoch FROM g.starts_at)::bigint, extract(epoch FROM g.ends_at)::bigint), ';'"
    " ORDER BY g.role) FROM requested_grant g WHERE g.person_id = p.person_id), '')"
    " FROM person p ORDER BY p.entry_uuid";

static const char kinds_sql[] =
    "SELECT kind, count(*) FROM audit_record GROUP BY kind ORDER BY kind";

/* False: no such command. */
static bool
command(char *const *fields, size_t count, struct mu_err *err)
{
	const char *word = fields[0];

	if (strcmp(word, "now") == 0 && count == 2)
		now_s = atoll(fields[1]);
	else if (strcmp(word, "policy") == 0 && count == 2)
		policy_read(fields[1]);
	else if (strcmp(word, "entry") == 0 && count > 3)
		entry_tell(fields, count);
	else if (strcmp(word, "gone") == 0 && count == 2)
		removed(DIRECTORY_PEOPLE, fields[1]);
	else if (strcmp(word, "group") == 0 && count > 1)
		group(fields[1], (const char *const *)fields + 2, count - 2);
	else if (strcmp(word, "begin") == 0)
		read_begin();
	else if (strcmp(word, "end") == 0 && count == 3)
		read_end(fields);
	else if (strcmp(word, "slice") == 0)
		slice();
	else if (strcmp(word, "restart") == 0)
		cycle_restart();
	else if (strcmp(word, "forget") == 0)
		forget();
	else if (strcmp(word, "settle") == 0)
		settle();
	else if (strcmp(word, "dump") == 0)
		lines_print(people_sql);
	else if (strcmp(word, "faults") == 0 && count == 2)
		lines_print(check_read(fields[1]));
	else if (strcmp(word, "kinds") == 0)
		lines_print(kinds_sql);
	else
		return act(fields, count, err);
	return true;
}

static void
line_do(char *line)
{
	char *fields[FIELDS_MAX];
	struct mu_err err = MU_ERR_INIT;
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *at; count < FIELDS_MAX && (at = strsep(&line, "\t")) != NULL;)
		fields[count++] = at;
	if (!command(fields, count, &err))
		fail_msg("no such command: %s of %zu fields", fields[0], count);
	if (err.rc != MU_OK)
		(void)printf("no %s\n", err.text);
	else
		(void)printf("ok\n");
	(void)fflush(stdout);
}

int
main(void)
{
	char *line = NULL;
	size_t room = 0;
	void *state = NULL;

	if (rig_up(&state) != 0)
		return 1;
	for (size_t i = 0; i < MU_COUNT(platforms); i++)
		platforms[i].ops = adapter_find("memory");
	platforms[1].account_attr = "mail";
	platform_count = MU_COUNT(platforms);
	loop = mu_loop_new();
	/* nothing here is to outlive a power cut */
	free(rig_sql("ALTER DATABASE muster SET synchronous_commit = off"));
	store = rig_open(STORE_ROLE_CYCLE, PARTS);
	admin = rig_open(STORE_ROLE_ADMIN, PARTS);
	eye = PQconnectdb(store_private_conninfo(rig.server));
	while (getline(&line, &room, stdin) > 0)
		line_do(line);
	free(line);
	if (cycle != NULL)
		cycle_end();
	PQfinish(eye);
	return teardown(&state);
}
