/*
 * show_test.c - what reaches a terminal: nothing that moves its cursor, and columns that stand
 * straight
 */
#include "cli/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "cli/groups.h"
#include "cli/qr.h"

static struct escape_row {
	const char *name, *text, *want;
	size_t width;
} escape_rows[] = {
	{ "plain text stays", "Hana Larsen", "Hana Larsen", 11 },
	{ "so does a name with marks", "M\xc4\x81rama \xc5\x8ctene", "M\xc4\x81rama \xc5\x8ctene",
	    12 },
	{ "a mark that combines has no width", "e\xcc\x81", "e\xcc\x81", 1 },
	{ "a wide character takes two columns", "\xe5\xb1\xb1\xe7\x94\xb0",
	    "\xe5\xb1\xb1\xe7\x94\xb0", 4 },
	{ "ESC, CSI", "\x1b[2J", "\\x1b[2J", 7 },
	{ "a new line, a return, a bell, a tabulator", "a\nb\rc\a\t", "a\\x0ab\\x0dc\\x07\\x09",
	    19 },
	{ "DEL", "\x7f", "\\x7f", 4 },
	{ "CSI of the upper half", "\xc2\x9b" "31m", "\\u{9b}31m", 9 },
	{ "right to left, overridden", "a\xe2\x80\xae" "b", "a\\u{202e}b", 10 },
	{ "an isolate", "\xe2\x81\xa6", "\\u{2066}", 8 },
	{ "an Arabic letter mark", "\xd8\x9c", "\\u{61c}", 7 },
	{ "a line separator", "\xe2\x80\xa8", "\\u{2028}", 8 },
	{ "a byte order mark", "\xef\xbb\xbf", "\\u{feff}", 8 },
	{ "bytes that are no UTF-8", "a\xff\xc3", "a\\xff\\xc3", 9 },
	{ "an overlong slash", "\xc0\xaf", "\\xc0\\xaf", 8 },
	{ "a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", 12 },
	{ "beyond Unicode", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16 },
};

static void
escape_row(void **state)
{
	struct escape_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	show_escape(&b, r->text, strlen(r->text));
	assert_string_equal(r->want, mu_buf_text(&b));
	assert_int_equal(r->width, show_width(mu_buf_text(&b)));
}

struct printed {
	FILE *to;
	char *text;
	size_t bytes;
};

static void
print_begin(struct printed *p)
{
	p->to = open_memstream(&p->text, &p->bytes);
	assert_non_null(p->to);
}

static void
print_end(struct printed *p, const char *want)
{
	(void)fclose(p->to);
	assert_string_equal(want, p->text);
	free(p->text);
}

static struct json_node *
json_of(const char *text)
{
	struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (json_parse(text, strlen(text), strlen(text), "test", &root, &err) != MU_OK)
		fail_msg("%s", err.text);
	return root;
}

/* A terminal does as it is told by C0 and C1, and by nothing above them that is UTF-8. */
static bool
is_clean(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if ((c < ' ' && c != '\n') || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)at[1] < 0xa0))
			return false;
	}
	return mu_utf8_valid(text, strlen(text)) && strstr(text, "\xe2\x80\xae") == NULL;
}

/* Every byte, and every character of two bytes, through every way to a terminal. */
static void
T15_terminal_bytes_are_clean(void **state)
{
	static const struct show_column columns[] = { { "A", "a" }, { "REST", "*" },
	    { NULL, NULL } };
	MU_AUTO(mu_buf_clear) struct mu_buf raw = MU_BUF_INIT, json = MU_BUF_INIT;
	struct json_node *root;
	struct printed p;

	(void)state;
	for (int c = 1; c < 256; c++)
		mu_buf_char_add(&raw, (char)c);
	print_begin(&p);
	show_line(p.to, "%s", raw.data);
	show_text(p.to, raw.data);
	mu_buf_text_add(&json, "{\"a\":\"");
	for (int c = 0x80; c < 0x800; c++) {
		mu_buf_char_add(&json, (char)(0xc0 | c >> 6));
		mu_buf_char_add(&json, (char)(0x80 | (c & 0x3f)));
	}
	mu_buf_text_add(&json,
	    "\\u0001\\u001b\\u007f\\u202e\",\"\xc2\x9b\":[\"\xe2\x80\xae\",{\"\\u001b\":1}]}");
	root = json_of(json.data);
	show_facts(p.to, columns, root);
	show_member(p.to, "\x1b[2J", root);
	show_json(p.to, json.data);
	show_node(p.to, root);
	(void)fclose(p.to);
	assert_true(is_clean(p.text));
	free(p.text);
	json_free(root);
}

