/* provider_paged.c - everybody, page by page (RFC 2696): asks nothing more of a server than LDAP */
#include "directory/reader_priv.h"

#include "directory/key_priv.h"

#define PAGE_ENTRIES	500
#define EMPTY_PAGES_MAX	100	/* in a row: a server may answer none while it is looking */

static int
page_ask(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];
	struct berval cookie = { s->page.size_bytes, s->page.data };
	LDAPControl *control = NULL;
	int rc = ldap_create_page_control(d->ld, PAGE_ENTRIES, &cookie, 1, &control);

	s->page_empty = true;
	if (rc == LDAP_SUCCESS)
		rc = directory_search_ask(d, search, control);
	ldap_control_free(control);
	return rc;
}

static void
paged_decode(struct directory *d, struct item *item)
{
	const char *key = directory_key_attribute(d->source->key);
	struct berval **values;

	if (item->type != LDAP_RES_SEARCH_ENTRY)
		return;
	values = ldap_get_values_len(d->ld, item->m, key);
	item->sound = values != NULL && values[0] != NULL && values[1] == NULL &&
	    directory_key_parse(d->source->key, values[0]->bv_val, values[0]->bv_len,
	    &item->entry_uuid);
	ldap_value_free_len(values);
}

static bool
page_decode(struct directory *d, struct search *s, LDAPControl **controls)
{
	LDAPControl *control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
	struct berval cookie = { 0, NULL };
	ber_int_t estimate;
	bool good;

	/* libldap 2.5 ends the process, or reads from nowhere, when the value is empty */
	if (control == NULL || control->ldctl_value.bv_len == 0 ||
	    ldap_parse_pageresponse_control(d->ld, control, &estimate, &cookie) != LDAP_SUCCESS)
		return false;
	good = cookie.bv_len <= DIRECTORY_COOKIE_MAX_BYTES;
	mu_buf_reset(&s->page);
	if (good)
		mu_buf_add(&s->page, cookie.bv_val, cookie.bv_len);
	ldap_memfree(cookie.bv_val);
	return good;
}

bool
directory_page_take(struct directory *d, struct search *s, LDAPControl **controls)
{
	bool good = page_decode(d, s, controls);

	s->empty_pages = s->page_empty ? s->empty_pages + 1 : 0;
	s->page_empty = true;
	if (!good)
		directory_doom(d, VERDICT_TRUNCATED, "the server did not say whether that page was "
		    "the last: it has no paged results (RFC 2696)", "");
	else if (s->page.size_bytes > 0 && s->empty_pages > EMPTY_PAGES_MAX)
		directory_doom(d, VERDICT_TRUNCATED, "the server goes on to send empty pages", "");
	return !d->doomed;
}

/* A page came whole: it was the last, or the next is asked for. */
static enum mu_rc
page_end(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];

	s->msgid = 0;
	if (!directory_page_take(d, s, controls))
		return MU_OK;
	if (s->page.size_bytes == 0)
		return directory_refresh_end(d, search, DIRECTORY_FULL_LISTED, err);
	if (page_ask(d, search) != LDAP_SUCCESS)
		directory_doom(d, VERDICT_TRUNCATED, "the connection was lost between pages", "");
	return MU_OK;
}

static enum mu_rc
result_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	LDAPControl **controls = NULL;
	char *diagnostic = NULL;
	int result = LDAP_OTHER;
	enum mu_rc rc = MU_OK;

	if (ldap_parse_result(d->ld, item->m, &result, NULL, &diagnostic, NULL, &controls, 0) !=
	    LDAP_SUCCESS) {
		directory_doom(d, directory_failure_verdict(d), "a malformed result came", "");
	} else if (result == LDAP_SUCCESS) {
		rc = page_end(d, item->search, controls, err);
	} else if (result == LDAP_UNAVAILABLE_CRITICAL_EXTENSION) {
		directory_ldap_text(NULL, result, diagnostic, &text);
		directory_doom(d, VERDICT_UNREACHABLE, "the server has no paged results (RFC 2696) "
		    "for this base: ", mu_buf_text(&text));
	} else {
		directory_search_failed(d, result, diagnostic);
	}
	ldap_controls_free(controls);
	ldap_memfree(diagnostic);
	return rc;
}

static enum mu_rc
paged_message(struct directory *d, struct item *item, struct mu_err *err)
{
	if (item->type == LDAP_RES_SEARCH_RESULT)
		return result_handle(d, item, err);
	if (item->type == LDAP_RES_SEARCH_ENTRY) {
		d->searches[item->search].page_empty = false;
		return directory_entry_deliver(d, item, err);
	}
	directory_doom(d, directory_failure_verdict(d), "an unexpected message came", "");
	return MU_OK;
}

const struct directory_provider directory_provider_paged = {
	.name = "rfc2696-paged",
	.rests = true,
	.begin = page_ask,
	.decode = paged_decode,
	.message = paged_message,
};
