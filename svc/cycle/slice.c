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
	s->people = mu_alloc_again(s->people, s->people_count + 1, sizeof(*s->people));
	s->people[s->people_count] = (struct slice_person){ .dn = NULL };
	return &s->people[s->people_count++];
}

void
slice_person_add(struct slice *s, const struct directory_entry *e)
{
	MU_AUTO(mu_buf_clear) struct mu_buf content = MU_BUF_INIT;
	struct slice_person *p = person_new(s);

	p->entry_uuid = e->entry_uuid;
	p->dn = mu_strdup(e->dn);
	attrs_copy(&p->attrs, e->attrs);
	mu_buf_format(&content, "%zu:%s", strlen(e->dn), e->dn);
	attrs_encode(e->attrs, &content);
	crypto_sha256(content.data, content.size_bytes, p->content_hash);
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
slice_group_add(struct slice *s, const struct directory_entry *e)
{
	struct slice_group *g;

	s->groups = mu_alloc_again(s->groups, s->group_count + 1, sizeof(*s->groups));
	g = &s->groups[s->group_count++];
	*g = (struct slice_group){ .entry_uuid = e->entry_uuid, .name = mu_strdup(e->group_name),
		.member_count = e->member_count };
	g->members = mu_alloc_zero(e->member_count, sizeof(*g->members));
	for (size_t i = 0; i < e->member_count; i++)
		g->members[i] = mu_strdup(e->members[i]);
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
	for (size_t i = 0; i < s->people_count; i++)
		slice_person_clear(&s->people[i]);
	mu_free(s->people);
	for (size_t i = 0; i < s->group_count; i++) {
		mu_free(s->groups[i].name);
		for (size_t k = 0; k < s->groups[i].member_count; k++)
			mu_free(s->groups[i].members[k]);
		mu_free(s->groups[i].members);
	}
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
