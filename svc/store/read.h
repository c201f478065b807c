/*
 * store/read.h - token's lookups: non-blocking, pipelined, never cached
 *
 * Two connections of its own in the caller's loop: one reads, one writes what is audited, so that
 * no lookup waits for a disk. Lookups asked for in one turn of the loop leave together at its end
 * with one Sync. Both reconnect by themselves, backing off up to 2 s; what was asked for and not
 * answered by then is answered MU_ERETRY.
 */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "base/loop.h"
#include "store/client.h"

struct store_read;

/*
 * Starts connecting and returns at once; conninfo is copied. At most one per loop, for as long as
 * the loop runs.
 */
struct store_read *store_read_open(struct mu_loop *loop, const char *conninfo);
/* after the loop ended; unanswered lookups are dropped */
void store_read_close(struct store_read *r);
bool store_read_is_up(const struct store_read *r);

/* One lookup's answer, cleared when the handler returns. */
struct store_grant {
	bool has_client;		/* false: this certificate is nobody's */
	struct store_client client;	/* without certificate and csr_digest */
	bool has_account;		/* false: the client's platform has no such account */
	struct account_want account;
	unsigned char mac[MAC_BYTES];
};

/*
 * rc: MU_OK, or MU_ERETRY and grant is NULL. The handler may move strings out of grant and
 * leave NULL.
 */
typedef void store_grant_fn(void *ctx, enum mu_rc rc, struct store_grant *grant);

/*
 * Who holds this certificate and what the account of that name is to be on their platform. fn is
 * called once, from the loop and never from inside this call. MU_ERETRY also when the writes
 * below have piled up: nobody is told anything that cannot be recorded.
 */
void store_read_grant(struct store_read *r, const unsigned char fingerprint[FINGERPRINT_BYTES],
    const char *account_name, store_grant_fn *fn, void *ctx);

/*
 * Counts one pull of the account by the client in now_s's minute, and writes an audit record. They
 * are sent in batches, kept while the store is away, and sent again when a connection broke before
 * its answer: a record stands once, a count may be too high by that batch, never too low.
 */
void store_read_pull_add(struct store_read *r, const struct mu_uuid *client_id,
    const struct mu_uuid *account_id, int64_t now_s);
void store_read_audit_add(struct store_read *r, const struct mu_uuid *record_id,
    int64_t happened_at_ms, const char *kind, const char *body);

#endif
