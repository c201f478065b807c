/*
 * read_test.c - what JSON from outside is taken, and what callers find in it
 */
#include "json/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define SIZED(text) text, sizeof(text) - 1

static struct row {
	const char *name, *text;
	size_t text_bytes;
	const char *fault;	/* NULL: it is taken */
} rows[] = {
	{ "an object", SIZED("{\"a\":1}"), NULL },
	{ "a list", SIZED(" [1, 2.5, true, null, \"x\"] \n"), NULL },
	{ "escapes", SIZED("[\"\\u00e4\\ud83d\\ude00\\n\"]"), NULL },
	{ "an escape of a quote at the end", SIZED("[\"[[\\\\\\\"\"]"), NULL },
	{ "nothing", SIZED(""), "t: line 1, column 0: '[' or '{' expected" },
	{ "a scalar alone", SIZED("1"), "'[' or '{' expected" },
	{ "a member twice", SIZED("{\"a\":1,\n \"a\":2}"), "t: line 2, column 4: duplicate object key" },
	{ "a member twice, spelled otherwise", SIZED("{\"a\":1,\"\\u0061\":2}"), "duplicate object key" },
	{ "something behind it", SIZED("{} x"), "end of file expected" },
	{ "two of them", SIZED("{}{}"), "end of file expected" },
	{ "a NUL byte", SIZED("{\"a\":\n\"\0\"}"), "t: line 2, column 2: a NUL byte" },
	{ "a NUL byte behind a backslash", SIZED("{\"a\":\"\\\0\"}"), "a NUL byte" },
	{ "a NUL byte at the end", SIZED("{}\0"), "a NUL byte" },
	{ "an escaped NUL", SIZED("{\"a\":\"\\u0000\"}"), "\\u0000 is not allowed" },
	{ "an escaped NUL in a name", SIZED("{\"\\u0000a\":1}"), "NUL byte in object key" },
	{ "bytes that are not UTF-8", SIZED("{\"a\":\"\xff\"}"), "not UTF-8" },
	{ "a surrogate in UTF-8", SIZED("{\"a\":\"\xed\xa0\x80\"}"), "not UTF-8" },
	{ "half a pair", SIZED("[\"\\ud83d\"]"), "invalid Unicode" },
	{ "the other half", SIZED("[\"\\ude00\"]"), "invalid Unicode" },
	{ "a trailing comma", SIZED("[1,]"), "unexpected token" },
	{ "a comment", SIZED("[1] // x"), "end of file expected" },
	{ "a leading zero", SIZED("[01]"), "invalid token" },
	{ "NaN", SIZED("[NaN]"), "invalid token" },
	{ "a number beyond 64 bits", SIZED("[99999999999999999999]"), "too big integer" },
	{ "a number beyond a double", SIZED("[1e999]"), "real number overflow" },
	{ "a control character in a text", SIZED("[\"a\x01" "b\"]"), "control character" },
	{ "a text that does not end", SIZED("[\"secret word]"), "premature end of input" },
	{ "a byte order mark", SIZED("\xef\xbb\xbf{}"), "'[' or '{' expected" },
	{ "too large", SIZED("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), "t: larger than 40 bytes" },
};

static void
row(void **state)
{
	struct row *r = *state;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = json_parse(r->text, r->text_bytes, 40, "t", &root, &err);

	if (r->fault == NULL) {
		assert_int_equal(MU_OK, rc);
		assert_non_null(root);
		return;
	}
	assert_int_equal(MU_EINPUT, rc);
	assert_null(root);
	if (strstr(err.text, r->fault) == NULL)
		fail_msg("'%s' is not in '%s'", r->fault, err.text);
	assert_null(strstr(err.text, "secret"));
}

static void
depth_is_bounded(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "[");
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "]");
	assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, 1000, "t", &root, &err));
	json_free(root);
	root = NULL;
	mu_buf_reset(&text);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "{\"[\":");
	assert_int_equal(MU_EINPUT, json_parse(text.data, text.size_bytes, 1000, "t", &root, &err));
	assert_string_equal("t: line 1, column 321: nested too deeply", err.text);
}

