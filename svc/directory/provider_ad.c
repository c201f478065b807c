/* provider_ad.c - Active Directory, by DirSync or uSNChanged: ad_reader_priv.h has the course */
#include "directory/ad_reader_priv.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/key_priv.h"

#define LIST_EVERY_S	MU_DAY_S
#define SETTLE_S	(3 * 3600)	/* replInterval: how late another site may be, by default */
#define CHANGED_MAX	100000		/* beyond that a full read is cheaper */
#define ROUNDS_MAX	10000		/* of DirSync without an entry */
#define EMPTY_PAGES_MAX	100

static const char no_deleted[] = "deleted entries are not shown to bind_dn, so every read lists "
    "everybody: let it read CN=Deleted Objects (dsacls ... /G ACCOUNT:LCRP)";
static const char other_server[] = "another domain controller answers than before, or its database "
    "was restored: who is missing there may not have reached it yet, so nobody is removed for it "
    "before everybody is listed again, in 3 h or by muster sync run; name one domain controller in "
    "uri";
static const char rolled_back[] = "the domain controller is older than what it has told us before "
    "(a USN rollback: was it restored from a snapshot?): nothing of it is believed until it has "
    "caught up; if what it holds is right, say so by muster sync run";

enum mu_rc
directory_ad_sent(struct directory *d, int rc)
{
	if (rc != LDAP_SUCCESS)
		directory_doom(d, directory_failure_verdict(d), "the connection was lost", "");
	return MU_OK;
}

/* --- The course of a read -------------------------------------------------------------------- */

/* The refresh is over, and next its cookie. */
static enum mu_rc
finish(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct search *s = &d->searches[search];

	s->msgid = 0;
	mu_buf_reset(&s->held);
	directory_ad_cookie_encode(&d->ad->next, &s->held);
	if (directory_began(d, search, err) != MU_OK)
		return err->rc;
	return directory_refresh_end(d, search, s->full ? DIRECTORY_FULL_LISTED : DIRECTORY_DELTA,
	    err);
}

enum mu_rc
directory_ad_go_on(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;

	if (ad->there_at < ad->changed_count)
		return directory_ad_sent(d, directory_ad_batch_ask(d, search, AD_THERE));
	if (ad->renamed_at < ad->renamed.size_bytes) {
		mu_buf_reset(&d->searches[search].page);
		return directory_ad_sent(d, directory_ad_page_ask(d, search, AD_REGROUP));
	}
	if (ad->partial_at < ad->partial_count)
		return directory_ad_sent(d, directory_ad_members_ask(d, search));
	if (ad->whole_at < ad->changed_count)
		return directory_ad_sent(d, directory_ad_batch_ask(d, search, AD_WHOLE));
	return finish(d, search, err);
}

static void
advise(struct directory *d, const char *advice)
{
	if (d->advice == NULL)
		d->advice = advice;
}

static enum mu_rc
list_begin(struct directory *d, enum directory_search search)
{
	mu_buf_reset(&d->searches[search].page);
	return directory_ad_sent(d, directory_ad_page_ask(d, search, AD_LIST));
}

/* Everybody is listed, whatever was meant before; nothing of this search has been told yet. */
static enum mu_rc
full_begin(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];

	if (!s->full)
		directory_rereads_forget(d, search);
	s->full = true;
	s->stale = s->stale || ad->next.trust_at_s != 0;
	ad->object_security = ad->deleted_shown = false;
	ad->changed_count = 0;
	mu_buf_reset(&ad->next.dirsync);
	if (!s->stale)
		ad->next.list_at_s = mu_now_s() + LIST_EVERY_S;
	if (directory_ad_is_dirsync(d))
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, AD_PRIME));
	return list_begin(d, search);
}

static enum mu_rc
changes_begin(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;

	if (directory_ad_is_dirsync(d)) {
		mu_buf_add(&ad->next.dirsync, ad->from.dirsync.data, ad->from.dirsync.size_bytes);
		ad->object_security = ad->from.object_security;
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, AD_CHANGES));
	}
	mu_buf_reset(&d->searches[search].page);
	return directory_ad_sent(d, directory_ad_page_ask(d, search, AD_CHANGES));
}

