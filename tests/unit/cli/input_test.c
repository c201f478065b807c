/*
 * input_test.c - times, files of targets, and secrets from standard input
 */
#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/secret.h"
#include "cli/show.h"
#include "cli/targets.h"

/* --- Times: Central European, without a file of zones; now is in summer unless said ----------- */

#define ZONE		"CET-1CEST,M3.5.0,M10.5.0/3"
#define SUMMER		"2026-07-01T10:00:00Z"		/* 12:00 there */
#define SPRING_EVE	"2026-03-28T20:00:00Z"		/* 21:00; clocks go forward in the night */
#define AUTUMN_EVE	"2026-10-24T20:00:00Z"		/* 22:00; clocks go back in the night */

static struct when_row {
	const char *name, *text, *now;
	bool is_past;
	const char *want;		/* NULL: refused */
} when_rows[] = {
	{ "hours from now", "8h", SUMMER, false, "2026-07-01T18:00:00Z" },
	{ "minutes from now", "30m", SUMMER, false, "2026-07-01T10:30:00Z" },
	{ "days from now", "7d", SUMMER, false, "2026-07-08T10:00:00Z" },
	{ "seconds from now", "90s", SUMMER, false, "2026-07-01T10:01:30Z" },
	{ "hours ago", "8h", SUMMER, true, "2026-07-01T02:00:00Z" },
	{ "a moment with its zone", "2026-07-01T18:00:00+02:00", SUMMER, false,
	    "2026-07-01T16:00:00Z" },
	{ "later today, by the local clock", "17:00", SUMMER, false, "2026-07-01T15:00:00Z" },
	{ "that time has passed today: tomorrow", "09:00", SUMMER, false, "2026-07-02T07:00:00Z" },
	{ "now is not the next", "12:00", SUMMER, false, "2026-07-02T10:00:00Z" },
	{ "now is the last", "12:00", SUMMER, true, "2026-07-01T10:00:00Z" },
	{ "yesterday evening", "17:00", SUMMER, true, "2026-06-30T15:00:00Z" },
	{ "tomorrow morning is an hour nearer in spring", "08:00", SPRING_EVE, false,
	    "2026-03-29T06:00:00Z" },
	{ "and an hour further in autumn", "08:00", AUTUMN_EVE, false, "2026-10-25T07:00:00Z" },
	{ "a duration is a duration, whatever the clocks do", "12h", AUTUMN_EVE, false,
	    "2026-10-25T08:00:00Z" },
	{ "midnight", "00:00", SUMMER, false, "2026-07-01T22:00:00Z" },
	{ "no such hour", "24:00", SUMMER, false, NULL },
	{ "no such minute", "17:60", SUMMER, false, NULL },
	{ "a time of the past is no end", "2026-06-30T00:00:00Z", SUMMER, false, NULL },
	{ "a time to come is no beginning of what was", "2027-06-30T00:00:00Z", SUMMER, true,
	    NULL },
	{ "a time without a zone", "2026-07-01T18:00:00", SUMMER, false, NULL },
	{ "nothing", "", SUMMER, false, NULL },
	{ "no number", "h", SUMMER, false, NULL },
	{ "zero", "0h", SUMMER, false, NULL },
	{ "less than nothing", "-8h", SUMMER, false, NULL },
	{ "a blank before", " 8h", SUMMER, false, NULL },
	{ "a unit that is none", "8w", SUMMER, false, NULL },
	{ "two units", "1d8h", SUMMER, false, NULL },
	{ "ten years are the most", "3660d", SUMMER, false, "2036-07-08T10:00:00Z" },
	{ "more is a slip of the finger", "3661d", SUMMER, false, NULL },
	{ "beyond any number", "99999999999999999999d", SUMMER, false, NULL },
	{ "one digit of the clock", "9:00", SUMMER, false, NULL },
	{ "words", "tomorrow", SUMMER, false, NULL },
};

static void
when_row(void **state)
{
	struct when_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	int64_t now_s, at_s = 0;
	enum mu_rc rc;

	assert_true(mu_time_parse(r->now, &now_s));
	rc = when_parse(r->text, now_s, r->is_past, &at_s, &err);
	assert_int_equal(r->want == NULL ? MU_EINPUT : MU_OK, rc);
	if (r->want == NULL)
		return;
	mu_time_format(&text, at_s);
	assert_string_equal(r->want, text.data);
}

