/*
 * The world of the cycle's tests: a directory that says what a test makes it say, slice by slice, a
 * real store, keys whose MACs anybody could make, and a brake that lets two go within the hour.
 */
#ifndef UNIT_CYCLE_WORLD_H
#define UNIT_CYCLE_WORLD_H

#include "cycle/cycle.h"

#include "base/clock.h"
#include "config/yaml.h"
#include "crypto/digest.h"
#include "store/brake.h"
#include "store/grant.h"
#include "store/policy.h"
#include "store/source.h"
#include "unit/store/rig.h"

#define PARTS \
	(STORE_PERSON | STORE_ACCOUNT | STORE_AUDIT | STORE_SOURCE | STORE_POLICY | STORE_GRANT)

static const char roles_yaml[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, groups: [ops]}]\n"
    "  birthright: (group=ops)\n"
    "- role: helper\n"
    "  gives: [{platform: mem, groups: [help]}]\n"
    "  requestable: (!(title=left))\n"
    "  longest: 8h\n"
    "  approvals: 1\n"
    "- role: guard\n"
    "  gives: [{platform: mem, groups: [guard]}]\n"
    "  birthright: (employeeType=staff)\n"
    "  identified: seen\n";
static const char brake_yaml[] =
    "- {per: source, removals: {at_least: 2, share: 1%, within: 1h}}\n";

/* --- The directory -------------------------------------------------------------------------- */

struct directory {
	const struct directory_events *events;
	void *ctx;
	bool resumed[DIRECTORY_SEARCH_COUNT];	/* with a cookie */
	int opened_count;
	bool wrong;			/* it cannot even be opened */
};
static struct directory directory;
static struct mu_loop *loop;

void
directory_shape(const struct directory_source *source, enum directory_search search,
    struct mu_buf *b)
{
	mu_buf_format(b, "%s %d", source->name, (int)search);
}

enum mu_rc
directory_open(struct mu_loop *l, const struct directory_source *source,
    const struct directory_resume *resume, const struct directory_events *events, void *ctx,
    struct directory **out_directory, struct mu_err *err)
{
	(void)source;
	if (directory.wrong) {
		mu_loop_stop(l, 0);
		return mu_fail(err, MU_ECONFIG, "the directory is wrong");
	}
	directory = (struct directory){ .events = events, .ctx = ctx,
		.opened_count = directory.opened_count + 1 };
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		directory.resumed[i] = resume->cookies[i].size_bytes > 0;
	*out_directory = &directory;
	mu_loop_stop(l, 0);
	return MU_OK;
}

void
directory_close(struct directory *d)
{
	(void)d;
}

/* --- The cycle under test ------------------------------------------------------------------- */

static struct policy *policy;
static struct cycle_platform platforms[] = { { "mem", "uid", NULL }, { "two", "uid", NULL } };
static size_t platform_count = 1;	/* of them */
static struct directory_source source = { .name = "corp" };
static struct cycle_source *sources;	/* of the configuration; none: any, with everything */
static size_t source_count;
static struct store *store, *admin;	/* as the processes cycle and admin */
static struct store_hint *hint;
static struct cycle *cycle;
static bool keys_away;
static int checks_asked;		/* questions to keys about MACs */
static const char *holder = "test";	/* the host that the cycle runs on */
static int64_t policy_version;		/* 0: the policy is this file's, whatever the store has */

