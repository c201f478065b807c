/*
 * model/account.h - the part of an account row that gives power, and what of it is MACed
 */
#ifndef MODEL_ACCOUNT_H
#define MODEL_ACCOUNT_H

#include "base/uuid.h"
#include "model/entitlement.h"
#include "model/names.h"
#include "model/strings.h"

#define ACCOUNT_SUBJECT_BYTES	16	/* random, one per person and platform */
#define MAC_BYTES		32	/* HMAC-SHA-256 */

struct account_want {
	struct mu_uuid account_id, person_id;
	char *platform;			/* name in the configuration */
	char *name;			/* on that platform, normalised */
	unsigned char subject[ACCOUNT_SUBJECT_BYTES];
	enum account_state state;
	struct strings roles;
	struct entitlements entitlements;
	int64_t version;		/* grows with every change of what stands above */
};

void account_want_clear(struct account_want *w);

/* The bytes that keys MACs: table name, then each column with its length before it. */
void account_want_encode(const struct account_want *w, struct mu_buf *b);

#endif
