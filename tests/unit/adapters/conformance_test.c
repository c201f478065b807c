/*
 * What every adapter keeps (adapters/adapter.h), as one table of scripts.
 *
 *	conformance_test				against the in-memory platform
 *	conformance_test ADAPTER KEY=VALUE...		against a real one; the credential is on stdin
 *	conformance_test --obey ADAPTER KEY=VALUE...	takes steps from stdin, a line each, and prints
 *							what became of them: for tests with real clients
 */
#include "adapters/adapter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#define PATIENCE_MS 10000

/*
 * A script is words: STEP[/KIND/NAME[/LEVEL]]=OUTCOME[|OUTCOME]; see=STATE[,NAME[:LEVEL]...] is
 * what GET shows when asked for all rights below; members/KIND/NAME[/LEVEL]=yes or no: is the
 * account among them. Each script has an account of its own, that is not there when it begins.
 */
#define RIGHTS "group conform-a\ngroup conform-b\nroom conform-r member\n"

static struct row {
	const char *name, *script;
	uint32_t needs;		/* enum adapter_can: platforms without it are not asked */
} rows[] = {
	{ "what nobody made is not there",	"see=absent", 0 },
	{ "an account is made closed",		"create=done see=disabled", 0 },
	{ "it is not made twice, and the second time harms nothing",
	    "create=done enable=done create=conflict|already see=enabled", 0 },
	{ "opening and closing may be repeated",
	    "create=done enable=done enable=done|already see=enabled disable=done disable=done|already "
	    "see=disabled enable=done see=enabled", 0 },
	{ "a password may be set, and set again, and opens nothing that is closed",
	    "create=done set-credential=done set-credential=done see=disabled", ADAPTER_CAN_CREDENTIAL },
	{ "a group is joined once however often it is asked",
	    "create=done join/group/conform-a=done join/group/conform-a=done|already "
	    "see=disabled,conform-a members/group/conform-a=yes", ADAPTER_CAN_GROUPS },
	{ "and left once",
	    "create=done join/group/conform-a=done join/group/conform-b=done leave/group/conform-a=done "
	    "leave/group/conform-a=already see=disabled,conform-b members/group/conform-a=no",
	    ADAPTER_CAN_GROUPS },
	{ "a room is joined with a level, which another one replaces",
	    "create=done join/room/conform-r/member=done see=disabled,conform-r:member "
	    "join/room/conform-r/owner=done see=disabled,conform-r:owner "
	    "join/room/conform-r/member=done join/room/conform-r/member=done|already "
	    "see=disabled,conform-r:member members/room/conform-r=yes members/room/conform-r/owner=no",
	    ADAPTER_CAN_ROOMS },
	{ "a room is left once",
	    "create=done join/room/conform-r/member=done leave/room/conform-r/member=done "
	    "leave/room/conform-r/member=already see=disabled", ADAPTER_CAN_ROOMS },
	{ "closing takes no right, and opening gives them as they were",
	    "create=done join/group/conform-a=done enable=done disable=done see=disabled,conform-a "
	    "enable=done see=enabled,conform-a", ADAPTER_CAN_GROUPS },
	{ "nothing is made by closing, opening or a password for nobody",
	    "disable=absent see=absent enable=absent see=absent set-credential=absent see=absent",
	    ADAPTER_CAN_CREDENTIAL },
	{ "nor by letting nobody into a group",
	    "join/group/conform-a=absent see=absent members/group/conform-a=no", ADAPTER_CAN_GROUPS },
	{ "nor by letting nobody into a room",
	    "join/room/conform-r/member=absent see=absent members/room/conform-r=no", ADAPTER_CAN_ROOMS },
	{ "closing nobody leaves nothing behind for who gets the name",
	    "disable=absent create=done enable=done see=enabled", 0 },
	{ "removing nobody is done already",	"remove=already see=absent", 0 },
	{ "so is nobody's leaving a group",	"leave/group/conform-a=already", ADAPTER_CAN_GROUPS },
	{ "so is nobody's leaving a room",	"leave/room/conform-r/member=already", ADAPTER_CAN_ROOMS },
	{ "so is killing nobody",		"kill=already see=absent", ADAPTER_CAN_KILL },
	{ "killing where no session is ends none", "create=done enable=done kill=already see=enabled",
	    ADAPTER_CAN_KILL },
	{ "removing takes account and groups, once",
	    "create=done join/group/conform-a=done enable=done remove=done remove=already see=absent "
	    "members/group/conform-a=no", ADAPTER_CAN_GROUPS | ADAPTER_CAN_REMOVE_CLEANS },
	{ "and rooms",
	    "create=done join/room/conform-r/member=done enable=done remove=done see=absent "
	    "members/room/conform-r=no", ADAPTER_CAN_ROOMS | ADAPTER_CAN_REMOVE_CLEANS },
	{ "who gets the name of one that was removed inherits no group",
	    "create=done join/group/conform-a=done disable=done|already remove=done create=done "
	    "see=disabled enable=done see=enabled", ADAPTER_CAN_GROUPS | ADAPTER_CAN_REMOVE_CLEANS },
	{ "and no room",
	    "create=done join/room/conform-r/owner=done disable=done|already remove=done create=done "
	    "see=disabled enable=done see=enabled", ADAPTER_CAN_ROOMS | ADAPTER_CAN_REMOVE_CLEANS },
	{ "a closed account that was removed does not close its successor",
	    "create=done disable=done|already remove=done create=done enable=done see=enabled", 0 },
};

