/*
 * write_test.c - the canonical bytes of RFC 8785, from a tree and as they are written
 */
#include "json/write.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- Trees ------------------------------------------------------------------------------------- */

static struct text_row {
	const char *name, *text, *want;		/* want NULL: refused */
} text_rows[] = {
	{ "RFC 8785 3.2.4", "{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],"
	    "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
	    "\"literals\": [null, true, false]}",
	    "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
	    "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}" },
	{ "RFC 8785 3.2.3: members by UTF-16", "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,"
	    "\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
	    "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,"
	    "\"\xef\xac\xb3\":3}" },
	{ "a name before a longer one", "{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}" },
	{ "members in depth", "[{\"b\":{\"d\":1,\"c\":[]},\"a\":{}}]", "[{\"a\":{},\"b\":{\"c\":[],\"d\":1}}]" },
	{ "each short escape", "[\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"]", "[\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"]" },
	{ "whole numbers", "[0,-0,-1,9007199254740991,-9007199254740991]",
	    "[0,0,-1,9007199254740991,-9007199254740991]" },
	{ "whole numbers in other clothes", "[1.0,1e2,-0.0,1E-1]", "[1,100,0,0.1]" },
	{ "a whole number that is not exact", "[9007199254740992]", NULL },
	{ "and below", "{\"a\":[-9007199254740992]}", NULL },
};

static void
text_row(void **state)
{
	struct text_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	mu_buf_text_add(&out, "before");
	assert_int_equal(MU_OK, json_parse(r->text, strlen(r->text), 1000, "t", &root, &err));
	if (r->want == NULL) {
		assert_int_equal(MU_EINPUT, json_canonical(root, &out, &err));
		assert_string_equal("before", out.data);
		return;
	}
	assert_int_equal(MU_OK, json_canonical(root, &out, &err));
	assert_string_equal(r->want, out.data + strlen("before"));
}

/* RFC 8785 appendix B, and doubles whose shortest form is not the correctly rounded one. */
static struct double_row {
	uint64_t bits;
	const char *want;
} double_rows[] = {
	{ 0x0000000000000000, "0" },
	{ 0x8000000000000000, "0" },
	{ 0x0000000000000001, "5e-324" },
	{ 0x8000000000000001, "-5e-324" },
	{ 0x7fefffffffffffff, "1.7976931348623157e+308" },
	{ 0xffefffffffffffff, "-1.7976931348623157e+308" },
	{ 0x4340000000000000, "9007199254740992" },
	{ 0xc340000000000000, "-9007199254740992" },
	{ 0x4430000000000000, "295147905179352830000" },
	{ 0x44b52d02c7e14af5, "9.999999999999997e+22" },
	{ 0x44b52d02c7e14af6, "1e+23" },
	{ 0x44b52d02c7e14af7, "1.0000000000000001e+23" },
	{ 0x444b1ae4d6e2ef4e, "999999999999999700000" },
	{ 0x444b1ae4d6e2ef4f, "999999999999999900000" },
	{ 0x444b1ae4d6e2ef50, "1e+21" },
	{ 0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7" },
	{ 0x3eb0c6f7a0b5ed8d, "0.000001" },
	{ 0x41b3de4355555553, "333333333.3333332" },
	{ 0x41b3de4355555554, "333333333.33333325" },
	{ 0x41b3de4355555555, "333333333.3333333" },
	{ 0x41b3de4355555556, "333333333.3333334" },
	{ 0x41b3de4355555557, "333333333.33333343" },
	{ 0xbecbf647612f3696, "-0.0000033333333333333333" },
	{ 0x43143ff3c1cb0959, "1424953923781206.2" },
	{ 0x3d30000000000000, "5.684341886080802e-14" },
	{ 0x3ff0000000000000, "1" },
	{ 0x4059000000000000, "100" },
	{ 0x3fb999999999999a, "0.1" },
};

static void
doubles_are_shortest(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(double_rows); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, out = MU_BUF_INIT;
		MU_AUTO(json_freep) struct json_node *root = NULL;
		struct mu_err err = MU_ERR_INIT;
		double value;

		memcpy(&value, &double_rows[i].bits, sizeof(value));
		mu_buf_format(&text, "[%.17e]", value);
		assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, 100, "t", &root, &err));
		assert_int_equal(MU_OK, json_canonical(root, &out, &err));
		out.data[out.size_bytes - 1] = '\0';
		assert_string_equal(double_rows[i].want, out.data + 1);
	}
}

/* Any double reads back as itself. */
static void
doubles_read_back(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, out = MU_BUF_INIT;
		MU_AUTO(json_freep) struct json_node *root = NULL;
		struct mu_err err = MU_ERR_INIT;
		double value;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(&value, &seed, sizeof(value));
		if (!isfinite(value))
			continue;
		mu_buf_format(&text, "[%.17e]", value);
		assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, 100, "t", &root, &err));
		assert_int_equal(MU_OK, json_canonical(root, &out, &err));
		assert_true(strtod(out.data + 1, NULL) == value);
	}
}

