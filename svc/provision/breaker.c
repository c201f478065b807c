#include "provision/breaker.h"

static int64_t
doubled(int64_t first, uint32_t times, int64_t most)
{
	while (times-- > 0 && first < most)
		first *= 2;
	return first < most ? first : most;
}

static void
breaker_open(struct breaker *b, int64_t now_ms)
{
	int64_t most = b->credential ? BREAKER_REFUSED_MAX_MS : BREAKER_PROBE_MAX_MS;

	b->state = BREAKER_OPEN;
	b->probe_at_ms = now_ms + doubled(BREAKER_PROBE_MS, b->probes++, most);
}

void
breaker_success(struct breaker *b)
{
	*b = (struct breaker)BREAKER_INIT;
}

void
breaker_failure(struct breaker *b, int64_t now_ms)
{
	if (b->failures < BREAKER_FAILURES)
		b->failures++;
	if (b->state != BREAKER_CLOSED || b->failures == BREAKER_FAILURES)
		breaker_open(b, now_ms);
}

void
breaker_refused(struct breaker *b, int64_t now_ms)
{
	b->credential = true;
	breaker_open(b, now_ms);
}

bool
breaker_passes(const struct breaker *b)
{
	return b->state == BREAKER_CLOSED;
}

bool
breaker_probe(struct breaker *b, int64_t now_ms)
{
	if (b->state != BREAKER_OPEN || now_ms < b->probe_at_ms)
		return false;
	b->state = BREAKER_PROBING;
	return true;
}

int64_t
backoff_ms(uint32_t attempts, uint32_t random)
{
	int64_t delay = doubled(BACKOFF_MIN_MS, attempts > 0 ? attempts - 1 : 0, BACKOFF_MAX_MS);

	return delay / 2 + random % (delay / 2 + 1);
}