static struct {
	const struct adapter_ops *ops;
	struct config_value values[16];
	struct config_section section;
	struct mu_secret credential, wrong;
	struct adapter_host host;
	struct adapter *a;
} on;

/* --- A platform ----------------------------------------------------------------------------- */

static void
setting_add(const char *setting)
{
	const char *equals = strchr(setting, '=');

	for (const struct config_key *k = on.ops->keys; equals != NULL && k->name != NULL; k++) {
		if (strncmp(k->name, setting, (size_t)(equals - setting)) != 0
		    || k->name[equals - setting] != '\0')
			continue;
		on.values[on.section.count] = (struct config_value){ .key = k,
		    .text = mu_strdup(equals + 1), .number = strcmp(equals + 1, "true") == 0 };
		on.section.count++;
		return;
	}
	(void)fprintf(stderr, "no setting of %s: %s\n", on.ops->name, setting);
	exit(2);
}

static void
section_fill(void)
{
	for (const struct config_key *k = on.ops->keys; k->name != NULL; k++) {
		bool there = false;

		for (size_t i = 0; i < on.section.count; i++)
			there = there || on.values[i].key == k;
		if (!there)
			on.values[on.section.count++] = (struct config_value){ .key = k,
			    .text = mu_strdup(k->fallback) };
	}
	on.section.list = on.values;
}

static struct adapter *
platform_open(const struct mu_secret *credential)
{
	struct mu_err err = MU_ERR_INIT;
	struct adapter *a = NULL;

	on.host = (struct adapter_host){ "test", credential };
	if (on.ops->open(&on.host, &on.section, &a, &err) != MU_OK) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	return a;
}

/* --- Steps ---------------------------------------------------------------------------------- */

static enum step_kind
kind_parse(const char *name)
{
	for (int kind = 0; kind < STEP_KIND_COUNT; kind++)
		if (strcmp(step_kind_name((enum step_kind)kind), name) == 0)
			return (enum step_kind)kind;
	fail_msg("no step is called \"%s\"", name);
	return STEP_PROBE;
}

/* The same name is the same account, in this process and in the next. */
static void
account_id_make(const char *name, struct mu_uuid *out_id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(out_id->bytes); i++) {
		for (const char *c = name; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
		out_id->bytes[i] = (unsigned char)(hash >> 40);
	}
}

/* "join/room/x/member" into a step about name. */
static void
step_parse(const char *word, const char *name, struct step *out_step)
{
	MU_AUTO(mu_freep) char *text = mu_strdup(word);
	char *rest = text, *kind = strsep(&rest, "/"), *right = strsep(&rest, "/");
	char *right_name = strsep(&rest, "/"), *level = rest;

	*out_step = (struct step){ .kind = kind_parse(kind), .name = mu_strdup(name),
	    .display_name = mu_strdup(""), .patience_ms = PATIENCE_MS };
	account_id_make(name, &out_step->account_id);
	out_step->right.kind = right != NULL && strcmp(right, "room") == 0
	    ? ENTITLEMENT_ROOM : ENTITLEMENT_GROUP;
	out_step->right.name = mu_strdup(right_name != NULL ? right_name : "");
	out_step->right.level = mu_strdup(level != NULL ? level : "");
	if (out_step->kind == STEP_GET)
		assert_true(entitlements_parse(RIGHTS, &out_step->rights));
	if (out_step->kind == STEP_SET_CREDENTIAL)
		mu_secret_set(&out_step->secret, "a fresh password", 16);
}

static enum adapter_outcome
step_do(const struct step *s, struct receipt *out_receipt, struct mu_err *err)
{
	adapter_do_fn *fn = on.ops->steps[s->kind];

	assert_non_null(fn);
	*out_receipt = (struct receipt){ .outcome = 0 };
	return fn(on.a, s, out_receipt, err);
}

static void
seen_print(const struct observed *o, struct mu_buf *b)
{
	mu_buf_text_add(b, account_state_name(o->state));
	for (size_t i = 0; i < o->rights.count; i++) {
		const struct entitlement *e = &o->rights.list[i];

		mu_buf_format(b, ",%s%s%s", e->name, e->level[0] != '\0' ? ":" : "", e->level);
	}
}

