/* Values of Active Directory, and our cookie for it: tables of sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "directory/ad_priv.h"

#define TICKS_NEVER "9223372036854775807"

/* --- Ranges ------------------------------------------------------------------------------------------ */

static struct range_row {
	const char *name, *text;
	bool want;
	size_t first, last;
} range_rows[] = {
	{ "range: the first values",		"member;range=0-1499", true, 0, 1499 },
	{ "range: the last ones",		"member;range=3000-*", true, 3000, AD_RANGE_END },
	{ "range: a single one",		"member;range=7-7", true, 7, 7 },
	{ "range: in any case",			"MEMBER;Range=0-*", true, 0, AD_RANGE_END },
	{ "range: no range at all",		"member", false, 0, 0 },
	{ "range: another attribute's",		"members;range=0-1", false, 0, 0 },
	{ "range: of an attribute that ours begins", "memberOf;range=0-1", false, 0, 0 },
	{ "range: another option",		"member;binary", false, 0, 0 },
	{ "range: another option behind it",	"member;range=0-1;binary", false, 0, 0 },
	{ "range: backwards",			"member;range=5-4", false, 0, 0 },
	{ "range: no numbers",			"member;range=-", false, 0, 0 },
	{ "range: no end",			"member;range=0", false, 0, 0 },
	{ "range: an end that is none",		"member;range=0-", false, 0, 0 },
	{ "range: '*' and more",		"member;range=0-*1", false, 0, 0 },
	{ "range: '*' at the beginning",	"member;range=*-1", false, 0, 0 },
	{ "range: a sign",			"member;range=+1-2", false, 0, 0 },
	{ "range: larger than any number",	"member;range=0-99999999999999999999999", false, 0, 0 },
	{ "range: nothing",			"", false, 0, 0 },
};

static void
range_row(void **state)
{
	struct range_row *r = *state;
	size_t bytes = strlen(r->text), first = 99, last = 99;
	char *text = malloc(bytes == 0 ? 1 : bytes);	/* without NUL, so that ASan sees a step too far */

	assert_non_null(text);
	(void)memcpy(text, r->text, bytes);
	assert_int_equal(r->want, directory_ad_range_parse(text, bytes, "member", &first, &last));
	assert_int_equal(r->want ? r->first : 99, first);
	assert_int_equal(r->want ? r->last : 99, last);
	free(text);
}

/* --- Bits ---------------------------------------------------------------------------------------------- */

static struct bits_row {
	const char *name, *text;
	uint32_t bits;
	bool want, set;
} bits_rows[] = {
	{ "bits: a normal account is not disabled",	"512", 2, true, false },
	{ "bits: a disabled one is",			"514", 2, true, true },
	{ "bits: no bit of nothing",			"0", 2, true, false },
	{ "bits: both of two",				"66050", 65538, true, true },
	{ "bits: one of two is not both",		"65536", 65538, true, false },
	{ "bits: the sign is a bit",			"-2147483646", 0x80000000, true, true },
	{ "bits: and those below it are as they were",	"-2147483646", 2, true, true },
	{ "bits: without a sign",			"2147483650", 0x80000000, true, true },
	{ "bits: more than 32",				"4294967296", 2, false, false },
	{ "bits: text",					"disabled", 2, false, false },
	{ "bits: hex",					"0x2", 2, false, false },
	{ "bits: nothing",				"", 2, false, false },
};

static void
bits_row(void **state)
{
	struct bits_row *r = *state;
	bool set = false;

	assert_int_equal(r->want, directory_ad_bits_test(r->text, r->bits, &set));
	assert_int_equal(r->set, set);
}

/* --- FILETIME ------------------------------------------------------------------------------------------ */

