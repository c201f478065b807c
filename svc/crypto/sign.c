#include "crypto/sign.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/fault.h"

#include <limits.h>
#include <string.h>

#define DER_MAX_BYTES	80	/* ECDSA-Sig-Value of P-256: at most 72 */

struct crypto_key {
	enum crypto_key_kind kind;
	EVP_PKEY *pair;
	bool is_private;
	EVP_PKEY_CTX *signing, *verifying;	/* ES256: set up at first use, then kept */
	unsigned char public_bytes[CRYPTO_PUBLIC_MAX_BYTES];
	char id[CRYPTO_KEY_ID_BYTES];
};

/* The members x and y of a JWK. */
static void
point_format(enum crypto_key_kind kind, const unsigned char *public_bytes, struct mu_buf *b)
{
	mu_buf_text_add(b, "\"x\":\"");
	mu_base64url_format(b, public_bytes, 32);
	if (kind == CRYPTO_ES256) {
		mu_buf_text_add(b, "\",\"y\":\"");
		mu_base64url_format(b, public_bytes + 32, 32);
	}
	mu_buf_char_add(b, '"');
}

static const char *
curve_name(enum crypto_key_kind kind)
{
	return kind == CRYPTO_ES256 ? "P-256" : "Ed25519";
}

static const char *
type_name(enum crypto_key_kind kind)
{
	return kind == CRYPTO_ES256 ? "EC" : "OKP";
}

void
crypto_thumbprint(enum crypto_key_kind kind, const unsigned char *public_bytes,
    char out_id[CRYPTO_KEY_ID_BYTES])
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	unsigned char hash[CRYPTO_SHA256_BYTES];

	mu_buf_format(&text, "{\"crv\":\"%s\",\"kty\":\"%s\",", curve_name(kind), type_name(kind));
	point_format(kind, public_bytes, &text);
	mu_buf_char_add(&text, '}');
	crypto_sha256(text.data, text.size_bytes, hash);
	mu_buf_reset(&text);
	mu_base64url_format(&text, hash, sizeof(hash));
	(void)memcpy(out_id, text.data, CRYPTO_KEY_ID_BYTES);
}

static void
coordinate_get(const EVP_PKEY *pair, const char *param, unsigned char out[32])
{
	BIGNUM *n = NULL;

	crypto_must(EVP_PKEY_get_bn_param(pair, param, &n), "public key");
	crypto_must(BN_bn2binpad(n, out, 32) == 32, "public key");
	BN_free(n);
}

/* Takes pair over. */
static struct crypto_key *
key_wrap(enum crypto_key_kind kind, EVP_PKEY *pair, bool is_private)
{
	struct crypto_key *k = mu_alloc_zero(1, sizeof(*k));
	size_t size = 32;

	k->kind = kind;
	k->pair = pair;
	k->is_private = is_private;
	if (kind == CRYPTO_ES256) {
		coordinate_get(pair, OSSL_PKEY_PARAM_EC_PUB_X, k->public_bytes);
		coordinate_get(pair, OSSL_PKEY_PARAM_EC_PUB_Y, k->public_bytes + 32);
	} else {
		crypto_must(EVP_PKEY_get_raw_public_key(pair, k->public_bytes, &size), "public key");
	}
	crypto_thumbprint(kind, k->public_bytes, k->id);
	return k;
}

struct crypto_key *
crypto_key_new(enum crypto_key_kind kind)
{
	EVP_PKEY *pair = kind == CRYPTO_ES256 ? EVP_EC_gen("P-256") :
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	crypto_must(pair != NULL, "make a key");
	return key_wrap(kind, pair, true);
}

void
crypto_key_free(struct crypto_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_CTX_free(k->signing);
	EVP_PKEY_CTX_free(k->verifying);
	EVP_PKEY_free(k->pair);
	mu_free(k);
}

void
crypto_key_freep(struct crypto_key **k)
{
	crypto_key_free(*k);
	*k = NULL;
}

