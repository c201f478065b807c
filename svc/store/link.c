#include "store/link_priv.h"

#include "base/buf.h"
#include "base/log.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CONNECT_WAIT_MS	10000
#define BACKOFF_MIN_MS	20
#define BACKOFF_MAX_MS	2000

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP };

struct store_link {
	struct mu_loop *loop;
	char *conninfo;
	const char *name;
	const struct store_link_ops *ops;
	void *ctx;
	PGconn *conn;
	struct mu_watch *watch;
	struct mu_timer *timer;		/* DOWN: try again; CONNECTING: give up */
	enum link_state state;
	int64_t backoff_ms;
	bool pipeline, wants_write, told;
};

static void on_ready(void *ctx, uint32_t epoll_events);

static void
watch_end(struct store_link *l)
{
	mu_watch_remove(l->watch);
	l->watch = NULL;
}

void
store_link_break(struct store_link *l, const char *why)
{
	bool was_up = l->state == LINK_UP;

	if (l->state == LINK_DOWN)
		return;
	/* Once per outage: the attempts that follow would say the same. */
	if (!l->told)
		mu_log("store.lost", "link", l->name, "reason", why, NULL);
	l->told = true;
	watch_end(l);
	PQfinish(l->conn);
	l->conn = NULL;
	l->state = LINK_DOWN;
	l->wants_write = false;
	mu_timer_set(l->timer, l->backoff_ms);
	l->backoff_ms = l->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : l->backoff_ms * 2;
	if (was_up)
		l->ops->down(l->ctx);
}

static void
break_lost(struct store_link *l)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "%s", PQerrorMessage(l->conn));
	text[strcspn(text, "\n")] = '\0';
	store_link_break(l, text[0] == '\0' ? "connection lost" : text);
}

void
store_link_flush(struct store_link *l)
{
	int left;

	if (l->state != LINK_UP)
		return;
	left = PQflush(l->conn);
	if (left < 0) {
		break_lost(l);
		return;
	}
	if (l->wants_write != (left == 1)) {
		l->wants_write = left == 1;
		mu_watch_change(l->watch, l->wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
}

void
store_link_good(struct store_link *l)
{
	l->backoff_ms = BACKOFF_MIN_MS;
	if (l->told)
		mu_log("store.back", "link", l->name, NULL);
	l->told = false;
}

static void
came_up(struct store_link *l)
{
	if (PQsetnonblocking(l->conn, 1) != 0 || (l->pipeline &&
	    PQenterPipelineMode(l->conn) != 1)) {
		break_lost(l);
		return;
	}
	mu_timer_stop(l->timer);
	l->state = LINK_UP;
	l->watch = mu_loop_watch(l->loop, PQsocket(l->conn), EPOLLIN, on_ready, l);
	l->ops->up(l->ctx, l->conn);
	store_link_flush(l);
}

/* One step of connecting; libpq may change its socket with each. */
static void
connect_step(struct store_link *l)
{
	PostgresPollingStatusType next;

	watch_end(l);
	next = PQconnectPoll(l->conn);
	if (next == PGRES_POLLING_OK)
		came_up(l);
	else if (next == PGRES_POLLING_FAILED)
		break_lost(l);
	else
		l->watch = mu_loop_watch(l->loop, PQsocket(l->conn),
		    next == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT, on_ready, l);
}

static void
on_ready(void *ctx, uint32_t epoll_events)
{
	struct store_link *l = ctx;

	if (l->state == LINK_CONNECTING) {
		connect_step(l);
		return;
	}
	if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		if (PQconsumeInput(l->conn) == 0) {
			break_lost(l);
			return;
		}
		l->ops->readable(l->ctx, l->conn);
	}
	store_link_flush(l);
}

static void
on_timer(void *ctx)
{
	struct store_link *l = ctx;
	const char *keys[] = { "dbname", "fallback_application_name", NULL };
	const char *values[] = { l->conninfo, "musterd", NULL };

	if (l->state == LINK_CONNECTING) {
		store_link_break(l, "no answer while connecting");
		return;
	}
	l->state = LINK_CONNECTING;
	l->conn = PQconnectStartParams(keys, values, 1);
	store_quiet(l->conn);
	mu_timer_set(l->timer, CONNECT_WAIT_MS);
	if (PQstatus(l->conn) == CONNECTION_BAD)
		break_lost(l);
	else
		l->watch = mu_loop_watch(l->loop, PQsocket(l->conn), EPOLLOUT, on_ready, l);
}

struct store_link *
store_link_open(struct mu_loop *loop, const char *conninfo, const char *name, bool pipeline,
    const struct store_link_ops *ops, void *ctx)
{
	struct store_link *l = mu_alloc_zero(1, sizeof(*l));

	l->loop = loop;
	l->conninfo = mu_strdup(conninfo);
	l->name = name;
	l->pipeline = pipeline;
	l->ops = ops;
	l->ctx = ctx;
	l->backoff_ms = BACKOFF_MIN_MS;
	l->timer = mu_loop_timer(loop, on_timer, l);
	mu_timer_set(l->timer, 0);
	return l;
}

void
store_link_close(struct store_link *l)
{
	if (l == NULL)
		return;
	watch_end(l);
	mu_timer_free(l->timer);
	PQfinish(l->conn);
	explicit_bzero(l->conninfo, strlen(l->conninfo));
	mu_free(l->conninfo);
	mu_free(l);
}

PGconn *
store_link_conn(struct store_link *l)
{
	return l->state == LINK_UP ? l->conn : NULL;
}
