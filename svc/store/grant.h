/*
 * store/grant.h - requested grants and identifications as rows (STORE_GRANT)
 *
 * They are read with the person (store/person.h); the person's row is locked by whoever writes them.
 * Inside a transaction.
 */
#ifndef STORE_GRANT_H
#define STORE_GRANT_H

#include "model/grant.h"
#include "store/store.h"

/* Inserts, in place of a grant of the same role that the person has. */
void store_grant_write(struct store *s, const struct grant *g);
/* When it was last confirmed, by whom, and its MAC; MU_ECONFLICT at commit when it is gone. */
void store_grant_review(struct store *s, const struct grant *g);
/* Whose they are, each person once and in order; grants that are gone are nobody's. */
MU_CHECKED enum mu_rc store_grant_holders(struct store *s, const struct mu_uuid *grant_ids,
    size_t count, struct mu_uuid *out_person_ids, size_t *out_count, struct mu_err *err);
/* Gone; MU_ECONFLICT at commit when there is no such grant. */
void store_grant_drop(struct store *s, const struct mu_uuid *grant_id);

/* Version 1 inserts; a higher one replaces the row whose version is one less. */
void store_identification_write(struct store *s, const struct identification *i);

/* The facts that actions set on a person's row; bumps its version. The row is locked by the caller. */
void store_person_block(struct store *s, const struct mu_uuid *person_id, bool blocked);
void store_person_suspend(struct store *s, const struct mu_uuid *person_id, bool suspended,
    int64_t resume_at_s);

#endif
