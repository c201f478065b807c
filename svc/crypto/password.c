#include "crypto/password.h"

#include "base/uuid.h"

#include <string.h>

/* 32 characters, so five bits of a random byte choose one without bias. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
_Static_assert(sizeof(alphabet) - 1 == 32, "five bits a character");

void
crypto_password_new(struct mu_secret *out_password)
{
	unsigned char bytes[CRYPTO_PASSWORD_CHARS];

	mu_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)alphabet[bytes[i] & 31];
	mu_secret_set(out_password, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
}
