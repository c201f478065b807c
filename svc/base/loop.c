#include "base/loop.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN	64
#define TURN_FNS_MAX	8

struct mu_watch {
	struct mu_loop *loop;
	struct mu_watch *next;		/* in the list of all, or of the removed */
	mu_ready_fn *fn;
	void *ctx;
	int fd;
	bool gone;
};

struct mu_timer {
	struct mu_loop *loop;
	struct mu_timer *next;
	mu_timer_fn *fn;
	void *ctx;
	int64_t due_ms;			/* 0: stopped */
	bool gone;
};

struct mu_loop {
	struct mu_watch *watches;
	struct mu_timer *timers;
	struct { mu_timer_fn *fn; void *ctx; } turn_fns[TURN_FNS_MAX];
	size_t turn_fn_count;
	int epoll_fd, status;
	bool stopped, some_gone;
};

struct mu_loop *
mu_loop_new(void)
{
	struct mu_loop *loop = mu_alloc_zero(1, sizeof(*loop));

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		abort();
	return loop;
}

/* Frees what was removed while handlers ran. */
static void
sweep(struct mu_loop *loop)
{
	if (!loop->some_gone)
		return;
	loop->some_gone = false;
	for (struct mu_watch **at = &loop->watches; *at != NULL;) {
		struct mu_watch *w = *at;

		if (w->gone) {
			*at = w->next;
			mu_free(w);
		} else {
			at = &w->next;
		}
	}
	for (struct mu_timer **at = &loop->timers; *at != NULL;) {
		struct mu_timer *t = *at;

		if (t->gone) {
			*at = t->next;
			mu_free(t);
		} else {
			at = &t->next;
		}
	}
}

void
mu_loop_free(struct mu_loop *loop)
{
	if (loop == NULL)
		return;
	for (struct mu_watch *w = loop->watches; w != NULL; w = w->next)
		w->gone = true;
	for (struct mu_timer *t = loop->timers; t != NULL; t = t->next)
		t->gone = true;
	loop->some_gone = true;
	sweep(loop);
	(void)close(loop->epoll_fd);
	mu_free(loop);
}

struct mu_watch *
mu_loop_watch(struct mu_loop *loop, int fd, uint32_t epoll_events, mu_ready_fn *fn, void *ctx)
{
	struct mu_watch *w = mu_alloc_zero(1, sizeof(*w));
	struct epoll_event ev = { .events = epoll_events, .data = { .ptr = w } };

	w->loop = loop;
	w->fn = fn;
	w->ctx = ctx;
	w->fd = fd;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		mu_log("loop.broken", "call", "epoll_ctl", NULL);
		abort();
	}
	w->next = loop->watches;
	loop->watches = w;
	return w;
}

void
mu_watch_change(struct mu_watch *w, uint32_t epoll_events)
{
	struct epoll_event ev = { .events = epoll_events, .data = { .ptr = w } };

	if (epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) != 0) {
		mu_log("loop.broken", "call", "epoll_ctl", NULL);
		abort();
	}
}

void
mu_watch_remove(struct mu_watch *w)
{
	if (w == NULL)
		return;
	(void)epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->gone = true;
	w->loop->some_gone = true;
}

struct mu_timer *
mu_loop_timer(struct mu_loop *loop, mu_timer_fn *fn, void *ctx)
{
	struct mu_timer *t = mu_alloc_zero(1, sizeof(*t));

	t->loop = loop;
	t->fn = fn;
	t->ctx = ctx;
	t->next = loop->timers;
	loop->timers = t;
	return t;
}

void
mu_timer_set(struct mu_timer *t, int64_t delay_ms)
{
	t->due_ms = mu_tick_ms() + (delay_ms < 0 ? 0 : delay_ms);
	if (t->due_ms == 0)
		t->due_ms = 1;
}

void
mu_timer_stop(struct mu_timer *t)
{
	t->due_ms = 0;
}

bool
mu_timer_is_set(const struct mu_timer *t)
{
	return t->due_ms != 0;
}

void
mu_timer_free(struct mu_timer *t)
{
	if (t == NULL)
		return;
	t->due_ms = 0;
	t->gone = true;
	t->loop->some_gone = true;
}

void
mu_loop_each_turn(struct mu_loop *loop, mu_timer_fn *fn, void *ctx)
{
	if (loop->turn_fn_count == TURN_FNS_MAX)
		abort();
	loop->turn_fns[loop->turn_fn_count].fn = fn;
	loop->turn_fns[loop->turn_fn_count].ctx = ctx;
	loop->turn_fn_count++;
}

/* Milliseconds to the next timer, -1 for none. */
static int
patience_ms(const struct mu_loop *loop)
{
	int64_t soonest = -1, now = mu_tick_ms();

	for (const struct mu_timer *t = loop->timers; t != NULL; t = t->next) {
		int64_t left = t->due_ms - now;

		if (t->due_ms == 0)
			continue;
		if (left < 0)
			left = 0;
		if (soonest < 0 || left < soonest)
			soonest = left;
	}
	return soonest > 60000 ? 60000 : (int)soonest;
}

static void
timers_fire(struct mu_loop *loop)
{
	int64_t now = mu_tick_ms();

	for (struct mu_timer *t = loop->timers; t != NULL; t = t->next) {
		if (t->gone || t->due_ms == 0 || t->due_ms > now)
			continue;
		t->due_ms = 0;
		t->fn(t->ctx);
	}
}

int
mu_loop_run(struct mu_loop *loop)
{
	struct epoll_event events[EVENTS_A_TURN];

	while (!loop->stopped) {
		int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, patience_ms(loop));

		if (count < 0 && errno != EINTR)
			abort();
		for (int i = 0; i < count; i++) {
			struct mu_watch *w = events[i].data.ptr;

			if (!w->gone)
				w->fn(w->ctx, events[i].events);
		}
		timers_fire(loop);
		for (size_t i = 0; i < loop->turn_fn_count; i++)
			loop->turn_fns[i].fn(loop->turn_fns[i].ctx);
		sweep(loop);
	}
	loop->stopped = false;
	return loop->status;
}

void
mu_loop_stop(struct mu_loop *loop, int status)
{
	loop->stopped = true;
	loop->status = status;
}
