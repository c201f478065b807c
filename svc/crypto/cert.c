#include "crypto/cert.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/digest.h"
#include "crypto/fault.h"

#include <string.h>
#include <time.h>

void
crypto_cert_fingerprint(const void *der, size_t der_bytes, unsigned char out[CRYPTO_FINGERPRINT_BYTES])
{
	crypto_sha256(der, der_bytes, out);
}

enum mu_rc
crypto_cert_read(const char *pem, unsigned char out_fingerprint[CRYPTO_FINGERPRINT_BYTES],
    int64_t *out_not_after_s, struct mu_err *err)
{
	size_t pem_bytes = strlen(pem);
	enum mu_rc rc = MU_OK;
	unsigned char *der = NULL;
	X509 *cert = NULL;
	struct tm end;
	BIO *bio;
	int der_bytes;

	if (pem_bytes > CRYPTO_CERT_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "the certificate is larger than %d bytes", CRYPTO_CERT_MAX_BYTES);
	bio = BIO_new_mem_buf(pem, (int)pem_bytes);
	crypto_must(bio != NULL, "read PEM");
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	der_bytes = cert == NULL ? -1 : i2d_X509(cert, &der);
	if (der_bytes < 0 || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) != 1) {
		rc = crypto_fail(err, MU_EINPUT, "not a certificate in PEM");
	} else {
		crypto_cert_fingerprint(der, (size_t)der_bytes, out_fingerprint);
		*out_not_after_s = timegm(&end);
	}
	OPENSSL_free(der);
	X509_free(cert);
	BIO_free(bio);
	return rc;
}
