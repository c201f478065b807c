/* ad_ask.c - what is asked of Active Directory, and what is remembered from answer to answer */
#include "directory/ad_reader_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "directory/key_priv.h"

#define DELETED_OBJECTS		"18E2EA80684F11D2B9AA00C04F79F805"	/* MS-ADTS 6.1.1.4 */
#define DIRSYNC_BYTES		(1024 * 1024)	/* of an answer, about */
#define PAGE_ENTRIES		500
#define BATCH_ENTRIES		50

static LDAPControl domain_scope = { (char[]){ LDAP_CONTROL_X_DOMAIN_SCOPE }, { 0, NULL }, 0 };
static LDAPControl show_deleted = { (char[]){ LDAP_CONTROL_X_SHOW_DELETED }, { 0, NULL }, 0 };

bool
directory_ad_is_dirsync(const struct directory *d)
{
	return d->provider == &directory_provider_dirsync;
}

/* --- Attribute lists ------------------------------------------------------------------------- */

static void
list_add(char ***list, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (mu_text_equal_fold((*list)[i], name))
			return;
	*list = mu_alloc_again(*list, *count + 2, sizeof(**list));
	(*list)[(*count)++] = mu_strdup(name);
	(*list)[*count] = NULL;
}

static void
list_free(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		mu_free(list[i]);
	mu_free(list);
}

static char **
group_attributes(const struct directory_source *source)
{
	MU_AUTO(mu_buf_clear) struct mu_buf range = MU_BUF_INIT;
	char **list = NULL;
	size_t count = 0;

	mu_buf_format(&range, "%s;range=0-%d", source->group_member, AD_RANGE_VALUES - 1);
	list_add(&list, &count, source->group_name);
	list_add(&list, &count, mu_buf_text(&range));
	list_add(&list, &count, directory_key_attribute(source->key));
	return list;
}

/*
 * What DirSync is to watch: it is silent about changes of attributes that are not asked for, those
 * that the filter tests included. "name" comes when an entry was renamed or moved, and with it
 * "objectClass" when it is new.
 */
static char **
change_attributes(const struct directory_source *source, enum directory_search search)
{
	static const char *const always[] = { "objectGUID", "name", "objectClass", "isDeleted" };
	MU_AUTO(mu_buf_clear) struct mu_buf tested = MU_BUF_INIT;
	char **list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < MU_COUNT(always); i++)
		list_add(&list, &count, always[i]);
	for (size_t i = 0; search == DIRECTORY_PEOPLE && i < source->map_count; i++)
		list_add(&list, &count, source->map[i].attribute);
	if (search == DIRECTORY_GROUPS) {
		list_add(&list, &count, source->group_name);
		list_add(&list, &count, source->group_member);
	}
	directory_ad_filter_attributes(directory_search_filter(source, search), &tested);
	for (const char *at = mu_buf_text(&tested); at < mu_buf_text(&tested) + tested.size_bytes;
	    at += strlen(at) + 1)
		list_add(&list, &count, at);
	return list;
}

/* --- What is remembered ---------------------------------------------------------------------- */

struct ad *
directory_ad_new(const struct directory_source *source)
{
	struct ad *ad = mu_alloc_zero(1, sizeof(*ad));

	ad->change_attributes[DIRECTORY_PEOPLE] = change_attributes(source, DIRECTORY_PEOPLE);
	if (source->groups_base != NULL && source->groups_base[0] != '\0') {
		ad->group_attributes = group_attributes(source);
		ad->change_attributes[DIRECTORY_GROUPS] = change_attributes(source,
		    DIRECTORY_GROUPS);
	}
	return ad;
}

void
directory_ad_parts_clear(struct ad *ad)
{
	for (size_t i = 0; i < ad->part_count; i++)
		(void)ldap_msgfree(ad->parts[i]);
	ad->part_count = ad->parts_before = 0;
	ad->range_first = 0;
}