static void
json_means_the_same_when_it_is_escaped(void **state)
{
	struct printed p;

	(void)state;
	print_begin(&p);
	show_json(p.to, "{\"a\":\"\xc2\x9b\xe2\x80\xae\x7f\xf3\xa0\x80\x81 M\xc4\x81rama\"}");
	print_end(&p, "{\"a\":\"\\u009b\\u202e\\u007f\\udb40\\udc01 M\xc4\x81rama\"}\n");
}

static void
tables_stand_straight(void **state)
{
	static const struct show_column columns[] = {
		{ "WHO", "person" }, { "N", "count" }, { "YES", "yes" }, { "LIST", "list" },
		    { NULL, NULL },
	};
	struct json_node *list = json_of("["
	    "{\"person\":{\"id\":\"1\",\"name\":\"M\xc4\x81rama \xe5\xb1\xb1\",\"uid\":\"m\"},\"count\":7,\"yes\":true,"
	    "\"list\":[\"a\",\"b\"]},"
	    "{\"person\":{\"id\":\"2\",\"name\":\"Al\",\"uid\":\"al\\u001b\"},\"count\":1234,\"yes\":false,\"list\":[]}]");
	struct printed p;

	(void)state;
	print_begin(&p);
	show_list(p.to, columns, false, list);
	print_end(&p,
	    "WHO            N     YES  LIST\n"
	    "M\xc4\x81rama \xe5\xb1\xb1 (m)  7     yes  a, b\n"
	    "Al (al\\x1b)    1234  no   -\n");
	json_free(list);
}

static void
a_sparse_table_leaves_empty_columns_out(void **state)
{
	static const struct show_column columns[] = { { "A", "a" }, { "B", "b" }, { "C", "c.d" },
	    { NULL, NULL } };
	struct json_node *list =
	    json_of("[{\"a\":1,\"b\":null,\"c\":{\"d\":\"x\"}},{\"a\":2,\"b\":\"\",\"c\":{}}]");
	struct printed p;

	(void)state;
	print_begin(&p);
	show_list(p.to, columns, true, list);
	print_end(&p, "A  C\n1  x\n2  -\n");
	print_begin(&p);
	show_list(p.to, columns, true, json_find(list, "no list at all"));
	print_end(&p, "");
	json_free(list);
}

static void
times_are_shown_as_the_local_clock_has_them(void **state)
{
	static const struct show_column rows[] = { { "at", "at" }, { "no time", "text" },
	    { NULL, NULL } };
	struct json_node *root =
	    json_of("{\"at\":\"2026-07-01T10:00:00Z\",\"text\":\"2026-07-01\"}");
	struct printed p;

	(void)state;
	print_begin(&p);
	show_facts(p.to, rows, root);
	print_end(&p, "at       2026-07-01 12:00:00\nno time  2026-07-01\n");
	json_free(root);
}

static struct difference_row {
	const char *name, *before, *after, *want;
} difference_rows[] = {
	{ "nothing changed", "{\"a\":\"1\\n2\\n\"}", "{\"a\":\"1\\n2\\n\"}", "" },
	{ "a line changed", "{\"a\":\"1\\n2\\n3\\n\"}", "{\"a\":\"1\\nx\\n3\\n\"}", "a:\n- 2\n+ x\n" },
	{ "the end of a line changed", "{\"a\":\"1\\nab: 8h\\n\"}", "{\"a\":\"1\\nab: 9h\\n\"}",
	    "a:\n- ab: 8h\n+ ab: 9h\n" },
	{ "the beginning of a line changed", "{\"a\":\"xb\\n\"}", "{\"a\":\"yb\\n\"}", "a:\n- xb\n+ yb\n" },
	{ "a line came", "{\"a\":\"1\\n2\\n\"}", "{\"a\":\"1\\n1\\n2\\n\"}", "a:\n+ 1\n" },
	{ "a line went", "{\"a\":\"1\\n2\\n\"}", "{\"a\":\"1\\n\"}", "a:\n- 2\n" },
	{ "the last line got its end", "{\"a\":\"1\"}", "{\"a\":\"1\\n\"}", "a:\n- 1\n+ 1\n" },
	{ "a file came, a file went", "{\"a\":\"1\\n\"}", "{\"b\":\"\\u001b\\n\"}", "b:\n+ \\x1b\na: is left out\n" },
};

