/*
 * model/grant.h - what an action gave a person: a requested role until an end, an identification
 *
 * Both are rows that give power, so each carries a MAC that keys made for the process admin alone;
 * whoever decides on the person has it checked, and a row whose MAC is wrong counts for nothing.
 */
#ifndef MODEL_GRANT_H
#define MODEL_GRANT_H

#include "base/buf.h"
#include "base/uuid.h"
#include "model/account.h"

struct grant {
	struct mu_uuid grant_id, person_id, granted_by;
	char *role, *reason;
	int64_t starts_at_s, ends_at_s;		/* every grant ends */
	unsigned char action_digest[32];	/* the action that gave it */
	int64_t reviewed_at_s;			/* when it was last confirmed, 0: never */
	struct mu_uuid reviewed_by;
	unsigned char mac[MAC_BYTES];
};
void grant_clear(struct grant *g);
/*
 * The bytes that keys MACs: "grant:", then each column but mac with its length before it. Of one
 * that was never reviewed these are the bytes from before there were reviews: its MAC stays right.
 */
void grant_encode(const struct grant *g, struct mu_buf *b);

struct identification {
	struct mu_uuid person_id, verifier;	/* verifier is not the person */
	char *level;				/* of identification.yaml; "" : nobody has vouched */
	char *method, *evidence;		/* "passport", a reference to where it is on file */
	int64_t identified_at_s, version;
	unsigned char mac[MAC_BYTES];
};
void identification_clear(struct identification *i);
void identification_encode(const struct identification *i, struct mu_buf *b);	/* "identification:" */

#endif
