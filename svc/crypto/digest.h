/*
 * crypto/digest.h - SHA-256 and what is made of it: MACs, derived keys, the hashes of a Merkle tree
 *
 * Sources: FIPS 180-4, RFC 2104 (HMAC), RFC 5869 (HKDF), RFC 6962 section 2.1 (tree hashes). None of
 * these fails but for want of memory, which ends the process.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/attr.h"

#define CRYPTO_SHA256_BYTES 32

void crypto_sha256(const void *bytes, size_t bytes_count, unsigned char out[CRYPTO_SHA256_BYTES]);

/* The same in pieces: new, add, add, ..., end. After end it is empty again and can be used anew. */
struct crypto_hash;

struct crypto_hash *crypto_hash_new(void);
void crypto_hash_free(struct crypto_hash *h);
void crypto_hash_add(struct crypto_hash *h, const void *bytes, size_t bytes_count);
void crypto_hash_end(struct crypto_hash *h, unsigned char out[CRYPTO_SHA256_BYTES]);

void crypto_hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t bytes_count,
    unsigned char out[CRYPTO_SHA256_BYTES]);

/* The same with one key for many: half of what a short text costs is the key. */
struct crypto_mac;

struct crypto_mac *crypto_mac_new(const void *key, size_t key_bytes);
void crypto_mac_free(struct crypto_mac *m);
void crypto_mac_make(struct crypto_mac *m, const void *bytes, size_t bytes_count,
    unsigned char out[CRYPTO_SHA256_BYTES]);

/* HKDF-SHA-256, extract and expand; out_bytes_count at most 255 * 32. Salt may be NULL and 0. */
void crypto_hkdf_sha256(const void *key, size_t key_bytes, const void *salt, size_t salt_bytes,
    const char *info, void *out_bytes, size_t out_bytes_count);

/* RFC 6962: SHA-256(0x00 || leaf) and SHA-256(0x01 || left || right). */
void crypto_leaf_hash(const void *bytes, size_t bytes_count, unsigned char out[CRYPTO_SHA256_BYTES]);
void crypto_node_hash(const unsigned char left[CRYPTO_SHA256_BYTES],
    const unsigned char right[CRYPTO_SHA256_BYTES], unsigned char out[CRYPTO_SHA256_BYTES]);

#endif