static void
difference_row(void **state)
{
	struct difference_row *r = *state;
	struct json_node *before = json_of(r->before), *after = json_of(r->after);
	struct printed p;

	print_begin(&p);
	policy_difference_show(p.to, before, after);
	print_end(&p, r->want);
	json_free(before);
	json_free(after);
}

/* Modules as a camera sees them: black blocks on the white of the line's colour. */
static bool
is_black_at(const char *const *lines, size_t x, size_t y)
{
	const char *at = lines[y / 2];

	for (size_t i = 0; i < x; i++)
		at += *at == ' ' ? 1 : 3;
	return strncmp(at, "\u2588", 3) == 0 || strncmp(at, y % 2 == 0 ? "\u2580" : "\u2584",
	    3) == 0;
}

/*
 * ISO/IEC 18004: a finder pattern of seven modules in three corners, four modules of margin around
 * all.
 */
static void
a_qr_code_has_its_finders_and_its_margin(void **state)
{
	/* 0: from the far side */
	static const size_t corners[3][2] = { { 4, 4 }, { 0, 4 }, { 4, 0 } };
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	const char *lines[128];
	struct mu_err err = MU_ERR_INIT;
	size_t count = 0, width;

	(void)state;
	assert_int_equal(MU_OK,
	    qr_format("otpauth://totp/muster:mreid?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", &b,
	    &err));
	for (char *at = strtok(b.data, "\n"); at != NULL; at = strtok(NULL, "\n")) {
		lines[count++] = strchr(at, 'm') + 1;	/* behind the colour */
		assert_non_null(strstr(at, "\033[0m"));
	}
	width = 2 * count - 1;		/* an odd number of modules: the last line is half empty */
	for (size_t i = 0; i < width; i++)
		for (size_t k = 0; k < 4; k++) {
			assert_false(is_black_at(lines, i, k));
			assert_false(is_black_at(lines, k, i));
		}
	for (size_t c = 0; c < MU_COUNT(corners); c++) {
		size_t x = corners[c][0] == 0 ? width - 11 : 4,
		    y = corners[c][1] == 0 ? width - 11 : 4;

		for (size_t i = 0; i < 7; i++) {
			assert_true(is_black_at(lines, x + i, y));
			assert_true(is_black_at(lines, x, y + i));
			assert_true(is_black_at(lines, x + 3, y + (i < 2 ? 2 : i > 4 ? 4 : i)));
		}
		assert_false(is_black_at(lines, x + 1, y + 1));
		assert_false(is_black_at(lines, x + 5, y + 5));
	}
}

static void
what_is_too_long_for_a_qr_code_is_refused(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, b = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (int i = 0; i < 3000; i++)
		mu_buf_char_add(&text, 'x');
	assert_int_equal(MU_EINPUT, qr_format(text.data, &b, &err));
}

int
main(void)
{
	struct CMUnitTest escapes[MU_COUNT(escape_rows)], differences[MU_COUNT(difference_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(T15_terminal_bytes_are_clean),
		cmocka_unit_test(json_means_the_same_when_it_is_escaped),
		cmocka_unit_test(tables_stand_straight),
		cmocka_unit_test(a_sparse_table_leaves_empty_columns_out),
		cmocka_unit_test(times_are_shown_as_the_local_clock_has_them),
		cmocka_unit_test(a_qr_code_has_its_finders_and_its_margin),
		cmocka_unit_test(what_is_too_long_for_a_qr_code_is_refused),
	};

	(void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	show_locale();
	for (size_t i = 0; i < MU_COUNT(escape_rows); i++)
		escapes[i] = (struct CMUnitTest){ escape_rows[i].name, escape_row, NULL, NULL,
		    &escape_rows[i] };
	for (size_t i = 0; i < MU_COUNT(difference_rows); i++)
		differences[i] = (struct CMUnitTest){ difference_rows[i].name, difference_row, NULL, NULL,
			&difference_rows[i] };
	return cmocka_run_group_tests_name("escapes", escapes, NULL, NULL) +
	    cmocka_run_group_tests_name("differences", differences, NULL, NULL) +
	    cmocka_run_group_tests_name("show", rest, NULL, NULL);
}
