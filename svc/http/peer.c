#include "http/http_priv.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include <stdio.h>
#include <string.h>

/* Verifies the chain against the listener's authorities, for use by a client. */
static bool
chain_verify(gnutls_session_t session, char *refusal, size_t refusal_room)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	gnutls_datum_t text = { NULL, 0 };
	unsigned status = 0;

	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) != 0) {
		(void)snprintf(refusal, refusal_room, "the chain cannot be verified");
		return false;
	}
	if (status == 0)
		return true;
	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
		(void)snprintf(refusal, refusal_room, "%.*s", (int)refusal_room - 1, text.data);
	gnutls_free(text.data);
	return false;
}

void
http_peer_read(gnutls_session_t session, struct http_peer *out_peer)
{
	const gnutls_datum_t *chain;
	gnutls_x509_crt_t cert = NULL;
	size_t name_bytes = sizeof(out_peer->name);
	unsigned count = 0;

	chain = gnutls_certificate_get_peers(session, &count);
	if (chain == NULL || count == 0)
		return;
	if (gnutls_x509_crt_init(&cert) != 0)
		return;
	if (gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, chain[0].data, chain[0].size,
	    out_peer->fingerprint) == 0) {
		out_peer->has_certificate = true;
		out_peer->not_after_s = (int64_t)gnutls_x509_crt_get_expiration_time(cert);
		if (gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out_peer->name,
		    &name_bytes) != 0 || strlen(out_peer->name) != name_bytes)
			out_peer->name[0] = '\0';	/* longer than fits, or with a NUL inside */
		out_peer->is_trusted = chain_verify(session, out_peer->refusal,
		    sizeof(out_peer->refusal));
	}
	gnutls_x509_crt_deinit(cert);
}
