/*
 * crypto/seal.h - bytes that rest sealed: AES-256-GCM, bound to the place where they belong
 *
 * An envelope is
 *
 *	version (1 byte: 1) | key id (8) | nonce (12, random) | ciphertext | tag (16)
 *
 * Version and key id are authenticated together with the caller's additional data, which names the
 * place (table, row), so an envelope moved to another row does not open. The key id is derived
 * from the key and tells a rotation which key to take; it gives nothing of the key away. Random
 * nonces allow 2^32 envelopes per key (NIST SP 800-38D, 8.3).
 */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "base/buf.h"
#include "base/secret.h"

#define CRYPTO_SEAL_KEY_BYTES		32
#define CRYPTO_SEAL_KEY_ID_BYTES	8
#define CRYPTO_SEAL_OVERHEAD_BYTES	(1 + CRYPTO_SEAL_KEY_ID_BYTES + 12 + 16)

struct crypto_seal_key {
	unsigned char bytes[CRYPTO_SEAL_KEY_BYTES];
	unsigned char id[CRYPTO_SEAL_KEY_ID_BYTES];
};

void crypto_seal_key_init(struct crypto_seal_key *k, const unsigned char bytes[CRYPTO_SEAL_KEY_BYTES]);
void crypto_seal_key_clear(struct crypto_seal_key *k);

/* Appends the envelope to b. */
void crypto_seal(const struct crypto_seal_key *k, const void *plain, size_t plain_bytes,
    const void *aad, size_t aad_bytes, struct mu_buf *b);

/*
 * MU_EINPUT   not an envelope of this version
 * MU_EABSENT  sealed with another key
 * MU_EDENIED  changed since, or sealed for another place
 */
MU_CHECKED enum mu_rc crypto_unseal(const struct crypto_seal_key *k, const void *sealed,
    size_t sealed_bytes, const void *aad, size_t aad_bytes, struct mu_secret *out_plain,
    struct mu_err *err);

#endif
