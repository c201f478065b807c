/* adapters/scim: what each answer means, which listings are whole, and how filters are quoted. */
#include "adapters/scim/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/scim/pager.h"

/* --- The table of errors -------------------------------------------------------------------- */

static struct judge_row {
	const char *name;
	enum scim_act act;
	enum http_sent sent;
	int status;
	const char *scim_type;
	enum adapter_outcome want;
} judge_rows[] = {
	{ "a change that never left may be asked again", SCIM_CHANGE, HTTP_NOT_SENT, 0, "",
	    ADAPTER_RETRY },
	{ "so may an account", SCIM_CREATE, HTTP_NOT_SENT, 0, "", ADAPTER_RETRY },
	{ "a look without an answer did nothing", SCIM_LOOK, HTTP_UNANSWERED, 0, "", ADAPTER_RETRY },
	{ "a change without an answer may have", SCIM_CHANGE, HTTP_UNANSWERED, 0, "", ADAPTER_UNKNOWN },
	{ "so may an account without one", SCIM_CREATE, HTTP_UNANSWERED, 0, "", ADAPTER_UNKNOWN },
	{ "here it is", SCIM_LOOK, HTTP_ANSWERED, 200, "", ADAPTER_DONE },
	{ "made", SCIM_CREATE, HTTP_ANSWERED, 201, "", ADAPTER_DONE },
	{ "changed, and nothing to say", SCIM_CHANGE, HTTP_ANSWERED, 204, "", ADAPTER_DONE },
	{ "our token is refused", SCIM_CHANGE, HTTP_ANSWERED, 401, "", ADAPTER_OWN_CREDENTIAL },
	{ "our token may not even look", SCIM_LOOK, HTTP_ANSWERED, 403, "", ADAPTER_OWN_CREDENTIAL },
	{ "this account may not be changed by us", SCIM_CHANGE, HTTP_ANSWERED, 403, "", ADAPTER_REFUSED },
	{ "it is gone", SCIM_CHANGE, HTTP_ANSWERED, 404, "", ADAPTER_ABSENT },
	{ "the name is taken", SCIM_CREATE, HTTP_ANSWERED, 409, "uniqueness", ADAPTER_CONFLICT },
	{ "the name is taken, says one who does not say why", SCIM_CREATE, HTTP_ANSWERED, 409, "",
	    ADAPTER_CONFLICT },
	{ "the new name is taken", SCIM_CHANGE, HTTP_ANSWERED, 409, "uniqueness", ADAPTER_CONFLICT },
	{ "two changed it at once", SCIM_CHANGE, HTTP_ANSWERED, 409, "", ADAPTER_RETRY },
	{ "it is not the version it was", SCIM_CHANGE, HTTP_ANSWERED, 412, "", ADAPTER_RETRY },
	{ "a name taken may be a 400", SCIM_CREATE, HTTP_ANSWERED, 400, "uniqueness", ADAPTER_CONFLICT },
	{ "more was found than it can handle", SCIM_LOOK, HTTP_ANSWERED, 400, "tooMany", ADAPTER_RETRY },
	{ "no such attribute", SCIM_CHANGE, HTTP_ANSWERED, 400, "invalidPath", ADAPTER_REFUSED },
	{ "no such filter", SCIM_LOOK, HTTP_ANSWERED, 400, "invalidFilter", ADAPTER_REFUSED },
	{ "it cannot PATCH", SCIM_CHANGE, HTTP_ANSWERED, 501, "", ADAPTER_REFUSED },
	{ "too much at once", SCIM_CHANGE, HTTP_ANSWERED, 429, "", ADAPTER_RETRY },
	{ "busy", SCIM_CREATE, HTTP_ANSWERED, 503, "", ADAPTER_RETRY },
	{ "a crash while it looked", SCIM_LOOK, HTTP_ANSWERED, 500, "", ADAPTER_RETRY },
	{ "a crash while it changed may have changed something", SCIM_CHANGE, HTTP_ANSWERED, 500, "",
	    ADAPTER_UNKNOWN },
	{ "a proxy gave up waiting", SCIM_CREATE, HTTP_ANSWERED, 504, "", ADAPTER_UNKNOWN },
	{ "a redirect is no answer to a look", SCIM_LOOK, HTTP_ANSWERED, 302, "", ADAPTER_RETRY },
	{ "nor to a change", SCIM_CHANGE, HTTP_ANSWERED, 302, "", ADAPTER_UNKNOWN },
};

