/*
 * measure/sign.c - what one ES256 signature costs by itself: OpenSSL, a key that is parsed once
 *
 *	measure_sign BYTES SECONDS
 *
 * Signs so many bytes over and over. Prints one JSON object; the seconds are of the processor.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "measure/reader.h"

#define INPUT_MAX_BYTES 65536
#define SIGNATURE_MAX_BYTES 80
#define LOOK_EVERY	64

static void
sign(EVP_MD_CTX *md, EVP_PKEY *key, const unsigned char *input, size_t bytes)
{
	unsigned char signature[SIGNATURE_MAX_BYTES];
	size_t size = sizeof(signature);

	if (EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, signature, &size, input, bytes) != 1)
		errx(1, "OpenSSL does not sign");
}

int
main(int argc, char **argv)
{
	static unsigned char input[INPUT_MAX_BYTES];
	size_t bytes = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t signatures = 0;
	double begun_s, used_s;

	if (bytes == 0 || bytes > sizeof(input))
		errx(2, "use: measure_sign BYTES SECONDS");
	if (key == NULL || md == NULL)
		errx(1, "OpenSSL makes no key");
	(void)memset(input, 'm', bytes);
	begun_s = reader_cpu();
	do {
		for (int i = 0; i < LOOK_EVERY; i++, signatures++)
			sign(md, key, input, bytes);
		used_s = reader_cpu() - begun_s;
	} while (used_s < atof(argv[2]));
	(void)printf("{\"signatures\": %ju, \"cpu_seconds\": %.6f}\n", (uintmax_t)signatures, used_s);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return 0;
}
