/* ad_answer.c - what Active Directory answers about single entries, and what that means */
#include "directory/ad_reader_priv.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "directory/key_priv.h"

#define PARTS_MAX	5000
#define TRIES_MAX	3

/* --- Answers --------------------------------------------------------------------------------- */

/* The first value of an attribute as text; false when there is none, or it is not text. */
bool
directory_ad_text(struct directory *d, LDAPMessage *m, const char *name, struct mu_buf *out_text)
{
	struct berval **values = ldap_get_values_len(d->ld, m, name);
	bool good = values != NULL && values[0] != NULL &&
	    mu_utf8_valid(values[0]->bv_val, values[0]->bv_len);

	mu_buf_reset(out_text);
	if (good)
		mu_buf_add(out_text, values[0]->bv_val, values[0]->bv_len);
	ldap_value_free_len(values);
	return good;
}

bool
directory_ad_number(struct directory *d, LDAPMessage *m, const char *name, int64_t *out_number)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	return directory_ad_text(d, m, name, &text) &&
	    mu_int_parse(mu_buf_text(&text), 0, INT64_MAX, out_number);
}

bool
directory_ad_guid(struct directory *d, LDAPMessage *m, const char *name, struct mu_uuid *out_guid)
{
	struct berval **values = ldap_get_values_len(d->ld, m, name);
	bool good = values != NULL && values[0] != NULL && values[1] == NULL &&
	    directory_key_parse(SETTINGS_KEY_OBJECT_GUID, values[0]->bv_val, values[0]->bv_len,
	    out_guid);

	ldap_value_free_len(values);
	return good;
}

bool
directory_ad_has(struct directory *d, LDAPMessage *m, const char *name)
{
	struct berval **values = ldap_get_values_len(d->ld, m, name);
	bool has = values != NULL;

	ldap_value_free_len(values);
	return has;
}

bool
directory_ad_is_deleted(struct directory *d, LDAPMessage *m)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	return directory_ad_text(d, m, "isDeleted", &text) &&
	    mu_text_equal_fold(mu_buf_text(&text), "TRUE");
}

/* What it is; below what we do not know there may be something. */
static enum ad_kind
kind_of(struct directory *d, LDAPMessage *m)
{
	static const struct { const char *name; enum ad_kind kind; } classes[] = {
		{ "person", AD_PERSON }, { "group", AD_GROUP },
		{ "foreignSecurityPrincipal", AD_OTHER_LEAF }, { "printQueue", AD_OTHER_LEAF },
		{ "dnsNode", AD_OTHER_LEAF },
	};
	struct berval **values = ldap_get_values_len(d->ld, m, "objectClass");
	enum ad_kind kind = values == NULL ? AD_KIND_UNKNOWN : AD_CONTAINER;

	for (size_t i = 0; values != NULL && values[i] != NULL; i++)
		for (size_t k = 0; k < MU_COUNT(classes); k++)
			if (values[i]->bv_len == strlen(classes[k].name) &&
			    strncasecmp(values[i]->bv_val, classes[k].name,
			    values[i]->bv_len) == 0)
				kind = classes[k].kind;
	ldap_value_free_len(values);
	return kind;
}

/* Which of its members an entry holds: false if it does not say, so all of them. */
static bool
range_find(struct directory *d, LDAPMessage *m, size_t *out_first, size_t *out_last)
{
	BerElement *ber = NULL;
	bool found = false;

	for (char *name = ldap_first_attribute(d->ld, m, &ber); name != NULL;
	    name = ldap_next_attribute(d->ld, m, ber)) {
		found = found || directory_ad_range_parse(name, strlen(name),
		    d->source->group_member, out_first, out_last);
		ldap_memfree(name);
	}
	ber_free(ber, 0);
	return found;
}

/* --- THERE, WHOLE: what has become of who changed -------------------------------------------- */

void
directory_ad_there_entry(struct directory *d, struct item *item)
{
	struct ad *ad = d->ad;
	struct ad_changed *c = item->sound ?
	    directory_ad_changed_find(ad, ad->there_at, &item->entry_uuid) : NULL;
	char *dn;

	if (c == NULL)
		return;
	c->there = true;
	c->kind = kind_of(d, item->m);
	if (!c->renamed || c->created || c->deleted)
		return;
	if (c->kind == AD_CONTAINER || c->kind == AD_KIND_UNKNOWN) {
		ad->container_moved = true;
		return;
	}
	dn = ldap_get_dn(d->ld, item->m);
	if (dn != NULL && item->search == DIRECTORY_PEOPLE && ad->group_attributes != NULL)
		mu_buf_add(&ad->renamed, dn, strlen(dn) + 1);
	ldap_memfree(dn);
}