static void
judge_row(void **state)
{
	const struct judge_row *r = *state;

	assert_int_equal(r->want, scim_judge(r->act, r->sent, r->status, r->scim_type));
}

/* --- The pager ------------------------------------------------------------------------------ */

/*
 * A walk is words "ASKED:START/TOTAL:IDS": the startIndex that must be asked for, what the page
 * says of itself ("-": nothing), and the letters that are its ids. "more" at the end: it goes on.
 */
static struct walk_row {
	const char *name, *walk, *want, *used;	/* whole, not whole, no list; ids that were used */
} walk_rows[] = {
	{ "nobody is a whole listing",			"1:1/0:",			"whole", "" },
	{ "one page",					"1:1/3:abc",			"whole", "abc" },
	{ "one page that does not say where it begins",	"1:-/3:abc",			"whole", "abc" },
	{ "three pages",				"1:1/5:ab 3:3/5:cd 5:5/5:e",	"whole", "abcde" },
	{ "pages shorter than asked for",		"1:1/3:a 2:2/3:b 3:3/3:c",	"whole", "abc" },
	{ "half a listing is whole as far as it goes",	"1:1/5:ab more",		"whole", "ab" },
	{ "startIndex is ignored",			"1:1/5:ab 3:1/5:ab",		"not", "ab" },
	{ "a second page that does not say where it begins", "1:1/5:ab 3:-/5:cd",	"not", "ab" },
	{ "the first page answers something else",	"1:2/3:bc",			"not", "" },
	{ "pages are said to be right and repeat",	"1:1/4:ab 3:3/4:ab",		"not", "abab" },
	{ "one account stands twice on a page",		"1:1/3:aba",			"not", "aba" },
	{ "the total grows",				"1:1/3:ab 3:3/4:cd",		"not", "abcd" },
	{ "the total shrinks to what was seen",		"1:1/3:ab 3:3/2:ab",		"not", "abab" },
	{ "a page is empty before the end",		"1:1/5:ab 3:3/5:",		"not", "ab" },
	{ "there is more on the page than in total",	"1:1/2:abc",			"not", "abc" },
	{ "there are none, and yet some",		"1:1/0:a",			"not", "a" },
	{ "a total beyond belief",			"1:1/99999999999:a",		"not", "" },
	{ "a total below nothing",			"1:1/-1:a",			"none", "" },
};

static bool
page_take(struct scim_pager *p, char *word, struct mu_buf *used)
{
	char *rest = word, *asked = strsep(&rest, ":"), *start = strsep(&rest, "/");
	char *total = strsep(&rest, ":"), asked_for[24];
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *page = NULL;
	const struct json_node *resources;
	struct mu_err err = MU_ERR_INIT;

	(void)snprintf(asked_for, sizeof(asked_for), "%lld", (long long)p->next);
	assert_string_equal(asked, asked_for);
	mu_buf_format(&text, "{\"totalResults\":%s,", total);
	if (strcmp(start, "-") != 0)
		mu_buf_format(&text, "\"startIndex\":%s,", start);
	mu_buf_text_add(&text, "\"Resources\":[");
	for (size_t i = 0; rest[i] != '\0'; i++)
		mu_buf_format(&text, "%s{\"id\":\"%c\"}", i > 0 ? "," : "", rest[i]);
	mu_buf_text_add(&text, "]}");
	assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, 1000, "page", &page, &err));
	if (!scim_pager_take(p, page, &resources))
		return false;
	for (size_t i = 0; i < json_count(resources); i++)
		mu_buf_text_add(used, json_find_text(json_at(resources, i), "id"));
	return true;
}

