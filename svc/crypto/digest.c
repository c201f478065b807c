#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include "base/buf.h"
#include "crypto/fault.h"

#include <string.h>
#include <threads.h>

struct crypto_hash {
	EVP_MD_CTX *ctx;
};

/* Fetched once: looking an algorithm up costs more than hashing a row. */
static EVP_MD *sha256;
static once_flag sha256_once = ONCE_FLAG_INIT;

static void
sha256_fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	crypto_must(sha256 != NULL, "fetch SHA-256");
}

struct crypto_hash *
crypto_hash_new(void)
{
	struct crypto_hash *h = mu_alloc(sizeof(*h));

	call_once(&sha256_once, sha256_fetch);
	h->ctx = EVP_MD_CTX_new();
	crypto_must(h->ctx != NULL && EVP_DigestInit_ex2(h->ctx, sha256, NULL) == 1, "SHA-256");
	return h;
}

void
crypto_hash_free(struct crypto_hash *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	mu_free(h);
}

void
crypto_hash_add(struct crypto_hash *h, const void *bytes, size_t bytes_count)
{
	crypto_must(EVP_DigestUpdate(h->ctx, bytes, bytes_count), "SHA-256");
}

void
crypto_hash_end(struct crypto_hash *h, unsigned char out[CRYPTO_SHA256_BYTES])
{
	crypto_must(EVP_DigestFinal_ex(h->ctx, out, NULL), "SHA-256");
	crypto_must(EVP_DigestInit_ex2(h->ctx, sha256, NULL), "SHA-256");
}

void
crypto_sha256(const void *bytes, size_t bytes_count, unsigned char out[CRYPTO_SHA256_BYTES])
{
	call_once(&sha256_once, sha256_fetch);
	crypto_must(EVP_Digest(bytes, bytes_count, out, NULL, sha256, NULL), "SHA-256");
}

void
crypto_hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t bytes_count,
    unsigned char out[CRYPTO_SHA256_BYTES])
{
	crypto_must(HMAC(EVP_sha256(), key, (int)key_bytes, bytes, bytes_count, out, NULL) != NULL,
	    "HMAC-SHA-256");
}

struct crypto_mac {
	EVP_MAC_CTX *ctx;
};

struct crypto_mac *
crypto_mac_new(const void *key, size_t key_bytes)
{
	char name[] = "SHA256";
	const OSSL_PARAM digest[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	struct crypto_mac *m = mu_alloc(sizeof(*m));
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	m->ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	crypto_must(m->ctx != NULL && EVP_MAC_init(m->ctx, key, key_bytes, digest) == 1,
	    "HMAC-SHA-256");
	return m;
}

void
crypto_mac_free(struct crypto_mac *m)
{
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ctx);
	mu_free(m);
}

void
crypto_mac_make(struct crypto_mac *m, const void *bytes, size_t bytes_count,
    unsigned char out[CRYPTO_SHA256_BYTES])
{
	size_t got = 0;

	/* without a key: the one it has */
	crypto_must(EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1 &&
	    EVP_MAC_update(m->ctx, bytes, bytes_count) == 1 &&
	    EVP_MAC_final(m->ctx, out, &got, CRYPTO_SHA256_BYTES) == 1 &&
	    got == CRYPTO_SHA256_BYTES, "HMAC-SHA-256");
}

void
crypto_hkdf_sha256(const void *key, size_t key_bytes, const void *salt, size_t salt_bytes,
    const char *info, void *out_bytes, size_t out_bytes_count)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t got = out_bytes_count;

	crypto_must(EVP_PKEY_derive_init(ctx), "HKDF");
	crypto_must(EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()), "HKDF");
	crypto_must(EVP_PKEY_CTX_set1_hkdf_key(ctx, key, (int)key_bytes), "HKDF");
	if (salt_bytes > 0)
		crypto_must(EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt, (int)salt_bytes), "HKDF");
	crypto_must(EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)info, (int)strlen(info)),
	    "HKDF");
	crypto_must(EVP_PKEY_derive(ctx, out_bytes, &got), "HKDF");
	EVP_PKEY_CTX_free(ctx);
}

static void
tagged_hash(unsigned char tag, const void *a, size_t a_bytes, const void *b, size_t b_bytes,
    unsigned char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	call_once(&sha256_once, sha256_fetch);
	crypto_must(ctx != NULL && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1, "SHA-256");
	crypto_must(EVP_DigestUpdate(ctx, &tag, 1), "SHA-256");
	crypto_must(EVP_DigestUpdate(ctx, a, a_bytes), "SHA-256");
	crypto_must(EVP_DigestUpdate(ctx, b, b_bytes), "SHA-256");
	crypto_must(EVP_DigestFinal_ex(ctx, out, NULL), "SHA-256");
	EVP_MD_CTX_free(ctx);
}

void
crypto_leaf_hash(const void *bytes, size_t bytes_count, unsigned char out[CRYPTO_SHA256_BYTES])
{
	tagged_hash(0, bytes, bytes_count, NULL, 0, out);
}

void
crypto_node_hash(const unsigned char left[CRYPTO_SHA256_BYTES],
    const unsigned char right[CRYPTO_SHA256_BYTES], unsigned char out[CRYPTO_SHA256_BYTES])
{
	tagged_hash(1, left, CRYPTO_SHA256_BYTES, right, CRYPTO_SHA256_BYTES, out);
}
