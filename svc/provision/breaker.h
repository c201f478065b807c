/*
 * provision/breaker.h - when to try again: one account, and a whole platform (pure)
 *
 * An account that failed waits 1 s, doubled each time up to 10 min, with jitter, so that many do not
 * come back at once. A platform that could not be reached five times in a row, or that refused our
 * own credential, is left alone but for one probe now and then; a probe that succeeds closes the
 * breaker. Times are mu_tick_ms().
 */
#ifndef PROVISION_BREAKER_H
#define PROVISION_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES	5		/* transport failures in a row that open it */
#define BREAKER_PROBE_MS	1000		/* first probe after opening; doubled each time */
#define BREAKER_PROBE_MAX_MS	15000		/* a platform that is back is noticed within this */
#define BREAKER_REFUSED_MAX_MS	60000		/* our credential: do not get it locked out */
#define BACKOFF_MIN_MS		1000
#define BACKOFF_MAX_MS		600000

enum breaker_state {
	BREAKER_CLOSED,		/* steps pass */
	BREAKER_OPEN,		/* nothing passes until probe_at_ms */
	BREAKER_PROBING,	/* one probe is on its way */
};

struct breaker {
	enum breaker_state state;
	bool credential;	/* opened because our own credential was refused */
	uint32_t failures;	/* in a row */
	uint32_t probes;	/* since it opened */
	int64_t probe_at_ms;
};

#define BREAKER_INIT { .state = BREAKER_CLOSED }

void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b, int64_t now_ms);	/* not reached, or no answer */
void breaker_refused(struct breaker *b, int64_t now_ms);	/* our own credential */
bool breaker_passes(const struct breaker *b);

/* True when a probe is due, and it is then on its way: success or failure must follow. */
bool breaker_probe(struct breaker *b, int64_t now_ms);

/* After attempts failures in a row (1 or more); random: any number. From delay/2 to delay. */
int64_t backoff_ms(uint32_t attempts, uint32_t random);

#endif