static inline bool
attr_known(const void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

static inline void
mac_one(const struct mu_buf *bytes, unsigned char out_mac[MAC_BYTES])
{
	MU_AUTO(mu_buf_clear) struct mu_buf keyed = MU_BUF_INIT;

	mu_buf_text_add(&keyed, "a key");
	mu_buf_add(&keyed, bytes->data, bytes->size_bytes);
	crypto_sha256(keyed.data, keyed.size_bytes, out_mac);
}

static inline enum mu_rc
mac(void *ctx, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err)
{
	(void)ctx;
	if (keys_away)
		return mu_fail(err, MU_ERETRY, "keys are away");
	for (size_t i = 0; i < count; i++)
		mac_one(&bytes[i], out_macs[i]);
	return MU_OK;
}

static inline enum mu_rc
mac_check(void *ctx, const struct mu_buf *bytes, const unsigned char (*macs)[MAC_BYTES],
    size_t count, bool *out_right, struct mu_err *err)
{
	(void)ctx;
	checks_asked++;
	if (keys_away)
		return mu_fail(err, MU_ERETRY, "keys are away");
	for (size_t i = 0; i < count; i++) {
		unsigned char right[MAC_BYTES];

		mac_one(&bytes[i], right);
		out_right[i] = memcmp(right, macs[i], MAC_BYTES) == 0;
	}
	return MU_OK;
}

static inline struct cycle_rules
rules(void)
{
	return (struct cycle_rules){ .policy = policy, .version = policy_version,
		.platforms = platforms, .platform_count = platform_count,
		.sources = sources, .source_count = source_count };
}

static inline void
cycle_start(void)
{
	struct cycle_host host = { .loop = loop, .store = store, .source = &source,
		.uid_name = "uid", .rules = rules(), .attr_known = attr_known,
		.holder = holder, .is_first = true,
		.mac = mac, .mac_check = mac_check };

	hint = store_hint_open(loop, rig.logins.conninfo[STORE_ROLE_CYCLE]);
	host.hint = hint;
	cycle = cycle_open(&host);
	assert_int_equal(0, mu_loop_run(loop));
}

/* As by kill: nothing is told to the one that ends. */
static inline void
cycle_end(void)
{
	cycle_close(cycle);
	store_hint_close(hint);
}

static inline void
cycle_restart(void)
{
	cycle_end();
	cycle_start();
}

#define FILES_COUNT 4

/* The policy's files with these roles. */
static inline void
files_make(struct policy_file files[FILES_COUNT], const char *roles)
{
	files[0] = (struct policy_file){ mu_strdup("brake.yaml"), mu_strdup(brake_yaml) };
	files[1] = (struct policy_file){ mu_strdup("identification.yaml"),
		mu_strdup("- {level: known, when: (checked=TRUE)}\n- {level: seen}\n") };
	files[2] = (struct policy_file){ mu_strdup("roles.yaml"), mu_strdup(roles) };
	files[3] = (struct policy_file){ mu_strdup("states.yaml"),
		mu_strdup("{starts: startDate, ends: endDate, suspended: (mood=away),"
		" returns: backDate}\n") };
}

static inline void
files_end(struct policy_file files[FILES_COUNT])
{
	for (size_t i = 0; i < FILES_COUNT; i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
}

/* The policy with these roles and this brake. */
static inline struct policy *
policy_made(const char *roles, const char *brake)
{
	struct policy_file files[FILES_COUNT];
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *made = NULL;
	struct mu_err err = MU_ERR_INIT;

	files_make(files, roles);
	mu_free(files[0].content);
	files[0].content = mu_strdup(brake);
	MUST(policy_parse(files, FILES_COUNT, attr_known, NULL, &faults, &made, &err));
	files_end(files);
	return made;
}

static inline struct policy *
policy_of(const char *brake)
{
	return policy_made(roles_yaml, brake);
}

static inline int
setup(void **state)
{
	if (rig_up(state) != 0)
		return 1;
	policy = policy_of(brake_yaml);
	for (size_t i = 0; i < MU_COUNT(platforms); i++)
		platforms[i].ops = adapter_find("memory");
	loop = mu_loop_new();
	store = rig_open(STORE_ROLE_CYCLE, PARTS);
	admin = rig_open(STORE_ROLE_ADMIN, PARTS);
	return 0;
}

static inline int
teardown(void **state)
{
	store_close(store);
	store_close(admin);
	mu_loop_free(loop);
	policy_free(policy);
	return rig_down(state);
}

/* --- What a test says ----------------------------------------------------------------------- */

static inline struct mu_uuid
uuid_of(const char *name)
{
	struct mu_uuid u = { { 0 } };

	(void)memcpy(u.bytes, name, strlen(name) < 16 ? strlen(name) : 16);
	return u;
}

static inline void
begins(enum directory_search search, bool full)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->began(directory.ctx, search, full, &err));
}

