/*
 * vault/jws.h - the strict reader of signed tokens from outside (RFC 7515 compact, RFC 8725)
 *
 * Nothing inbound reaches libjwt before this. Three segments of canonical base64url, the signature of
 * exactly 64 bytes; a header without duplicate members and with no others than alg, typ and kid; alg
 * the key's own and typ the expected one, both to the letter; kid, when given, the key's.
 */
#ifndef VAULT_JWS_H
#define VAULT_JWS_H

#include "crypto/sign.h"

#define JWS_MAX_BYTES		65536
#define JWS_HEADER_MAX_BYTES	1024

/*
 * Verifies the token and appends its payload. Claims (exp, aud, ...) are the caller's to check.
 *
 * MU_EINPUT   not such a token
 * MU_EDENIED  well-formed, but not signed by this key
 */
MU_CHECKED enum mu_rc jws_verify(const char *token, size_t token_bytes, struct crypto_key *key,
    const char *typ, struct mu_buf *out_payload, struct mu_err *err);

#endif
