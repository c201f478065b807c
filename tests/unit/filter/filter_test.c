/*
 * filter_test.c - which people a filter means, and what is not a filter
 */
#include "filter/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* --- One person --------------------------------------------------------------------------------- */

static struct attrs attrs;
static struct strings groups;
static const struct facts person = { &attrs, &groups, NULL, NULL };

static int
person_make(void **state)
{
	(void)state;
	attrs_add(&attrs, "uid", "ada");
	attrs_add(&attrs, "name", "  Ada   Augusta\tLovelace ");
	attrs_add(&attrs, "mail", "ada@example.org");
	attrs_add(&attrs, "mail", "countess@example.org");
	attrs_add(&attrs, "employeeType", "Staff");
	attrs_add(&attrs, "floor", "9");
	attrs_add(&attrs, "endDate", "20261231235959Z");
	attrs_add(&attrs, "room", "B(12)*\\");
	attrs_add(&attrs, "city", "K\u00f6ln");
	attrs_add(&attrs, "letters", "abcabcabd");
	attrs_add(&attrs, "nothing", "  ");
	attrs_add(&attrs, "below", "-3");
	strings_add(&groups, "all-staff");
	strings_add(&groups, "Analysts");
	return 0;
}

static int
person_end(void **state)
{
	(void)state;
	attrs_clear(&attrs);
	strings_clear(&groups);
	return 0;
}

static struct match_row {
	const char *filter;
	bool want;
} match_rows[] = {
	{ "(uid=ada)", true },
	{ "(uid=ADA)", true },
	{ "(UID=ada)", true },
	{ "(uid=ad)", false },
	{ "(uid=adam)", false },
	{ "(uid=*)", true },
	{ "(pager=*)", false },
	{ "(pager=1)", false },
	{ "(!(pager=1))", true },			/* absent is false, and not of it true */
	{ "(uid=  ada )", true },
	{ "(name=ada augusta lovelace)", true },
	{ "(name=ada  augusta lovelace)", true },
	{ "(name=adaaugusta lovelace)", false },
	{ "(name~=ADA augusta LOVELACE)", true },
	{ "(mail=countess@example.org)", true },	/* any value is enough */
	{ "(!(mail=countess@example.org))", false },
	{ "(nothing=)", true },
	{ "(uid=)", false },
	{ "(city=K\u00f6ln)", true },
	{ "(city=k\\c3\\b6LN)", true },
	{ "(city=K\u00d6LN)", false },			/* folding is for ASCII */
	{ "(room=b\\2812\\29\\2a\\5c)", true },
	{ "(room=B\\28*\\5C)", true },

	{ "(mail=ada*)", true },
	{ "(mail=*example.org)", true },
	{ "(mail=*@*)", true },
	{ "(mail=ada*org)", true },
	{ "(mail=ada@example.org*)", true },
	{ "(mail=*ada@example.org)", true },
	{ "(mail=c*ss@*.org)", true },
	{ "(mail=ada*countess*)", false },		/* within one value */
	{ "(uid=ad*da)", false },			/* parts do not overlap */
	{ "(uid=a*a)", true },
	{ "(uid=ada*a)", false },
	{ "(letters=*abd)", true },
	{ "(letters=*abc*abd)", true },
	{ "(letters=*abc*abc*abd)", true },
	{ "(letters=*abc*abc*abc*)", false },
	{ "(letters=abc*abc*abd)", true },
	{ "(letters=*abcabd*)", true },			/* also where a first try fails halfway */
	{ "(letters=*bd*abc*)", false },
	{ "(name=ada aug*)", true },
	{ "(name=ada *)", true },
	{ "(name=ada*lovelace)", true },
	{ "(name=*a   augusta   l*)", true },
	{ "(name=* lovelace)", true },
	{ "(name=*alovelace)", false },
	{ "(name=* *)", true },
	{ "(uid=* *)", false },
	{ "(name=ada * lovelace)", true },
	{ "(nothing=*x*)", false },

	{ "(floor>=9)", true },
	{ "(floor>=10)", false },			/* as numbers, not as text */
	{ "(floor<=10)", true },
	{ "(floor<=8)", false },
	{ "(below<=-2)", true },
	{ "(below>=-2)", false },
	{ "(endDate>=20261231235959Z)", true },
	{ "(endDate<=20270101005959+0100)", true },	/* the same moment */
	{ "(endDate<=20270101005958+0100)", false },
	{ "(endDate>=20270101000000Z)", false },
	{ "(uid>=ACE)", true },
	{ "(uid<=ACE)", false },
	{ "(uid>=adb)", false },
	{ "(uid<=adaa)", true },
	{ "(uid>=ad)", true },
	{ "(floor>=x)", false },
	{ "(pager>=1)", false },
	{ "(pager<=1)", false },

	{ "(group=all-staff)", true },
	{ "(group=analysts)", true },
	{ "(GROUP=ana*)", true },
	{ "(group=*)", true },
	{ "(group=admins)", false },
	{ "(!(group=admins))", true },

	{ "(&)", true },
	{ "(|)", false },
	{ "(!(&))", false },
	{ "(&(uid=ada)(floor=9))", true },
	{ "(&(uid=ada)(floor=8))", false },
	{ "(|(uid=bob)(floor=9))", true },
	{ "(|(uid=bob)(floor=8))", false },
	{ "(&(|(uid=bob)(uid=ada))(!(floor=8))(mail=a*g)(group=*))", true },
	{ "(&(mail=a*z)(uid=ada))", false },
	{ "(|(mail=a*z)(uid=ada))", true },
	{ "(!(mail=a*z*))", true },
	{ "(|(&(uid=ada)(floor=8))(&(uid=ada)(!(floor=8))))", true },
	{ "\n ( & (uid=ada)\n\t(floor=9) ) ", true },
};

