/* The private CA: its certificates verify by OpenSSL's rules, and weak or foreign requests do not pass. */
#include "unit/vault/rig.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "crypto/sign.h"

static struct rig rig;

static X509 *
cert_read(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

/* Would OpenSSL take the certificate for that purpose, at that time, trusting the CA alone? */
static bool
cert_verify(const char *pem, int purpose, int64_t at_s)
{
	X509 *ca = cert_read(vault_ca_pem(rig.vault)), *cert = cert_read(pem);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool good;

	assert_int_equal(1, X509_STORE_add_cert(store, ca));
	assert_int_equal(1, X509_STORE_CTX_init(ctx, store, cert, NULL));
	assert_int_equal(1, X509_STORE_CTX_set_purpose(ctx, purpose));
	X509_STORE_CTX_set_time(ctx, 0, (time_t)at_s);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx),
	    X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2);
	good = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(cert);
	X509_free(ca);
	return good;
}

static void
the_ca_may_sign_leaves_and_nothing_else(void **state)
{
	X509 *ca = cert_read(vault_ca_pem(rig.vault));

	(void)state;
	assert_int_equal(1, X509_check_ca(ca));
	assert_int_equal(0, X509_get_pathlen(ca));
	assert_int_equal(KU_KEY_CERT_SIGN | KU_CRL_SIGN, X509_get_key_usage(ca));
	assert_non_null(X509_get0_subject_key_id(ca));
	assert_non_null(X509_get0_authority_key_id(ca));
	assert_true(cert_verify(vault_ca_pem(rig.vault), X509_PURPOSE_ANY, NOW_S + 3650 * (int64_t)MU_DAY_S));
	assert_false(cert_verify(vault_ca_pem(rig.vault), X509_PURPOSE_ANY, NOW_S + 3660 * (int64_t)MU_DAY_S));
	X509_free(ca);
}

static void
a_listeners_certificate_serves_its_names(void **state)
{
	static const char *const names[] = { "muster.example.org", "127.0.0.1", "::1", "localhost" };
	MU_AUTO(mu_secret_clear) struct mu_secret key_pem = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf chain = MU_BUF_INIT;
	MU_AUTO(crypto_key_freep) struct crypto_key *key = NULL;
	struct mu_err err = MU_ERR_INIT;
	X509 *cert;

	(void)state;
	assert_int_equal(MU_OK, vault_server_issue(rig.vault, names, MU_COUNT(names), NOW_S, &key_pem, &chain,
	    &err));
	assert_int_equal(MU_OK, crypto_key_parse(&key_pem, &key, &err));
	cert = cert_read(chain.data);
	assert_int_equal(1, X509_check_private_key(cert, crypto_key_openssl(key)));
	assert_int_equal(1, X509_check_host(cert, "muster.example.org", 0, 0, NULL));
	assert_int_equal(1, X509_check_host(cert, "localhost", 0, 0, NULL));
	assert_int_equal(0, X509_check_host(cert, "other.example.org", 0, 0, NULL));
	assert_int_equal(1, X509_check_ip_asc(cert, "127.0.0.1", 0));
	assert_int_equal(1, X509_check_ip_asc(cert, "::1", 0));
	assert_int_equal(0, X509_check_ip_asc(cert, "127.0.0.2", 0));
	assert_true(cert_verify(chain.data, X509_PURPOSE_SSL_SERVER, NOW_S));
	assert_true(cert_verify(chain.data, X509_PURPOSE_SSL_SERVER, NOW_S + 89 * (int64_t)MU_DAY_S));
	assert_false(cert_verify(chain.data, X509_PURPOSE_SSL_SERVER, NOW_S + 91 * (int64_t)MU_DAY_S));
	assert_false(cert_verify(chain.data, X509_PURPOSE_SSL_CLIENT, NOW_S));
	assert_non_null(strstr(chain.data, vault_ca_pem(rig.vault)));	/* for clients that pin the CA */
	X509_free(cert);
}

