/*
 * unit/http/pki.h - a small authority for tests: keys and certificates in memory, ECDSA P-256
 */
#ifndef UNIT_HTTP_PKI_H
#define UNIT_HTTP_PKI_H

#include "base/secret.h"

#include <gnutls/x509.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pki_cert {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	char cert_pem[4096];
	struct mu_secret key_pem;
};

static inline void
pki_must(int status)
{
	if (status < 0)
		abort();
}

/* issuer NULL: signs itself, as an authority. purpose NULL: none. Ends days_left from now. */
static inline void
pki_make(struct pki_cert *out, const struct pki_cert *issuer, const char *name, const char *purpose,
    int days_left)
{
	static unsigned char serial = 1;
	time_t now = time(NULL);
	char pem[4096];
	size_t size = sizeof(out->cert_pem) - 1;

	pki_must(gnutls_x509_privkey_init(&out->key));
	pki_must(gnutls_x509_privkey_generate(out->key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	pki_must(gnutls_x509_crt_init(&out->crt));
	pki_must(gnutls_x509_crt_set_version(out->crt, 3));
	serial++;
	pki_must(gnutls_x509_crt_set_serial(out->crt, &serial, 1));
	pki_must(gnutls_x509_crt_set_activation_time(out->crt, now - 10 * 86400));
	pki_must(gnutls_x509_crt_set_expiration_time(out->crt, now + days_left * 86400));
	pki_must(gnutls_x509_crt_set_key(out->crt, out->key));
	pki_must(gnutls_x509_crt_set_dn_by_oid(out->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
	    (unsigned)strlen(name)));
	if (issuer == NULL) {
		pki_must(gnutls_x509_crt_set_basic_constraints(out->crt, 1, -1));
		pki_must(gnutls_x509_crt_set_key_usage(out->crt, GNUTLS_KEY_KEY_CERT_SIGN));
	} else {
		pki_must(gnutls_x509_crt_set_basic_constraints(out->crt, 0, -1));
		pki_must(gnutls_x509_crt_set_subject_alt_name(out->crt, GNUTLS_SAN_DNSNAME, name,
		    (unsigned)strlen(name), GNUTLS_FSAN_SET));
	}
	if (purpose != NULL)
		pki_must(gnutls_x509_crt_set_key_purpose_oid(out->crt, purpose, 0));
	pki_must(gnutls_x509_crt_sign2(out->crt, issuer == NULL ? out->crt : issuer->crt,
	    issuer == NULL ? out->key : issuer->key, GNUTLS_DIG_SHA256, 0));
	pki_must(gnutls_x509_crt_export(out->crt, GNUTLS_X509_FMT_PEM, out->cert_pem, &size));
	out->cert_pem[size] = '\0';
	size = sizeof(pem);
	pki_must(gnutls_x509_privkey_export_pkcs8(out->key, GNUTLS_X509_FMT_PEM, NULL,
	    GNUTLS_PKCS_PLAIN, pem, &size));
	out->key_pem = (struct mu_secret)MU_SECRET_INIT;
	mu_secret_set(&out->key_pem, pem, size);
}

static inline void
pki_clear(struct pki_cert *c)
{
	gnutls_x509_crt_deinit(c->crt);
	gnutls_x509_privkey_deinit(c->key);
	mu_secret_clear(&c->key_pem);
}

#endif
