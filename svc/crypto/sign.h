/*
 * crypto/sign.h - key pairs that sign and verify: ES256 (P-256, SHA-256) and Ed25519
 *
 * A key is parsed once and then used often: parsing costs seventeen times a signature. Signatures
 * are 64 bytes, for ES256 as in RFC 7518 section 3.4 (r || s). A key's id is its RFC 7638 thumbprint.
 * Not for use by two threads at once.
 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/buf.h"
#include "base/secret.h"

#include <stdbool.h>

#define CRYPTO_SIGNATURE_BYTES	64
#define CRYPTO_KEY_ID_BYTES	44	/* base64url of 32 bytes, and NUL */
#define CRYPTO_PUBLIC_MAX_BYTES	64

enum crypto_key_kind {
	CRYPTO_ES256,		/* public bytes: x || y, 64 */
	CRYPTO_ED25519,		/* public bytes: 32 */
};

struct crypto_key;
struct evp_pkey_st;

struct crypto_key *crypto_key_new(enum crypto_key_kind kind);
void crypto_key_free(struct crypto_key *k);
void crypto_key_freep(struct crypto_key **k);

/* Reads an unencrypted private key in PEM. MU_EINPUT: it is anything else. */
MU_CHECKED enum mu_rc crypto_key_parse(const struct mu_secret *pem, struct crypto_key **out_key,
    struct mu_err *err);
void crypto_key_format(const struct crypto_key *k, struct mu_secret *out_pem);	/* PKCS #8 */

/* A key that can only verify. MU_EINPUT: wrong size, or no point of the curve. */
MU_CHECKED enum mu_rc crypto_key_public_new(enum crypto_key_kind kind, const void *bytes,
    size_t bytes_count, struct crypto_key **out_key, struct mu_err *err);
size_t crypto_key_public_bytes(const struct crypto_key *k, unsigned char out[CRYPTO_PUBLIC_MAX_BYTES]);

enum crypto_key_kind crypto_key_kind(const struct crypto_key *k);
const char *crypto_key_alg(const struct crypto_key *k);		/* RFC 7518, 8037: "ES256", "EdDSA" */
const char *crypto_key_id(const struct crypto_key *k);		/* borrowed from k */

/* Appends the public key as a JWK with alg, kid and use: one JSON object, members sorted. */
void crypto_key_jwk_format(const struct crypto_key *k, struct mu_buf *b);

/* MU_EBROKEN when k is public only. */
MU_CHECKED enum mu_rc crypto_key_sign(struct crypto_key *k, const void *bytes, size_t bytes_count,
    unsigned char out_signature[CRYPTO_SIGNATURE_BYTES], struct mu_err *err);
bool crypto_key_verify(struct crypto_key *k, const void *bytes, size_t bytes_count,
    const unsigned char signature[CRYPTO_SIGNATURE_BYTES]);

/* For certificates. Borrowed from k. */
struct evp_pkey_st *crypto_key_openssl(const struct crypto_key *k);

/* RFC 7638: base64url of SHA-256 over the required members; public bytes as above. */
void crypto_thumbprint(enum crypto_key_kind kind, const unsigned char *public_bytes,
    char out_id[CRYPTO_KEY_ID_BYTES]);

#endif
