/*
 * http/pin.h - a server's private authority, known by nothing but its fingerprint
 *
 * Who is told the fingerprint once can trust the server from then on without having the authority's
 * certificate at hand: it is taken from the chain that the server shows, where only the certificate with
 * that fingerprint will do. The server itself is not verified here; whoever connects next does that,
 * with this authority and no other.
 */
#ifndef HTTP_PIN_H
#define HTTP_PIN_H

#include "base/buf.h"
#include "base/err.h"

#define HTTP_PIN_BYTES	32		/* SHA-256 of the certificate's DER */

/*
 * Connects with TLS 1.3, appends the authority's certificate in PEM to out_ca_pem, and hangs up; sends
 * nothing but the handshake.
 *
 * url          "https://host[:port]"
 * deadline_ms  mu_tick_ms() at which it gives up
 * MU_ECONFIG   no such URL; no TLS 1.3 there; or the chain holds no authority with that fingerprint
 * MU_ERETRY    not reachable, or too slow
 */
MU_CHECKED enum mu_rc http_pin_fetch(const char *url, const unsigned char ca_fingerprint[HTTP_PIN_BYTES],
    int64_t deadline_ms, struct mu_buf *out_ca_pem, struct mu_err *err);

#endif
