/* Signatures against the vectors of RFC 7515 and RFC 8037, and what a key may not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/sign.h"

#include <string.h>

static struct vector {
	const char *name;
	enum crypto_key_kind kind;
	const char *x, *y;		/* base64url */
	const char *id;			/* NULL: the RFC gives none */
	const char *message, *signature;
} vectors[] = {
	{ "RFC 7515, A.3: ES256", CRYPTO_ES256,
	    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	    NULL,
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
	    "S9pc19yb290Ijp0cnVlfQ",
	    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q" },
	{ "RFC 8037, A.3 and A.5: Ed25519", CRYPTO_ED25519,
	    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "",
	    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" },
};

static void
vector_row(void **state)
{
	const struct vector *v = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf point = MU_BUF_INIT, signature = MU_BUF_INIT;
	MU_AUTO(crypto_key_freep) struct crypto_key *k = NULL;
	struct mu_err err = MU_ERR_INIT;
	unsigned char *s;

	assert_true(mu_base64url_parse(v->x, strlen(v->x), &point));
	assert_true(mu_base64url_parse(v->y, strlen(v->y), &point));
	assert_true(mu_base64url_parse(v->signature, strlen(v->signature), &signature));
	assert_int_equal(CRYPTO_SIGNATURE_BYTES, signature.size_bytes);
	assert_int_equal(MU_OK, crypto_key_public_new(v->kind, point.data, point.size_bytes, &k, &err));
	s = (unsigned char *)signature.data;
	assert_true(crypto_key_verify(k, v->message, strlen(v->message), s));
	assert_false(crypto_key_verify(k, v->message, strlen(v->message) - 1, s));
	s[40] ^= 1;
	assert_false(crypto_key_verify(k, v->message, strlen(v->message), s));
	(void)memset(s, 0, CRYPTO_SIGNATURE_BYTES);
	assert_false(crypto_key_verify(k, v->message, strlen(v->message), s));
	(void)memset(s, 0xff, CRYPTO_SIGNATURE_BYTES);
	assert_false(crypto_key_verify(k, v->message, strlen(v->message), s));
	if (v->id != NULL)
		assert_string_equal(v->id, crypto_key_id(k));
	assert_int_equal(MU_EBROKEN, crypto_key_sign(k, "x", 1, s, &err));
}

static void
round_trip(enum crypto_key_kind kind)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *k = crypto_key_new(kind), *again = NULL, *public = NULL;
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;
	unsigned char point[CRYPTO_PUBLIC_MAX_BYTES], signature[CRYPTO_SIGNATURE_BYTES];
	struct mu_err err = MU_ERR_INIT;
	size_t point_bytes = crypto_key_public_bytes(k, point);

	crypto_key_format(k, &pem);
	assert_int_equal(MU_OK, crypto_key_parse(&pem, &again, &err));
	assert_string_equal(crypto_key_id(k), crypto_key_id(again));
	assert_int_equal(MU_OK, crypto_key_public_new(kind, point, point_bytes, &public, &err));
	for (int i = 0; i < 300; i++) {		/* short r and s come up: each 1 in 256 */
		assert_int_equal(MU_OK, crypto_key_sign(again, &i, sizeof(i), signature, &err));
		assert_true(crypto_key_verify(public, &i, sizeof(i), signature));
	}
}

static void
es256_round_trip(void **state)
{
	(void)state;
	round_trip(CRYPTO_ES256);
}

static void
ed25519_round_trip(void **state)
{
	(void)state;
	round_trip(CRYPTO_ED25519);
}

static struct bad {
	const char *name, *pem;
} bads[] = {
	{ "an empty file is no key", "" },
	{ "text is no key", "hello" },
	{ "a cut key", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n" },
	{ "a public key does not sign", "-----BEGIN PUBLIC KEY-----\n"
	    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n" },
	{ "X25519 does not sign", "-----BEGIN PRIVATE KEY-----\n"
	    "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n-----END PRIVATE KEY-----\n" },
};

static void
bad_row(void **state)
{
	const struct bad *r = *state;
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;
	MU_AUTO(crypto_key_freep) struct crypto_key *k = NULL;
	struct mu_err err = MU_ERR_INIT;

	mu_secret_set(&pem, r->pem, strlen(r->pem));
	assert_int_equal(MU_EINPUT, crypto_key_parse(&pem, &k, &err));
	assert_null(k);
}

static void
a_point_beside_the_curve_is_no_key(void **state)
{
	unsigned char point[64] = { 1 };
	MU_AUTO(crypto_key_freep) struct crypto_key *k = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_EINPUT, crypto_key_public_new(CRYPTO_ES256, point, 64, &k, &err));
	assert_int_equal(MU_EINPUT, crypto_key_public_new(CRYPTO_ES256, point, 32, &k, &err));
	assert_int_equal(MU_EINPUT, crypto_key_public_new(CRYPTO_ED25519, point, 31, &k, &err));
}

int
main(void)
{
	struct CMUnitTest tests[3 + MU_COUNT(vectors) + MU_COUNT(bads)] = {
		cmocka_unit_test(es256_round_trip),
		cmocka_unit_test(ed25519_round_trip),
		cmocka_unit_test(a_point_beside_the_curve_is_no_key),
	};
	size_t n = 3;

	for (size_t i = 0; i < MU_COUNT(vectors); i++)
		tests[n++] = (struct CMUnitTest){ vectors[i].name, vector_row, NULL, NULL, &vectors[i] };
	for (size_t i = 0; i < MU_COUNT(bads); i++)
		tests[n++] = (struct CMUnitTest){ bads[i].name, bad_row, NULL, NULL, &bads[i] };
	return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
