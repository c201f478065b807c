#include "vault/csr.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/fault.h"

#include <stdbool.h>
#include <string.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192	/* checking a larger one would hold everybody up */

/* Is there anything but blank lines from here on? */
static bool
is_blank(const char *text, size_t text_bytes)
{
	for (size_t i = 0; i < text_bytes; i++)
		if (memchr(" \t\r\n", text[i], 4) == NULL)
			return false;
	return true;
}

static X509_REQ *
request_read(const char *pem, size_t pem_bytes)
{
	static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----";
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	const unsigned char *at;
	X509_REQ *req = NULL;
	long der_bytes = 0;
	BIO *bio;

	if (pem_bytes < sizeof(begin) || memcmp(pem, begin, sizeof(begin) - 1) != 0)
		return NULL;
	bio = BIO_new_mem_buf(pem, (int)pem_bytes);
	crypto_must(bio != NULL, "read PEM");
	if (PEM_read_bio(bio, &name, &header, &der, &der_bytes) == 1 && header[0] == '\0') {
		char *rest = NULL;
		long rest_bytes = BIO_get_mem_data(bio, &rest);

		at = der;
		req = d2i_X509_REQ(NULL, &at, der_bytes);
		if (req != NULL && (at != der + der_bytes || !is_blank(rest, (size_t)rest_bytes))) {
			X509_REQ_free(req);
			req = NULL;
		}
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(bio);
	return req;
}

static bool
digest_good(const X509_REQ *req)
{
	int digest, key, nid = X509_REQ_get_signature_nid(req);

	if (nid == NID_ED25519)
		return true;
	if (OBJ_find_sigid_algs(nid, &digest, &key) != 1)
		return false;
	return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}

static bool
curve_good(const EVP_PKEY *key)
{
	static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };
	char name[32], form[32];

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1 ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, form, sizeof(form), NULL) != 1 ||
	    strcmp(form, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
		return false;
	for (size_t i = 0; i < MU_COUNT(curves); i++)
		if (strcmp(curves[i], name) == 0)
			return true;
	return false;
}

static bool
key_good(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx;
	bool valid;

	if (EVP_PKEY_is_a(key, "ED25519"))
		return true;
	if (EVP_PKEY_is_a(key, "RSA")) {
		int bits = EVP_PKEY_get_bits(key);

		if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS)
			return false;
	} else if (!EVP_PKEY_is_a(key, "EC") || !curve_good(key)) {
		return false;
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	valid = ctx != NULL && EVP_PKEY_public_check_quick(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	return valid;
}

enum mu_rc
csr_key_parse(const char *pem, size_t pem_bytes, struct evp_pkey_st **out_key, struct mu_err *err)
{
	EVP_PKEY *key = NULL;
	X509_REQ *req;
	enum mu_rc rc = MU_OK;

	if (pem_bytes > CSR_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "the certificate request is larger than %d bytes", CSR_MAX_BYTES);
	req = request_read(pem, pem_bytes);
	if (req == NULL)
		return crypto_fail(err, MU_EINPUT, "not one CERTIFICATE REQUEST in PEM and nothing else");
	key = X509_REQ_get_pubkey(req);
	if (X509_REQ_get_version(req) != 0)
		rc = mu_fail(err, MU_EINPUT, "the certificate request is not of version 1");
	else if (key == NULL || !key_good(key))
		rc = crypto_fail(err, MU_EINPUT, "the request's key is weak or of an unknown kind: use P-256, "
		    "P-384, P-521, Ed25519, or RSA of %d to %d bits", RSA_MIN_BITS, RSA_MAX_BITS);
	else if (!digest_good(req))
		rc = mu_fail(err, MU_EINPUT, "sign the certificate request with SHA-256, -384 or -512");
	else if (X509_REQ_verify(req, key) != 1)
		rc = crypto_fail(err, MU_EINPUT, "the certificate request is not signed by its own key");
	X509_REQ_free(req);
	if (rc != MU_OK)
		EVP_PKEY_free(key);
	else
		*out_key = key;
	return rc;
}
