#include "cycle/member.h"

#include "store/flood.h"

#include <stdlib.h>
#include <string.h>

struct loading {
	struct memberships *m;
	struct crypto_hash *h;
};

static void
dn_hash(struct crypto_hash *h, const char *dn, unsigned char out[MEMBER_DN_BYTES])
{
	unsigned char whole[CRYPTO_SHA256_BYTES];

	crypto_hash_add(h, dn, strlen(dn));
	crypto_hash_end(h, whole);
	(void)memcpy(out, whole, MEMBER_DN_BYTES);
}

static void
name_each(void *ctx, const struct mu_uuid *entry_uuid, const char *name)
{
	struct memberships *m = ((struct loading *)ctx)->m;
	size_t room = m->groups.room, at = known_add(&m->groups, entry_uuid);

	if (m->groups.room != room)
		m->names = mu_alloc_again(m->names, m->groups.room, sizeof(*m->names));
	m->names[at] = mu_strdup(name);
}

/* A member of a group that has no row, as one that is being removed, is in none. */
static void
member_each(void *ctx, const struct mu_uuid *entry_uuid, const char *dn)
{
	struct loading *l = ctx;
	struct memberships *m = l->m;
	size_t at = known_find(&m->groups, entry_uuid);
	struct membership *one;

	if (at == KNOWN_NONE)
		return;
	if (m->count == m->room) {
		m->room = m->room == 0 ? 256 : m->room + m->room / 2;
		m->list = mu_alloc_again(m->list, m->room, sizeof(*m->list));
	}
	one = &m->list[m->count++];
	dn_hash(l->h, dn, one->dn);
	one->group = (uint32_t)at;
}

static int
by_dn(const void *a, const void *b)
{
	return memcmp(a, b, MEMBER_DN_BYTES);
}

enum mu_rc
memberships_load(struct memberships *m, struct store *s, const char *source, struct crypto_hash *h,
    struct mu_err *err)
{
	struct loading l = { m, h };

	memberships_clear(m);
	if (store_group_names(s, source, name_each, &l, err) != MU_OK ||
	    store_group_members(s, source, member_each, &l, err) != MU_OK) {
		memberships_clear(m);
		return err->rc;
	}
	if (m->count > 0)
		qsort(m->list, m->count, sizeof(*m->list), by_dn);
	m->loaded = true;
	return MU_OK;
}

void
memberships_of(const struct memberships *m, const char *dn, struct crypto_hash *h,
    struct strings *out_groups)
{
	struct membership key;
	size_t low = 0, high = m->count;

	if (m->count == 0)
		return;
	dn_hash(h, dn, key.dn);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by_dn(&m->list[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->count && by_dn(&m->list[low], &key) == 0; low++)
		strings_add(out_groups, m->names[m->list[low].group]);
}

void
memberships_clear(struct memberships *m)
{
	for (size_t i = 0; i < m->groups.count; i++)
		mu_free(m->names[i]);
	mu_free(m->names);
	mu_free(m->list);
	known_clear(&m->groups);
	*m = (struct memberships){ .count = 0 };
}