enum mu_rc
directory_ad_there_end(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;

	if (ad->container_moved) {
		mu_log("source.container_moved", "source", d->source->name, NULL);
		directory_ad_list_next(d);
		directory_doom(d, VERDICT_NONE, "", "");
		return MU_OK;
	}
	ad->there_at = ad->batch_end;
	return directory_ad_go_on(d, search, err);
}

/* Of what cannot have been one of ours nothing is said. */
bool
directory_ad_is_gone(const struct ad_changed *c, enum directory_search search)
{
	bool ours = search == DIRECTORY_PEOPLE ? c->kind != AD_GROUP :
	    c->kind == AD_GROUP || c->kind == AD_KIND_UNKNOWN;

	return ours && !c->created && !c->answered && (c->deleted || c->there);
}

enum mu_rc
directory_ad_whole_end(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;

	for (; ad->whole_at < ad->batch_end; ad->whole_at++) {
		const struct ad_changed *c = &ad->changed[ad->whole_at];

		if (directory_ad_is_gone(c, search) && (directory_began(d, search, err) != MU_OK ||
		    directory_removed_deliver(d, search, &c->guid, err) != MU_OK))
			return err->rc;
	}
	return directory_ad_go_on(d, search, err);
}

/* --- LIST, REGROUP, WHOLE: entries ----------------------------------------------------------- */

enum mu_rc
directory_ad_entry_tell(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];
	size_t first, last;

	s->page_empty = false;
	s->changed = true;
	if (directory_began(d, item->search, err) != MU_OK)
		return err->rc;
	if (d->ad->step == AD_REGROUP)
		item->search = DIRECTORY_GROUPS;
	if (item->search == DIRECTORY_GROUPS && item->sound &&
	    range_find(d, item->m, &first, &last) && last != AD_RANGE_END) {
		directory_ad_partial_add(d->ad, &item->entry_uuid);
		return MU_OK;
	}
	return directory_entry_deliver(d, item, err);
}

/* --- MEMBERS: all ranges of a group ---------------------------------------------------------- */

static enum mu_rc
members_next(struct directory *d, enum directory_search search, struct mu_err *err)
{
	directory_ad_parts_clear(d->ad);
	d->ad->tries = 0;
	d->ad->partial_at++;
	return directory_ad_go_on(d, search, err);
}

static enum mu_rc
members_tell(struct directory *d, enum directory_search search, const char *fault,
    struct mu_err *err)
{
	struct ad *ad = d->ad;

	if (directory_began(d, search, err) != MU_OK ||
	    directory_parts_deliver(d, DIRECTORY_GROUPS, &ad->partial[ad->partial_at], ad->parts,
	    ad->part_count, fault, err) != MU_OK)
		return err->rc;
	return members_next(d, search, err);
}

/* Ranges are read one by one: they are one list only if the group stayed as it was meanwhile. */
static bool
members_agree(struct directory *d)
{
	struct ad *ad = d->ad;
	int64_t first, last;

	if (ad->part_count == 1)
		return true;
	return directory_ad_number(d, ad->parts[0], "uSNChanged", &first) &&
	    directory_ad_number(d, ad->parts[ad->part_count - 1], "uSNChanged", &last) &&
	    first == last;
}

enum mu_rc
directory_ad_members_end(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct ad *ad = d->ad;
	size_t first = 0, last = AD_RANGE_END;
	bool came = ad->part_count > ad->parts_before;

	if (ad->part_count == 0)	/* gone meanwhile: a change, which comes next time */
		return members_next(d, search, err);
	if (came && members_agree(d)) {
		(void)range_find(d, ad->parts[ad->part_count - 1], &first, &last);
		if (last == AD_RANGE_END || first != ad->range_first)
			return members_tell(d, search, NULL, err);
		if (ad->part_count == PARTS_MAX)
			return members_tell(d, search, "it has too many members", err);
		ad->range_first = last + 1;
		return directory_ad_sent(d, directory_ad_members_ask(d, search));
	}
	if (++ad->tries == TRIES_MAX)
		return members_tell(d, search, "its members change while they are read", err);
	directory_ad_parts_clear(ad);
	return directory_ad_sent(d, directory_ad_members_ask(d, search));
}
