/*
 * store/link_priv.h - a connection that lives in a loop: connects without waiting, comes back by
 * itself
 */
#ifndef STORE_LINK_PRIV_H
#define STORE_LINK_PRIV_H

#include "base/loop.h"

#include <libpq-fe.h>

struct store_link;

struct store_link_ops {
	/* connected: non-blocking, in pipeline mode if asked for */
	void (*up)(void *ctx, PGconn *conn);
	void (*readable)(void *ctx, PGconn *conn);	/* input was consumed */
	void (*down)(void *ctx);		/* the connection that was up is gone */
};

/* name, for the log, and ops are borrowed for ever; conninfo is copied. */
struct store_link *store_link_open(struct mu_loop *loop, const char *conninfo, const char *name,
    bool pipeline, const struct store_link_ops *ops, void *ctx);
void store_link_close(struct store_link *l);

PGconn *store_link_conn(struct store_link *l);		/* NULL while it is not up */
/* sends what is queued, now and when the socket takes more */
void store_link_flush(struct store_link *l);
/* it has been of use: the next loss is retried quickly */
void store_link_good(struct store_link *l);
/* ends the connection, to begin anew */
void store_link_break(struct store_link *l, const char *why);

#endif