static struct name_row {
	const char *name, *host;
	enum mu_rc want;
} name_rows[] = {
	{ "a name of one label",		"muster", MU_OK },
	{ "an address as a name",		"192.0.2.7", MU_OK },
	{ "an empty name",			"", MU_EINPUT },
	{ "an empty label",			"a..b", MU_EINPUT },
	{ "a dot at the end",			"a.example.", MU_EINPUT },
	{ "a wildcard",				"*.example.org", MU_EINPUT },
	{ "a hyphen at the end of a label",	"a-.example.org", MU_EINPUT },
	{ "a blank",				"a b", MU_EINPUT },
	{ "a comma cannot smuggle a name in",	"a,DNS:b", MU_EINPUT },
	{ "a label of 64",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", MU_EINPUT },
	{ "a long name that is good",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", MU_OK },
};

static void
name_row(void **state)
{
	const struct name_row *r = *state;
	const char *const names[] = { r->host };
	MU_AUTO(mu_secret_clear) struct mu_secret key_pem = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf chain = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(r->want, vault_server_issue(rig.vault, names, 1, NOW_S, &key_pem, &chain, &err));
	if (r->want == MU_OK)
		assert_true(cert_verify(chain.data, X509_PURPOSE_SSL_SERVER, NOW_S));
	else
		assert_int_equal(0, chain.size_bytes);
	assert_int_equal(MU_EINPUT, vault_server_issue(rig.vault, names, 0, NOW_S, &key_pem, &chain, &err));
}

/* --- Requests ---------------------------------------------------------------------------------- */

enum make { P256, P384, RSA2048, ED25519, RSA1024, P224, K256, P256_EXPLICIT };
enum spoil {
	SOUND, BLANKS, SIGNATURE, BY_SHA1, OTHER_KEY, CUT, TRAILING, TWICE, CERTIFICATE, EMPTY, GARBAGE, WANTS_CA, LEADING, TOO_LARGE,
};

static struct csr_row {
	const char *name;
	enum make key;
	enum spoil spoil;
	const char *client;
	enum mu_rc want;
} csr_rows[] = {
	{ "P-256",				P256, SOUND, "xmpp-1", MU_OK },
	{ "P-384",				P384, SOUND, "xmpp", MU_OK },
	{ "RSA of 2048 bits",			RSA2048, SOUND, "xmpp", MU_OK },
	{ "Ed25519",				ED25519, SOUND, "xmpp", MU_OK },
	{ "what it asks for is ignored",	P256, WANTS_CA, "xmpp", MU_OK },
	{ "blank lines behind the block",		P256, BLANKS, "xmpp", MU_OK },
	{ "RSA of 1024 bits is weak",		RSA1024, SOUND, "xmpp", MU_EINPUT },
	{ "P-224 is weak",			P224, SOUND, "xmpp", MU_EINPUT },
	{ "secp256k1 is not for TLS",		K256, SOUND, "xmpp", MU_EINPUT },
	{ "a curve that is spelled out",	P256_EXPLICIT, SOUND, "xmpp", MU_EINPUT },
	{ "a signature with a turned bit",	P256, SIGNATURE, "xmpp", MU_EINPUT },
	{ "signed by another key",		P256, OTHER_KEY, "xmpp", MU_EINPUT },
	{ "signed with SHA-1",			P256, BY_SHA1, "xmpp", MU_EINPUT },
	{ "cut short",				P256, CUT, "xmpp", MU_EINPUT },
	{ "text behind it",			P256, TRAILING, "xmpp", MU_EINPUT },
	{ "text before it",			P256, LEADING, "xmpp", MU_EINPUT },
	{ "two requests",			P256, TWICE, "xmpp", MU_EINPUT },
	{ "a certificate instead",		P256, CERTIFICATE, "xmpp", MU_EINPUT },
	{ "nothing",				P256, EMPTY, "xmpp", MU_EINPUT },
	{ "garbage",				P256, GARBAGE, "xmpp", MU_EINPUT },
	{ "larger than a request may be",	P256, TOO_LARGE, "xmpp", MU_EINPUT },
	{ "no client name",			P256, SOUND, "", MU_EINPUT },
	{ "a client name with a slash",		P256, SOUND, "a/b", MU_EINPUT },
	{ "a client name of 31",		P256, SOUND, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", MU_OK },
	{ "a client name of 32",		P256, SOUND, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", MU_EINPUT },
	{ "a client named as an administrator's session", P256, SOUND,
	    "admin.01935b2a-0000-7000-8000-000000000001", MU_EINPUT },
	{ "a client name that is short for one",	P256, SOUND, "admin.x", MU_EINPUT },
	{ "a client may be named admin",	P256, SOUND, "admin", MU_OK },
	{ "a client name with a capital",	P256, SOUND, "Xmpp", MU_EINPUT },
	{ "a client name that begins with a digit", P256, SOUND, "1xmpp", MU_EINPUT },
};

static EVP_PKEY *
pair_make(enum make what)
{
	EVP_PKEY *pair = NULL;

	switch (what) {
	case P256:
		return EVP_EC_gen("P-256");
	case P384:
		return EVP_EC_gen("P-384");
	case P224:
		return EVP_EC_gen("P-224");
	case K256:
		return EVP_EC_gen("secp256k1");
	case RSA2048:
		return EVP_RSA_gen(2048);
	case RSA1024:
		return EVP_RSA_gen(1024);
	case ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case P256_EXPLICIT:
		pair = EVP_EC_gen("P-256");
		assert_int_equal(1, EVP_PKEY_set_utf8_string_param(pair, "encoding", "explicit"));
		return pair;
	}
	return NULL;
}

static void
wants_ca(X509_REQ *req)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

	assert_true(sk_X509_EXTENSION_push(list,
	    X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE")) > 0);
	assert_int_equal(1, X509_REQ_add_extensions(req, list));
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void
csr_make(const struct csr_row *r, struct mu_buf *b)
{
	EVP_PKEY *pair = pair_make(r->key), *signer = r->spoil == OTHER_KEY ? EVP_EC_gen("P-256") : pair;
	X509_REQ *req = X509_REQ_new();
	const ASN1_BIT_STRING *signature;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	assert_int_equal(1, X509_REQ_set_pubkey(req, pair));
	assert_int_equal(1, X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
	    (const unsigned char *)"somebody else", -1, -1, 0));
	if (r->spoil == WANTS_CA)
		wants_ca(req);
	assert_true(X509_REQ_sign(req, signer, r->key == ED25519 ? NULL :
	    r->spoil == BY_SHA1 ? EVP_sha1() : EVP_sha256()) > 0);
	X509_REQ_get0_signature(req, &signature, NULL);
	if (r->spoil == SIGNATURE)
		signature->data[signature->length - 1] ^= 1;
	assert_int_equal(1, PEM_write_bio_X509_REQ(bio, req));
	size = BIO_get_mem_data(bio, &text);
	mu_buf_add(b, text, (size_t)size);
	BIO_free(bio);
	X509_REQ_free(req);
	if (signer != pair)
		EVP_PKEY_free(signer);
	EVP_PKEY_free(pair);
}

static void
csr_spoil(enum spoil how, struct mu_buf *b)
{
	MU_AUTO(mu_freep) char *copy = mu_strdup(b->data);

	switch (how) {
	case SOUND: case SIGNATURE: case BY_SHA1: case OTHER_KEY: case WANTS_CA:
		break;
	case BLANKS:
		mu_buf_text_add(b, "\r\n \n");
		break;
	case CUT:
		b->size_bytes -= 60;
		break;
	case TRAILING:
		mu_buf_text_add(b, "x\n");
		break;
	case TWICE:
		mu_buf_text_add(b, copy);
		break;
	case LEADING:
		mu_buf_reset(b);
		mu_buf_format(b, "# a remark\n%s", copy);
		break;
	case CERTIFICATE:
		mu_buf_reset(b);
		mu_buf_text_add(b, vault_ca_pem(rig.vault));
		break;
	case EMPTY:
		mu_buf_reset(b);
		break;
	case GARBAGE:
		mu_buf_reset(b);
		mu_buf_text_add(b, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
		break;
	case TOO_LARGE:
		for (int i = 0; i < 20000; i++)
			mu_buf_char_add(b, '\n');
		break;
	}
}

static void
csr_row(void **state)
{
	const struct csr_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf csr = MU_BUF_INIT;
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	unsigned char fingerprint[CRYPTO_FINGERPRINT_BYTES];
	struct mu_err err = MU_ERR_INIT;
	char cn[80];
	int64_t end_s;
	X509 *cert;

	csr_make(r, &csr);
	csr_spoil(r->spoil, &csr);
	assert_int_equal(r->want, vault_client_issue(rig.vault, r->client, csr.data, csr.size_bytes, NOW_S, &c,
	    &err));
	if (r->want != MU_OK) {
		assert_null(c.certificate);
		assert_string_not_equal("", err.text);
		return;
	}
	assert_true(cert_verify(c.certificate, X509_PURPOSE_SSL_CLIENT, NOW_S));
	assert_false(cert_verify(c.certificate, X509_PURPOSE_SSL_SERVER, NOW_S));
	assert_false(cert_verify(c.certificate, X509_PURPOSE_SSL_CLIENT, NOW_S + 91 * (int64_t)MU_DAY_S));
	assert_int_equal(MU_OK, crypto_cert_read(c.certificate, fingerprint, &end_s, &err));
	assert_memory_equal(fingerprint, c.fingerprint, sizeof(fingerprint));
	assert_int_equal(end_s, c.not_after_s);
	cert = cert_read(c.certificate);
	assert_int_equal(0, X509_check_ca(cert));
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) > 0);
	assert_string_equal(r->client, cn);
	X509_free(cert);
}

static void
an_administrators_certificate_is_the_sessions_and_lasts_a_shift(void **state)
{
	static const struct csr_row sound = { "", P256, SOUND, "", MU_OK };
	MU_AUTO(mu_buf_clear) struct mu_buf csr = MU_BUF_INIT;
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid session_id;
	char cn[80];
	X509 *cert;

	(void)state;
	assert_true(mu_uuid_parse("01935b2a-0000-7000-8000-0000000000ff", &session_id));
	csr_make(&sound, &csr);
	assert_int_equal(MU_OK, vault_admin_issue(rig.vault, &session_id, csr.data, csr.size_bytes, NOW_S, &c,
	    &err));
	assert_true(cert_verify(c.certificate, X509_PURPOSE_SSL_CLIENT, NOW_S + 8 * 3600 - 1));
	assert_false(cert_verify(c.certificate, X509_PURPOSE_SSL_CLIENT, NOW_S + 8 * 3600 + 1));
	assert_false(cert_verify(c.certificate, X509_PURPOSE_SSL_SERVER, NOW_S));
	assert_int_equal(NOW_S + 8 * 3600, c.not_after_s);
	cert = cert_read(c.certificate);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) > 0);
	assert_string_equal("admin.01935b2a-0000-7000-8000-0000000000ff", cn);
	X509_free(cert);
	vault_client_clear(&c);
	mu_buf_text_add(&csr, "x");
	assert_int_equal(MU_EINPUT, vault_admin_issue(rig.vault, &session_id, csr.data, csr.size_bytes, NOW_S, &c,
	    &err));
}

static void
a_request_of_ours_is_certified_for_its_key(void **state)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *key = crypto_key_new(CRYPTO_ES256);
	MU_AUTO(crypto_key_freep) struct crypto_key *other = crypto_key_new(CRYPTO_ED25519), *public = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf csr = MU_BUF_INIT, none = MU_BUF_INIT;
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	unsigned char bytes[CRYPTO_PUBLIC_MAX_BYTES];
	struct mu_err err = MU_ERR_INIT;
	X509 *cert;

	(void)state;
	assert_int_equal(MU_OK, crypto_csr_make(key, "zoë", &csr, &err));
	assert_int_equal(MU_OK, vault_client_issue(rig.vault, "xmpp", csr.data, csr.size_bytes, NOW_S, &c, &err));
	cert = cert_read(c.certificate);
	assert_int_equal(1, EVP_PKEY_eq(X509_get0_pubkey(cert), crypto_key_openssl(key)));
	X509_free(cert);
	assert_int_equal(MU_EINPUT, crypto_csr_make(key, "", &none, &err));
	assert_int_equal(MU_EINPUT, crypto_csr_make(key,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &none, &err));
	assert_int_equal(MU_EINPUT, crypto_csr_make(key, "\xff", &none, &err));
	assert_int_equal(MU_EBROKEN, crypto_csr_make(other, "zoë", &none, &err));
	assert_int_equal(MU_OK, crypto_key_public_new(CRYPTO_ES256, bytes, crypto_key_public_bytes(key, bytes),
	    &public, &err));
	assert_int_equal(MU_EBROKEN, crypto_csr_make(public, "zoë", &none, &err));
	assert_int_equal(0, none.size_bytes);
}

int
main(void)
{
	struct CMUnitTest tests[4 + MU_COUNT(name_rows) + MU_COUNT(csr_rows)] = {
		cmocka_unit_test(the_ca_may_sign_leaves_and_nothing_else),
		cmocka_unit_test(a_listeners_certificate_serves_its_names),
		cmocka_unit_test(an_administrators_certificate_is_the_sessions_and_lasts_a_shift),
		cmocka_unit_test(a_request_of_ours_is_certified_for_its_key),
	};
	size_t n = 4;
	int failed;

	rig_open(&rig);
	for (size_t i = 0; i < MU_COUNT(name_rows); i++)
		tests[n++] = (struct CMUnitTest){ name_rows[i].name, name_row, NULL, NULL, &name_rows[i] };
	for (size_t i = 0; i < MU_COUNT(csr_rows); i++)
		tests[n++] = (struct CMUnitTest){ csr_rows[i].name, csr_row, NULL, NULL, &csr_rows[i] };
	failed = cmocka_run_group_tests_name("authority", tests, NULL, NULL);
	rig_end(&rig);
	return failed;
}