void
directory_ad_reset(struct ad *ad)
{
	directory_ad_parts_clear(ad);
	mu_buf_clear(&ad->from.dirsync);
	mu_buf_clear(&ad->next.dirsync);
	ad->from = ad->next = (struct ad_cookie){ .usn = 0 };
	mu_buf_reset(&ad->renamed);
	ad->renamed_at = ad->renamed_end = 0;
	ad->changed_count = ad->there_at = ad->whole_at = ad->batch_end = 0;
	ad->partial_count = ad->partial_at = 0;
	ad->rounds = 0;
	ad->tries = 0;
	ad->deleted_shown = ad->object_security = ad->container_moved = false;
	ad->context = NULL;
	mu_buf_reset(&ad->contexts);
	mu_buf_reset(&ad->service);
	ad->identified = false;
	ad->usn = 0;
}

void
directory_ad_free(struct ad *ad)
{
	if (ad == NULL)
		return;
	directory_ad_reset(ad);
	mu_buf_clear(&ad->contexts);
	mu_buf_clear(&ad->service);
	mu_buf_clear(&ad->renamed);
	mu_free(ad->changed);
	mu_free(ad->partial);
	mu_free(ad->parts);
	list_free(ad->group_attributes);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		list_free(ad->change_attributes[i]);
	mu_free(ad);
}

void
directory_ad_changed_add(struct ad *ad, const struct ad_changed *changed)
{
	if (ad->changed_count == ad->changed_room) {
		ad->changed_room = ad->changed_room == 0 ? 64 : 2 * ad->changed_room;
		ad->changed = mu_alloc_again(ad->changed, ad->changed_room, sizeof(*ad->changed));
	}
	ad->changed[ad->changed_count++] = *changed;
}

static int
changed_order(const void *a, const void *b)
{
	const struct ad_changed *x = a, *y = b;

	return memcmp(x->guid.bytes, y->guid.bytes, sizeof(x->guid.bytes));
}

void
directory_ad_changed_settle(struct ad *ad)
{
	size_t kept = 0;

	if (ad->changed_count == 0)
		return;
	qsort(ad->changed, ad->changed_count, sizeof(*ad->changed), changed_order);
	for (size_t i = 1; i < ad->changed_count; i++) {
		struct ad_changed *last = &ad->changed[kept], *c = &ad->changed[i];

		if (changed_order(last, c) == 0) {
			last->created |= c->created;
			last->deleted |= c->deleted;
			last->renamed |= c->renamed;
		} else {
			ad->changed[++kept] = *c;
		}
	}
	ad->changed_count = kept + 1;
}

struct ad_changed *
directory_ad_changed_find(struct ad *ad, size_t batch_at, const struct mu_uuid *guid)
{
	for (size_t i = batch_at; i < ad->batch_end; i++)
		if (mu_uuid_equal(&ad->changed[i].guid, guid))
			return &ad->changed[i];
	return NULL;
}

void
directory_ad_partial_add(struct ad *ad, const struct mu_uuid *guid)
{
	if (ad->partial_count == ad->partial_room) {
		ad->partial_room = ad->partial_room == 0 ? 16 : 2 * ad->partial_room;
		ad->partial = mu_alloc_again(ad->partial, ad->partial_room, sizeof(*ad->partial));
	}
	ad->partial[ad->partial_count++] = *guid;
}

void
directory_ad_part_add(struct ad *ad, LDAPMessage *m)
{
	if (ad->part_count == ad->part_room) {
		ad->part_room = ad->part_room == 0 ? 8 : 2 * ad->part_room;
		ad->parts = mu_alloc_again(ad->parts, ad->part_room, sizeof(LDAPMessage *));
	}
	ad->parts[ad->part_count++] = m;
}

/* --- Requests -------------------------------------------------------------------------------- */

struct request {
	enum ad_step step;
	const char *base, *filter;
	int scope;
	char **attributes;
	LDAPControl *control;		/* NULL: none but ours */
	bool deleted;			/* deleted entries, too */
};

