/*
 * base/clock.h - what time it is, and times as text
 *
 * RFC 3339 for people and JSON ("2026-11-21T11:20:00Z"), RFC 4517 3.3.13 GeneralizedTime for
 * directories ("20261121112000Z", "20261121132000+0200"). Unix seconds without leap seconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define MU_DAY_S 86400

int64_t mu_now_s(void);			/* CLOCK_REALTIME */
int64_t mu_now_ms(void);		/* CLOCK_REALTIME */
int64_t mu_tick_ms(void);		/* CLOCK_BOOTTIME: for deadlines, never for records */

void mu_time_format(struct mu_buf *b, int64_t at_s);		/* RFC 3339, UTC */
bool mu_time_parse(const char *text, int64_t *out_at_s);	/* RFC 3339 with zone, whole seconds */
bool mu_generalized_time_parse(const char *text, int64_t *out_at_s);	/* part of a second is cut off */

#endif
