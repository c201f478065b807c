#include "base/uuid.h"

#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void
mu_random(void *out_bytes, size_t bytes_count)
{
	unsigned char *out = out_bytes;

	while (bytes_count > 0) {
		ssize_t got = getrandom(out, bytes_count, 0);

		if (got < 0 && errno != EINTR) {
			mu_log("random.broken", NULL);
			abort();
		}
		if (got > 0) {
			out += got;
			bytes_count -= (size_t)got;
		}
	}
}

/* Milliseconds and 4096ths of one, later than any given before, also where the clock was set back. */
static uint64_t
moment_next(void)
{
	static _Atomic uint64_t last;
	struct timespec now;
	uint64_t before = last, next;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	next = ((uint64_t)now.tv_sec * 1000 << 12) + ((uint64_t)now.tv_nsec << 12) / 1000000;
	do {
		if (next <= before)
			next = before + 1;
	} while (!atomic_compare_exchange_weak(&last, &before, next));
	return next;
}

/* Eight bytes of many that were asked for at once; what was given out is not kept. */
static void
random_some(unsigned char out[8])
{
	static _Thread_local unsigned char pool[512];
	static _Thread_local size_t left;

	if (left == 0)
		mu_random(pool, left = sizeof(pool));
	left -= 8;
	(void)memcpy(out, pool + left, 8);
	(void)memset(pool + left, 0, 8);
}

void
mu_random_public(unsigned char out[16])
{
	random_some(out);
	random_some(out + 8);
}

void
mu_uuid_new(struct mu_uuid *out_uuid)
{
	uint64_t moment = moment_next();
	unsigned char *b = out_uuid->bytes;

	random_some(b + 8);
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(moment >> (52 - 8 * i));
	b[6] = (unsigned char)(0x70 | ((moment >> 8) & 0x0f));
	b[7] = (unsigned char)moment;
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
}

bool
mu_uuid_parse(const char *text, struct mu_uuid *out_uuid)
{
	static const unsigned char dashes[] = { 8, 13, 18, 23 };
	char pair[3] = { 0 };
	struct mu_uuid uuid;
	size_t at = 0;

	if (strlen(text) != MU_UUID_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < 16; i++) {
		if (at == dashes[0] || at == dashes[1] || at == dashes[2] || at == dashes[3])
			if (text[at++] != '-')
				return false;
		for (int k = 0; k < 2; k++, at++) {
			char c = text[at];

			if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
				return false;
			pair[k] = c;
		}
		uuid.bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	*out_uuid = uuid;
	return true;
}

const char *
mu_uuid_format(const struct mu_uuid *uuid, char out_text[MU_UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	char *out = out_text;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[uuid->bytes[i] >> 4];
		*out++ = digits[uuid->bytes[i] & 15];
	}
	*out = '\0';
	return out_text;
}

bool
mu_uuid_equal(const struct mu_uuid *a, const struct mu_uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
