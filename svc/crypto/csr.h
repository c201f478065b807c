/*
 * crypto/csr.h - a request that a key be certified (PKCS #10, RFC 2986)
 */
#ifndef CRYPTO_CSR_H
#define CRYPTO_CSR_H

#include "base/buf.h"
#include "crypto/sign.h"

/*
 * Appends a request in PEM for the key, in the name cn (UTF-8, 1 to 64 characters), signed by it. Of a
 * request muster takes nothing but the key.
 * MU_EINPUT   a CN cannot be that
 * MU_EBROKEN  k is public only, or no ES256 key
 */
MU_CHECKED enum mu_rc crypto_csr_make(const struct crypto_key *k, const char *cn, struct mu_buf *out_pem,
    struct mu_err *err);

#endif
