#include "http/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct form_row {
	const char *name, *text;
	size_t text_bytes;
	bool want;
	const char *field, *value;	/* what must be in it */
} form_rows[] = {
#define BYTES(text) text, sizeof(text) - 1
	{ "two fields are read", BYTES("user=ann&password=x"), true, "password", "x" },
	{ "plus is a blank", BYTES("a=b+c"), true, "a", "b c" },
	{ "an escaped plus is a plus", BYTES("a=b%2Bc"), true, "a", "b+c" },
	{ "an empty value is a value", BYTES("a="), true, "a", "" },
	{ "the empty text has no field", BYTES(""), true, NULL, NULL },
	{ "a second '=' belongs to the value", BYTES("a=b=c"), true, "a", "b=c" },
	{ "an escaped name is decoded", BYTES("%61=1"), true, "a", "1" },
	{ "UTF-8 is decoded", BYTES("a=%C3%A4"), true, "a", "\xc3\xa4" },
	{ "a field twice is refused", BYTES("a=1&a=2"), false, NULL, NULL },
	{ "a field twice, once escaped, is refused", BYTES("a=1&%61=2"), false, NULL, NULL },
	{ "a field without '=' is refused", BYTES("a&b=1"), false, NULL, NULL },
	{ "a field without a name is refused", BYTES("=1"), false, NULL, NULL },
	{ "'&' at the end is refused", BYTES("a=1&"), false, NULL, NULL },
	{ "two '&' are refused", BYTES("a=1&&b=2"), false, NULL, NULL },
	{ "half an escape is refused", BYTES("a=%4"), false, NULL, NULL },
	{ "an escape that is none is refused", BYTES("a=%zz"), false, NULL, NULL },
	{ "an escaped NUL is refused", BYTES("a=%00"), false, NULL, NULL },
	{ "a raw NUL is refused", BYTES("a=1\0b"), false, NULL, NULL },
	{ "a raw blank is refused", BYTES("a=1 2"), false, NULL, NULL },
	{ "a raw byte over 0x7f is refused", BYTES("a=\xc3\xa4"), false, NULL, NULL },
	{ "broken UTF-8 is refused", BYTES("a=%C3%28"), false, NULL, NULL },
	{ "a surrogate is refused", BYTES("a=%ED%A0%80"), false, NULL, NULL },
	{ "17 fields are refused",
	    BYTES("a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=&l=&m=&n=&o=&p=&q="), false, NULL, NULL },
};

static void
form_row(void **state)
{
	const struct form_row *r = *state;
	struct http_form f = HTTP_FORM_INIT;

	assert_int_equal(http_form_parse(r->text, r->text_bytes, &f), r->want);
	if (r->field != NULL) {
		assert_non_null(http_form_find(&f, r->field));
		assert_string_equal(http_form_find(&f, r->field), r->value);
	} else {
		assert_int_equal(f.count, 0);
	}
	http_form_clear(&f);
}

static void
what_is_formatted_is_parsed_back(void **state)
{
	struct mu_buf text = MU_BUF_INIT, back = MU_BUF_INIT;
	char all[128];

	(void)state;
	for (int i = 1; i < 128; i++)
		all[i - 1] = (char)i;
	all[127] = '\0';
	http_percent_format(&text, all);
	assert_true(http_percent_parse(text.data, text.size_bytes, &back));
	assert_string_equal(back.data, all);
	assert_null(strchr(text.data, '/'));
	mu_buf_clear(&text);
	mu_buf_clear(&back);
}

static void
a_segment_has_no_plus_for_a_blank(void **state)
{
	struct mu_buf b = MU_BUF_INIT;

	(void)state;
	mu_buf_text_add(&b, "before ");
	assert_true(http_percent_parse("a+b", 3, &b));
	assert_string_equal(b.data, "before a+b");
	assert_false(http_percent_parse("a b", 3, &b));
	assert_false(http_percent_parse("a/b", 3, &b));
	assert_string_equal(b.data, "before a+b");
	mu_buf_clear(&b);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof(form_rows) / sizeof(form_rows[0]) + 2] = {
		cmocka_unit_test(what_is_formatted_is_parsed_back),
		cmocka_unit_test(a_segment_has_no_plus_for_a_blank),
	};

	for (size_t i = 0; i < MU_COUNT(form_rows); i++)
		tests[i + 2] = (struct CMUnitTest){ form_rows[i].name, form_row, NULL, NULL, &form_rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