/* Each filter, and what comes out when it is written anew, means the same. */
static void
match_row(void **state)
{
	struct match_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, again = MU_BUF_INIT;
	MU_AUTO(filter_freep) struct filter *f = NULL, *g = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (filter_parse(r->filter, NULL, NULL, &f, &err) != MU_OK)
		fail_msg("%s", err.text);
	assert_int_equal(r->want, filter_match(f, &person));
	filter_format(f, &text);
	if (filter_parse(text.data, NULL, NULL, &g, &err) != MU_OK)
		fail_msg("%s: %s", text.data, err.text);
	assert_int_equal(r->want, filter_match(g, &person));
	filter_format(g, &again);
	assert_string_equal(text.data, again.data);
}

/* --- What is not a filter ----------------------------------------------------------------------- */

static struct fault_row {
	const char *filter, *fault;
} fault_rows[] = {
	{ "", "filter, byte 1: expected '('" },
	{ "uid=ada", "filter, byte 1: expected '('" },
	{ "(uid=ada", "filter, byte 9: the filter ends here: a ')' is missing" },
	{ "(uid=ada))", "filter, byte 10: the filter has ended, what is this?" },
	{ "(uid=ada)(uid=bob)", "filter, byte 10: the filter has ended" },
	{ "()", "filter, byte 2: expected an attribute's name" },
	{ "(=ada)", "filter, byte 2: expected an attribute's name" },
	{ "(uid)", "filter, byte 5: expected one of = ~= >= <=" },
	{ "(uid>1)", "filter, byte 5: expected one of" },
	{ "(uid = ada)", "filter, byte 5: expected one of" },
	{ "(uid:=ada)", "filter, byte 5: extensible match" },
	{ "(uid:dn:2.4.6:=ada)", "filter, byte 5: extensible match" },
	{ "(uid;lang-de=ada)", "filter, byte 2: attribute options" },
	{ "(pager=1)", "filter, byte 2: unknown attribute 'pager'" },
	{ "(&(uid=ada)(!(paeger=1)))", "filter, byte 15: unknown attribute 'paeger'" },
	{ "(uid=a(b)", "filter, byte 7: a '(' in a value is written \\28" },
	{ "(uid=a\\)", "filter, byte 7: a '\\' is followed by two hex digits" },
	{ "(uid=a\\2)", "filter, byte 7: a '\\'" },
	{ "(uid=a\\", "filter, byte 7: a '\\'" },
	{ "(uid=a\\zz)", "filter, byte 7: a '\\'" },
	{ "(uid=a\\00)", "filter, byte 7: no value holds a NUL" },
	{ "(uid=\\ff)", "filter, byte 6: this value is not UTF-8" },
	{ "(uid=a**b)", "filter, byte 7: two '*' in a row" },
	{ "(uid=**)", "filter, byte 6: two '*'" },
	{ "(uid>=a*)", "filter, byte 8: a '*' stands behind = alone" },
	{ "(!)", "filter, byte 2: ! is followed by one filter" },
	{ "(!(uid=a)(uid=b))", "filter, byte 2: ! is followed by one" },
	{ "(!uid=a)", "filter, byte 2: ! is followed by one" },
	{ "(&(uid=a)uid=b)", "filter, byte 10: expected ')'" },
};

