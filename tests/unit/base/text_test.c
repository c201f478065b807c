/*
 * text_test.c - UTF-8, hex, base64url, numbers and fields of the log
 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

static struct utf8_row {
	const char *name, *bytes;
	size_t bytes_count;
	bool want;
} utf8_rows[] = {
	{ "nothing is well formed", "", 0, true },
	{ "ASCII", "az~\x7f", 4, true },
	{ "NUL is not text", "a\0", 2, false },
	{ "two bytes, the first", "\xc2\x80", 2, true },
	{ "two bytes, overlong", "\xc1\xbf", 2, false },
	{ "three bytes, the first", "\xe0\xa0\x80", 3, true },
	{ "three bytes, overlong", "\xe0\x9f\xbf", 3, false },
	{ "before the surrogates", "\xed\x9f\xbf", 3, true },
	{ "a surrogate", "\xed\xa0\x80", 3, false },
	{ "behind the surrogates", "\xee\x80\x80", 3, true },
	{ "four bytes, the first", "\xf0\x90\x80\x80", 4, true },
	{ "four bytes, overlong", "\xf0\x8f\xbf\xbf", 4, false },
	{ "the last of all", "\xf4\x8f\xbf\xbf", 4, true },
	{ "beyond the last", "\xf4\x90\x80\x80", 4, false },
	{ "five bytes", "\xf8\x88\x80\x80\x80", 5, false },
	{ "a tail without a head", "\x80", 1, false },
	{ "a head without a tail", "\xc3", 1, false },
	{ "three quarters", "\xf0\x9f\x98", 3, false },
	{ "a tail that is a letter", "\xe2\x82" "a", 3, false },
};

static void
utf8_row(void **state)
{
	struct utf8_row *r = *state;

	assert_int_equal(r->want, mu_utf8_valid(r->bytes, r->bytes_count));
}

static struct int_row {
	const char *text;
	int64_t min, max;
	bool good;
	int64_t want;
} int_rows[] = {
	{ "0", -1, 1, true, 0 },
	{ "-1", -1, 1, true, -1 },
	{ "-2", -1, 1, false, 0 },
	{ "2", -1, 1, false, 0 },
	{ "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX },
	{ "9223372036854775808", INT64_MIN, INT64_MAX, false, 0 },
	{ "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
	{ "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0 },
	{ "99999999999999999999999", INT64_MIN, INT64_MAX, false, 0 },
	{ "", INT64_MIN, INT64_MAX, false, 0 },
	{ "-", INT64_MIN, INT64_MAX, false, 0 },
	{ "-0", INT64_MIN, INT64_MAX, false, 0 },
	{ "00", INT64_MIN, INT64_MAX, false, 0 },
	{ "01", INT64_MIN, INT64_MAX, false, 0 },
	{ "+1", INT64_MIN, INT64_MAX, false, 0 },
	{ " 1", INT64_MIN, INT64_MAX, false, 0 },
	{ "1 ", INT64_MIN, INT64_MAX, false, 0 },
	{ "1x", INT64_MIN, INT64_MAX, false, 0 },
};

static void
numbers_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(int_rows); i++) {
		int64_t value = 77;

		assert_int_equal(int_rows[i].good,
		    mu_int_parse(int_rows[i].text, int_rows[i].min, int_rows[i].max, &value));
		assert_true(value == (int_rows[i].good ? int_rows[i].want : 77));
	}
}

static struct base64_row {
	const char *name, *bytes;
	size_t bytes_count;
	const char *text;
} base64_rows[] = {	/* RFC 4648 section 10, without padding */
	{ "nothing", "", 0, "" },
	{ "f", "f", 1, "Zg" },
	{ "fo", "fo", 2, "Zm8" },
	{ "foo", "foo", 3, "Zm9v" },
	{ "foob", "foob", 4, "Zm9vYg" },
	{ "fooba", "fooba", 5, "Zm9vYmE" },
	{ "foobar", "foobar", 6, "Zm9vYmFy" },
	{ "the two letters of its own", "\xfb\xef\xff\0", 4, "--__AA" },
};

