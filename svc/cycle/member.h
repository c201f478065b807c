/*
 * cycle/member.h - who is in which groups, in memory, while many people are new at once
 *
 * A person who is new is in the groups that list their dn. Asking the store costs a look-up each;
 * this is all of a source's groups, read once. It is right as long as no group is written: whoever
 * writes one clears it.
 */
#ifndef CYCLE_MEMBER_H
#define CYCLE_MEMBER_H

#include "crypto/digest.h"
#include "cycle/known.h"
#include "model/strings.h"
#include "store/store.h"

#define MEMBER_DN_BYTES 12		/* of the dn's SHA-256: nobody finds a second one */

struct membership {
	unsigned char dn[MEMBER_DN_BYTES];
	uint32_t group;
};

struct memberships {
	struct membership *list;	/* sorted by dn */
	size_t count, room;
	struct known groups;		/* by entry UUID: index into names */
	char **names;
	bool loaded;
};

/* Outside of transactions. */
MU_CHECKED enum mu_rc memberships_load(struct memberships *m, struct store *s, const char *source,
    struct crypto_hash *h, struct mu_err *err);
void memberships_of(const struct memberships *m, const char *dn, struct crypto_hash *h,
    struct strings *out_groups);
void memberships_clear(struct memberships *m);

#endif
