/*
 * Certificate requests: any bytes as PEM, or as the DER inside of it. What is taken is a key strong
 * enough, and one that a certificate can hold.
 */
#include "vault/csr.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"

#include <stdlib.h>

#define DER_MAX_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
pem_format(const uint8_t *der, size_t der_bytes, struct mu_buf *b)
{
	unsigned char text[DER_MAX_BYTES * 4 / 3 + 8];
	int text_bytes = EVP_EncodeBlock(text, der, (int)der_bytes);

	mu_buf_text_add(b, "-----BEGIN CERTIFICATE REQUEST-----\n");
	for (int at = 0; at < text_bytes; at += 64) {
		mu_buf_add(b, text + at, (size_t)(text_bytes - at < 64 ? text_bytes - at : 64));
		mu_buf_char_add(b, '\n');
	}
	mu_buf_text_add(b, "-----END CERTIFICATE REQUEST-----\n");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	EVP_PKEY *key = NULL;
	X509 *cert;

	if (size == 0 || size > DER_MAX_BYTES)
		return 0;
	if (data[0] == '-')
		mu_buf_add(&pem, data, size);
	else
		pem_format(data, size, &pem);
	if (csr_key_parse(pem.data, pem.size_bytes, &key, &err) != MU_OK) {
		if (key != NULL || err.rc != MU_EINPUT || err.text[0] == '\0')
			abort();
		return 0;
	}
	cert = X509_new();
	if (EVP_PKEY_get_security_bits(key) < 112 || X509_set_pubkey(cert, key) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}