static void
members_are_found_by_kind(void **state)
{
	static const char text[] = "{\"t\":\"x\",\"i\":-5,\"b\":true,\"d\":1.5,\"l\":[7,\"y\"],\"o\":{\"p\":1},\"n\":null}";
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *list, *object;
	struct mu_err err = MU_ERR_INIT;
	const char *word;
	int64_t number;
	double fraction;
	bool flag;

	(void)state;
	assert_int_equal(MU_OK, json_parse(text, strlen(text), 1000, "t", &root, &err));
	assert_int_equal(7, json_count(root));
	assert_string_equal("x", json_find_text(root, "t"));
	assert_null(json_find_text(root, "i"));
	assert_null(json_find_text(root, "zz"));
	assert_null(json_find(NULL, "t"));
	assert_int_equal(0, json_count(NULL));
	assert_true(json_find_int(root, "i", &number));
	assert_int_equal(-5, number);
	assert_false(json_find_int(root, "t", &number));
	assert_true(json_find_bool(root, "b", &flag) && flag);
	assert_false(json_find_bool(root, "i", &flag));
	assert_true(json_node_double(json_find(root, "d"), &fraction) && fraction > 1.4 && fraction < 1.6);
	assert_int_equal(JSON_KIND_NULL, json_kind(json_find(root, "n")));

	assert_int_equal(MU_OK, json_get_text(root, "t", 1, &word, &err));
	assert_int_equal(MU_EINPUT, json_get_text(root, "t", 0, &word, &err));
	assert_string_equal("\"t\" is longer than 0 bytes", err.text);
	assert_int_equal(MU_EINPUT, json_get_text(root, "zz", 9, &word, &err));
	assert_string_equal("\"zz\" is missing", err.text);
	assert_int_equal(MU_EINPUT, json_get_text(root, "l", 9, &word, &err));
	assert_string_equal("\"l\" must be text, not a list", err.text);
	assert_int_equal(MU_OK, json_get_int(root, "i", -5, 0, &number, &err));
	assert_int_equal(MU_EINPUT, json_get_int(root, "i", -4, 0, &number, &err));
	assert_string_equal("\"i\" must be from -4 to 0", err.text);
	assert_int_equal(MU_EINPUT, json_get_int(root, "d", 0, 9, &number, &err));
	assert_int_equal(MU_OK, json_get_bool(root, "b", &flag, &err));
	assert_int_equal(MU_EINPUT, json_get_bool(root, "n", &flag, &err));
	assert_int_equal(MU_OK, json_get_list(root, "l", &list, &err));
	assert_true(json_node_int(json_at(list, 0), &number) && number == 7);
	assert_null(json_at(list, 2));
	assert_null(json_at(root, 0));
	assert_int_equal(MU_OK, json_get_object(root, "o", &object, &err));
	assert_int_equal(MU_EINPUT, json_get_object(root, "l", &object, &err));
}

static void
strangers_are_refused(void **state)
{
	static const char text[] = "{\"a\":1,\"bee\":2}";
	static const char *const both[] = { "bee", "a", NULL }, *const one[] = { "a", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, json_parse(text, strlen(text), 1000, "t", &root, &err));
	assert_int_equal(MU_OK, json_only(root, both, &err));
	assert_int_equal(MU_EINPUT, json_only(root, one, &err));
	assert_string_equal("unknown member \"bee\"", err.text);
}

int
main(void)
{
	struct CMUnitTest texts[MU_COUNT(rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(members_are_found_by_kind),
		cmocka_unit_test(strangers_are_refused),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		texts[i] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("texts", texts, NULL, NULL) +
	    cmocka_run_group_tests_name("read", rest, NULL, NULL);
}
