/*
 * store/audit.h - audit records as rows; what stands in them is the audit room's
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "base/buf.h"
#include "store/store.h"

/* Queued with the transaction of its cause. body: RFC 8785 JSON, the very bytes that are hashed. */
void store_audit_write(struct store *s, const struct mu_uuid *record_id, int64_t happened_at_ms,
    const char *kind, const char *body);

/* --- The tree (STORE_TREE): the audit process alone ----------------------------------- */
/*
 * Committed records without a leaf, in order of key; at most max. A transaction that commits late
 * is numbered late, behind keys above its own: order of leaves is the order in which records were
 * found.
 */
typedef void store_record_fn(void *ctx, const struct mu_uuid *record_id, const char *body,
    size_t body_bytes);
MU_CHECKED enum mu_rc store_audit_unnumbered(struct store *s, size_t max, store_record_fn *each,
    void *ctx, struct mu_err *err);
/* They wait no more: in the transaction of their leaves (store/flood.h). */
void store_audit_numbered(struct store *s, const struct mu_uuid *record_ids, size_t count);
typedef void store_leaf_fn(void *ctx, int64_t leaf_index, const unsigned char leaf_hash[32]);
MU_CHECKED enum mu_rc store_leaf_each(struct store *s, store_leaf_fn *each, void *ctx,
    struct mu_err *err);
/* The newest checkpoint: its size, 0 and "" when there is none. */
MU_CHECKED enum mu_rc store_checkpoint_last(struct store *s, int64_t *out_size,
    struct mu_buf *out_note, struct mu_err *err);
void store_checkpoint_write(struct store *s, int64_t tree_size, const char *note, int64_t now_s);

#endif
