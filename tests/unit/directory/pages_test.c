/*
 * What servers do to those who read them page by page: a server in this process plays each page to
 * a reader that knows ana, ben and cem.
 */
#include "server.h"

#define PAGES_MAX	4

enum end {
	MORE,				/* success, and there is another page */
	LAST,				/* success, and there is none */
	SILENT,				/* success, and not a word of pages */
	MALFORMED,			/* success, and a control that is none */
	EMPTY,				/* success, and a control without a value */
	FAILS,				/* with code */
	CLOSES,				/* the connection is cut in place of a result */
	HANGS,				/* no result ever comes */
	FOREVER,			/* this page again and again */
};

struct page {
	const char *people;		/* "ana ben": a leading '-': no key; '=': two; '!': a bad one;
					 * '@': a reference in place of an entry */
	enum end end;
	int code;
};

struct reading {
	const char *name;
	struct page pages[PAGES_MAX];
	enum verdict want;
	const char *people;		/* what the reader holds in the end */
	size_t missing, quarantined;
	const char *text;		/* of the verdict, a part */
};

/* --- The server ----------------------------------------------------------------------------------- */

static void
key_of(char who, struct mu_uuid *uuid)
{
	(void)memset(uuid->bytes, who, sizeof(uuid->bytes));
}

static void
entry_send(struct server *s, int msgid, const char *word)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	const char *who = strchr("-=!", word[0]) == NULL ? word : word + 1;
	char dn[64], text[MU_UUID_TEXT_BYTES];
	struct mu_uuid uuid;

	key_of(who[0], &uuid);
	(void)mu_uuid_format(&uuid, text);
	if (word[0] == '!')
		text[7] = 'x';
	(void)snprintf(dn, sizeof(dn), "uid=%s,ou=people", who);
	assert_true(ber_printf(ber, "{it{s{{s[s]}", msgid, (ber_tag_t)LDAP_RES_SEARCH_ENTRY, dn, "uid",
	    who) >= 0);
	if (word[0] == '=')
		assert_true(ber_printf(ber, "{s[ss]}", "entryUUID", text,
		    "00000000-0000-0000-0000-000000000000") >= 0);
	else if (word[0] != '-')
		assert_true(ber_printf(ber, "{s[s]}", "entryUUID", text) >= 0);
	assert_true(ber_printf(ber, "}}}") >= 0);
	message_send(s, ber);
}

static void
people_send(struct server *s, int msgid, const char *people)
{
	char *copy = mu_strdup(people), *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		BerElement *ber;

		if (word[0] != '@') {
			entry_send(s, msgid, word);
			continue;
		}
		ber = ber_alloc_t(LBER_USE_DER);
		assert_true(ber_printf(ber, "{it{s}}", msgid, (ber_tag_t)LDAP_RES_SEARCH_REFERENCE,
		    "ldap://elsewhere.example/ou=people") >= 0);
		message_send(s, ber);
	}
	mu_free(copy);
}

static void
page_control(struct mu_buf *b, const char *cookie)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);
	struct berval value;

	assert_true(ber_printf(ber, "{is}", 0, cookie) >= 0);
	assert_int_equal(0, ber_flatten2(ber, &value, 0));
	mu_buf_add(b, value.bv_val, value.bv_len);
	ber_free(ber, 1);
}

static void
page_play(struct server *s, int msgid, const struct page *page, size_t index)
{
	MU_AUTO(mu_buf_clear) struct mu_buf control = MU_BUF_INIT;
	char cookie[16];

	people_send(s, msgid, page->people);
	(void)snprintf(cookie, sizeof(cookie), "page=%zu", page->end == FOREVER ? index : index + 1);
	switch (page->end) {
	case MORE: case FOREVER:
		page_control(&control, cookie);
		break;
	case LAST:
		page_control(&control, "");
		break;
	case MALFORMED:
		mu_buf_text_add(&control, "page");
		break;
	case EMPTY:
		mu_buf_reserve(&control, 1);
		break;
	case FAILS:
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, page->code, NULL, NULL);
		return;
	case SILENT:
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, 0, NULL, NULL);
		return;
	case CLOSES:
		out_flush(s);
		connection_drop(s);
		return;
	case HANGS:
		return;
	}
	result_send(s, msgid, LDAP_RES_SEARCH_RESULT, 0, LDAP_CONTROL_PAGEDRESULTS, &control);
}

