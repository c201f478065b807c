/*
 * vault/csr.h - the strict reader of certificate requests (PKCS #10, RFC 2986)
 *
 * One PEM block and nothing else, version 1, signed by its own key with SHA-256, -384 or -512 (or
 * Ed25519). Good keys: P-256, P-384, P-521 as named curves, RSA of 2048 to 8192 bits, Ed25519. What
 * else the request asks for (its name, extensions) is the caller's to ignore.
 */
#ifndef VAULT_CSR_H
#define VAULT_CSR_H

#include "base/err.h"

#include <stddef.h>

#define CSR_MAX_BYTES 16384

struct evp_pkey_st;

/* MU_EINPUT: text says what is wrong. The key is the caller's to free (EVP_PKEY_free). */
MU_CHECKED enum mu_rc csr_key_parse(const char *pem, size_t pem_bytes, struct evp_pkey_st **out_key,
    struct mu_err *err);

#endif