/* --- Targets ---------------------------------------------------------------------------------- */

#define NAME_64		"nameonameonameonameonameonameonameonameonameonameonameonameonam1"
#define NAME_256	NAME_64 NAME_64 NAME_64 NAME_64

static struct target_row {
	const char *name, *text, *names, *faults;	/* names: with ',' between them */
} target_rows[] = {
	{ "a name a line", "mreid\nhlarsen\n", "mreid,hlarsen", "" },
	{ "the last line may do without its end", "mreid\nhlarsen", "mreid,hlarsen", "" },
	{ "empty lines and comments do not count", "\n# all of sales\nmreid\n   \n  # not her\n",
	    "mreid", "" },
	{ "blanks around a name do not count, nor those of DOS", "  mreid\t\r\nhlarsen\r\n",
	    "mreid,hlarsen", "" },
	{ "blanks within do", "Hana Larsen\n", "Hana Larsen", "" },
	{ "twice is once", "mreid\nhlarsen\nmreid\n", "mreid,hlarsen", "" },
	{ "a name in UTF-8", "M\xc4\x81rama Reid\n", "M\xc4\x81rama Reid", "" },
	{ "the longest name", NAME_256 "\n", NAME_256, "" },
	{ "one byte more", "mreid\n" NAME_256 "x\n", NULL,
	    "F:2: a name is longer than 256 bytes\n" },
	{ "a control character", "a\x1b[2Jb\n", NULL, "F:1: a name holds a control character\n" },
	{ "a tabulator within", "a\tb\n", NULL, "F:1: a name holds a control character\n" },
	{ "a control character of the upper half", "a\xc2\x9b" "b\n", NULL,
	    "F:1: a name holds a control character\n" },
	{ "no UTF-8", "mreid\n\xff\n", NULL, "F:2: a name is not UTF-8\n" },
	{ "every bad line is named", "a\x01\n\nmreid\n\xff\n" NAME_256 "x", NULL,
	    "F:1: a name holds a control character\nF:4: a name is not UTF-8\n"
	    "F:5: a name is longer than 256 bytes\n" },
};

static void
target_row(void **state)
{
	struct target_row *r = *state;
	MU_AUTO(targets_clear) struct targets targets = TARGETS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf faults = MU_BUF_INIT, names = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = targets_parse(&targets, r->text, strlen(r->text), "F", &faults, &err);

	assert_string_equal(r->faults, mu_buf_text(&faults));
	assert_int_equal(r->names == NULL ? MU_EINPUT : MU_OK, rc);
	for (size_t i = 0; i < targets.count && rc == MU_OK; i++)
		mu_buf_format(&names, "%s%s", i == 0 ? "" : ",", targets.list[i]);
	if (rc == MU_OK)
		assert_string_equal(r->names, mu_buf_text(&names));
}

static void
one_action_is_about_500_people(void **state)
{
	MU_AUTO(targets_clear) struct targets targets = TARGETS_INIT;
	struct mu_err err = MU_ERR_INIT;
	char name[16];

	(void)state;
	assert_int_equal(MU_EINPUT, targets_check(&targets, &err));
	for (int i = 0; i < TARGETS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(MU_OK, targets_add(&targets, name, &err));
	}
	assert_int_equal(MU_OK, targets_check(&targets, &err));
	assert_int_equal(MU_OK, targets_add(&targets, "p499", &err));
	assert_int_equal(MU_OK, targets_check(&targets, &err));
	assert_int_equal(MU_OK, targets_add(&targets, "p500", &err));
	assert_int_equal(MU_EINPUT, targets_check(&targets, &err));
}

static void
a_file_that_is_not_there_is_named(void **state)
{
	MU_AUTO(targets_clear) struct targets targets = TARGETS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf faults = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_EINPUT, targets_read(&targets, "/nonexistent/list", &faults, &err));
	assert_non_null(strstr(err.text, "/nonexistent/list"));
}

/* --- Secrets ---------------------------------------------------------------------------------- */

