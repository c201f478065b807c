/*
 * model_test.c - sets and their canonical texts: equal things have equal bytes, other bytes are refused
 */
#include "model/account.h"
#include "model/attrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* --- Texts: canonical or refused ---------------------------------------------------------------- */

enum reader { ATTRS, STRINGS, ENTITLEMENTS };

static struct row {
	const char *name;
	enum reader reader;
	const char *text;
	bool good;
} rows[] = {
	{ "no attributes", ATTRS, "", true },
	{ "an attribute", ATTRS, "3:uid1:2:ab", true },
	{ "two, in order", ATTRS, "4:mail2:1:a1:b3:uid1:2:ab", true },
	{ "an empty value", ATTRS, "3:uid1:0:", true },
	{ "a value with digits and colons", ATTRS, "3:uid1:4:1:2:", true },
	{ "out of order", ATTRS, "3:uid1:2:ab4:mail1:1:a", false },
	{ "a name twice", ATTRS, "3:uid1:1:a3:uid1:1:b", false },
	{ "a name twice in other case", ATTRS, "3:UID1:1:a3:uid1:1:b", false },
	{ "values out of order", ATTRS, "3:uid2:1:b1:a", false },
	{ "a value twice", ATTRS, "3:uid2:1:a1:a", false },
	{ "an attribute without values", ATTRS, "3:uid0:", false },
	{ "a value cut off", ATTRS, "3:uid1:3:ab", false },
	{ "a value missing", ATTRS, "3:uid2:1:a", false },
	{ "a length with a leading zero", ATTRS, "03:uid1:1:a", false },
	{ "a length beyond all", ATTRS, "99999999999999999999:uid1:1:a", false },
	{ "a length without its colon", ATTRS, "3", false },
	{ "no length", ATTRS, ":uid", false },
	{ "no strings", STRINGS, "", true },
	{ "strings in order", STRINGS, "B\na\nab\n", true },
	{ "strings out of order", STRINGS, "a\nB\n", false },
	{ "a string twice", STRINGS, "a\na\n", false },
	{ "an empty string", STRINGS, "\na\n", false },
	{ "a string without its end", STRINGS, "a\nb", false },
	{ "no rights", ENTITLEMENTS, "", true },
	{ "each kind", ENTITLEMENTS, "group all-staff\nroom ops moderator\nlevel admin\n", true },
	{ "rights in order", ENTITLEMENTS, "group a\ngroup b\nroom a member\nroom b owner\n", true },
	{ "kinds out of order", ENTITLEMENTS, "room ops moderator\ngroup all-staff\n", false },
	{ "names out of order", ENTITLEMENTS, "group b\ngroup a\n", false },
	{ "a room at two levels", ENTITLEMENTS, "room a member\nroom a owner\n", false },
	{ "a room without a level", ENTITLEMENTS, "room ops\n", false },
	{ "a group with a level", ENTITLEMENTS, "group ops admin\n", false },
	{ "a kind that is none", ENTITLEMENTS, "club a\n", false },
	{ "a kind alone", ENTITLEMENTS, "group\n", false },
	{ "a name that is empty", ENTITLEMENTS, "group \n", false },
	{ "a word too many", ENTITLEMENTS, "room a member x\n", false },
	{ "a line without its end", ENTITLEMENTS, "group a", false },
	{ "an empty line", ENTITLEMENTS, "\n", false },
	{ "a control character", ENTITLEMENTS, "group a\tb\n", false },
	{ "a name that is not UTF-8", ENTITLEMENTS, "group \xff\n", false },
};

static bool
text_again(enum reader reader, const char *text, struct mu_buf *out)
{
	MU_AUTO(attrs_clear) struct attrs a = ATTRS_INIT;
	MU_AUTO(strings_clear) struct strings s = STRINGS_INIT;
	MU_AUTO(entitlements_clear) struct entitlements e = ENTITLEMENTS_INIT;

	MU_AUTO(attrs_view_clear) struct attrs_view v = ATTRS_VIEW_INIT;

	switch (reader) {
	case ATTRS:
		/* Whoever reads very many reads the same; the second time into what the first left. */
		for (int i = 0; i < 2; i++) {
			attrs_clear(&a);
			assert_int_equal(attrs_decode(text, &a), attrs_view_decode(&v, text));
		}
		attrs_clear(&a);
		if (!attrs_decode(text, &a))
			return false;
		assert_true(attrs_equal(&a, &v.attrs));
		attrs_encode(&a, out);
		return true;
	case STRINGS:
		if (!strings_parse(text, &s))
			return false;
		strings_format(&s, out);
		return true;
	case ENTITLEMENTS:
		if (!entitlements_parse(text, &e))
			return false;
		entitlements_format(&e, out);
		return true;
	}
	return false;
}

static void
row(void **state)
{
	struct row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;

	assert_int_equal(r->good, text_again(r->reader, r->text, &again));
	if (r->good)
		assert_string_equal(r->text, mu_buf_text(&again));
}

/* --- Sets --------------------------------------------------------------------------------------- */

static void
attributes_are_a_set(void **state)
{
	MU_AUTO(attrs_clear) struct attrs a = ATTRS_INIT, b = ATTRS_INIT, c = ATTRS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf x = MU_BUF_INIT;

	(void)state;
	attrs_add(&a, "mail", "b");
	attrs_add(&a, "uid", "ada");
	attrs_add(&a, "MAIL", "a");
	attrs_add(&a, "mail", "b");
	attrs_add(&b, "uid", "ada");
	attrs_add(&b, "mail", "a");
	attrs_add(&b, "mail", "b");
	assert_true(attrs_equal(&a, &b));
	attrs_encode(&a, &x);
	assert_string_equal("4:mail2:1:a1:b3:uid1:3:ada", x.data);
	assert_string_equal("a", attrs_first(&a, "Mail"));
	assert_null(attrs_first(&a, "pager"));
	assert_null(attrs_find(&a, "ui"));
	attrs_copy(&c, &a);
	assert_true(attrs_equal(&a, &c));
	attrs_add(&c, "uid", "x");
	assert_false(attrs_equal(&a, &c));
	attrs_add(&b, "z", "");
	assert_false(attrs_equal(&a, &b));
}

