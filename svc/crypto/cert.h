/*
 * crypto/cert.h - what is asked of a certificate outside of a TLS handshake
 */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "base/err.h"

#include <stddef.h>

#define CRYPTO_FINGERPRINT_BYTES	32	/* SHA-256 over the DER (RFC 8705, 3.1) */
#define CRYPTO_CERT_MAX_BYTES		16384

void crypto_cert_fingerprint(const void *der, size_t der_bytes,
    unsigned char out[CRYPTO_FINGERPRINT_BYTES]);

/*
 * Reads the first certificate of PEM text.
 * MU_EINPUT  there is none, it is malformed, or larger than CRYPTO_CERT_MAX_BYTES
 */
MU_CHECKED enum mu_rc crypto_cert_read(const char *pem,
    unsigned char out_fingerprint[CRYPTO_FINGERPRINT_BYTES], int64_t *out_not_after_s,
    struct mu_err *err);

#endif
