/*
 * store/flood.h - many new rows at once: COPY in, and COPY out of what a full read compares with
 *
 * A flood is filled by whoever decides, then written and committed while they decide on: between
 * store_flood_start and store_flood_end its connection is the flood's alone, and goes on whenever
 * store_flood_push is called. All rows are new: a row that is there already is MU_ECONFLICT, and
 * nothing of the flood happened.
 */
#ifndef STORE_FLOOD_H
#define STORE_FLOOD_H

#include "store/person.h"

struct store_flood;

struct store_flood *store_flood_new(void);
void store_flood_free(struct store_flood *f);

/* As store_person_write and store_account_write of a fresh account, not urgent. */
void store_flood_person(struct store_flood *f, const struct store_person *p);
void store_flood_account(struct store_flood *f, const struct store_account *a, int64_t now_s);
/* As store_audit_write. */
void store_flood_record(struct store_flood *f, const struct mu_uuid *record_id,
    int64_t happened_at_ms, const char *kind, const struct mu_buf *body);
/* As store_group_write of a new group. */
void store_flood_group(struct store_flood *f, const char *source, const struct mu_uuid *entry_uuid,
    const char *name, const char *const *member_dns, size_t member_count,
    const unsigned char content_hash[CONTENT_HASH_BYTES]);
/* A record's place in the tree. */
void store_flood_leaf(struct store_flood *f, int64_t leaf_index, const struct mu_uuid *record_id,
    const unsigned char leaf_hash[32]);

/*
 * Begins to write the flood, and then to commit the open transaction; takes f. Whatever was queued
 * before is waited for. From MU_OK on nothing but push and end may be asked of s.
 */
MU_CHECKED enum mu_rc store_flood_start(struct store *s, struct store_flood *f, struct mu_err *err);
/* Sends and takes what can be without waiting; true when nothing is left to do but the end. */
bool store_flood_push(struct store *s);
/* Waits for the commit. Whatever went wrong, the transaction is over. MU_OK too when none runs. */
MU_CHECKED enum mu_rc store_flood_end(struct store *s, struct mu_err *err);
bool store_flood_runs(const struct store *s);

/* --- What is known of a source --------------------------------------------------------------- */

/* here: counts as listed, so that whoever is missing from a complete listing is gone. */
typedef void store_known_fn(void *ctx, const struct mu_uuid *entry_uuid,
    const unsigned char content_hash[CONTENT_HASH_BYTES], bool here);

/* Every person, or every group, of the source, in no order; outside of transactions. */
MU_CHECKED enum mu_rc store_person_known(struct store *s, const char *source, store_known_fn *each,
    void *ctx, struct mu_err *err);
MU_CHECKED enum mu_rc store_group_known(struct store *s, const char *source, store_known_fn *each,
    void *ctx, struct mu_err *err);

/* The name of each group of the source, and each of their members; text is borrowed. */
typedef void store_group_text_fn(void *ctx, const struct mu_uuid *entry_uuid, const char *text);
MU_CHECKED enum mu_rc store_group_names(struct store *s, const char *source,
    store_group_text_fn *each, void *ctx, struct mu_err *err);
MU_CHECKED enum mu_rc store_group_members(struct store *s, const char *source,
    store_group_text_fn *each, void *ctx, struct mu_err *err);

#endif
