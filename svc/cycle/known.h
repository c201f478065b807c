/*
 * cycle/known.h - the entries of one search: what was known of them, and who came in this refresh
 *
 * A full read compares with this in memory, not with the store. It is only a hint: whoever writes
 * reads the row after its lock. What makes the hint safe: an entry that came as anything but its
 * row (KNOWN_TAKEN) is never left out again in the same refresh.
 */
#ifndef CYCLE_KNOWN_H
#define CYCLE_KNOWN_H

#include "base/uuid.h"

#include <stddef.h>
#include <stdint.h>

#define KNOWN_HASH_BYTES 16		/* of a content hash */

enum {
	KNOWN_ROW = 1 << 0,		/* had a row when the refresh began */
	KNOWN_HERE = 1 << 1,		/* and was listed by it: no leaver, not erased */
	KNOWN_SEEN = 1 << 2,		/* has come in this refresh, or was said to be present */
	KNOWN_TAKEN = 1 << 3,		/* its row may be another one since */
};

struct known_entry {
	struct mu_uuid entry_uuid;
	unsigned char hash[KNOWN_HASH_BYTES];
};

struct known {
	struct known_entry *list;
	unsigned char *flags;
	uint32_t *slots;		/* index into list + 1; 0: empty */
	size_t count, room, slot_count;
	uint64_t seed;
	bool loaded;			/* everybody who has a row is in it */
};

#define KNOWN_NONE SIZE_MAX

size_t known_find(const struct known *k, const struct mu_uuid *entry_uuid);	/* or KNOWN_NONE */
size_t known_add(struct known *k, const struct mu_uuid *entry_uuid);	/* as it is, or anew: no flags */
bool known_has(const struct known *k, const struct mu_uuid *entry_uuid, unsigned int flag);
void known_clear(struct known *k);

#endif