/* A person with these attributes besides uid and staff, "a=1 b=2". */
static inline void
person_as(const char *name, const char *uid, const char *attributes)
{
	char dn[64], text[128], *save = NULL;
	struct attrs attrs = { 0 };
	struct directory_entry e = { .entry_uuid = uuid_of(name), .dn = dn, .attrs = &attrs };
	struct mu_err err = MU_ERR_INIT;

	(void)snprintf(dn, sizeof(dn), "uid=%s", name);
	(void)snprintf(text, sizeof(text), "%s", attributes);
	attrs_add(&attrs, "uid", uid);
	attrs_add(&attrs, "employeeType", "staff");
	for (char *a = strtok_r(text, " ", &save); a != NULL; a = strtok_r(NULL, " ", &save)) {
		char *value = strchr(a, '=');

		*value = '\0';
		attrs_add(&attrs, a, value + 1);
	}
	MUST(directory.events->entry(directory.ctx, DIRECTORY_PEOPLE, &e, &err));
	attrs_clear(&attrs);
}

static inline void
person(const char *name)
{
	person_as(name, name, "");
}

/* "ops: uid=a uid=b" */
static inline void
group(const char *name, const char *const *members, size_t count)
{
	struct directory_entry e = { .entry_uuid = uuid_of(name), .dn = name, .group_name = name,
		.members = members, .member_count = count };
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->entry(directory.ctx, DIRECTORY_GROUPS, &e, &err));
}

static inline void
present(enum directory_search search, const char *name)
{
	struct mu_uuid u = uuid_of(name);
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->present(directory.ctx, search, &u, &err));
}

static inline void
removed(enum directory_search search, const char *name)
{
	struct mu_uuid u = uuid_of(name);
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->removed(directory.ctx, search, &u, &err));
}

static inline void
refreshed(enum directory_search search, enum verdict verdict, enum directory_how how, size_t listed)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->refreshed(directory.ctx, search, verdict, how, listed, &err));
	if (verdict == VERDICT_COMPLETE)
		MUST(directory.events->cookie(directory.ctx, search, "rid=1", 5, &err));
}

static inline enum mu_rc
slice_try(void)
{
	struct mu_err err = MU_ERR_INIT;

	return directory.events->slice_end(directory.ctx, &err);
}

static inline void
slice(void)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(directory.events->slice_end(directory.ctx, &err));
}

/* --- What happens while the loop runs ------------------------------------------------------- */

static inline void
loop_stop(void *ctx)
{
	(void)ctx;
	mu_loop_stop(loop, 0);
}

/* Lets the cycle do until the store says so. */
static inline void
until(const char *want, const char *sql)
{
	struct mu_timer *look = mu_loop_timer(loop, loop_stop, NULL);
	int64_t since_ms = mu_tick_ms();
	bool there = false;

	while (!there) {
		char *got = rig_sql(sql);

		there = strcmp(want, got) == 0;
		if (!there && mu_tick_ms() - since_ms > 20000)
			fail_msg("%s: still %s, want %s", sql, got, want);
		free(got);
		mu_timer_set(look, 5);
		(void)mu_loop_run(loop);
	}
	mu_timer_free(look);
}

/* The clock looks at once after a start. */
static inline void
clock_run(void)
{
	struct mu_timer *after = mu_loop_timer(loop, loop_stop, NULL);

	cycle_restart();
	mu_timer_set(after, 2);
	(void)mu_loop_run(loop);
	mu_timer_free(after);
}

/* Time passes: the end dates of people at or before this name are over. */
static inline void
ends_pass(const char *name)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql),
	    "UPDATE person SET attrs = replace(attrs, '20990101', '20200101'),"
	    " due_at = '2020-01-01' WHERE dn <= 'uid=%s' AND state = 'active'", name);
	free(rig_sql(sql));
}

/* Everybody as given, in a full read of both searches; a and b are in the group ops. */
static inline void
full_read(const char *const *names, size_t count)
{
	static const char *const members[] = { "uid=a", "uid=b" };

	begins(DIRECTORY_GROUPS, true);
	group("ops", members, 2);
	refreshed(DIRECTORY_GROUPS, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, 1);
	begins(DIRECTORY_PEOPLE, true);
	for (size_t i = 0; i < count; i++)
		person(names[i]);
	refreshed(DIRECTORY_PEOPLE, VERDICT_COMPLETE, DIRECTORY_FULL_LISTED, count);
	slice();
}

static const char *const all[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };

static inline void
world_empty(void)
{
	free(rig_sql("TRUNCATE person, account, credential, directory_group, directory_member,"
	    " source_search, source_verdict, brake_hold, brake_effect, brake_people, quarantine, lease,"
	    " receipt, audit_record, audit_pending, audit_leaf, sync_request, policy_version,"
	    " policy_file, policy_decided CASCADE"));
}