static void
base64_row(void **state)
{
	struct base64_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, bytes = MU_BUF_INIT;

	mu_base64url_format(&text, r->bytes, r->bytes_count);
	assert_string_equal(r->text, mu_buf_text(&text));
	assert_true(mu_base64url_parse(r->text, strlen(r->text), &bytes));
	assert_int_equal(r->bytes_count, bytes.size_bytes);
	assert_memory_equal(r->bytes, mu_buf_text(&bytes), r->bytes_count);
}

static void
base64_has_one_form(void **state)
{
	static const char *const others[] = { "Zg==", "Zm9", "Zh", "Z", "Zm9vY", "Zm+v", "Zm/v", "Zm 9v", "Zm9v\n", "Zm8=" };
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	(void)state;
	mu_buf_text_add(&b, "kept");
	for (size_t i = 0; i < MU_COUNT(others); i++) {
		assert_false(mu_base64url_parse(others[i], strlen(others[i]), &b));
		assert_string_equal("kept", b.data);
		assert_int_equal(4, b.size_bytes);
	}
	assert_false(mu_base64url_parse("Zm\0v", 4, &b));
}

static void
hex_is_read_in_full(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;
	unsigned char bytes[3] = { 7, 7, 7 };

	(void)state;
	assert_true(mu_hex_parse("00fFa5", bytes, 3));
	mu_hex_format(&b, bytes, 3);
	assert_string_equal("00ffa5", b.data);
	assert_false(mu_hex_parse("00fFa", bytes, 3));
	assert_false(mu_hex_parse("00fFa5b6", bytes, 3));
	assert_false(mu_hex_parse("0gffff", bytes, 3));
	assert_int_equal(0xff, bytes[1]);
}

static struct field_row {
	const char *value, *want;
} field_rows[] = {
	{ "plain", "plain" },
	{ "", "\"\"" },
	{ "two words", "\"two words\"" },
	{ "a=b", "\"a=b\"" },
	{ "a\"b\\c", "\"a\\x22b\\x5cc\"" },
	{ "a\nevent=forged", "\"a\\x0aevent=forged\"" },
	{ "\x1b[2J", "\"\\x1b[2J\"" },
	{ "\x7f", "\"\\x7f\"" },
	{ "K\u00f6ln", "\"K\u00f6ln\"" },
	{ "\xc2\x9b" "2J", "\"\\xc2\\x9b2J\"" },			/* a C1 control */
	{ "\xe2\x80\xae" "abc", "\"\\xe2\\x80\\xaeabc\"" },	/* right to left */
	{ "a\xff" "b", "\"a\\xffb\"" },
};

static void
a_field_stays_one_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < MU_COUNT(field_rows); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

		mu_field_format(&b, field_rows[i].value);
		assert_string_equal(field_rows[i].want, b.data);
	}
}

static void
words_are_compared(void **state)
{
	char text[] = "\u00c4Bc-Z";

	(void)state;
	assert_true(mu_text_equal(NULL, NULL) && !mu_text_equal(NULL, "") && mu_text_equal("a", "a"));
	assert_true(mu_text_equal_fold("aBc", "AbC") && !mu_text_equal_fold("a", "ab"));
	assert_true(mu_text_starts("abc", "ab") && mu_text_starts("abc", "") && !mu_text_starts("a", "ab"));
	mu_text_lower(text);
	assert_string_equal("\u00c4bc-z", text);
}