static bool
uid_alone(void *ctx, const char *name)
{
	(void)ctx;
	return mu_text_equal(name, "uid");
}

static void
fault_row(void **state)
{
	struct fault_row *r = *state;
	struct filter *f = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(MU_EINPUT, filter_parse(r->filter, uid_alone, NULL, &f, &err));
	assert_null(f);
	if (!mu_text_starts(err.text, r->fault))
		fail_msg("'%s' is not how this begins: %s", r->fault, err.text);
}

/* --- Bounds, mentions, nobody ------------------------------------------------------------------- */

static enum mu_rc
parse_repeated(const char *front, const char *middle, const char *back, int count, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(filter_freep) struct filter *f = NULL;

	for (int i = 0; i < count; i++)
		mu_buf_text_add(&text, front);
	mu_buf_text_add(&text, middle);
	for (int i = 0; i < count; i++)
		mu_buf_text_add(&text, back);
	return filter_parse(text.data, NULL, NULL, &f, err);
}

static void
bounds_hold(void **state)
{
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, parse_repeated("(!", "(a=b)", ")", FILTER_DEPTH_MAX - 1, &err));
	assert_int_equal(MU_EINPUT, parse_repeated("(!", "(a=b)", ")", FILTER_DEPTH_MAX, &err));
	assert_string_equal("filter, byte 129: nested too deeply", err.text);
	assert_int_equal(MU_EINPUT, parse_repeated("(!", "", "", 20000, &err));
	assert_string_equal("filter, byte 129: nested too deeply", err.text);

	/* the assertion, what it begins with, and as many parts as there is room for; then one more */
	assert_int_equal(MU_EINPUT, parse_repeated("", "(a=b", "*c", FILTER_NODES_MAX - 2, &err));
	assert_non_null(strstr(err.text, "a ')' is missing"));
	assert_int_equal(MU_EINPUT, parse_repeated("", "(a=b", "*c", FILTER_NODES_MAX - 1, &err));
	assert_non_null(strstr(err.text, "too long"));
	assert_int_equal(MU_EINPUT, parse_repeated("", "(&", "(a=b)", FILTER_NODES_MAX, &err));
	assert_non_null(strstr(err.text, "too long"));
	assert_int_equal(MU_EINPUT, parse_repeated("", "(a=", "x", FILTER_MAX_BYTES, &err));
	assert_string_equal("filter: longer than 65536 bytes", err.text);
}

static void
mention_note(void *ctx, const char *name)
{
	mu_buf_format(ctx, "%s ", name);
}

static void
attributes_are_listed(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;
	MU_AUTO(filter_freep) struct filter *f = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, filter_parse("(&(uid=a*b*c)(|(!(Group=x))(floor>=3))(uid=*))", NULL, NULL, &f, &err));
	filter_each_attr(f, mention_note, &names);
	assert_string_equal("uid Group floor uid ", names.data);
}

