#include "api/throttle.h"

#include "base/buf.h"
#include "crypto/digest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct attempts {
	unsigned char key[CRYPTO_SHA256_BYTES];
	int64_t last_s;
	unsigned count;			/* 0: free */
};

struct throttle {
	unsigned limit;
	int64_t window_s;
	size_t keys_max;
	struct attempts list[];
};

struct throttle *
throttle_new(unsigned limit, int64_t window_s, size_t keys_max)
{
	struct throttle *t = mu_alloc_zero(1, sizeof(*t) + keys_max * sizeof(t->list[0]));

	t->limit = limit;
	t->window_s = window_s;
	t->keys_max = keys_max;
	return t;
}

void
throttle_free(struct throttle *t)
{
	mu_free(t);
}

/* NULL when the key has no attempts. */
static struct attempts *
attempts_find(struct throttle *t, const unsigned char digest[CRYPTO_SHA256_BYTES])
{
	for (size_t i = 0; i < t->keys_max; i++)
		if (t->list[i].count > 0 &&
		    memcmp(t->list[i].key, digest, CRYPTO_SHA256_BYTES) == 0)
			return &t->list[i];
	return NULL;
}

/* A place for a new key: a free one, else the one with the fewest attempts, the oldest of those. */
static struct attempts *
attempts_place(struct throttle *t, int64_t now_s)
{
	struct attempts *best = &t->list[0];

	for (size_t i = 0; i < t->keys_max; i++) {
		struct attempts *a = &t->list[i];

		if (a->count == 0 || a->last_s + t->window_s <= now_s)
			return a;
		if (a->count < best->count || (a->count == best->count && a->last_s < best->last_s))
			best = a;
	}
	return best;
}

bool
throttle_take(struct throttle *t, const char *key, int64_t now_s, int64_t *out_wait_s)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct attempts *a;

	crypto_sha256(key, strlen(key), digest);
	a = attempts_find(t, digest);
	if (a == NULL) {
		a = attempts_place(t, now_s);
		(void)memcpy(a->key, digest, sizeof(digest));
		a->count = 0;
	} else if (a->last_s + t->window_s <= now_s) {
		a->count = 0;
	}
	if (a->count >= t->limit) {
		*out_wait_s = a->last_s + t->window_s - now_s;
		return false;
	}
	a->count++;
	a->last_s = now_s;
	return true;
}

void
throttle_give_back(struct throttle *t, const char *key)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct attempts *a;

	crypto_sha256(key, strlen(key), digest);
	a = attempts_find(t, digest);
	if (a != NULL)
		a->count--;
}

void
throttle_address_format(const char *address, char out_key[THROTTLE_ADDRESS_BYTES])
{
	struct in6_addr v6;

	if (inet_pton(AF_INET6, address, &v6) == 1) {
		(void)memset(v6.s6_addr + 8, 0, 8);
		(void)inet_ntop(AF_INET6, &v6, out_key, THROTTLE_ADDRESS_BYTES);
	} else {
		(void)snprintf(out_key, THROTTLE_ADDRESS_BYTES, "%s", address);
	}
}