/* Never asks a terminal for the passphrase of an encrypted key. */
static int
no_passphrase(char *out, int out_bytes, int writing, void *ctx)
{
	(void)out;
	(void)out_bytes;
	(void)writing;
	(void)ctx;
	return -1;
}

static bool
is_p256(const EVP_PKEY *pair)
{
	char group[32];

	return EVP_PKEY_is_a(pair, "EC") && EVP_PKEY_get_group_name(pair, group, sizeof(group), NULL) == 1 &&
	    strcmp(group, "prime256v1") == 0;
}

enum mu_rc
crypto_key_parse(const struct mu_secret *pem, struct crypto_key **out_key, struct mu_err *err)
{
	EVP_PKEY *pair;
	BIO *bio;

	if (pem->size_bytes > INT_MAX)
		return mu_fail(err, MU_EINPUT, "not a private key in PEM");
	bio = BIO_new_mem_buf(mu_secret_text(pem), (int)pem->size_bytes);
	crypto_must(bio != NULL, "read PEM");
	pair = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (pair == NULL)
		return crypto_fail(err, MU_EINPUT, "not an unencrypted private key in PEM");
	if (is_p256(pair)) {
		*out_key = key_wrap(CRYPTO_ES256, pair, true);
	} else if (EVP_PKEY_is_a(pair, "ED25519")) {
		*out_key = key_wrap(CRYPTO_ED25519, pair, true);
	} else {
		EVP_PKEY_free(pair);
		return mu_fail(err, MU_EINPUT, "the private key is neither P-256 nor Ed25519");
	}
	return MU_OK;
}

void
crypto_key_format(const struct crypto_key *k, struct mu_secret *out_pem)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long size;

	crypto_must(bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, k->pair, NULL, NULL, 0, NULL, NULL) == 1, "write PEM");
	size = BIO_get_mem_data(bio, &text);
	mu_secret_set(out_pem, text, (size_t)size);
	BIO_free(bio);
}

static EVP_PKEY *
p256_public(const unsigned char *xy)
{
	unsigned char point[65] = { POINT_CONVERSION_UNCOMPRESSED };
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pair = NULL;

	(void)memcpy(point + 1, xy, 64);
	crypto_must(ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1, "public key");
	if (EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pair = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pair;
}

enum mu_rc
crypto_key_public_new(enum crypto_key_kind kind, const void *bytes, size_t bytes_count,
    struct crypto_key **out_key, struct mu_err *err)
{
	EVP_PKEY *pair = NULL;

	if (kind == CRYPTO_ES256 && bytes_count == 64)
		pair = p256_public(bytes);
	else if (kind == CRYPTO_ED25519 && bytes_count == 32)
		pair = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, bytes_count);
	if (pair == NULL)
		return crypto_fail(err, MU_EINPUT, "not a public key of %s", curve_name(kind));
	*out_key = key_wrap(kind, pair, false);
	return MU_OK;
}

size_t
crypto_key_public_bytes(const struct crypto_key *k, unsigned char out[CRYPTO_PUBLIC_MAX_BYTES])
{
	size_t size = k->kind == CRYPTO_ES256 ? 64 : 32;

	(void)memcpy(out, k->public_bytes, size);
	return size;
}

enum crypto_key_kind
crypto_key_kind(const struct crypto_key *k)
{
	return k->kind;
}

const char *
crypto_key_alg(const struct crypto_key *k)
{
	return k->kind == CRYPTO_ES256 ? "ES256" : "EdDSA";
}

const char *
crypto_key_id(const struct crypto_key *k)
{
	return k->id;
}

void
crypto_key_jwk_format(const struct crypto_key *k, struct mu_buf *b)
{
	mu_buf_format(b, "{\"alg\":\"%s\",\"crv\":\"%s\",\"kid\":\"%s\",\"kty\":\"%s\",\"use\":\"sig\",",
	    crypto_key_alg(k), curve_name(k->kind), k->id, type_name(k->kind));
	point_format(k->kind, k->public_bytes, b);
	mu_buf_char_add(b, '}');
}

