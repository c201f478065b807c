/*
 * Tokens: any bytes as a token, and any bytes as the header of a token that is signed well. Nobody
 * forges one; what is taken gives back the payload that was signed.
 */
#include "vault/jws.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
token_make(struct crypto_key *key, const uint8_t *header, size_t header_bytes, struct mu_buf *b)
{
	unsigned char signature[CRYPTO_SIGNATURE_BYTES];
	struct mu_err err = MU_ERR_INIT;

	mu_base64url_format(b, header, header_bytes);
	mu_buf_char_add(b, '.');
	mu_base64url_format(b, "payload", 7);
	if (crypto_key_sign(key, b->data, b->size_bytes, signature, &err) != MU_OK)
		abort();
	mu_buf_char_add(b, '.');
	mu_base64url_format(b, signature, sizeof(signature));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto_key *key;
	MU_AUTO(mu_buf_clear) struct mu_buf token = MU_BUF_INIT, payload = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (key == NULL)
		key = crypto_key_new(CRYPTO_ES256);
	if (jws_verify((const char *)data, size, key, "JWT", &payload, &err) == MU_OK || payload.size_bytes != 0)
		abort();
	if (size > JWS_HEADER_MAX_BYTES)
		return 0;
	token_make(key, data, size, &token);
	if (jws_verify(token.data, token.size_bytes, key, "JWT", &payload, &err) != MU_OK)
		return 0;
	if (strcmp(payload.data, "payload") != 0)
		abort();
	return 0;
}