static void
input_put(const char *text)
{
	int ends[2];

	assert_int_equal(0, pipe(ends));
	assert_int_equal(strlen(text), write(ends[1], text, strlen(text)));
	assert_int_equal(0, close(ends[1]));
	assert_int_equal(STDIN_FILENO, dup2(ends[0], STDIN_FILENO));
	assert_int_equal(0, close(ends[0]));
}

static void
secrets_are_read_a_line_each_and_nothing_more(void **state)
{
	struct cli c = { .out = stdout, .err = stderr, .secrets_stdin = true };
	MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT, code = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	char rest[16] = "";

	(void)state;
	input_put(" pass word \n 123 456\t\nrest\n");
	assert_int_equal(MU_OK, secret_ask(&c, "Password: ", true, &password, &err));
	assert_string_equal(" pass word ", mu_secret_text(&password));
	assert_int_equal(MU_OK, secret_code_ask(&c, "Code: ", &code, &err));
	assert_string_equal("123456", mu_secret_text(&code));
	assert_int_equal(5, read(STDIN_FILENO, rest, sizeof(rest)));
	assert_string_equal("rest\n", rest);
}

static void
a_secret_that_does_not_come_is_named(void **state)
{
	struct cli c = { .out = stdout, .err = stderr, .secrets_stdin = true };
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	input_put("\n \nlast");
	assert_int_equal(MU_EINPUT, secret_ask(&c, "Password: ", true, &secret, &err));
	assert_string_equal("Password: nothing was given, nothing was done", err.text);
	assert_int_equal(MU_EINPUT, secret_code_ask(&c, "Code: ", &secret, &err));
	assert_int_equal(MU_OK, secret_ask(&c, "Password: ", true, &secret, &err));
	assert_string_equal("last", mu_secret_text(&secret));
	assert_int_equal(MU_EINPUT, secret_ask(&c, "Code: ", false, &secret, &err));
	assert_string_equal("Code: the input has ended", err.text);
}

static void
a_line_has_an_end(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (int i = 0; i < SECRET_LINE_MAX_BYTES; i++)
		mu_buf_char_add(&text, 'x');
	mu_buf_char_add(&text, '\n');
	for (int i = 0; i < SECRET_LINE_MAX_BYTES + 1; i++)
		mu_buf_char_add(&text, 'x');
	mu_buf_text_add(&text, "\nnext\n");
	input_put(text.data);
	assert_int_equal(MU_OK, secret_line_read(STDIN_FILENO, &secret, &err));
	assert_int_equal(SECRET_LINE_MAX_BYTES, secret.size_bytes);
	assert_int_equal(MU_EINPUT, secret_line_read(STDIN_FILENO, &secret, &err));
	assert_int_equal(MU_OK, secret_line_read(STDIN_FILENO, &secret, &err));
	assert_string_equal("next", mu_secret_text(&secret));
}

/* In a session of its own there is no terminal, whatever the test was started from. */
static void
without_a_terminal_the_option_is_named(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		struct cli c = { .out = stdout, .err = stderr };
		MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
		struct mu_err err = MU_ERR_INIT;

		(void)setsid();
		_exit(secret_ask(&c, "Code: ", false, &secret, &err) == MU_ECONFIG &&
		    strstr(err.text, "--secrets-stdin") != NULL ? 0 : 1);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_int_equal(0, status);
}

int
main(void)
{
	struct CMUnitTest whens[MU_COUNT(when_rows)], files[MU_COUNT(target_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(one_action_is_about_500_people),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(secrets_are_read_a_line_each_and_nothing_more),
		cmocka_unit_test(a_secret_that_does_not_come_is_named),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(without_a_terminal_the_option_is_named),
	};

	(void)setenv("TZ", ZONE, 1);
	show_locale();
	for (size_t i = 0; i < MU_COUNT(when_rows); i++)
		whens[i] = (struct CMUnitTest){ when_rows[i].name, when_row, NULL, NULL,
		    &when_rows[i] };
	for (size_t i = 0; i < MU_COUNT(target_rows); i++)
		files[i] = (struct CMUnitTest){ target_rows[i].name, target_row, NULL, NULL,
		    &target_rows[i] };
	return cmocka_run_group_tests_name("times", whens, NULL, NULL) +
	    cmocka_run_group_tests_name("targets", files, NULL, NULL) +
	    cmocka_run_group_tests_name("input", rest, NULL, NULL);
}
