/*
 * The strict reader of tokens: what it refuses, and libjwt as oracle for what both can read.
 *
 * libjwt 1.10 reads typ JWT only, so both read tokens of that type here. What the strict reader
 * accepts libjwt must accept; what libjwt refuses the strict reader must refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "vault/jws.h"

#include <stdlib.h>
#include <string.h>

static struct crypto_key *key;
static struct mu_secret pem = MU_SECRET_INIT, public_pem = MU_SECRET_INIT;

static struct row {
	const char *name;
	const char *header;	/* "%s" stands for the key's id */
	const char *tail;	/* put behind the token */
	enum mu_rc want;
} rows[] = {
	{ "as we write them",			"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", "", MU_OK },
	{ "kid may be absent",			"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "", MU_OK },
	{ "members in any order",		"{ \"typ\":\"JWT\", \"alg\":\"ES256\" }", "", MU_OK },
	{ "another key's id",			"{\"alg\":\"ES256\",\"kid\":\"x%s\",\"typ\":\"JWT\"}", "", MU_EDENIED },
	{ "alg none",				"{\"alg\":\"none\",\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "alg HS256 with our public key",	"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "alg ES384",				"{\"alg\":\"ES384\",\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "alg in lower case",			"{\"alg\":\"es256\",\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "no alg",				"{\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "alg is a number",			"{\"alg\":256,\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "two algs",				"{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "no typ",				"{\"alg\":\"ES256\"}", "", MU_EINPUT },
	{ "another typ",			"{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", "", MU_EINPUT },
	{ "typ in lower case",			"{\"alg\":\"ES256\",\"typ\":\"jwt\"}", "", MU_EINPUT },
	{ "crit",				"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "a key inside the token",		"{\"alg\":\"ES256\",\"jwk\":{},\"typ\":\"JWT\"}", "", MU_EINPUT },
	{ "a place to fetch a key from",	"{\"alg\":\"ES256\",\"jku\":\"https://x\",\"typ\":\"JWT\"}", "",
	    MU_EINPUT },
	{ "an escaped NUL in typ",		"{\"alg\":\"ES256\",\"typ\":\"JWT\\u0000\"}", "", MU_EINPUT },
	{ "text behind the header",		"{\"alg\":\"ES256\",\"typ\":\"JWT\"}x", "", MU_EINPUT },
	{ "not an object",			"[\"ES256\"]", "", MU_EINPUT },
	{ "a fourth segment",			"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", ".AA", MU_EINPUT },
	{ "padding",				"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "==", MU_EINPUT },
	{ "a newline at the end",		"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "\n", MU_EINPUT },
	{ "a longer signature",			"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "AAAA", MU_EINPUT },
};

static void
token_make(const char *header, const char *payload, struct mu_buf *b)
{
	unsigned char signature[CRYPTO_SIGNATURE_BYTES];
	struct mu_err err = MU_ERR_INIT;

	mu_base64url_format(b, header, strlen(header));
	mu_buf_char_add(b, '.');
	mu_base64url_format(b, payload, strlen(payload));
	assert_int_equal(MU_OK, crypto_key_sign(key, b->data, b->size_bytes, signature, &err));
	mu_buf_char_add(b, '.');
	mu_base64url_format(b, signature, sizeof(signature));
}

/* rows write the key's id as %s, once at most */
static void
header_format(const char *pattern, struct mu_buf *b)
{
	const char *at = strstr(pattern, "%s");

	if (at == NULL) {
		mu_buf_text_add(b, pattern);
		return;
	}
	mu_buf_add(b, pattern, (size_t)(at - pattern));
	mu_buf_text_add(b, crypto_key_id(key));
	mu_buf_text_add(b, at + 2);
}

static void
jws_row(void **state)
{
	const struct row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf header = MU_BUF_INIT, token = MU_BUF_INIT, payload = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	header_format(r->header, &header);
	token_make(header.data, "{\"sub\":\"ann\"}", &token);
	mu_buf_text_add(&token, r->tail);
	assert_int_equal(r->want, jws_verify(token.data, token.size_bytes, key, "JWT", &payload, &err));
	assert_string_equal(r->want == MU_OK ? "{\"sub\":\"ann\"}" : "", mu_buf_text(&payload));
}

/* Does libjwt take it for a token of our key, signed with ES256? */
static bool
oracle(const char *token)
{
	jwt_t *j = NULL;
	bool good = jwt_decode(&j, token, public_pem.bytes, (int)public_pem.size_bytes) == 0 &&
	    jwt_get_alg(j) == JWT_ALG_ES256;

	jwt_free(j);
	return good;
}

static void
libjwt_reads_what_we_sign_and_we_read_what_it_signs(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf token = MU_BUF_INIT, payload = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	jwt_t *j = NULL;
	char *text;

	(void)state;
	token_make("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{\"sub\":\"ann\"}", &token);
	assert_true(oracle(token.data));
	assert_int_equal(0, jwt_new(&j));
	assert_int_equal(0, jwt_add_grant(j, "sub", "ann"));
	assert_int_equal(0, jwt_set_alg(j, JWT_ALG_ES256, pem.bytes, (int)pem.size_bytes));
	text = jwt_encode_str(j);
	assert_non_null(text);
	assert_int_equal(MU_OK, jws_verify(text, strlen(text), key, "JWT", &payload, &err));
	assert_string_equal("{\"sub\":\"ann\"}", payload.data);
	free(text);
	jwt_free(j);
}

static void
whatever_libjwt_refuses_is_refused(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf token = MU_BUF_INIT;
	size_t refused = 0;

	(void)state;
	token_make("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{\"sub\":\"ann\"}", &token);
	for (size_t i = 0; i < token.size_bytes; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf payload = MU_BUF_INIT;
		struct mu_err err = MU_ERR_INIT;
		char was = token.data[i];
		bool ours;

		token.data[i] = was == 'A' ? 'B' : 'A';
		ours = jws_verify(token.data, token.size_bytes, key, "JWT", &payload, &err) == MU_OK;
		assert_true(!ours || oracle(token.data));
		refused += !ours;
		token.data[i] = was;
	}
	assert_int_equal(token.size_bytes, refused);	/* one letter changed: no token of ours */
}

static void
public_pem_make(void)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	assert_int_equal(1, PEM_write_bio_PUBKEY(bio, crypto_key_openssl(key)));
	size = BIO_get_mem_data(bio, &text);
	mu_secret_set(&public_pem, text, (size_t)size);
	BIO_free(bio);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(libjwt_reads_what_we_sign_and_we_read_what_it_signs),
		cmocka_unit_test(whatever_libjwt_refuses_is_refused),
	};
	int failed;

	key = crypto_key_new(CRYPTO_ES256);
	crypto_key_format(key, &pem);
	public_pem_make();
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, jws_row, NULL, NULL, &rows[i] };
	failed = cmocka_run_group_tests_name("jws", tests, NULL, NULL);
	crypto_key_free(key);
	mu_secret_clear(&pem);
	mu_secret_clear(&public_pem);
	return failed;
}