static const struct page beginning[] = { { "ana ben", MORE, 0 }, { "cem", LAST, 0 } };

/* A probe (size limit 1), or the page that the request's cookie names: "page=2", none is the first. */
static void
search_answer(struct server *s, int msgid, BerElement *ber, const struct mu_buf *raw)
{
	const struct reading *reading = s->play;
	const char *at = memmem(raw->data, raw->size_bytes, "page=", 5);
	size_t index = at == NULL ? 0 : (size_t)(at[5] - '0');
	struct berval base;
	ber_int_t scope, deref, size_limit;

	assert_true(ber_scanf(ber, "{meei", &base, &scope, &deref, &size_limit) != LBER_ERROR);
	if (size_limit == 1) {
		s->probes++;
		entry_send(s, msgid, "ana");
		result_send(s, msgid, LDAP_RES_SEARCH_RESULT, LDAP_SIZELIMIT_EXCEEDED, NULL, NULL);
		return;
	}
	s->searches++;
	assert_non_null(memmem(raw->data, raw->size_bytes, LDAP_CONTROL_PAGEDRESULTS,
	    strlen(LDAP_CONTROL_PAGEDRESULTS)));
	assert_true(index < PAGES_MAX);
	page_play(s, msgid, reading == NULL ? &beginning[index] : &reading->pages[index], index);
}

/* --- The readings --------------------------------------------------------------------------------- */