/* Compares our cookie with the server; false: it does not say what changed since. */
static bool
cookie_weigh(struct directory *d, struct search *s)
{
	struct ad *ad = d->ad;
	int64_t now_s = mu_now_s();

	if (!mu_uuid_equal(&ad->from.invocation_id, &ad->invocation_id)) {
		s->stale = true;
		ad->next.list_at_s = ad->next.trust_at_s = now_s + SETTLE_S;
		d->advice = other_server;
		return false;
	}
	ad->next.list_at_s = ad->from.list_at_s;
	if (now_s < ad->from.trust_at_s && ad->from.trust_at_s <= now_s + SETTLE_S) {
		ad->next.trust_at_s = ad->from.trust_at_s;
		d->advice = other_server;
	}
	return now_s < ad->from.list_at_s && ad->from.list_at_s <= now_s + LIST_EVERY_S &&
	    (ad->from.dirsync.size_bytes > 0 || !directory_ad_is_dirsync(d));
}

/*
 * Nothing is taken from a server that ran backwards: who was disabled since would get all of it
 * back. When it has caught up its USNs mean other changes than those we know, so everybody is
 * listed.
 */
static enum mu_rc
rollback_end(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct mu_buf *kept = &d->searches[i].kept;
		struct ad_cookie cookie = { .usn = 0 };

		if (!directory_ad_cookie_decode(kept->data, kept->size_bytes, &cookie))
			continue;
		cookie.list_at_s = 0;
		mu_buf_reset(kept);
		directory_ad_cookie_encode(&cookie, kept);
		mu_buf_clear(&cookie.dirsync);
	}
	directory_doom(d, VERDICT_STALE, rolled_back, "");
	return MU_OK;
}

/* Which server this is, and what it shows, is known. */
static enum mu_rc
search_begin(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];

	ad->next.invocation_id = ad->invocation_id;
	ad->next.usn = ad->usn;
	if (!ad->deleted_shown && !directory_ad_is_dirsync(d))
		advise(d, no_deleted);
	if (s->full || !directory_ad_cookie_decode(s->kept.data, s->kept.size_bytes, &ad->from))
		return full_begin(d, search);
	if (mu_uuid_equal(&ad->from.invocation_id, &ad->invocation_id) && ad->from.usn > ad->usn)
		return rollback_end(d);
	if (cookie_weigh(d, s) && (ad->deleted_shown || directory_ad_is_dirsync(d)))
		return changes_begin(d, search);
	return full_begin(d, search);
}

/* All changes have been named. */
static enum mu_rc
changes_end(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;

	for (size_t i = 0; i < d->reread_count; i++)
		if (d->rereads[i].search == search)
			directory_ad_changed_add(ad, &(struct ad_changed){
			    .guid = d->rereads[i].entry_uuid });
	directory_ad_changed_settle(ad);
	return directory_ad_go_on(d, search, err);
}

/* --- ROOT, SERVICE, BIN: which server -------------------------------------------------------- */

/* Longer than those that hold it, too: the one whose name is the longest. */
static const char *
context_find(struct ad *ad, const char *base)
{
	MU_AUTO(mu_buf_clear) struct mu_buf dn = MU_BUF_INIT, end = MU_BUF_INIT;
	const char *at = mu_buf_text(&ad->contexts), *found = NULL;
	size_t found_bytes = 0;

	if (!directory_dn_normalise(base, strlen(base), &dn))
		return NULL;
	for (; at < mu_buf_text(&ad->contexts) + ad->contexts.size_bytes; at += strlen(at) + 1) {
		size_t before;

		mu_buf_reset(&end);
		if (!directory_dn_normalise(at, strlen(at), &end) ||
		    end.size_bytes > dn.size_bytes || end.size_bytes <= found_bytes)
			continue;
		before = dn.size_bytes - end.size_bytes;
		if (strcmp(dn.data + before, end.data) != 0 ||
		    (before > 0 && dn.data[before - 1] != ','))
			continue;
		found = at;
		found_bytes = end.size_bytes;
	}
	return found;
}

static void
root_entry(struct directory *d, LDAPMessage *m)
{
	struct ad *ad = d->ad;
	struct berval **contexts = ldap_get_values_len(d->ld, m, "namingContexts");

	for (size_t i = 0; contexts != NULL && contexts[i] != NULL; i++) {
		if (memchr(contexts[i]->bv_val, '\0', contexts[i]->bv_len) != NULL)
			continue;
		mu_buf_add(&ad->contexts, contexts[i]->bv_val, contexts[i]->bv_len);
		mu_buf_char_add(&ad->contexts, '\0');
	}
	ldap_value_free_len(contexts);
	(void)directory_ad_text(d, m, "dsServiceName", &ad->service);
	if (!directory_ad_number(d, m, "highestCommittedUSN", &ad->usn))
		ad->usn = 0;
}