static struct never_row {
	const char *name, *one, *other;
	bool never;
} never_rows[] = {
	{ "for and against", "(a=1)", "(!(a=1))", true },
	{ "in other letters", "(A= x  y)", "(!(a=X Y))", true },
	{ "two values of one attribute may be one person's", "(a=1)", "(a=2)", false },
	{ "against another value says nothing", "(a=1)", "(!(a=2))", false },
	{ "against another attribute says nothing", "(a=1)", "(!(b=1))", false },
	{ "a value of what is not there", "(a=1)", "(!(a=*))", true },
	{ "order of what is not there", "(a>=1)", "(!(a=*))", true },
	{ "a part of what is not there", "(a=*x*)", "(!(a=*))", true },
	{ "there without this value", "(a=*)", "(!(a=1))", false },
	{ "the same parts", "(a=x*y*z)", "(!(a=X*Y*Z))", true },
	{ "other parts", "(a=x*y*z)", "(!(a=x*y*))", false },
	{ "the same parts elsewhere", "(a=x*y)", "(!(a=x*y*))", false },
	{ "approximately is as equal", "(a~=1)", "(!(a=1))", true },
	{ "the same bound", "(a>=1)", "(!(a>=1))", true },
	{ "the other bound", "(a>=1)", "(!(a<=1))", false },
	{ "every way of an or is barred", "(|(a=1)(b=1))", "(&(!(a=1))(!(b=1)))", true },
	{ "one way of an or is open", "(|(a=1)(b=1))", "(!(a=1))", false },
	{ "against both together is not against each", "(|(a=1)(b=1))", "(!(&(a=1)(b=1)))", false },
	{ "not of not", "(!(!(a=1)))", "(!(a=1))", true },
	{ "nobody", "(|)", "(a=1)", true },
	{ "everybody", "(&)", "(a=1)", false },
	{ "not everybody", "(!(&))", "(a=1)", true },
	{ "groups as attributes", "(group=x)", "(!(GROUP=X))", true },
	{ "too many ways to tell", "(&(|(a=1)(a=2))(|(b=1)(b=2))(|(c=1)(c=2))(|(d=1)(d=2))(|(e=1)(e=2))(|(f=1)(f=2))"
	    "(|(g=1)(g=2))(|(h=1)(h=2))(|(i=1)(i=2)))", "(&(z=1)(!(z=1)))", false },
};

static void
never_row(void **state)
{
	const struct never_row *r = *state;
	MU_AUTO(filter_freep) struct filter *one = NULL, *other = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(MU_OK, filter_parse(r->one, NULL, NULL, &one, &err));
	assert_int_equal(MU_OK, filter_parse(r->other, NULL, NULL, &other, &err));
	assert_int_equal(r->never, filter_never((const struct filter *const[]){ one, other }, 2));
	assert_int_equal(r->never, filter_never((const struct filter *const[]){ other, one }, 2));
}

static void
of_nobody_nothing_holds(void **state)
{
	static const struct facts nobody = { NULL, NULL, NULL, NULL };
	MU_AUTO(filter_freep) struct filter *f = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, filter_parse("(|(uid=*)(group=*))", NULL, NULL, &f, &err));
	assert_false(filter_match(f, &nobody));
}

int
main(void)
{
	struct CMUnitTest matches[MU_COUNT(match_rows)], faults[MU_COUNT(fault_rows)], never[MU_COUNT(never_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(attributes_are_listed),
		cmocka_unit_test(of_nobody_nothing_holds),
	};

	for (size_t i = 0; i < MU_COUNT(match_rows); i++)
		matches[i] = (struct CMUnitTest){ match_rows[i].filter, match_row, NULL, NULL, &match_rows[i] };
	for (size_t i = 0; i < MU_COUNT(fault_rows); i++)
		faults[i] = (struct CMUnitTest){ fault_rows[i].filter, fault_row, NULL, NULL, &fault_rows[i] };
	for (size_t i = 0; i < MU_COUNT(never_rows); i++)
		never[i] = (struct CMUnitTest){ never_rows[i].name, never_row, NULL, NULL, &never_rows[i] };
	return cmocka_run_group_tests_name("matches", matches, person_make, person_end) +
	    cmocka_run_group_tests_name("never", never, NULL, NULL) +
	    cmocka_run_group_tests_name("faults", faults, NULL, NULL) +
	    cmocka_run_group_tests_name("filter", rest, NULL, NULL);
}