static inline int
world_open(void **state)
{
	(void)state;
	keys_away = false;
	policy_version = 0;
	world_empty();
	cycle_start();
	full_read(all, MU_COUNT(all));
	rig_sql_is("12", "SELECT count(*) FROM person WHERE state = 'active'");
	rig_sql_is("2", "SELECT count(*) FROM person WHERE roles LIKE '%ops%'");
	return 0;
}

/* The same before anybody was read. */
static inline int
nobody_open(void **state)
{
	(void)state;
	keys_away = false;
	policy_version = 0;
	world_empty();
	cycle_start();
	return 0;
}

static inline int
world_close(void **state)
{
	(void)state;
	cycle_end();
	return 0;
}

#define ACTIVE(name) "SELECT state FROM person WHERE dn = 'uid=" name "'"
/* What whoever commits such a thing does. */
static inline void
cycle_hinted(void)
{
	store_hint(admin, STORE_CHANNEL_SYNC);
	store_hint(admin, STORE_CHANNEL_POLICY);
}

/* Lets the cycle open the directory once more. */
static inline void
until_opened(int times)
{
	int64_t since_ms = mu_tick_ms();

	while (directory.opened_count < times) {
		if (mu_tick_ms() - since_ms > 20000)
			fail_msg("the directory was opened %d times, not %d",
			    directory.opened_count, times);
		until("1", "SELECT 1");
	}
}

/* --- What actions write --------------------------------------------------------------------- */

static inline struct mu_uuid
person_id(const char *name)
{
	char sql[128], *text;
	struct mu_uuid id;

	(void)snprintf(sql, sizeof(sql), "SELECT person_id FROM person WHERE dn = 'uid=%s'", name);
	text = rig_sql(sql);
	assert_true(mu_uuid_parse(text, &id));
	free(text);
	return id;
}

static inline struct cycle_again_host
again_host(const struct cycle_rules *r)
{
	return (struct cycle_again_host){ .store = admin, .rules = r, .mac = mac,
		.mac_check = mac_check };
}

/* In the open transaction of admin. */
static inline void
grant_write(const struct mu_uuid *to, const char *role, int64_t starts_at_s, int64_t ends_at_s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct grant g = { .person_id = *to, .role = mu_strdup(role), .reason = mu_strdup("a test"),
		.starts_at_s = starts_at_s, .ends_at_s = ends_at_s };

	mu_uuid_new(&g.grant_id);
	mu_uuid_new(&g.granted_by);
	grant_encode(&g, &bytes);
	mac_one(&bytes, g.mac);
	store_grant_write(admin, &g);
	grant_clear(&g);
}

static inline void
again(const struct mu_uuid *ids, size_t count, struct cycle_effects *out_effects)
{
	const struct cycle_rules r = rules();
	const struct cycle_again_host host = again_host(&r);
	struct mu_err err = MU_ERR_INIT;

	MUST(cycle_again(&host, ids, count, mu_now_ms(), out_effects, &err));
}

/* A whole action: the grant, and what it changes. */
static inline void
granted(const char *name, const char *role, int64_t starts_at_s, int64_t ends_at_s)
{
	const struct mu_uuid id = person_id(name);
	struct cycle_effects effects = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(admin, &err));
	grant_write(&id, role, starts_at_s, ends_at_s);
	again(&id, 1, &effects);
	MUST(store_commit(admin, &err));
	cycle_effects_clear(&effects);
}

static inline void
blocked(const struct mu_uuid *id, bool is_blocked, struct cycle_effects *out_effects)
{
	struct mu_err err = MU_ERR_INIT;

	MUST(store_begin(admin, &err));
	store_person_block(admin, id, is_blocked);
	again(id, 1, out_effects);
	MUST(store_commit(admin, &err));
}

#define ROLES(name) \
	"SELECT replace(trim(both E'\\n' from roles), E'\\n', ' ') FROM person" \
	" WHERE dn = 'uid=" name "'"
#define ACCOUNT(name) \
	"SELECT wanted_state FROM account JOIN person USING (person_id) WHERE dn = 'uid=" name "'"
#define COOKIES "SELECT count(*) FROM source_search WHERE length(cookie) > 0"

#endif
