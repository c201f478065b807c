/*
 * store/source.h - where each directory source stands: cookie, verdict, quarantine
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include "base/buf.h"
#include "model/names.h"
#include "store/store.h"

#define SOURCE_DIGEST_BYTES 32

/* One search ("people" or "groups") of a source. */
struct store_search {
	struct mu_buf cookie;			/* empty: none */
	/* of what was asked when the cookie was given */
	unsigned char digest[SOURCE_DIGEST_BYTES];
	int64_t complete_at_s;			/* last complete listing, 0: never */
	int64_t listed_count;			/* entries of the last complete listing */
};
void store_search_clear(struct store_search *x);

/* MU_EABSENT when the source was never read. */
MU_CHECKED enum mu_rc store_search_get(struct store *s, const char *source, const char *search,
    struct store_search *out_search, struct mu_err *err);
void store_search_write(struct store *s, const char *source, const char *search,
    const struct store_search *x);

/* The verdict with its reason; since moves only when the verdict changes. */
MU_CHECKED enum mu_rc store_verdict_get(struct store *s, const char *source,
    enum verdict *out_verdict, int64_t *out_since_s, struct mu_err *err);
void store_verdict_write(struct store *s, const char *source, enum verdict verdict,
    const char *text, int64_t now_s);

void store_quarantine_write(struct store *s, const char *source, const char *entry,
    const char *reason, int64_t now_s);
void store_quarantine_drop(struct store *s, const char *source, const char *entry);

/* --- A read that was asked for: sync run, and after a release ------------------------------ */
#define STORE_CHANNEL_SYNC "muster_sync"	/* hint: a read was asked for */
void store_sync_ask(struct store *s, const char *source, int64_t now_ms);
/* When a full read was last asked for, 0: never. */
MU_CHECKED enum mu_rc store_sync_asked(struct store *s, const char *source, int64_t *out_at_ms,
    struct mu_err *err);

/* --- Leases: work that must have one owner -------------------------------------------- */
/*
 * Takes or renews the lease for holder until now + seconds (the database's clock); out_fence grows
 * whenever the holder changes. MU_EDENIED while another holds it.
 */
MU_CHECKED enum mu_rc store_lease_take(struct store *s, const char *name, const char *holder,
    int64_t seconds, int64_t *out_fence, struct mu_err *err);

#endif