static void
strings_are_a_set(void **state)
{
	MU_AUTO(strings_clear) struct strings a = STRINGS_INIT, b = STRINGS_INIT;

	(void)state;
	strings_add(&a, "ops");
	strings_add(&a, "All");
	strings_add(&a, "ops");
	assert_int_equal(2, a.count);
	assert_true(strings_has(&a, "ops") && !strings_has(&a, "all") && strings_has_fold(&a, "aLL"));
	strings_add(&b, "All");
	assert_false(strings_equal(&a, &b));
	strings_add(&b, "ops");
	assert_true(strings_equal(&a, &b));
}

static void
a_room_has_one_level(void **state)
{
	MU_AUTO(entitlements_clear) struct entitlements e = ENTITLEMENTS_INIT, other = ENTITLEMENTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	(void)state;
	entitlements_add(&e, ENTITLEMENT_ROOM, "ops", "member");
	entitlements_add(&e, ENTITLEMENT_GROUP, "ops", "");
	entitlements_add(&e, ENTITLEMENT_ROOM, "ops", "moderator");
	entitlements_format(&e, &text);
	assert_string_equal("group ops\nroom ops moderator\n", text.data);
	assert_string_equal("moderator", entitlements_find(&e, ENTITLEMENT_ROOM, "ops")->level);
	assert_null(entitlements_find(&e, ENTITLEMENT_LEVEL, "ops"));
	entitlements_add(&other, ENTITLEMENT_ROOM, "ops", "owner");
	entitlements_add(&other, ENTITLEMENT_GROUP, "ops", "");
	assert_false(entitlements_equal(&e, &other));
	entitlements_add(&other, ENTITLEMENT_ROOM, "ops", "moderator");
	assert_true(entitlements_equal(&e, &other));
}

static void
names_of_rights_are_bounded(void **state)
{
	char longest[ENTITLEMENT_NAME_MAX_BYTES + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[ENTITLEMENT_NAME_MAX_BYTES] = '\0';
	assert_true(entitlement_name_valid(longest));
	longest[ENTITLEMENT_NAME_MAX_BYTES] = 'x';
	longest[ENTITLEMENT_NAME_MAX_BYTES + 1] = '\0';
	assert_false(entitlement_name_valid(longest));
	assert_true(entitlement_name_valid("#\u00e4-room:example.org"));
	assert_false(entitlement_name_valid(""));
	assert_false(entitlement_name_valid("a b"));
}

/* What a MAC covers: a change of any column changes the bytes. */
static void
each_column_of_an_account_counts(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf before = MU_BUF_INIT;

	(void)state;
	for (int change = 0; change <= 9; change++) {
		MU_AUTO(account_want_clear) struct account_want w = { .version = 1, .state = ACCOUNT_ENABLED };
		MU_AUTO(mu_buf_clear) struct mu_buf after = MU_BUF_INIT;

		w.platform = mu_strdup(change == 1 ? "xmpp1" : "xmpp");
		w.name = mu_strdup(change == 2 ? "da" : change == 3 ? "" : "ada");
		strings_add(&w.roles, change == 4 ? "ops" : "staff");
		entitlements_add(&w.entitlements, ENTITLEMENT_ROOM, "ops", change == 5 ? "owner" : "member");
		if (change == 6)
			w.state = ACCOUNT_DISABLED;
		if (change == 7)
			w.version = 2;
		if (change == 8)
			w.subject[ACCOUNT_SUBJECT_BYTES - 1] = 1;
		if (change == 9)
			w.person_id.bytes[0] = 1;
		account_want_encode(&w, change == 0 ? &before : &after);
		if (change > 0)
			assert_true(before.size_bytes != after.size_bytes ||
			    memcmp(before.data, after.data, before.size_bytes) != 0);
	}
}

static void
states_have_names(void **state)
{
	enum person_state person;
	enum account_state account;
	enum verdict verdict;

	(void)state;
	for (enum person_state s = PERSON_STAGED; s <= PERSON_ERASED; s++)
		assert_true(person_state_parse(person_state_name(s), &person) && person == s);
	for (enum account_state s = ACCOUNT_ABSENT; s <= ACCOUNT_ENABLED; s++)
		assert_true(account_state_parse(account_state_name(s), &account) && account == s);
	for (enum verdict v = VERDICT_NONE; v <= VERDICT_EMPTY; v++)
		assert_true(verdict_parse(verdict_name(v), &verdict) && verdict == v);
	assert_false(person_state_parse("gone", &person) || account_state_parse("", &account) ||
	    verdict_parse("Complete", &verdict));
}

int
main(void)
{
	struct CMUnitTest texts[MU_COUNT(rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(attributes_are_a_set),
		cmocka_unit_test(strings_are_a_set),
		cmocka_unit_test(a_room_has_one_level),
		cmocka_unit_test(names_of_rights_are_bounded),
		cmocka_unit_test(each_column_of_an_account_counts),
		cmocka_unit_test(states_have_names),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		texts[i] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("texts", texts, NULL, NULL) +
	    cmocka_run_group_tests_name("model", rest, NULL, NULL);
}