static enum mu_rc
context_begin(struct directory *d, enum directory_search search)
{
	const char *base = directory_search_base(d->source, search);

	d->ad->context = context_find(d->ad, base);
	if (d->ad->context == NULL) {
		directory_doom(d, VERDICT_UNREACHABLE, "the domain controller holds no naming "
		    "context with the base ", base);
		return MU_OK;
	}
	if (directory_ad_is_dirsync(d))
		return search_begin(d, search);
	return directory_ad_sent(d, directory_ad_bin_ask(d, search));
}

static enum mu_rc
identity_end(struct directory *d, enum directory_search search)
{
	struct ad *ad = d->ad;

	if (ad->step == AD_ROOT && ad->usn > 0 && ad->service.size_bytes > 0)
		return directory_ad_sent(d, directory_ad_service_ask(d, search));
	if (ad->step == AD_SERVICE && ad->identified)
		return context_begin(d, search);
	directory_doom(d, VERDICT_UNREACHABLE, ad->step == AD_ROOT ?
	    "this is no domain controller of Active Directory (its root DSE names no dsServiceName "
	    "and highestCommittedUSN): follow: paged reads any server" :
	    "the domain controller does not show its invocationId to bind_dn: let it read ",
	    ad->step == AD_ROOT ? "" : mu_buf_text(&ad->service));
	return MU_OK;
}

/* --- PRIME, CHANGES by DirSync --------------------------------------------------------------- */

static void
dirsync_entry(struct directory *d, struct item *item)
{
	struct ad_changed c = { .guid = item->entry_uuid };

	d->ad->rounds = 0;
	if (!item->sound)	/* without objectGUID: nobody that we could know */
		return;
	c.created = directory_ad_has(d, item->m, "objectClass");
	c.deleted = directory_ad_is_deleted(d, item->m);
	c.renamed = directory_ad_has(d, item->m, "name");
	directory_ad_changed_add(d->ad, &c);
}

static enum mu_rc
dirsync_end(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	LDAPControl *control = ldap_control_find(LDAP_CONTROL_X_DIRSYNC, controls, NULL);
	struct ad *ad = d->ad;
	bool more;

	if (control == NULL ||
	    !directory_ad_dirsync_decode(d->ld, control, &more, &ad->next.dirsync)) {
		directory_doom(d, VERDICT_TRUNCATED, "the domain controller answered DirSync "
		    "without a cookie", "");
		return MU_OK;
	}
	if (ad->changed_count > CHANGED_MAX)
		return full_begin(d, search);
	if (more && ad->rounds++ < ROUNDS_MAX)
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, ad->step));
	if (more) {
		directory_doom(d, VERDICT_TRUNCATED, "DirSync goes on without an entry", "");
		return MU_OK;
	}
	ad->next.object_security = ad->object_security;
	if (ad->step == AD_CHANGES)
		return changes_end(d, search, err);
	if (!ad->deleted_shown) {	/* the next read cannot rely on that cookie */
		advise(d, no_deleted);
		mu_buf_reset(&ad->next.dirsync);
	}
	return list_begin(d, search);
}

/* MS-ADTS has 53 for a cookie that is none of its own; Samba 12, and 2 or 1 for some. */
static bool
cookie_is_refused(int result)
{
	return result == LDAP_UNAVAILABLE_CRITICAL_EXTENSION || result == LDAP_PROTOCOL_ERROR ||
	    result == LDAP_UNWILLING_TO_PERFORM || result == LDAP_OPERATIONS_ERROR ||
	    result == LDAP_INSUFFICIENT_ACCESS || result == LDAP_OTHER;
}

/*
 * Without the right to replicate DirSync says 50: then it is to show us what searches do. A cookie
 * from before that right was taken away leads on to nothing.
 *
 * Samba 4.17 does not show deleted entries for that right alone, against MS-DRSR 5.115.3: whether
 * they are shown is seen in PRIME, never concluded from a right.
 */