static void
script_see(const char *name, const char *want)
{
	struct step s;
	struct receipt receipt;
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf seen = MU_BUF_INIT;

	step_parse("get", name, &s);
	if (step_do(&s, &receipt, &err) != ADAPTER_DONE)
		fail_msg("get: %s", err.text);
	seen_print(&receipt.seen, &seen);
	assert_string_equal(want, mu_buf_text(&seen));
	step_clear(&s);
	receipt_clear(&receipt);
}

/* word is "STEP...=OUTCOME|OUTCOME". */
static void
script_step(const char *name, const char *word, const char *want)
{
	struct step s;
	struct receipt receipt;
	struct mu_err err = MU_ERR_INIT;
	MU_AUTO(mu_freep) char *wanted = mu_strdup(want);
	char *rest = wanted, *one;
	const char *outcome;
	bool fits = false;

	step_parse(word, name, &s);
	outcome = adapter_outcome_name(step_do(&s, &receipt, &err));
	if (s.kind == STEP_MEMBERS && strcmp(outcome, "done") == 0)
		outcome = strings_has(&receipt.names, name) ? "yes" : "no";
	while ((one = strsep(&rest, "|")) != NULL)
		fits = fits || strcmp(one, outcome) == 0;
	if (!fits)
		fail_msg("%s: %s, not %s (%s)", word, outcome, want, err.text);
	step_clear(&s);
	receipt_clear(&receipt);
}

static void
account_clear(const char *name)
{
	struct step s;
	struct receipt receipt;
	struct mu_err err = MU_ERR_INIT;

	step_parse("remove", name, &s);
	if (step_do(&s, &receipt, &err) > ADAPTER_ALREADY)
		fail_msg("%s", err.text);
	step_clear(&s);
	receipt_clear(&receipt);
}

static void
script_run(const struct row *r)
{
	MU_AUTO(mu_freep) char *script = mu_strdup(r->script);
	char *rest = script, *word, name[32];

	(void)snprintf(name, sizeof(name), "conform-%d", (int)(r - rows));
	account_clear(name);
	while ((word = strsep(&rest, " ")) != NULL) {
		char *want = strchr(word, '=');

		assert_non_null(want);
		*want++ = '\0';
		if (strcmp(word, "see") == 0)
			script_see(name, want);
		else
			script_step(name, word, want);
	}
	account_clear(name);
}

static void
conform_row(void **state)
{
	const struct row *r = *state;

	if ((on.ops->can & r->needs) != r->needs)
		skip();
	script_run(r);
}

/* --- What is not about one account ---------------------------------------------------------- */

struct listing {
	struct strings enabled, disabled;
	size_t reports;
};

static void
listing_add(void *ctx, const char *name, const struct observed *seen)
{
	struct listing *l = ctx;

	strings_add(seen->state == ACCOUNT_DISABLED ? &l->disabled : &l->enabled, name);
	l->reports++;
}

static bool
listing_read(struct listing *l)
{
	MU_AUTO(mu_buf_clear) struct mu_buf cursor = MU_BUF_INIT;
	bool all = true;

	*l = (struct listing){ .reports = 0 };
	do {
		MU_AUTO(mu_buf_clear) struct mu_buf next = MU_BUF_INIT;
		struct mu_err err = MU_ERR_INIT;
		bool complete = false;

		if (on.ops->list(on.a, mu_buf_text(&cursor), listing_add, l, &next, &complete, &err)
		    != ADAPTER_DONE)
			fail_msg("list: %s", err.text);
		all = all && complete;
		mu_buf_reset(&cursor);
		mu_buf_text_add(&cursor, mu_buf_text(&next));
	} while (cursor.size_bytes > 0);
	return all;
}

static void
listing_clear(struct listing *l)
{
	strings_clear(&l->enabled);
	strings_clear(&l->disabled);
}

static void
names_for_listing(bool make)
{
	for (int i = 0; i < 203; i++) {		/* more than a page */
		char name[32];

		(void)snprintf(name, sizeof(name), "conform-list-%03d", i);
		if (!make) {
			account_clear(name);
			continue;
		}
		script_step(name, "create", "done|conflict");
		if (i % 2 == 1)
			script_step(name, "enable", "done|already");
	}
}

static void
a_listing_names_everyone_once_and_says_that_it_is_complete(void **state)
{
	struct listing l;

	(void)state;
	names_for_listing(true);
	assert_true(listing_read(&l));
	assert_int_equal(l.reports, l.enabled.count + l.disabled.count);
	for (int i = 0; i < 203; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "conform-list-%03d", i);
		assert_true(strings_has(i % 2 == 1 ? &l.enabled : &l.disabled, name));
	}
	listing_clear(&l);
	names_for_listing(false);
}