/* --- The writer -------------------------------------------------------------------------------- */

static void
what_is_written_is_canonical(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT, again = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct mu_uuid uuid = { { 1, 2, 3 } };
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	(void)state;
	json_begin(&w, &out);
	json_object_begin(&w, NULL);
	json_time(&w, "at", 1795260000);
	json_bool(&w, "b", true);
	json_object_begin(&w, "c");
	json_object_end(&w);
	json_list_begin(&w, "list");
	json_int(&w, NULL, -JSON_INT_MAX);
	json_int(&w, NULL, JSON_INT_MAX);
	json_int(&w, NULL, 0);
	json_object_begin(&w, NULL);
	json_none(&w, "a");
	json_uuid(&w, "z", &uuid);
	json_object_end(&w);
	json_list_begin(&w, NULL);
	json_list_end(&w);
	json_list_end(&w);
	json_value(&w, "raw", "{\"x\":[1]}");
	json_text(&w, "t", "a\"b\\c\x01\n\u00e4");
	json_text(&w, "u", NULL);
	json_object_end(&w);
	json_end(&w);
	assert_string_equal("{\"at\":\"2026-11-21T11:20:00Z\",\"b\":true,\"c\":{},"
	    "\"list\":[-9007199254740991,9007199254740991,0,"
	    "{\"a\":null,\"z\":\"01020300-0000-0000-0000-000000000000\"},[]],"
	    "\"raw\":{\"x\":[1]},\"t\":\"a\\\"b\\\\c\\u0001\\n\xc3\xa4\",\"u\":null}", out.data);
	assert_int_equal(MU_OK, json_parse(out.data, out.size_bytes, 1000, "t", &root, &err));
	assert_int_equal(MU_OK, json_canonical(root, &again, &err));
	assert_string_equal(out.data, again.data);
}

static void
members_out_of_order(struct json_writer *w)
{
	json_object_begin(w, NULL);
	json_int(w, "b", 1);
	json_int(w, "a", 2);
}

static void
a_member_twice(struct json_writer *w)
{
	json_object_begin(w, NULL);
	json_int(w, "a", 1);
	json_int(w, "a", 2);
}

static void
a_name_that_needs_escapes(struct json_writer *w)
{
	json_object_begin(w, NULL);
	json_int(w, "a\"b", 1);
}

static void
an_object_left_open(struct json_writer *w)
{
	json_object_begin(w, NULL);
	json_end(w);
}

/* Our own mistakes end the process: what would not be canonical is never hashed or signed. */
static void
mistakes_are_not_written(void **state)
{
	static void (*const mistakes[])(struct json_writer *) = {
		members_out_of_order, a_member_twice, a_name_that_needs_escapes, an_object_left_open,
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(mistakes); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct mu_buf out = MU_BUF_INIT;
			struct json_writer w;

			(void)!freopen("/dev/null", "w", stderr);
			(void)signal(SIGABRT, SIG_DFL);
			json_begin(&w, &out);
			mistakes[i](&w);
			_exit(0);
		}
		assert_int_equal(pid, waitpid(pid, &status, 0));
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static struct mend_row {
	const char *name, *bytes;
	size_t bytes_count;
	const char *want;
} mend_rows[] = {
	{ "a byte that is no text", "a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"" },
	{ "a character cut off", "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "what is well formed stays", "\xff\xe2\x82\xac\xf0\x9f\x98\x80", 8,
	    "\"\xef\xbf\xbd\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ "NUL is escaped", "a\0b", 3, "\"a\\u0000b\"" },
	{ "nothing is an empty text", "", 0, "\"\"" },
};

static void
mend_row(void **state)
{
	struct mend_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &out);
	json_text_bytes(&w, NULL, r->bytes, r->bytes_count);
	json_end(&w);
	assert_string_equal(r->want, out.data);
}

int
main(void)
{
	struct CMUnitTest texts[MU_COUNT(text_rows)], mends[MU_COUNT(mend_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(doubles_are_shortest),
		cmocka_unit_test(doubles_read_back),
		cmocka_unit_test(what_is_written_is_canonical),
		cmocka_unit_test(mistakes_are_not_written),
	};

	for (size_t i = 0; i < MU_COUNT(text_rows); i++)
		texts[i] = (struct CMUnitTest){ text_rows[i].name, text_row, NULL, NULL, &text_rows[i] };
	for (size_t i = 0; i < MU_COUNT(mend_rows); i++)
		mends[i] = (struct CMUnitTest){ mend_rows[i].name, mend_row, NULL, NULL, &mend_rows[i] };
	return cmocka_run_group_tests_name("trees", texts, NULL, NULL) +
	    cmocka_run_group_tests_name("mends", mends, NULL, NULL) +
	    cmocka_run_group_tests_name("write", rest, NULL, NULL);
}