static enum mu_rc
dirsync_failed(struct directory *d, enum directory_search search, int result,
    const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct ad *ad = d->ad;

	if (ad->step == AD_CHANGES && cookie_is_refused(result))
		return full_begin(d, search);
	if (result == LDAP_INSUFFICIENT_ACCESS && !ad->object_security) {
		ad->object_security = true;
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, AD_PRIME));
	}
	if (result == LDAP_UNAVAILABLE_CRITICAL_EXTENSION) {
		directory_ldap_text(NULL, result, diagnostic, &text);
		directory_doom(d, VERDICT_UNREACHABLE, "the server has no DirSync: follow: usn or "
		    "follow: paged do without: ", mu_buf_text(&text));
	} else {
		directory_search_failed(d, result, diagnostic);
	}
	return MU_OK;
}

/* --- CHANGES by uSNChanged ------------------------------------------------------------------- */

/* Unless its metadata say that it was not, an entry may have been renamed. */
static bool
may_be_renamed(struct directory *d, LDAPMessage *m)
{
	struct berval **values = ldap_get_values_len(d->ld, m, "replPropertyMetaData");
	bool renamed = true;

	if (values != NULL && values[0] != NULL && !directory_ad_renamed(values[0]->bv_val,
	    values[0]->bv_len, d->ad->from.usn, &renamed))
		renamed = true;
	ldap_value_free_len(values);
	return renamed;
}

static void
usn_entry(struct directory *d, struct item *item)
{
	struct ad_changed c = { .guid = item->entry_uuid };
	int64_t created;

	if (!item->sound)
		return;
	c.created = directory_ad_number(d, item->m, "uSNCreated", &created) &&
	    created > d->ad->from.usn;
	c.deleted = directory_ad_is_deleted(d, item->m);
	c.renamed = may_be_renamed(d, item->m);
	directory_ad_changed_add(d->ad, &c);
}

/* --- LIST, and by uSNChanged CHANGES; REGROUP: pages ----------------------------------------- */

static enum mu_rc
page_end(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];

	if (!directory_page_take(d, s, controls)) {
		directory_doom(d, VERDICT_TRUNCATED, "the server did not say whether that page was "
		    "the last", "");
		return MU_OK;
	}
	if (ad->changed_count > CHANGED_MAX)
		return full_begin(d, search);
	s->empty_pages = s->page_empty ? s->empty_pages + 1 : 0;
	s->page_empty = true;
	if (s->page.size_bytes > 0 && s->empty_pages > EMPTY_PAGES_MAX) {
		directory_doom(d, VERDICT_TRUNCATED, "the server goes on to send empty pages", "");
		return MU_OK;
	}
	if (s->page.size_bytes > 0)
		return directory_ad_sent(d, directory_ad_page_ask(d, search, ad->step));
	if (ad->step == AD_CHANGES)
		return changes_end(d, search, err);
	if (ad->step == AD_REGROUP)
		ad->renamed_at = ad->renamed_end;
	return directory_ad_go_on(d, search, err);
}

/* --- The provider ---------------------------------------------------------------------------- */

static enum mu_rc
entry_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct ad *ad = d->ad;

	switch (ad->step) {
	case AD_ROOT:
		root_entry(d, item->m);
		break;
	case AD_SERVICE:
		ad->identified = directory_ad_guid(d, item->m, "invocationId", &ad->invocation_id);
		break;
	case AD_BIN:		/* Samba shows the name alone to whoever may not read it */
		ad->deleted_shown = item->sound;
		break;
	case AD_PRIME:
		ad->deleted_shown = item->sound && directory_ad_is_deleted(d, item->m);
		break;
	case AD_CHANGES:
		d->searches[item->search].page_empty = false;
		if (directory_ad_is_dirsync(d))
			dirsync_entry(d, item);
		else
			usn_entry(d, item);
		break;
	case AD_THERE:
		directory_ad_there_entry(d, item);
		break;
	case AD_LIST:
	case AD_REGROUP:
	case AD_WHOLE:
		return directory_ad_entry_tell(d, item, err);
	case AD_MEMBERS:
		directory_ad_part_add(ad, item->m);
		item->m = NULL;
		break;
	}
	return MU_OK;
}

