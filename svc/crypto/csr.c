#include "crypto/csr.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/fault.h"

static void
request_format(X509_REQ *req, struct mu_buf *b)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	crypto_must(bio != NULL && PEM_write_bio_X509_REQ(bio, req) == 1, "write PEM");
	size = BIO_get_mem_data(bio, &text);
	mu_buf_add(b, text, (size_t)size);
	BIO_free(bio);
}

enum mu_rc
crypto_csr_make(const struct crypto_key *k, const char *cn, struct mu_buf *out_pem, struct mu_err *err)
{
	X509_REQ *req = X509_REQ_new();
	enum mu_rc rc = MU_OK;

	crypto_must(req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_pubkey(req, crypto_key_openssl(k)) == 1, "certificate request");
	if (crypto_key_kind(k) != CRYPTO_ES256)
		rc = mu_fail(err, MU_EBROKEN, "a certificate request is made for a P-256 key");
	else if (X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(req), NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) != 1)
		rc = crypto_fail(err, MU_EINPUT, "a certificate's name is 1 to 64 characters");
	else if (X509_REQ_sign(req, crypto_key_openssl(k), EVP_sha256()) <= 0)
		rc = crypto_fail(err, MU_EBROKEN, "cannot sign a certificate request");
	else
		request_format(req, out_pem);
	X509_REQ_free(req);
	return rc;
}
