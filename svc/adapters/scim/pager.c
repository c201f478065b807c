#include "adapters/scim/pager.h"

#include <stdlib.h>

#include "base/buf.h"

void
scim_pager_clear(struct scim_pager *p)
{
	mu_free(p->ids);
	*p = (struct scim_pager){ .next = 0 };
}

void
scim_pager_begin(struct scim_pager *p, int64_t start)
{
	scim_pager_clear(p);
	*p = (struct scim_pager){ .next = start, .total = -1, .sound = start == 1 };
}

/* FNV-1a: two ids that fall together by chance make the walk not whole, which harms nobody. */
static uint64_t
id_hash(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (const unsigned char *c = (const unsigned char *)id; *c != '\0'; c++)
		hash = (hash ^ *c) * 0x100000001b3u;
	return hash;
}

static void
id_keep(struct scim_pager *p, const char *id)
{
	if (p->count == p->room) {
		p->room = p->room == 0 ? SCIM_PAGE_COUNT : 2 * p->room;
		p->ids = mu_alloc_again(p->ids, p->room, sizeof(*p->ids));
	}
	p->ids[p->count++] = id_hash(id);
}

static int
hash_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool
ids_repeat(struct scim_pager *p)
{
	if (p->count > 1)
		qsort(p->ids, p->count, sizeof(*p->ids), hash_compare);
	for (size_t i = 1; i < p->count; i++)
		if (p->ids[i] == p->ids[i - 1])
			return true;
	return false;
}

/* Where the server says that its page begins; it need not say so of the first. */
static bool
echo_fits(const struct scim_pager *p, const struct json_node *page)
{
	int64_t start;

	if (json_find(page, "startIndex") == NULL)
		return p->next == 1;
	return json_find_int(page, "startIndex", &start) && start == p->next;
}

bool
scim_pager_take(struct scim_pager *p, const struct json_node *page,
    const struct json_node **out_resources)
{
	const struct json_node *list = json_find(page, "Resources");
	size_t count = json_count(list) < SCIM_PAGE_COUNT ? json_count(list) : SCIM_PAGE_COUNT;
	int64_t total;

	if (!json_find_int(page, "totalResults", &total) || total < 0
	    || (list != NULL && json_kind(list) != JSON_KIND_LIST))
		return false;
	for (size_t i = 0; i < count; i++)
		if (json_find_text(json_at(list, i), "id") == NULL)
			return false;
	*out_resources = NULL;
	if (!echo_fits(p, page) || total > SCIM_TOTAL_MAX) {
		p->sound = false;
		p->next = 0;
		return true;
	}
	if (p->total == -1)
		p->total = total;
	p->sound = p->sound && total == p->total;
	for (size_t i = 0; i < count; i++)
		id_keep(p, json_find_text(json_at(list, i), "id"));
	p->next += (int64_t)count;
	if (p->next > total || count == 0)
		p->next = 0;
	*out_resources = list;
	return true;
}

bool
scim_pager_whole(struct scim_pager *p)
{
	if (p->next == 0 && p->sound)
		p->sound = p->count == (size_t)p->total && !ids_repeat(p);
	return p->sound;
}
