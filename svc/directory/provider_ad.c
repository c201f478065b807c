/* provider_ad.c - Active Directory, by DirSync or uSNChanged: ad_reader_priv.h has the course */
#include "directory/ad_reader_priv.h"

#include "directory/key_priv.h"

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

enum mu_rc
directory_ad_list_begin(struct directory *d, enum directory_search search)
{
	mu_buf_reset(&d->searches[search].page);
	return directory_ad_sent(d, directory_ad_page_ask(d, search, AD_LIST));
}

enum mu_rc
directory_ad_full_begin(struct directory *d, enum directory_search search)
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
		ad->next.list_at_s = mu_now_s() + AD_LIST_EVERY_S;
	if (directory_ad_is_dirsync(d))
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, AD_PRIME));
	return directory_ad_list_begin(d, search);
}

enum mu_rc
directory_ad_changes_begin(struct directory *d, enum directory_search search)
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

/* --- LIST, and by uSNChanged CHANGES; REGROUP: pages ----------------------------------------- */

static enum mu_rc
page_end(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];

	if (!directory_page_take(d, s, controls))
		return MU_OK;
	if (ad->changed_count > AD_CHANGED_MAX)
		return directory_ad_full_begin(d, search);
	if (s->page.size_bytes > 0)
		return directory_ad_sent(d, directory_ad_page_ask(d, search, ad->step));
	if (ad->step == AD_CHANGES)
		return directory_ad_changes_end(d, search, err);
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
		directory_ad_root_entry(d, item->m);
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
			directory_ad_dirsync_entry(d, item);
		else
			directory_ad_usn_entry(d, item);
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
		return directory_ad_identity_end(d, search);
	case AD_BIN:
		return directory_ad_search_begin(d, search);
	case AD_PRIME:
		return directory_ad_dirsync_end(d, search, controls, err);
	case AD_CHANGES:
		return directory_ad_is_dirsync(d) ? directory_ad_dirsync_end(d, search, controls, err) :
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
		return directory_ad_identity_end(d, search);
	if (ad->step == AD_BIN && (result == LDAP_NO_SUCH_OBJECT ||
	    result == LDAP_INSUFFICIENT_ACCESS))
		return directory_ad_search_begin(d, search);
	if (ad->step == AD_PRIME || (ad->step == AD_CHANGES && directory_ad_is_dirsync(d)))
		return directory_ad_dirsync_failed(d, search, result, diagnostic);
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