/* Continuations to other naming contexts would only make a listing doubtful. */
static int
ask(struct directory *d, enum directory_search search, const struct request *r)
{
	LDAPControl *controls[4] = { &domain_scope, NULL, NULL, NULL };
	struct search *s = &d->searches[search];
	size_t count = 1;
	int rc;

	if (r->control != NULL)
		controls[count++] = r->control;
	if (r->deleted)
		controls[count++] = &show_deleted;
	d->ad->step = r->step;
	rc = ldap_search_ext(d->ld, r->base, r->scope, r->filter, r->attributes, 0, controls, NULL,
	    NULL, LDAP_NO_LIMIT, &s->msgid);
	if (rc != LDAP_SUCCESS)
		s->msgid = 0;
	return rc;
}

int
directory_ad_root_ask(struct directory *d, enum directory_search search)
{
	char *attributes[] = { (char[]){ "dsServiceName" }, (char[]){ "highestCommittedUSN" },
		(char[]){ "namingContexts" }, NULL };

	return ask(d, search, &(struct request){ AD_ROOT, "", "(objectClass=*)", LDAP_SCOPE_BASE,
	    attributes, NULL, false });
}

int
directory_ad_service_ask(struct directory *d, enum directory_search search)
{
	char *attributes[] = { (char[]){ "invocationId" }, NULL };

	return ask(d, search, &(struct request){ AD_SERVICE, mu_buf_text(&d->ad->service),
	    "(objectClass=*)", LDAP_SCOPE_BASE, attributes, NULL, false });
}

int
directory_ad_bin_ask(struct directory *d, enum directory_search search)
{
	MU_AUTO(mu_buf_clear) struct mu_buf base = MU_BUF_INIT;
	char *attributes[] = { (char[]){ "objectGUID" }, NULL };

	mu_buf_format(&base, "<WKGUID=" DELETED_OBJECTS ",%s>", d->ad->context);
	return ask(d, search, &(struct request){ AD_BIN, mu_buf_text(&base), "(objectClass=*)",
	    LDAP_SCOPE_BASE, attributes, NULL, true });
}

/*
 * Values of links as differences keep a large group's change small: it is read whole in any case.
 * PRIME asks for the one entry that is always deleted: its container.
 */
int
directory_ad_dirsync_ask(struct directory *d, enum directory_search search, enum ad_step step)
{
	struct ad *ad = d->ad;
	struct berval cookie = { ad->next.dirsync.size_bytes,
		(char *)(uintptr_t)mu_buf_text(&ad->next.dirsync) };
	uint32_t flags = LDAP_CONTROL_X_DIRSYNC_INCREMENTAL_VALUES |
	    (ad->object_security ? LDAP_CONTROL_X_DIRSYNC_OBJECT_SECURITY : 0);
	LDAPControl *control = NULL;
	int rc = ldap_create_dirsync_control(d->ld, (int)flags, DIRSYNC_BYTES, &cookie, &control);

	if (rc == LDAP_SUCCESS)
		rc = ask(d, search, &(struct request){ step, ad->context, step == AD_PRIME ?
		    "(&(cn=Deleted Objects)(isDeleted=TRUE))" : "(objectClass=*)",
		    LDAP_SCOPE_SUBTREE, ad->change_attributes[search], control, true });
	ldap_control_free(control);
	return rc;
}

static void
regroup_filter(struct directory *d, struct mu_buf *filter)
{
	struct ad *ad = d->ad;
	const char *names = mu_buf_text(&ad->renamed);
	size_t at = ad->renamed_at;

	mu_buf_format(filter, "(&%s(|", directory_search_filter(d->source, DIRECTORY_GROUPS));
	for (size_t i = 0; i < BATCH_ENTRIES && at < ad->renamed.size_bytes; i++) {
		size_t length = strlen(names + at);

		mu_buf_format(filter, "(%s=", d->source->group_member);
		directory_ad_filter_value(names + at, length, filter);
		mu_buf_char_add(filter, ')');
		at += length + 1;
	}
	mu_buf_text_add(filter, "))");
	ad->renamed_end = at;
}