static enum mu_rc
step_end(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	switch (d->ad->step) {
	case AD_ROOT:
	case AD_SERVICE:
		return identity_end(d, search);
	case AD_BIN:
		return search_begin(d, search);
	case AD_PRIME:
		return dirsync_end(d, search, controls, err);
	case AD_CHANGES:
		return directory_ad_is_dirsync(d) ? dirsync_end(d, search, controls, err) :
		    page_end(d, search, controls, err);
	case AD_THERE:
		return directory_ad_there_end(d, search, err);
	case AD_LIST:
	case AD_REGROUP:
		return page_end(d, search, controls, err);
	case AD_WHOLE:
		return directory_ad_whole_end(d, search, err);
	case AD_MEMBERS:
		return directory_ad_members_end(d, search, err);
	}
	return MU_OK;
}

static enum mu_rc
step_failed(struct directory *d, enum directory_search search, int result, const char *diagnostic)
{
	struct ad *ad = d->ad;

	if (ad->step == AD_SERVICE && result != LDAP_BUSY && result != LDAP_UNAVAILABLE)
		return identity_end(d, search);
	if (ad->step == AD_BIN && (result == LDAP_NO_SUCH_OBJECT ||
	    result == LDAP_INSUFFICIENT_ACCESS))
		return search_begin(d, search);
	if (ad->step == AD_PRIME || (ad->step == AD_CHANGES && directory_ad_is_dirsync(d)))
		return dirsync_failed(d, search, result, diagnostic);
	directory_search_failed(d, result, diagnostic);
	return MU_OK;
}

static enum mu_rc
result_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	LDAPControl **controls = NULL;
	char *diagnostic = NULL;
	int result = LDAP_OTHER;
	enum mu_rc rc = MU_OK;

	if (ldap_parse_result(d->ld, item->m, &result, NULL, &diagnostic, NULL, &controls, 0) !=
	    LDAP_SUCCESS)
		directory_doom(d, directory_failure_verdict(d), "a malformed result came", "");
	else if (result == LDAP_SUCCESS)
		rc = step_end(d, item->search, controls, err);
	else
		rc = step_failed(d, item->search, result, diagnostic);
	ldap_controls_free(controls);
	ldap_memfree(diagnostic);
	return rc;
}

static int
ad_begin(struct directory *d, enum directory_search search)
{
	if (d->ad == NULL)
		d->ad = directory_ad_new(d->source);
	d->searches[search].page_empty = true;
	directory_ad_reset(d->ad);
	return directory_ad_root_ask(d, search);
}

/* One request is under way at a time, so the step says what its messages answer. */
static void
ad_decode(struct directory *d, struct item *item)
{
	struct ad *ad = d->ad;
	struct ad_changed *c;

	if (item->type == LDAP_RES_SEARCH_ENTRY) {
		item->sound = directory_ad_guid(d, item->m, directory_key_attribute(d->source->key),
		    &item->entry_uuid);
		c = item->sound && ad->step == AD_WHOLE ?
		    directory_ad_changed_find(ad, ad->whole_at, &item->entry_uuid) : NULL;
		if (c != NULL)
			c->answered = true;
	} else if (item->type == LDAP_RES_SEARCH_RESULT && ad->step == AD_WHOLE) {
		for (size_t i = ad->whole_at; i < ad->batch_end; i++)
			item->removes |= directory_ad_is_gone(&ad->changed[i], item->search);
	}
}

static enum mu_rc
ad_message(struct directory *d, struct item *item, struct mu_err *err)
{
	switch (item->type) {
	case LDAP_RES_SEARCH_ENTRY:
		return entry_handle(d, item, err);
	case LDAP_RES_SEARCH_RESULT:
		return result_handle(d, item, err);
	case LDAP_RES_SEARCH_REFERENCE:	/* part of the base is elsewhere: no listing is whole */
		d->searches[item->search].doubtful |= d->ad->step == AD_LIST;
		return MU_OK;
	default:
		directory_doom(d, directory_failure_verdict(d), "an unexpected message came", "");
		return MU_OK;
	}
}

static void
ad_end(struct directory *d)
{
	directory_ad_free(d->ad);
	d->ad = NULL;
}

const struct directory_provider directory_provider_dirsync = {
	.name = "ad-dirsync",
	.rests = true,
	.begins = true,
	.cookie_usable = directory_ad_cookie_usable,
	.begin = ad_begin,
	.decode = ad_decode,
	.message = ad_message,
	.end = ad_end,
};

const struct directory_provider directory_provider_usn = {
	.name = "ad-usn",
	.rests = true,
	.begins = true,
	.cookie_usable = directory_ad_cookie_usable,
	.begin = ad_begin,
	.decode = ad_decode,
	.message = ad_message,
	.end = ad_end,
};
