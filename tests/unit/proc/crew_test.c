/* Who is started for a configuration, as whom, and who has a channel to whom. */
#include "proc/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings_source sources[] = { { .name = "main" }, { .name = "partners" } };
static struct settings_platform platforms[] = { { .name = "xmpp" }, { .name = "matrix" } };

static void
crew_format(const struct settings *s, struct mu_buf *b)
{
	size_t count;
	MU_AUTO(mu_freep) struct crew_seat *seats = crew_list(s, &count);

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			mu_buf_char_add(b, ' ');
		process_label(seats[i].kind, seats[i].instance, seats[i].index, b);
	}
}

static void
a_process_per_source_platform_and_share(void **state)
{
	const struct settings s = {
		.sources = sources, .source_count = 2, .platforms = platforms, .platform_count = 2,
		.token = { .host = "127.0.0.1" }, .claim = { .host = "127.0.0.1" },
		.token_processes = 2,
	};
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;

	(void)state;
	crew_format(&s, &got);
	assert_string_equal("keys cycle/main cycle/partners login provision adapter/xmpp "
	    "adapter/matrix audit token/0 token/1 claim admin", got.data);
}

static void
no_listener_no_process(void **state)
{
	const struct settings s = { .sources = sources, .source_count = 1, .token_processes = 2 };
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;

	(void)state;
	crew_format(&s, &got);
	assert_string_equal("keys cycle/main login provision audit admin", got.data);
}

/* The table of channels, spelled out: whatever is not here must not be. */
static void
channels_are_these_and_no_others(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;

	(void)state;
	for (unsigned a = 0; a < PROCESS_KIND_COUNT; a++)
		for (unsigned b = 0; b < PROCESS_KIND_COUNT; b++) {
			const enum process_kind from = (enum process_kind)a;
			const enum process_kind to = (enum process_kind)b;
			const uint16_t *ops = process_may_ask(from, to);

			if (ops[0] == 0)
				continue;
			mu_buf_format(&got, "%s>%s:", process_kind_name(from),
			    process_kind_name(to));
			for (; *ops != 0; ops++)
				mu_buf_format(&got, " %u", *ops);
			mu_buf_char_add(&got, '\n');
		}
	assert_string_equal(
	    "cycle>keys: 34 41\n"
	    "provision>keys: 35 36 37\n"
	    "provision>adapter: 80 81 82\n"
	    "audit>keys: 38\n"
	    "token>keys: 32 33 39\n"
	    "admin>keys: 34 41 42 43 44 40 39\n"
	    "admin>login: 64\n"
	    "admin>work: 98 99\n"
	    "admin>dryrun: 99\n"
	    "claim>keys: 36 39\n"
	    "claim>login: 64\n"
	    "work>admin: 96 100 97\n"
	    "dryrun>admin: 96 100 97\n", got.data);
}

static void
who_parses_strangers_holds_no_keys(void **state)
{
	(void)state;
	assert_false(process_are_peers(PROCESS_ADAPTER, PROCESS_KEYS));
	assert_false(process_are_peers(PROCESS_LOGIN, PROCESS_KEYS));
	assert_false(process_are_peers(PROCESS_TOKEN, PROCESS_LOGIN));
	assert_true(process_are_peers(PROCESS_KEYS, PROCESS_TOKEN));
	assert_int_equal(0, process_may_ask(PROCESS_KEYS, PROCESS_TOKEN)[0]);
}

static void
a_store_role_for_who_has_a_store(void **state)
{
	enum store_role role = STORE_ROLE_WORK;

	(void)state;
	assert_false(crew_store_role(PROCESS_KEYS, &role));
	assert_false(crew_store_role(PROCESS_LOGIN, &role));
	assert_false(crew_store_role(PROCESS_ADAPTER, &role));
	assert_true(crew_store_role(PROCESS_TOKEN, &role));
	assert_int_equal(STORE_ROLE_TOKEN, role);
}

static void
keys_has_room_for_all_its_peers(void **state)
{
	(void)state;
	assert_true(PROCESS_PEERS_MAX >= SETTINGS_TOKEN_PROCESSES_MAX + SETTINGS_SOURCES_MAX + 4);
	assert_true(PROCESS_PEERS_MAX >= SETTINGS_PLATFORMS_MAX + 2);
}

static void
a_user_that_is_missing_is_named_with_the_remedy(void **state)
{
	struct crew_users users;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = crew_users_find("no-such-prefix-", &users, &err);

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(MU_ECONFIG, rc);
		assert_non_null(strstr(err.text, "no-such-prefix-keys"));
		assert_non_null(strstr(err.text, "useradd --system"));
	} else {
		assert_int_equal(MU_OK, rc);
		assert_false(users.separate);
		assert_int_equal(geteuid(), users.kinds[PROCESS_KEYS].uid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_per_source_platform_and_share),
		cmocka_unit_test(no_listener_no_process),
		cmocka_unit_test(channels_are_these_and_no_others),
		cmocka_unit_test(who_parses_strangers_holds_no_keys),
		cmocka_unit_test(a_store_role_for_who_has_a_store),
		cmocka_unit_test(keys_has_room_for_all_its_peers),
		cmocka_unit_test(a_user_that_is_missing_is_named_with_the_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