static struct time_row {
	const char *name, *text;
	enum ad_time want;
	const char *generalized;
} time_rows[] = {
	{ "time: 2026-11-21 15:37:25",		"134397490450000000", AD_TIME, "20261121153725Z" },
	{ "time: part of a second is cut off",	"134397490459999999", AD_TIME, "20261121153725Z" },
	{ "time: the epoch of Unix",		"116444736000000000", AD_TIME, "19700101000000Z" },
	{ "time: before it, as at it",		"1", AD_TIME, "19700101000000Z" },
	{ "time: a leap day",			"125962564960000000", AD_TIME, "20000229000816Z" },
	{ "time: the last that can be written",	"2650467743999999999", AD_TIME, "99991231235959Z" },
	{ "time: what cannot be written is never", "2650467744000000000", AD_NEVER, "" },
	{ "time: never",			TICKS_NEVER, AD_NEVER, "" },
	{ "time: never, the other way",		"0", AD_NEVER, "" },
	{ "time: before 1601",			"-1", AD_TIME_MALFORMED, "" },
	{ "time: larger than any",		"9223372036854775808", AD_TIME_MALFORMED, "" },
	{ "time: GeneralizedTime",		"20261121153725Z", AD_TIME_MALFORMED, "" },
	{ "time: nothing",			"", AD_TIME_MALFORMED, "" },
};

static void
time_row(void **state)
{
	struct time_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	assert_int_equal(r->want, directory_ad_time_format(r->text, &b));
	assert_string_equal(r->generalized, mu_buf_text(&b));
}

/* --- replPropertyMetaData ------------------------------------------------------------------------------ */

#define HEAD(count)	"0100000000000000" count "00000000000000"
#define META(attid, usn) attid "01000000ea4d122103000000" "5a2b88ee1db86b4d875b32585b5afc3c" \
	"1111000000000000" usn "00000000000000"
#define NAME		"01000900"
#define CN		"03000000"

static struct meta_row {
	const char *name, *hex;
	bool want, renamed;
} meta_rows[] = {
	{ "meta: the name, after that USN",	HEAD("02") META(CN, "10") META(NAME, "65"), true, true },
	{ "meta: the name, at that USN",	HEAD("02") META(CN, "65") META(NAME, "64"), true, false },
	{ "meta: something else, after it",	HEAD("01") META(CN, "65"), true, false },
	{ "meta: nothing is known of any",	HEAD("00"), true, false },
	{ "meta: bytes behind it",		HEAD("01") META(NAME, "65") "ff", true, true },
	{ "meta: another version",		"0200000000000000" "01" "00000000000000" META(NAME, "65"), false, false },
	{ "meta: fewer than it says",		HEAD("02") META(NAME, "65"), false, false },
	{ "meta: more than there can be",	"0100000000000000ffffffff00000000" META(NAME, "65"), false, false },
	{ "meta: cut short in its head",	"010000000000000001", false, false },
	{ "meta: nothing",			"", false, false },
};

static void
meta_row(void **state)
{
	struct meta_row *r = *state;
	size_t bytes_count = strlen(r->hex) / 2;
	unsigned char *bytes = malloc(bytes_count == 0 ? 1 : bytes_count);
	bool renamed = false;

	assert_non_null(bytes);
	assert_true(mu_hex_parse(r->hex, bytes, bytes_count));
	assert_int_equal(r->want, directory_ad_renamed(bytes, bytes_count, 100, &renamed));
	assert_int_equal(r->renamed, renamed);
	free(bytes);
}

/* --- Filters --------------------------------------------------------------------------------------------- */

static struct filter_row {
	const char *name, *filter, *want;
} filter_rows[] = {
	{ "filter: one",			"(objectClass=user)", "objectClass" },
	{ "filter: each once, in any case",	"(&(a=1)(|(b>=2)(A=3))(!(c<=4)))", "a b c" },
	{ "filter: a matching rule",
	    "(!(userAccountControl:1.2.840.113556.1.4.803:=2))", "userAccountControl" },
	{ "filter: a matching rule alone",	"(:1.2.3:=2)", "" },
	{ "filter: brackets in a value",	"(cn=x\\28y=z\\29)", "cn" },
	{ "filter: approximately, and any",	"(&(sn~=meyer)(mail=*))", "sn mail" },
	{ "filter: an option",			"(cn;lang-de=x)", "cn;lang-de" },
	{ "filter: none",			"nothing", "" },
	{ "filter: cut short",			"(&(", "" },
};

