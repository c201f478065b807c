#include "cycle/known.h"

#include "base/buf.h"

#include <string.h>

#define ROOM_MIN	64

/* The seed is a secret: whoever chooses the UUIDs cannot make them meet. */
static size_t
slot_of(const struct known *k, const struct mu_uuid *uuid)
{
	uint64_t a, b;

	(void)memcpy(&a, uuid->bytes, sizeof(a));
	(void)memcpy(&b, uuid->bytes + sizeof(a), sizeof(b));
	a = (a ^ k->seed) * 0x9e3779b97f4a7c15u;
	a = (a ^ a >> 32 ^ b) * 0xbf58476d1ce4e5b9u;
	a = (a ^ a >> 29 ^ k->seed) * 0x94d049bb133111ebu;
	return (size_t)(a ^ a >> 32) & (k->slot_count - 1);
}

/* Where uuid stands, or the empty slot where it would. */
static size_t
slot_find(const struct known *k, const struct mu_uuid *uuid)
{
	size_t at = slot_of(k, uuid);

	while (k->slots[at] != 0 && !mu_uuid_equal(&k->list[k->slots[at] - 1].entry_uuid, uuid))
		at = (at + 1) & (k->slot_count - 1);
	return at;
}

/* At most two thirds of the slots are taken. */
static void
grow(struct known *k)
{
	if (k->count == k->room) {
		k->room = k->room == 0 ? ROOM_MIN : k->room + k->room / 2;
		k->list = mu_alloc_again(k->list, k->room, sizeof(*k->list));
		k->flags = mu_alloc_again(k->flags, k->room, sizeof(*k->flags));
	}
	if (3 * (k->count + 1) <= 2 * k->slot_count)
		return;
	if (k->slot_count == 0)
		mu_random(&k->seed, sizeof(k->seed));
	k->slot_count = k->slot_count == 0 ? 2 * ROOM_MIN : 2 * k->slot_count;
	mu_free(k->slots);
	k->slots = mu_alloc_zero(k->slot_count, sizeof(*k->slots));
	for (size_t i = 0; i < k->count; i++)
		k->slots[slot_find(k, &k->list[i].entry_uuid)] = (uint32_t)i + 1;
}

size_t
known_find(const struct known *k, const struct mu_uuid *entry_uuid)
{
	uint32_t at = k->slot_count == 0 ? 0 : k->slots[slot_find(k, entry_uuid)];

	return at == 0 ? KNOWN_NONE : at - 1;
}

size_t
known_add(struct known *k, const struct mu_uuid *entry_uuid)
{
	size_t at = known_find(k, entry_uuid);

	if (at != KNOWN_NONE)
		return at;
	grow(k);
	at = k->count++;
	k->list[at] = (struct known_entry){ .entry_uuid = *entry_uuid };
	k->flags[at] = 0;
	k->slots[slot_find(k, entry_uuid)] = (uint32_t)at + 1;
	return at;
}

bool
known_has(const struct known *k, const struct mu_uuid *entry_uuid, unsigned int flag)
{
	size_t at = known_find(k, entry_uuid);

	return at != KNOWN_NONE && (k->flags[at] & flag) != 0;
}

void
known_clear(struct known *k)
{
	mu_free(k->list);
	mu_free(k->flags);
	mu_free(k->slots);
	*k = (struct known){ .count = 0 };
}