static struct reading readings[] = {
	{ "every page came: who is on none is gone", { { "ana", MORE, 0 }, { "dora", LAST, 0 } },
	    VERDICT_COMPLETE, "ana dora", 2, 0, "" },
	{ "one page may be all", { { "ana ben dora", LAST, 0 } }, VERDICT_COMPLETE, "ana ben dora", 1, 0, "" },
	{ "a page may be empty", { { "ana", MORE, 0 }, { "", MORE, 0 }, { "dora", MORE, 0 }, { "", LAST, 0 } },
	    VERDICT_COMPLETE, "ana dora", 2, 0, "" },
	{ "somebody on two pages is one", { { "ana ben", MORE, 0 }, { "ben cem dora", LAST, 0 } },
	    VERDICT_COMPLETE, "ana ben cem dora", 0, 0, "" },
	{ "nobody at all is empty", { { "", LAST, 0 } }, VERDICT_EMPTY, "ana ben cem", 0, 0, "nobody" },
	{ "nobody on any page is empty", { { "", MORE, 0 }, { "", LAST, 0 } }, VERDICT_EMPTY, "ana ben cem", 0, 0,
	    "nobody" },
	{ "the size limit on the first page cuts short", { { "ana", FAILS, LDAP_SIZELIMIT_EXCEEDED } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "limit" },
	{ "the size limit on a later page cuts short", { { "ana", MORE, 0 }, { "", FAILS, LDAP_SIZELIMIT_EXCEEDED } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "limit" },
	{ "the time limit cuts short", { { "ana", MORE, 0 }, { "ben", FAILS, LDAP_TIMELIMIT_EXCEEDED } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "limit" },
	{ "the administrator's limit cuts short", { { "ana", MORE, 0 }, { "", FAILS, LDAP_ADMINLIMIT_EXCEEDED } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "limit" },
	{ "a cookie that the server has forgotten cuts short", { { "ana", MORE, 0 },
	    { "", FAILS, LDAP_UNWILLING_TO_PERFORM } }, VERDICT_TRUNCATED, "ana ben cem", 0, 0, "refused" },
	{ "a server that is busy between pages cuts short", { { "ana", MORE, 0 }, { "", FAILS, LDAP_BUSY } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "refused" },
	{ "a connection lost between pages cuts short", { { "ana", MORE, 0 }, { "", CLOSES, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "lost" },
	{ "a connection lost within a page cuts short", { { "ana", CLOSES, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "lost" },
	{ "a connection lost before is no read at all", { { "", CLOSES, 0 } },
	    VERDICT_UNREACHABLE, "ana ben cem", 0, 0, "lost" },
	{ "a page that never ends cuts short", { { "ana", MORE, 0 }, { "ben", HANGS, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "stands still" },
	{ "success without a word of pages is no end", { { "ana", SILENT, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "RFC 2696" },
	{ "success without a word of pages later on is no end", { { "ana", MORE, 0 }, { "ben", SILENT, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "RFC 2696" },
	{ "a malformed word of pages is no end", { { "ana", MALFORMED, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "RFC 2696" },
	{ "an empty word of pages is no end", { { "ana", EMPTY, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "RFC 2696" },
	{ "empty pages for ever cut short", { { "ana", MORE, 0 }, { "", FOREVER, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem", 0, 0, "empty pages" },
	{ "no paged results on the server", { { "", FAILS, LDAP_UNAVAILABLE_CRITICAL_EXTENSION } },
	    VERDICT_UNREACHABLE, "ana ben cem", 0, 0, "RFC 2696" },
	{ "no access is not nobody", { { "", FAILS, LDAP_INSUFFICIENT_ACCESS } },
	    VERDICT_UNREACHABLE, "ana ben cem", 0, 0, "refused" },
	{ "no base is not nobody", { { "", FAILS, LDAP_NO_SUCH_OBJECT } },
	    VERDICT_UNREACHABLE, "ana ben cem", 0, 0, "refused" },
	{ "an entry without its key spoils the listing", { { "ana -ben dora", LAST, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem dora", 0, 1, "entryUUID" },
	{ "an entry with two keys spoils it, too", { { "ana =ben dora", LAST, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem dora", 0, 1, "entryUUID" },
	{ "and so does one whose key is none", { { "ana !ben dora", LAST, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem dora", 0, 1, "entryUUID" },
	{ "a reference elsewhere makes no listing whole", { { "ana", MORE, 0 }, { "@ dora", LAST, 0 } },
	    VERDICT_TRUNCATED, "ana ben cem dora", 0, 0, "references" },
};

static const struct reading *reading_now;

/* The verdict is there, and was said twice over: what comes after it changes nothing any more. */
static bool
reading_is_over(struct model *m)
{
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];

	return m->verdict == reading_now->want && s->began_count >= 2 && !m->in_slice &&
	    !s->refreshing;
}

static bool
reading_is_cut(struct model *m)
{
	return m->verdict == reading_now->want;
}

static const struct directory_timing page_timing = {
	.bind_ms = 2000, .again_min_ms = 10, .again_max_ms = 40, .silence_ms = 300,
	.heartbeat_ms = 150, .answer_ms = 300, .reread_min_ms = 60000, .reread_max_ms = 60000,
	.tick_ms = 10, .nap_us = 300,
};

static void
reading_row(void **state)
{
	static struct mu_secret password = { (unsigned char *)(uintptr_t)"secret", 6 };
	static struct directory_map map[] = { { .name = "uid", .attribute = "uid", .required = true } };
	struct model *m = model_new();
	struct model_search *s = &m->searches[DIRECTORY_PEOPLE];
	char uri[64];
	struct server server;
	struct directory_source source = { .name = "pages", .uri = uri, .insecure_plain = true,
		.bind_dn = "cn=muster", .bind_password = &password, .people_base = "ou=people",
		.people_filter = "(objectClass=person)", .map = map, .map_count = 1,
		.follow = SETTINGS_FOLLOW_PAGED, .every_ms = 10 };
	bool ends;

	reading_now = *state;
	server_open(&server, m->loop, search_answer);
	(void)snprintf(uri, sizeof(uri), "ldap://127.0.0.1:%u", server.port);
	m->timing = &page_timing;
	model_open(m, &source);
	model_run(m, model_is_complete, 5000, "the beginning");
	model_close(m);
	model_names_check(m, DIRECTORY_PEOPLE, "ana ben cem");

	server.play = reading_now;
	model_open(m, &source);
	ends = reading_now->want == VERDICT_COMPLETE || reading_now->quarantined > 0;
	model_run(m, ends ? reading_is_over : reading_is_cut, 5000, reading_now->name);
	model_names_check(m, DIRECTORY_PEOPLE, reading_now->people);
	assert_int_equal(reading_now->missing, s->missing_count);
	assert_int_equal(reading_now->quarantined > 0, s->quarantined_count > 0);
	assert_non_null(strstr(m->text, reading_now->text));
	assert_int_equal(0, s->removed_count);
	assert_int_equal(0, s->cookie.size_bytes);
	model_close(m);
	server_close(&server);
	model_free(m);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(readings)];

	for (size_t i = 0; i < MU_COUNT(readings); i++)
		tests[i] = (struct CMUnitTest){ readings[i].name, reading_row, NULL, NULL, &readings[i] };
	return _cmocka_run_group_tests("directory/pages", tests, MU_COUNT(tests), NULL, NULL);
}