static void
filter_row(void **state)
{
	struct filter_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;

	directory_ad_filter_attributes(r->filter, &names);
	for (size_t i = 0; i + 1 < names.size_bytes; i++)
		if (names.data[i] == '\0')
			names.data[i] = ' ';
	assert_string_equal(r->want, mu_buf_text(&names));
}

static void
a_value_in_a_filter_is_only_a_value(void **state)
{
	static const char text[] = "cn=O*(x)\\ \xc3\xa9";
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	(void)state;
	directory_ad_filter_value(text, sizeof(text), &b);
	assert_string_equal("cn=O\\2a\\28x\\29\\5c \\c3\\a9\\00", mu_buf_text(&b));
}

/* --- Our cookie ------------------------------------------------------------------------------------------ */

#define ID "5a2b88ee1db86b4d875b32585b5afc3c"

static struct cookie_row {
	const char *name, *text;
	bool want;
} cookie_rows[] = {
	{ "cookie: by uSNChanged",		"ad1;" ID ";4111;1795363985;0;0;", true },
	{ "cookie: by DirSync",			"ad1;" ID ";4111;1795363985;1795288387;1;TVNEUw", true },
	{ "cookie: of another kind",		"rid=000,csn=20261121112001.000000Z#000000#000#000000", false },
	{ "cookie: of another version",		"ad2;" ID ";4111;1795363985;0;0;", false },
	{ "cookie: no USN",			"ad1;" ID ";0;1795363985;0;0;", false },
	{ "cookie: a USN that is none",		"ad1;" ID ";4111x;1795363985;0;0;", false },
	{ "cookie: a USN below zero",		"ad1;" ID ";-4111;1795363985;0;0;", false },
	{ "cookie: half an invocationId",	"ad1;5a2b88ee1db86b4d;4111;1795363985;0;0;", false },
	{ "cookie: no times",			"ad1;" ID ";4111;;;0;", false },
	{ "cookie: a flag of many",		"ad1;" ID ";4111;1795363985;0;2;", false },
	{ "cookie: too little",			"ad1;" ID ";4111;1795363985;0;0", false },
	{ "cookie: too much",			"ad1;" ID ";4111;1795363985;0;0;;", false },
	{ "cookie: what is not base64url",	"ad1;" ID ";4111;1795363985;0;0;TVNE+w", false },
	{ "cookie: nothing",			"", false },
};

static void
cookie_row(void **state)
{
	struct cookie_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;
	struct ad_cookie cookie = { .usn = 99 };

	assert_int_equal(r->want, directory_ad_cookie_usable(r->text, strlen(r->text)));
	assert_int_equal(r->want, directory_ad_cookie_decode(r->text, strlen(r->text), &cookie));
	if (!r->want) {
		assert_int_equal(99, cookie.usn);
		return;
	}
	directory_ad_cookie_encode(&cookie, &again);
	assert_string_equal(r->text, mu_buf_text(&again));
	mu_buf_clear(&cookie.dirsync);
}

static void
a_cookie_with_a_nul_is_none(void **state)
{
	static const char text[] = "ad1;" ID ";4111;1795363985;0;0;\0x";

	(void)state;
	assert_false(directory_ad_cookie_usable(text, sizeof(text) - 1));
	assert_false(directory_ad_cookie_usable(NULL, 0));
}

#define ADD_ROWS(rows, fn) \
	for (size_t i = 0; i < MU_COUNT(rows); i++) \
		tests[count++] = (struct CMUnitTest){ rows[i].name, fn, NULL, NULL, &rows[i] }

int
main(void)
{
	struct CMUnitTest tests[200] = {
		cmocka_unit_test(a_value_in_a_filter_is_only_a_value),
		cmocka_unit_test(a_cookie_with_a_nul_is_none),
	};
	size_t count = 2;

	ADD_ROWS(range_rows, range_row);
	ADD_ROWS(bits_rows, bits_row);
	ADD_ROWS(time_rows, time_row);
	ADD_ROWS(meta_rows, meta_row);
	ADD_ROWS(filter_rows, filter_row);
	ADD_ROWS(cookie_rows, cookie_row);
	return _cmocka_run_group_tests("directory/ad", tests, count, NULL, NULL);
}