struct evp_pkey_st *
crypto_key_openssl(const struct crypto_key *k)
{
	return k->pair;
}

static EVP_PKEY_CTX *
ecdsa_context(EVP_PKEY *pair, int (*init)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);

	crypto_must(ctx != NULL && init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1, "ECDSA");
	return ctx;
}

/* RFC 7518, 3.4: the two integers of ECDSA's DER, each padded to 32 bytes. */
static bool
der_to_raw(const unsigned char *der, size_t der_bytes, unsigned char *raw)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_bytes);
	bool fits = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;

	ECDSA_SIG_free(sig);
	return fits;
}

static size_t
raw_to_der(const unsigned char *raw, unsigned char out_der[DER_MAX_BYTES])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
	int size;

	crypto_must(sig != NULL && ECDSA_SIG_set0(sig, r, s) == 1, "ECDSA");
	size = i2d_ECDSA_SIG(sig, &out_der);
	ECDSA_SIG_free(sig);
	return size < 0 ? 0 : (size_t)size;
}

static bool
es256_sign(struct crypto_key *k, const void *bytes, size_t bytes_count, unsigned char *out_raw)
{
	unsigned char hash[CRYPTO_SHA256_BYTES], der[DER_MAX_BYTES];
	size_t der_bytes = sizeof(der);

	if (k->signing == NULL)
		k->signing = ecdsa_context(k->pair, EVP_PKEY_sign_init);
	crypto_sha256(bytes, bytes_count, hash);
	return EVP_PKEY_sign(k->signing, der, &der_bytes, hash, sizeof(hash)) == 1 &&
	    der_to_raw(der, der_bytes, out_raw);
}

static bool
ed25519_sign(struct crypto_key *k, const void *bytes, size_t bytes_count, unsigned char *out_raw)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = CRYPTO_SIGNATURE_BYTES;
	bool worked = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pair) == 1 &&
	    EVP_DigestSign(ctx, out_raw, &size, bytes, bytes_count) == 1;

	EVP_MD_CTX_free(ctx);
	return worked;
}

enum mu_rc
crypto_key_sign(struct crypto_key *k, const void *bytes, size_t bytes_count,
    unsigned char out_signature[CRYPTO_SIGNATURE_BYTES], struct mu_err *err)
{
	if (!k->is_private)
		return mu_fail(err, MU_EBROKEN, "a public key cannot sign");
	if (k->kind == CRYPTO_ES256 ? !es256_sign(k, bytes, bytes_count, out_signature) :
	    !ed25519_sign(k, bytes, bytes_count, out_signature))
		return crypto_fail(err, MU_EBROKEN, "cannot sign with key %s", k->id);
	return MU_OK;
}

static bool
es256_verify(struct crypto_key *k, const void *bytes, size_t bytes_count, const unsigned char *raw)
{
	unsigned char hash[CRYPTO_SHA256_BYTES], der[DER_MAX_BYTES];
	size_t der_bytes = raw_to_der(raw, der);

	if (k->verifying == NULL)
		k->verifying = ecdsa_context(k->pair, EVP_PKEY_verify_init);
	crypto_sha256(bytes, bytes_count, hash);
	return EVP_PKEY_verify(k->verifying, der, der_bytes, hash, sizeof(hash)) == 1;
}

static bool
ed25519_verify(struct crypto_key *k, const void *bytes, size_t bytes_count, const unsigned char *raw)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pair) == 1 &&
	    EVP_DigestVerify(ctx, raw, CRYPTO_SIGNATURE_BYTES, bytes, bytes_count) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

bool
crypto_key_verify(struct crypto_key *k, const void *bytes, size_t bytes_count,
    const unsigned char signature[CRYPTO_SIGNATURE_BYTES])
{
	bool good = k->kind == CRYPTO_ES256 ? es256_verify(k, bytes, bytes_count, signature) :
	    ed25519_verify(k, bytes, bytes_count, signature);

	ERR_clear_error();
	return good;
}
