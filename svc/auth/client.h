/*
 * auth/client.h - platforms that call the token API: who they are, and may they still
 *
 * A client is known by the SHA-256 of its certificate's DER (RFC 8705, 3.1). Its row gives power, so
 * it is MACed; keys checks what it signs, and the row's MAC is checked by who changes it.
 */
#ifndef AUTH_CLIENT_H
#define AUTH_CLIENT_H

#include "store/client.h"

#include <stdbool.h>

#define AUTH_CLIENT_WARN_S	(30 * 86400)	/* an expiry this near is told in the log */

/*
 * May this client ask now? client is NULL when no row has the certificate.
 * MU_EDENIED  unknown, or its certificate has run out: text says so, and what to do
 */
MU_CHECKED enum mu_rc auth_client_check(const struct store_client *client, int64_t now_s,
    struct mu_err *err);

/*
 * Must the client's certificate be made (anew)? client is NULL when it has no row. True when the
 * request or the platform is another one, or the certificate has run out; a certificate in use is
 * never replaced before that, for its platform may not look for a new one.
 */
bool auth_client_wants_issue(const struct store_client *client, const char *platform,
    const unsigned char csr_digest[32], int64_t now_s);

/* The bytes that keys MACs: table name, then each column with its length before it. */
void auth_client_encode(const struct store_client *client, struct mu_buf *b);

#endif
