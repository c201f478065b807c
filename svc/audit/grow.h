/*
 * audit/grow.h - records get their number, the tree grows, checkpoints say so
 *
 * One owner at a time, by lease. A record is numbered within a second of its commit, once no running
 * transaction could still write an older one.
 */
#ifndef AUDIT_GROW_H
#define AUDIT_GROW_H

#include "base/err.h"
#include "audit/tree.h"
#include "store/store.h"

struct audit_log;

/* Has keys sign a checkpoint body; out_note is the signed note. */
typedef enum mu_rc audit_sign_fn(void *ctx, const char *body, struct mu_buf *out_note, struct mu_err *err);

struct audit_host {
	struct store *store;		/* STORE_AUDIT | STORE_TREE | STORE_SOURCE */
	const char *origin;		/* names this log in its checkpoints */
	const char *holder;		/* names this process in the lease */
	audit_sign_fn *sign;
	void *sign_ctx;
};

/*
 * Rebuilds the tree's edge from the leaves.
 * MU_EBROKEN  the leaves have a gap, or are fewer than the last checkpoint counted: somebody cut them
 */
MU_CHECKED enum mu_rc audit_log_open(const struct audit_host *host, struct audit_log **out_log, struct mu_err *err);
void audit_log_close(struct audit_log *log);

/*
 * Numbers a batch of what is waiting; out_more: it was full, so ask again at once. A checkpoint follows
 * the last batch, and one a second where there are many.
 */
MU_CHECKED enum mu_rc audit_log_grow(struct audit_log *log, int64_t now_s, bool *out_more, struct mu_err *err);

#endif
