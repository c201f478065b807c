/*
 * provision/record.h - the worker's port to the store: what was taken, begun and how it ended
 *
 * An end is one transaction: receipts, observed state, settled version, credential, audit. Each
 * receipt's audit record has the receipt's id; the receipt's signature is over the very bytes of that
 * record, so that who holds an export can check it.
 */
#ifndef PROVISION_RECORD_H
#define PROVISION_RECORD_H

#include "base/buf.h"
#include "provision/worker.h"
#include "store/store.h"

#define RECORD_LEASE_S 120	/* an account in hand is another host's only after this */

/* Signs bytes (keys does); what comes back is kept as it is. MU_ERETRY: keys is away. */
typedef enum mu_rc record_sign_fn(void *ctx, const struct mu_buf *bytes, struct mu_buf *out_signature,
    struct mu_err *err);

/* All borrowed. */
struct record {
	struct store *store;
	const char *platform;
	const char *holder;		/* of leases: the same for every life of this process on this host */
	record_sign_fn *sign;
	void *sign_ctx;
};

/* The same contracts as in struct worker_port. */
MU_CHECKED enum mu_rc record_take(const struct record *r, struct store_works *out_works,
    struct mu_err *err);
MU_CHECKED enum mu_rc record_begin(const struct record *r, const struct work_begin *b,
    struct mu_err *err);
MU_CHECKED enum mu_rc record_end(const struct record *r, const struct work_end *e, struct mu_err *err);

/* Parked accounts of the platform are due again: its adapter was started anew. */
MU_CHECKED enum mu_rc record_unpark(const struct record *r, struct mu_err *err);

#endif
