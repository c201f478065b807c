#include "audit/grow.h"

#include "store/audit.h"
#include "store/flood.h"
#include "store/source.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX	4096
#define LEASE_S		30

struct audit_log {
	struct audit_host host;
	struct audit_tree tree;		/* of the leaves that are committed */
	int64_t checkpointed;		/* the size that the newest checkpoint counts, */
	int64_t checkpointed_s;		/* and when it was made here */
};

struct leaves {
	struct audit_tree *tree;
	bool gap;
};

static void
leaf_each(void *ctx, int64_t leaf_index, const unsigned char leaf_hash[32])
{
	struct leaves *l = ctx;

	l->gap = l->gap || leaf_index != l->tree->size;
	audit_tree_add(l->tree, leaf_hash);
}

static enum mu_rc
tree_read(struct audit_log *log, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf note = MU_BUF_INIT;
	struct leaves l = { &log->tree, false };

	if (store_begin(log->host.store, err) != MU_OK)
		return err->rc;
	if (store_leaf_each(log->host.store, leaf_each, &l, err) != MU_OK ||
	    store_checkpoint_last(log->host.store, &log->checkpointed, &note, err) != MU_OK)
		return err->rc;
	store_rollback(log->host.store);
	if (l.gap || log->tree.size < log->checkpointed)
		return mu_fail(err, MU_EBROKEN,
		    "audit leaves have been cut: %lld are left of %lld; restore the store",
		    (long long)log->tree.size, (long long)log->checkpointed);
	return MU_OK;
}

enum mu_rc
audit_log_open(const struct audit_host *host, struct audit_log **out_log, struct mu_err *err)
{
	struct audit_log *log = mu_alloc_zero(1, sizeof(*log));

	log->host = *host;
	if (tree_read(log, err) != MU_OK) {
		store_rollback(host->store);
		audit_log_close(log);
		return err->rc;
	}
	*out_log = log;
	return MU_OK;
}

void
audit_log_close(struct audit_log *log)
{
	mu_free(log);
}

struct batch {
	struct store *store;
	struct audit_tree *tree;
	struct mu_uuid *ids;
	unsigned char (*hashes)[CRYPTO_SHA256_BYTES];
	size_t count;
};

static void
record_each(void *ctx, const struct mu_uuid *record_id, const char *body, size_t body_bytes)
{
	struct batch *b = ctx;

	b->ids[b->count] = *record_id;
	crypto_leaf_hash(body, body_bytes, b->hashes[b->count++]);
}

/* Begins a transaction that only the lease's holder gets. */
static enum mu_rc
begin(struct audit_log *log, struct mu_err *err)
{
	int64_t fence;
	enum mu_rc rc;

	if (store_begin(log->host.store, err) != MU_OK)
		return err->rc;
	rc = store_lease_take(log->host.store, "audit", log->host.holder, LEASE_S, &fence, err);
	if (rc == MU_EDENIED)
		rc = mu_fail(err, MU_ERETRY, "another host numbers the audit records");
	return rc;
}

static enum mu_rc
batch_number(struct audit_log *log, struct batch *b, struct mu_err *err)
{
	struct store_flood *leaves;

	if (begin(log, err) != MU_OK ||
	    store_audit_unnumbered(b->store, BATCH_MAX, record_each, b, err) != MU_OK)
		return err->rc;
	if (b->count == 0) {
		store_rollback(b->store);
		return MU_OK;
	}
	store_audit_numbered(b->store, b->ids, b->count);
	leaves = store_flood_new();
	for (size_t i = 0; i < b->count; i++) {
		store_flood_leaf(leaves, b->tree->size, &b->ids[i], b->hashes[i]);
		audit_tree_add(b->tree, b->hashes[i]);
	}
	if (store_flood_start(b->store, leaves, err) != MU_OK)
		return err->rc;
	return store_flood_end(b->store, err);
}

/*
 * Only what is committed is signed: keys refuses a second tree of the same size, so a checkpoint of
 * leaves that were rolled back would stand in the way of the true one.
 */
static enum mu_rc
checkpoint(struct audit_log *log, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf note = MU_BUF_INIT;

	audit_checkpoint_format(&log->tree, log->host.origin, &body);
	if (log->host.sign(log->host.sign_ctx, body.data, &note, err) != MU_OK || begin(log, err) != MU_OK)
		return err->rc;
	store_checkpoint_write(log->host.store, log->tree.size, note.data, now_s);
	if (store_commit(log->host.store, err) != MU_OK)
		return err->rc;
	log->checkpointed = log->tree.size;
	log->checkpointed_s = now_s;
	return MU_OK;
}

enum mu_rc
audit_log_grow(struct audit_log *log, int64_t now_s, bool *out_more, struct mu_err *err)
{
	struct audit_tree grown = log->tree;
	struct batch b = { .store = log->host.store, .tree = &grown };
	enum mu_rc rc;

	b.ids = mu_alloc_zero(BATCH_MAX, sizeof(*b.ids));
	b.hashes = mu_alloc_zero(BATCH_MAX, sizeof(*b.hashes));
	rc = batch_number(log, &b, err);
	mu_free(b.ids);
	mu_free(b.hashes);
	if (rc == MU_OK) {
		log->tree = grown;
		if (log->tree.size > log->checkpointed &&
		    (b.count < BATCH_MAX || now_s != log->checkpointed_s))
			rc = checkpoint(log, now_s, err);
	}
	if (rc != MU_OK) {
		store_rollback(log->host.store);
		return rc;
	}
	*out_more = b.count == BATCH_MAX;
	return MU_OK;
}
