/* ad_changes.c - which entries changed, as DirSync and uSNChanged say it */
#include "directory/ad_reader_priv.h"

#define ROUNDS_MAX	5000		/* of DirSync, about 1 MiB each */

static const char no_dirsync[] = "the server has no DirSync: follow: usn or follow: paged do "
    "without: ";
static const char no_right[] = "bind_dn may not use DirSync, not even for what searches show it: "
    "give it the right Replicating Directory Changes, or follow: usn: ";

enum mu_rc
directory_ad_changes_end(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;

	for (size_t i = 0; i < d->reread_count; i++)
		if (d->rereads[i].search == search)
			directory_ad_changed_add(ad, &(struct ad_changed){
			    .guid = d->rereads[i].entry_uuid });
	directory_ad_changed_settle(ad);
	return directory_ad_go_on(d, search, err);
}

/* --- PRIME, CHANGES by DirSync --------------------------------------------------------------- */

void
directory_ad_dirsync_entry(struct directory *d, struct item *item)
{
	struct ad_changed c = { .guid = item->entry_uuid };

	if (!item->sound)	/* without objectGUID: nobody that we could know */
		return;
	c.created = directory_ad_has(d, item->m, "objectClass");
	c.deleted = directory_ad_is_deleted(d, item->m);
	c.renamed = directory_ad_has(d, item->m, "name");
	directory_ad_changed_add(d->ad, &c);
}

enum mu_rc
directory_ad_dirsync_end(struct directory *d, enum directory_search search, LDAPControl **controls,
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
	if (ad->changed_count > AD_CHANGED_MAX)
		return directory_ad_full_begin(d, search);
	if (more && ad->rounds++ < ROUNDS_MAX)
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, ad->step));
	if (more) {
		directory_doom(d, VERDICT_TRUNCATED, "DirSync does not come to an end", "");
		return MU_OK;
	}
	ad->next.object_security = ad->object_security;
	if (ad->step == AD_CHANGES)
		return directory_ad_changes_end(d, search, err);
	if (!ad->deleted_shown) {	/* the next read cannot rely on that cookie */
		directory_ad_no_deleted_advise(d);
		mu_buf_reset(&ad->next.dirsync);
	}
	return directory_ad_list_begin(d, search);
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
enum mu_rc
directory_ad_dirsync_failed(struct directory *d, enum directory_search search, int result,
    const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	const char *remedy = result == LDAP_UNAVAILABLE_CRITICAL_EXTENSION ? no_dirsync :
	    result == LDAP_INSUFFICIENT_ACCESS ? no_right : NULL;
	struct ad *ad = d->ad;

	if (ad->step == AD_CHANGES && cookie_is_refused(result))
		return directory_ad_full_begin(d, search);
	if (result == LDAP_INSUFFICIENT_ACCESS && !ad->object_security) {
		ad->object_security = true;
		return directory_ad_sent(d, directory_ad_dirsync_ask(d, search, AD_PRIME));
	}
	if (remedy == NULL) {
		directory_search_failed(d, result, diagnostic);
		return MU_OK;
	}
	directory_ldap_text(NULL, result, diagnostic, &text);
	directory_doom(d, VERDICT_UNREACHABLE, remedy, mu_buf_text(&text));
	return MU_OK;
}

/* --- CHANGES by uSNChanged ------------------------------------------------------------------- */

/* Unless its metadata say that it was not, an entry may have been renamed. */
static bool
may_be_renamed(struct directory *d, LDAPMessage *m)
{
	struct berval **values = ldap_get_values_len(d->ld, m, "replPropertyMetaData");
	bool renamed = true;

	if (values != NULL && values[0] != NULL)
		(void)directory_ad_renamed(values[0]->bv_val, values[0]->bv_len, d->ad->from.usn,
		    &renamed);
	ldap_value_free_len(values);
	return renamed;
}

void
directory_ad_usn_entry(struct directory *d, struct item *item)
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