static void
a_credential_of_ours_that_is_refused_is_nobodys_fault(void **state)
{
	static const char *const words[] = { "probe", "get", "create", "disable", "set-credential",
		"join/group/conform-a", "kill", "remove" };
	struct adapter *good = on.a;

	(void)state;
	mu_secret_set(&on.wrong, "wrong", 5);
	on.a = platform_open(&on.wrong);
	for (size_t i = 0; i < MU_COUNT(words); i++)
		if (strcmp(words[i], "kill") != 0 || on.ops->steps[STEP_KILL] != NULL)
			script_step("conform-own", words[i], "own-credential");
	on.ops->close(on.a);
	on.a = good;
	script_see("conform-own", "absent");
}

static void
names_are_folded_as_the_platform_folds_them(void **state)
{
	static const char *const bad[] = { "", "a b", "a\tb", "\x7f", "gr\xc3\xbcn" };
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	char longest[257];

	(void)state;
	assert_int_equal(MU_OK, on.ops->normalise("Jo.Bloggs-2", &name, &err));
	assert_string_equal("jo.bloggs-2", name.data);
	for (size_t i = 0; i < MU_COUNT(bad); i++) {
		assert_int_equal(MU_EINPUT, on.ops->normalise(bad[i], &name, &err));
		assert_true(err.text[0] != '\0');
	}
	(void)memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(MU_EINPUT, on.ops->normalise(longest, &name, &err));
	longest[255] = '\0';
	assert_int_equal(MU_OK, on.ops->normalise(longest, &name, &err));
	assert_int_equal(11 + 255, name.size_bytes);	/* appended; a refusal appended nothing */
}

/* --- Obeying -------------------------------------------------------------------------------- */

/* A line is NAME WORD [PASSWORD or DISPLAY NAME]; "list" alone lists. */
static void
obey_line(char *line)
{
	char *rest = line, *name = strsep(&rest, " \n"), *word = strsep(&rest, " \n");
	MU_AUTO(mu_buf_clear) struct mu_buf seen = MU_BUF_INIT;
	struct step s;
	struct receipt receipt;
	struct mu_err err = MU_ERR_INIT;
	const char *outcome;

	if (strcmp(name, "list") == 0) {
		struct listing l;
		bool complete = listing_read(&l);

		(void)printf("%s %zu\n", complete ? "complete" : "incomplete", l.reports);
		listing_clear(&l);
		return;
	}
	step_parse(word, name, &s);
	if (s.kind == STEP_SET_CREDENTIAL && rest != NULL)
		mu_secret_set(&s.secret, rest, strcspn(rest, "\n"));
	if (s.kind == STEP_UPDATE && rest != NULL) {
		mu_free(s.display_name);
		s.display_name = mu_strndup(rest, strcspn(rest, "\n"));
	}
	outcome = adapter_outcome_name(step_do(&s, &receipt, &err));
	seen_print(&receipt.seen, &seen);
	(void)printf("%s %s ended=%u left=%u %s\n", outcome, seen.data, receipt.sessions_ended,
	    receipt.sessions_left, err.text);
	step_clear(&s);
	receipt_clear(&receipt);
}

static int
obey(void)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		obey_line(line);
		(void)fflush(stdout);
	}
	return 0;
}

static void
platform_choose(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "memory";
	char line[1024] = "";

	on.ops = adapter_find(name);
	if (on.ops == NULL) {
		(void)fprintf(stderr, "no adapter is called %s\n", name);
		exit(2);
	}
	for (int i = 1; i < argc; i++)
		setting_add(argv[i]);
	section_fill();
	if (argc > 0 && fgets(line, sizeof(line), stdin) != NULL)
		mu_secret_set(&on.credential, line, strcspn(line, "\n"));
	on.a = platform_open(&on.credential);
}

int
main(int argc, char **argv)
{
	bool obeys = argc > 1 && strcmp(argv[1], "--obey") == 0;
	struct CMUnitTest tests[MU_COUNT(rows) + 3] = {
		cmocka_unit_test(a_listing_names_everyone_once_and_says_that_it_is_complete),
		cmocka_unit_test(a_credential_of_ours_that_is_refused_is_nobodys_fault),
		cmocka_unit_test(names_are_folded_as_the_platform_folds_them),
	};
	int failed;

	platform_choose(argc - 1 - obeys, argv + 1 + obeys);
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[3 + i] = (struct CMUnitTest){ rows[i].name, conform_row, NULL, NULL, &rows[i] };
	failed = obeys ? obey() : cmocka_run_group_tests(tests, NULL, NULL);
	on.ops->close(on.a);
	for (size_t i = 0; i < on.section.count; i++)
		mu_free(on.values[i].text);
	mu_secret_clear(&on.credential);
	mu_secret_clear(&on.wrong);
	return failed;
}