static void
walk_row(void **state)
{
	const struct walk_row *r = *state;
	MU_AUTO(mu_freep) char *walk = mu_strdup(r->walk);
	MU_AUTO(mu_buf_clear) struct mu_buf used = MU_BUF_INIT;
	MU_AUTO(scim_pager_clear) struct scim_pager pager = { .next = 0 };
	char *rest = walk, *word;
	bool more = false, list = true;

	scim_pager_begin(&pager, 1);
	while (list && (word = strsep(&rest, " ")) != NULL) {
		more = strcmp(word, "more") == 0;
		if (!more)
			list = page_take(&pager, word, &used);
	}
	if (list)
		assert_int_equal(more, pager.next != 0);
	assert_string_equal(r->want, !list ? "none" : scim_pager_whole(&pager) ? "whole" : "not");
	assert_string_equal(r->used, mu_buf_text(&used));
}

static void
a_walk_that_does_not_start_at_the_start_is_not_whole(void **state)
{
	MU_AUTO(scim_pager_clear) struct scim_pager pager = { .next = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf used = MU_BUF_INIT;
	char page[] = "3:3/3:c";

	(void)state;
	scim_pager_begin(&pager, 3);
	assert_true(page_take(&pager, page, &used));
	assert_false(scim_pager_whole(&pager));
}

static void
what_is_no_listing_is_none(void **state)
{
	static const char *const pages[] = { "{}", "[]", "{\"totalResults\":\"3\"}",
		"{\"totalResults\":1,\"Resources\":{\"id\":\"a\"}}",
		"{\"totalResults\":1,\"Resources\":[{\"id\":7}]}",
		"{\"totalResults\":1,\"Resources\":[\"a\"]}" };

	(void)state;
	for (size_t i = 0; i < MU_COUNT(pages); i++) {
		MU_AUTO(json_freep) struct json_node *page = NULL;
		MU_AUTO(scim_pager_clear) struct scim_pager pager = { .next = 0 };
		const struct json_node *resources;
		struct mu_err err = MU_ERR_INIT;

		scim_pager_begin(&pager, 1);
		assert_int_equal(MU_OK, json_parse(pages[i], strlen(pages[i]), 1000, "page", &page, &err));
		assert_false(scim_pager_take(&pager, page, &resources));
	}
}

static void
a_page_longer_than_asked_for_is_used_as_far_as_asked(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *page = NULL;
	MU_AUTO(scim_pager_clear) struct scim_pager pager = { .next = 0 };
	const struct json_node *resources;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	mu_buf_text_add(&text, "{\"totalResults\":150,\"startIndex\":1,\"Resources\":[");
	for (int i = 0; i < 150; i++)
		mu_buf_format(&text, "%s{\"id\":\"%d\"}", i > 0 ? "," : "", i);
	mu_buf_text_add(&text, "]}");
	assert_int_equal(MU_OK, json_parse(text.data, text.size_bytes, 10000, "page", &page, &err));
	scim_pager_begin(&pager, 1);
	assert_true(scim_pager_take(&pager, page, &resources));
	assert_int_equal(1 + SCIM_PAGE_COUNT, pager.next);
}

/* --- Filters -------------------------------------------------------------------------------- */

static void
what_a_filter_looks_for_cannot_end_it(void **state)
{
	static const char *const rows[][2] = {
		{ "jo", "userName eq \"jo\"" },
		{ "a\" or userName pr", "userName eq \"a\\\" or userName pr\"" },
		{ "a\\", "userName eq \"a\\\\\"" },
		{ "a\n", "userName eq \"a\\n\"" },
	};

	(void)state;
	for (size_t i = 0; i < MU_COUNT(rows); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;

		scim_filter_format(&filter, "userName", rows[i][0]);
		assert_string_equal(rows[i][1], filter.data);
	}
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(judge_rows) + MU_COUNT(walk_rows) + 4] = {
		cmocka_unit_test(a_walk_that_does_not_start_at_the_start_is_not_whole),
		cmocka_unit_test(what_is_no_listing_is_none),
		cmocka_unit_test(a_page_longer_than_asked_for_is_used_as_far_as_asked),
		cmocka_unit_test(what_a_filter_looks_for_cannot_end_it),
	};
	struct CMUnitTest *next = tests + 4;

	for (size_t i = 0; i < MU_COUNT(judge_rows); i++)
		*next++ = (struct CMUnitTest){ judge_rows[i].name, judge_row, NULL, NULL, &judge_rows[i] };
	for (size_t i = 0; i < MU_COUNT(walk_rows); i++)
		*next++ = (struct CMUnitTest){ walk_rows[i].name, walk_row, NULL, NULL, &walk_rows[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
