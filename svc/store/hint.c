#include "store/hint.h"

#include "base/buf.h"
#include "store/link_priv.h"

#include <assert.h>
#include <string.h>

#define CHANNELS_MAX 8

struct store_hint {
	struct store_link *link;
	struct mu_timer *call;		/* handlers run from here, once however many hints came */
	struct {
		const char *name;
		mu_timer_fn *fn;
		void *ctx;
		bool due;
	} channels[CHANNELS_MAX];
	size_t count;
	bool asking, ask_again;		/* a LISTEN is not answered yet; more was asked for since */
};

static void
listen_all(struct store_hint *h, PGconn *conn)
{
	MU_AUTO(mu_buf_clear) struct mu_buf sql = MU_BUF_INIT;

	for (size_t i = 0; i < h->count; i++) {
		char *quoted = PQescapeIdentifier(conn, h->channels[i].name,
		    strlen(h->channels[i].name));

		mu_buf_format(&sql, "LISTEN %s;", quoted == NULL ? "none" : quoted);
		PQfreemem(quoted);
	}
	h->ask_again = false;
	h->asking = h->count > 0 && PQsendQuery(conn, sql.data) == 1;
}

/*
 * The answers to LISTEN: from the last on, hints arrive; what came before is lost, so everybody
 * looks.
 */
static void
answers_read(struct store_hint *h, PGconn *conn)
{
	while (PQisBusy(conn) == 0) {
		PGresult *result = PQgetResult(conn);
		bool refused = PQresultStatus(result) == PGRES_FATAL_ERROR;

		PQclear(result);
		if (result == NULL) {
			h->asking = false;
			if (h->ask_again)
				listen_all(h, conn);
			return;
		}
		if (refused) {
			store_link_break(h->link, "LISTEN was refused");
			return;
		}
		store_link_good(h->link);
		for (size_t i = 0; i < h->count; i++)
			h->channels[i].due = true;
		mu_timer_set(h->call, 0);
	}
}

static void
on_up(void *ctx, PGconn *conn)
{
	listen_all(ctx, conn);
}

static void
on_readable(void *ctx, PGconn *conn)
{
	struct store_hint *h = ctx;
	PGnotify *n;

	answers_read(h, conn);
	if (store_link_conn(h->link) == NULL)
		return;
	while ((n = PQnotifies(conn)) != NULL) {
		for (size_t i = 0; i < h->count; i++)
			if (strcmp(h->channels[i].name, n->relname) == 0)
				h->channels[i].due = true;
		PQfreemem(n);
		mu_timer_set(h->call, 0);
	}
}

static void
on_down(void *ctx)
{
	struct store_hint *h = ctx;

	h->asking = h->ask_again = false;
}

static const struct store_link_ops ops = { on_up, on_readable, on_down };

static void
on_call(void *ctx)
{
	struct store_hint *h = ctx;

	for (size_t i = 0; i < h->count; i++) {
		if (!h->channels[i].due)
			continue;
		h->channels[i].due = false;
		h->channels[i].fn(h->channels[i].ctx);
	}
}

struct store_hint *
store_hint_open(struct mu_loop *loop, const char *conninfo)
{
	struct store_hint *h = mu_alloc_zero(1, sizeof(*h));

	h->call = mu_loop_timer(loop, on_call, h);
	h->link = store_link_open(loop, conninfo, "hint", false, &ops, h);
	return h;
}

void
store_hint_close(struct store_hint *h)
{
	if (h == NULL)
		return;
	store_link_close(h->link);
	mu_timer_free(h->call);
	mu_free(h);
}

void
store_hint_on(struct store_hint *h, const char *channel, mu_timer_fn *fn, void *ctx)
{
	PGconn *conn = store_link_conn(h->link);

	assert(h->count < CHANNELS_MAX);
	h->channels[h->count].name = channel;
	h->channels[h->count].fn = fn;
	h->channels[h->count++].ctx = ctx;
	h->ask_again = conn != NULL;
	if (conn != NULL && !h->asking) {
		listen_all(h, conn);
		store_link_flush(h->link);
	}
}