static void
buffers_grow_and_shrink(void **state)
{
	struct mu_buf b = MU_BUF_INIT;

	(void)state;
	assert_string_equal("", mu_buf_text(&b));
	for (int i = 0; i < 1000; i++)
		mu_buf_format(&b, "%d,", i);
	assert_int_equal(strlen(b.data), b.size_bytes);
	assert_true(mu_text_starts(b.data, "0,1,2,") && strcmp(b.data + b.size_bytes - 4, "999,") == 0);
	mu_buf_drop_front(&b, b.size_bytes - 4);
	assert_string_equal("999,", b.data);
	mu_buf_add(&b, "a\0b", 3);
	assert_int_equal(7, b.size_bytes);
	mu_buf_reset(&b);
	assert_string_equal("", b.data);
	mu_buf_wipe(&b);
	assert_null(b.data);
}

static void
a_later_uuid_is_greater(void **state)
{
	struct mu_uuid before, next;

	(void)state;
	mu_uuid_new(&before);
	for (int i = 0; i < 100000; i++) {
		mu_uuid_new(&next);
		assert_true(memcmp(before.bytes, next.bytes, sizeof(next.bytes)) < 0);
		assert_int_equal(0x70, next.bytes[6] & 0xf0);
		assert_int_equal(0x80, next.bytes[8] & 0xc0);
		before = next;
	}
}

static void
uuids_are_read_and_written(void **state)
{
	static const char *const bad[] = {
		"", "0192f0c1-2345-7abc-8def-0123456789a", "0192f0c1-2345-7abc-8def-0123456789abc",
		"0192f0c1-2345-7abc-8def-0123456789ag", "0192f0c12-345-7abc-8def-0123456789ab",
		"0192f0c1 2345 7abc 8def 0123456789ab", "{192f0c1-2345-7abc-8def-0123456789ab", };
	char text[MU_UUID_TEXT_BYTES];
	struct mu_uuid uuid, other;

	(void)state;
	assert_true(mu_uuid_parse("0192F0c1-2345-7abc-8def-0123456789AB", &uuid));
	assert_string_equal("0192f0c1-2345-7abc-8def-0123456789ab", mu_uuid_format(&uuid, text));
	other = uuid;
	for (size_t i = 0; i < MU_COUNT(bad); i++)
		assert_false(mu_uuid_parse(bad[i], &other));
	assert_true(mu_uuid_equal(&uuid, &other));
	mu_uuid_new(&other);
	assert_false(mu_uuid_equal(&uuid, &other));
	assert_int_equal(0x70, other.bytes[6] & 0xf0);	/* RFC 9562: version 7, variant 10 */
	assert_int_equal(0x80, other.bytes[8] & 0xc0);
	mu_uuid_new(&uuid);
	assert_true(memcmp(other.bytes, uuid.bytes, 6) <= 0);
	assert_false(mu_uuid_equal(&uuid, &other));
}

int
main(void)
{
	struct CMUnitTest utf8[MU_COUNT(utf8_rows)], base64[MU_COUNT(base64_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(numbers_are_read),
		cmocka_unit_test(base64_has_one_form),
		cmocka_unit_test(hex_is_read_in_full),
		cmocka_unit_test(a_field_stays_one_field),
		cmocka_unit_test(words_are_compared),
		cmocka_unit_test(buffers_grow_and_shrink),
		cmocka_unit_test(a_later_uuid_is_greater),
		cmocka_unit_test(uuids_are_read_and_written),
	};

	for (size_t i = 0; i < MU_COUNT(utf8_rows); i++)
		utf8[i] = (struct CMUnitTest){ utf8_rows[i].name, utf8_row, NULL, NULL, &utf8_rows[i] };
	for (size_t i = 0; i < MU_COUNT(base64_rows); i++)
		base64[i] = (struct CMUnitTest){ base64_rows[i].name, base64_row, NULL, NULL, &base64_rows[i] };
	return cmocka_run_group_tests_name("utf8", utf8, NULL, NULL) +
	    cmocka_run_group_tests_name("base64url", base64, NULL, NULL) +
	    cmocka_run_group_tests_name("text", rest, NULL, NULL);
}
