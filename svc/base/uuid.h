/*
 * base/uuid.h - the keys of the store: UUIDs, RFC 9562
 *
 * Keys of ours are version 7, made here, so that rows land at the right edge of their index. They
 * never leave the house: platforms see random subjects.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define MU_UUID_TEXT_BYTES 37		/* 8-4-4-4-12 and NUL */

struct mu_uuid {
	unsigned char bytes[16];
};

/*
 * Version 7, its rand_a a finer clock (RFC 9562, 6.2 method 3): what one process makes later is greater, so
 * records of one moment keep their order. 62 random bits from getrandom(2).
 */
void mu_uuid_new(struct mu_uuid *out_uuid);
void mu_random_public(unsigned char out[16]);	/* the same for what is no secret: from a pool */
void mu_random(void *out_bytes, size_t bytes_count);	/* getrandom(2); never fails, may end the process */
bool mu_uuid_parse(const char *text, struct mu_uuid *out_uuid);
const char *mu_uuid_format(const struct mu_uuid *uuid, char out_text[MU_UUID_TEXT_BYTES]);
bool mu_uuid_equal(const struct mu_uuid *a, const struct mu_uuid *b);

#endif
