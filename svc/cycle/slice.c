#include "cycle/slice.h"

#include <stdlib.h>
#include <string.h>

void
uuids_add(struct uuids *u, const struct mu_uuid *uuid)
{
	if (u->count == u->room) {
		u->room = u->room == 0 ? 64 : 2 * u->room;
		u->list = mu_alloc_again(u->list, u->room, sizeof(*u->list));
	}
	u->list[u->count++] = *uuid;
}

static int
uuid_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mu_uuid));
}

void
uuids_sort(struct uuids *u)
{
	size_t kept = 0;

	if (u->count == 0)
		return;
	qsort(u->list, u->count, sizeof(*u->list), uuid_order);
	for (size_t i = 1; i < u->count; i++)
		if (!mu_uuid_equal(&u->list[kept], &u->list[i]))
			u->list[++kept] = u->list[i];
	u->count = kept + 1;
}

bool
uuids_has(const struct uuids *u, const struct mu_uuid *uuid)
{
	return u->count > 0 && bsearch(uuid, u->list, u->count, sizeof(*u->list),
	    uuid_order) != NULL;
}

void
uuids_clear(struct uuids *u)
{
	mu_free(u->list);
	*u = (struct uuids){ .count = 0 };
}

void
slice_person_clear(struct slice_person *p)
{
	mu_free(p->dn);
	attrs_clear(&p->attrs);
	p->dn = NULL;
}

static struct slice_person *
person_new(struct slice *s)
{
	if (s->people_count == s->people_room) {
		s->people_room = s->people_room == 0 ? 64 : 2 * s->people_room;
		s->people = mu_alloc_again(s->people, s->people_room, sizeof(*s->people));
	}
	s->people[s->people_count] = (struct slice_person){ .dn = NULL };
	return &s->people[s->people_count++];
}

static void
length_add(struct mu_buf *b, const char *text)
{
	mu_buf_column_add(b, text, strlen(text));
}

void
slice_content_hash(const struct directory_entry *e, struct mu_buf *scratch, struct crypto_hash *h,
    unsigned char out[CRYPTO_SHA256_BYTES])
{
	mu_buf_reset(scratch);
	length_add(scratch, e->attrs != NULL ? e->dn : e->group_name);
	if (e->attrs != NULL)
		attrs_encode(e->attrs, scratch);
	crypto_hash_add(h, mu_buf_text(scratch), scratch->size_bytes);
	/* NUL and all: no member can pass for two */
	for (size_t i = 0; i < e->member_count; i++)
		crypto_hash_add(h, e->members[i], strlen(e->members[i]) + 1);
	crypto_hash_end(h, out);
}

void
slice_person_add(struct slice *s, struct directory_entry *e,
    const unsigned char content_hash[CRYPTO_SHA256_BYTES], bool fresh)
{
	struct slice_person *p = person_new(s);

	p->entry_uuid = e->entry_uuid;
	p->dn = mu_strdup(e->dn);
	p->attrs = *e->attrs;
	*e->attrs = (struct attrs)ATTRS_INIT;
	(void)memcpy(p->content_hash, content_hash, sizeof(p->content_hash));
	p->fresh = fresh;
}

void
slice_person_copy(struct slice *s, const struct slice_person *from)
{
	struct slice_person *p = person_new(s);

	p->entry_uuid = from->entry_uuid;
	p->dn = mu_strdup(from->dn);
	attrs_copy(&p->attrs, &from->attrs);
	(void)memcpy(p->content_hash, from->content_hash, sizeof(p->content_hash));
}

void
slice_person_move(struct slice *s, struct slice_person *p)
{
	*person_new(s) = *p;
	p->dn = NULL;
	p->attrs = (struct attrs)ATTRS_INIT;
}

void
slice_people_clear(struct slice *s)
{
	for (size_t i = 0; i < s->people_count; i++)
		slice_person_clear(&s->people[i]);
	mu_free(s->people);
	s->people = NULL;
	s->people_count = s->people_room = 0;
}

static struct slice_group *
group_new(struct slice *s)
{
	if (s->group_count == s->group_room) {
		s->group_room = s->group_room == 0 ? 64 : 2 * s->group_room;
		s->groups = mu_alloc_again(s->groups, s->group_room, sizeof(*s->groups));
	}
	return &s->groups[s->group_count++];
}

void
slice_group_move(struct slice *s, struct slice_group *g)
{
	*group_new(s) = *g;
	*g = (struct slice_group){ .name = NULL };
}

void
slice_group_add(struct slice *s, const struct directory_entry *e,
    const unsigned char content_hash[CRYPTO_SHA256_BYTES], bool fresh)
{
	struct slice_group *g = group_new(s);

	*g = (struct slice_group){ .entry_uuid = e->entry_uuid, .name = mu_strdup(e->group_name),
		.member_count = e->member_count, .fresh = fresh };
	g->members = mu_alloc_zero(e->member_count, sizeof(*g->members));
	for (size_t i = 0; i < e->member_count; i++)
		g->members[i] = mu_strdup(e->members[i]);
	(void)memcpy(g->content_hash, content_hash, sizeof(g->content_hash));
}

void
slice_group_clear(struct slice_group *g)
{
	mu_free(g->name);
	for (size_t k = 0; k < g->member_count; k++)
		mu_free(g->members[k]);
	mu_free(g->members);
	*g = (struct slice_group){ .name = NULL };
}

void
slice_bad_add(struct slice *s, const char *entry, const char *reason)
{
	s->bad = mu_alloc_again(s->bad, s->bad_count + 1, sizeof(*s->bad));
	s->bad[s->bad_count++] = (struct slice_bad){ mu_strdup(entry), mu_strdup(reason) };
}

bool
slice_is_empty(const struct slice *s)
{
	return s->people_count + s->group_count + s->removed_people.count +
	    s->removed_groups.count + s->bad_count + s->redecide.count == 0;
}

void
slice_clear(struct slice *s)
{
	slice_people_clear(s);
	for (size_t i = 0; i < s->group_count; i++)
		slice_group_clear(&s->groups[i]);
	mu_free(s->groups);
	for (size_t i = 0; i < s->bad_count; i++) {
		mu_free(s->bad[i].entry);
		mu_free(s->bad[i].reason);
	}
	mu_free(s->bad);
	uuids_clear(&s->removed_people);
	uuids_clear(&s->removed_groups);
	uuids_clear(&s->redecide);
	*s = (struct slice){ .people_count = 0 };
}