int
directory_ad_page_ask(struct directory *d, enum directory_search search, enum ad_step step)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	struct ad *ad = d->ad;
	struct search *s = &d->searches[search];
	char *marks[] = { (char[]){ "objectGUID" }, (char[]){ "isDeleted" },
		(char[]){ "uSNCreated" }, (char[]){ "replPropertyMetaData" }, NULL };
	struct berval cookie = { s->page.size_bytes, (char *)(uintptr_t)mu_buf_text(&s->page) };
	struct request r = { .step = step, .scope = LDAP_SCOPE_SUBTREE,
		.base = directory_search_base(d->source, search),
		.attributes = search == DIRECTORY_GROUPS ? ad->group_attributes :
		d->attributes[search] };
	int rc = ldap_create_page_control(d->ld, PAGE_ENTRIES, &cookie, 1, &r.control);

	if (rc != LDAP_SUCCESS)
		return rc;
	if (step == AD_CHANGES) {
		mu_buf_format(&filter, "(uSNChanged>=%lld)", (long long)ad->from.usn + 1);
		r.base = ad->context;
		r.attributes = marks;
		r.deleted = true;
	} else if (step == AD_REGROUP) {
		regroup_filter(d, &filter);
		r.base = d->source->groups_base;
		r.attributes = ad->group_attributes;
	} else {
		mu_buf_text_add(&filter, directory_search_filter(d->source, search));
	}
	r.filter = mu_buf_text(&filter);
	rc = ask(d, search, &r);
	ldap_control_free(r.control);
	return rc;
}

int
directory_ad_batch_ask(struct directory *d, enum directory_search search, enum ad_step step)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	struct ad *ad = d->ad;
	char *marks[] = { (char[]){ "objectGUID" }, (char[]){ "isDeleted" },
		(char[]){ "objectClass" }, NULL };
	size_t at = step == AD_THERE ? ad->there_at : ad->whole_at;
	struct request r = { .step = step, .scope = LDAP_SCOPE_SUBTREE,
		.base = directory_search_base(d->source, search),
		.attributes = search == DIRECTORY_GROUPS ? ad->group_attributes :
		d->attributes[search] };

	ad->batch_end = ad->changed_count - at > BATCH_ENTRIES ? at + BATCH_ENTRIES :
	    ad->changed_count;
	if (step == AD_THERE) {
		r.base = ad->context;
		r.attributes = marks;
		r.deleted = true;
	} else {
		mu_buf_format(&filter, "(&%s", directory_search_filter(d->source, search));
	}
	mu_buf_text_add(&filter, "(|");
	for (; at < ad->batch_end; at++)
		directory_key_filter(d->source->key, &ad->changed[at].guid, &filter);
	mu_buf_text_add(&filter, step == AD_THERE ? ")" : "))");
	r.filter = mu_buf_text(&filter);
	return ask(d, search, &r);
}

int
directory_ad_members_ask(struct directory *d, enum directory_search search)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT, range = MU_BUF_INIT;
	struct ad *ad = d->ad;
	char *attributes[] = { (char *)(uintptr_t)d->source->group_name, NULL,
		(char[]){ "uSNChanged" }, NULL };

	directory_key_filter(d->source->key, &ad->partial[ad->partial_at], &filter);
	mu_buf_format(&range, "%s;range=%zu-%zu", d->source->group_member, ad->range_first,
	    ad->range_first + AD_RANGE_VALUES - 1);
	attributes[1] = range.data;
	ad->parts_before = ad->part_count;
	return ask(d, search, &(struct request){ AD_MEMBERS, d->source->groups_base,
	    mu_buf_text(&filter), LDAP_SCOPE_SUBTREE, attributes, NULL, false });
}
