/*
 * base/loop.h - one thread's loop: descriptors, timers, and a last word each turn
 *
 * Plain epoll(7). A process has one loop and lives in it; handlers run one at a time and never
 * block for long. "Turn" handlers run after all that was ready has been handled: there batches
 * are sent. Handles stay valid until removed; a handler may remove itself or any other.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct mu_loop;
struct mu_watch;
struct mu_timer;

typedef void mu_ready_fn(void *ctx, uint32_t epoll_events);
typedef void mu_timer_fn(void *ctx);

struct mu_loop *mu_loop_new(void);
void mu_loop_free(struct mu_loop *loop);

/* Watches fd (borrowed) for EPOLLIN and whatever else; EPOLLERR and EPOLLHUP always come. */
struct mu_watch *mu_loop_watch(struct mu_loop *loop, int fd, uint32_t epoll_events, mu_ready_fn *fn, void *ctx);
void mu_watch_change(struct mu_watch *w, uint32_t epoll_events);
void mu_watch_remove(struct mu_watch *w);	/* NULL is fine; before fd is closed */

/* Calls fn once, delay_ms from now, unless set again or stopped. Made stopped. */
struct mu_timer *mu_loop_timer(struct mu_loop *loop, mu_timer_fn *fn, void *ctx);
void mu_timer_set(struct mu_timer *t, int64_t delay_ms);
void mu_timer_stop(struct mu_timer *t);
bool mu_timer_is_set(const struct mu_timer *t);
void mu_timer_free(struct mu_timer *t);		/* NULL is fine */

/* Called at the end of every turn, in the order added. */
void mu_loop_each_turn(struct mu_loop *loop, mu_timer_fn *fn, void *ctx);

/* Handles until mu_loop_stop; returns the status given there. May be run again. */
int mu_loop_run(struct mu_loop *loop);
void mu_loop_stop(struct mu_loop *loop, int status);

#endif
