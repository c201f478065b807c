/* Grants say what the MACed row says, and nothing is minted from a row that was not written by us. */
#include "unit/vault/rig.h"

#include "base/text.h"
#include "json/read.h"
#include "vault/jws.h"

static struct rig rig;

enum forged { NOTHING, MAC_BIT, NAME, ROLE, LEVEL, SUBJECT, PLATFORM, STATE, VERSION, PERSON };

static struct row {
	const char *name;
	enum account_state state;	/* as written and MACed */
	enum forged forged;		/* changed after the MAC was made */
	const char *platform;		/* of the client that asks */
	uint32_t ttl_s;
	enum mu_rc want;
	int64_t want_ttl_s;
} rows[] = {
	{ "an enabled account of the platform",	ACCOUNT_ENABLED, NOTHING, "xmpp", 60, MU_OK, 60 },
	{ "five minutes are the most",		ACCOUNT_ENABLED, NOTHING, "xmpp", 300, MU_OK, 300 },
	{ "more is shortened",			ACCOUNT_ENABLED, NOTHING, "xmpp", UINT32_MAX, MU_OK, 300 },
	{ "no time at all is malformed",	ACCOUNT_ENABLED, NOTHING, "xmpp", 0, MU_EINPUT, 0 },
	{ "a disabled account",			ACCOUNT_DISABLED, NOTHING, "xmpp", 60, MU_EDENIED, 0 },
	{ "an absent account",			ACCOUNT_ABSENT, NOTHING, "xmpp", 60, MU_EDENIED, 0 },
	{ "another platform asks",		ACCOUNT_ENABLED, NOTHING, "matrix", 60, MU_EDENIED, 0 },
	{ "no platform asks",			ACCOUNT_ENABLED, NOTHING, "", 60, MU_EDENIED, 0 },
	{ "a wrong MAC",			ACCOUNT_ENABLED, MAC_BIT, "xmpp", 60, MU_EDENIED, 0 },
	{ "a forged name",			ACCOUNT_ENABLED, NAME, "xmpp", 60, MU_EDENIED, 0 },
	{ "an invented role",			ACCOUNT_ENABLED, ROLE, "xmpp", 60, MU_EDENIED, 0 },
	{ "a raised level",			ACCOUNT_ENABLED, LEVEL, "xmpp", 60, MU_EDENIED, 0 },
	{ "another subject",			ACCOUNT_ENABLED, SUBJECT, "xmpp", 60, MU_EDENIED, 0 },
	{ "a forged platform",			ACCOUNT_ENABLED, PLATFORM, "matrix", 60, MU_EDENIED, 0 },
	{ "a forged state",			ACCOUNT_DISABLED, STATE, "xmpp", 60, MU_EDENIED, 0 },
	{ "another version of the row",		ACCOUNT_ENABLED, VERSION, "xmpp", 60, MU_EDENIED, 0 },
	{ "another person's row",		ACCOUNT_ENABLED, PERSON, "xmpp", 60, MU_EDENIED, 0 },
};

static void
forge(struct account_want *w, unsigned char *mac, enum forged what)
{
	switch (what) {
	case NOTHING:
		break;
	case MAC_BIT:
		mac[31] ^= 1;
		break;
	case NAME:
		w->name[0] = 'e';
		break;
	case ROLE:
		strings_add(&w->roles, "root");
		break;
	case LEVEL:
		entitlements_add(&w->entitlements, ENTITLEMENT_ROOM, "ops", "owner");
		break;
	case SUBJECT:
		w->subject[0] ^= 1;
		break;
	case PLATFORM:
		free(w->platform);
		w->platform = strdup("matrix");
		break;
	case STATE:
		w->state = ACCOUNT_ENABLED;
		break;
	case VERSION:
		w->version++;
		break;
	case PERSON:
		w->person_id.bytes[0] ^= 1;
		break;
	}
}

/* The index-th key that the JWKS publishes, read as a relying party would. */
static struct crypto_key *
published_key(const struct vault *v, size_t index)
{
	MU_AUTO(mu_buf_clear) struct mu_buf jwks = MU_BUF_INIT, point = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	struct crypto_key *k = NULL;
	const struct json_node *list, *jwk;
	const char *x, *y;

	vault_jwks(v, &jwks);
	assert_int_equal(MU_OK, json_parse(jwks.data, jwks.size_bytes, 4096, "JWKS", &root, &err));
	assert_int_equal(MU_OK, json_get_list(root, "keys", &list, &err));
	assert_int_equal(2, json_count(list));
	jwk = json_at(list, index);
	assert_string_equal("EC", json_find_text(jwk, "kty"));
	assert_string_equal("P-256", json_find_text(jwk, "crv"));
	assert_string_equal("ES256", json_find_text(jwk, "alg"));
	assert_string_equal("sig", json_find_text(jwk, "use"));
	x = json_find_text(jwk, "x");
	y = json_find_text(jwk, "y");
	assert_true(mu_base64url_parse(x, strlen(x), &point) && mu_base64url_parse(y, strlen(y), &point));
	assert_int_equal(MU_OK, crypto_key_public_new(CRYPTO_ES256, point.data, point.size_bytes, &k, &err));
	assert_string_equal(json_find_text(jwk, "kid"), crypto_key_id(k));
	return k;
}

static void
claims_check(const struct mu_buf *payload, int64_t want_ttl_s)
{
	MU_AUTO(json_freep) struct json_node *c = NULL;
	const struct json_node *list;
	struct mu_err err = MU_ERR_INIT;
	int64_t iat, exp;

	assert_int_equal(MU_OK, json_parse(payload->data, payload->size_bytes, 4096, "grant", &c, &err));
	assert_int_equal(9, json_count(c));
	assert_string_equal("https://muster.example.org:8443", json_find_text(c, "iss"));
	assert_string_equal("xmpp", json_find_text(c, "aud"));
	assert_string_equal("AwMDAwMDAwMDAwMDAwMDAw", json_find_text(c, "sub"));
	assert_string_equal("ann", json_find_text(c, "account"));
	assert_int_equal(22, strlen(json_find_text(c, "jti")));
	assert_true(json_find_int(c, "iat", &iat) && json_find_int(c, "exp", &exp));
	assert_int_equal(NOW_S, iat);
	assert_int_equal(want_ttl_s, exp - iat);
	list = json_find(c, "roles");
	assert_int_equal(2, json_count(list));
	assert_string_equal("ops \"night\" shift", json_node_text(json_at(list, 0)));
	assert_string_equal("staff-chat", json_node_text(json_at(list, 1)));
	list = json_find(c, "entitlements");
	assert_int_equal(2, json_count(list));
	assert_string_equal("group all-staff", json_node_text(json_at(list, 0)));
	assert_string_equal("room ops moderator", json_node_text(json_at(list, 1)));
}

static void
mint_row(void **state)
{
	const struct row *r = *state;
	MU_AUTO(crypto_key_freep) struct crypto_key *current = published_key(rig.vault, 0);
	MU_AUTO(crypto_key_freep) struct crypto_key *next = published_key(rig.vault, 1);
	MU_AUTO(account_want_clear) struct account_want w;
	MU_AUTO(mu_buf_clear) struct mu_buf jws = MU_BUF_INIT, payload = MU_BUF_INIT;
	unsigned char mac[MAC_BYTES];
	struct mu_err err = MU_ERR_INIT;

	account_make(&w);
	w.state = r->state;
	account_mac(rig.vault, &w, mac);
	forge(&w, mac, r->forged);
	assert_int_equal(r->want, vault_mint(rig.vault, &w, mac, r->platform, r->ttl_s, NOW_S, &jws, &err));
	if (r->want != MU_OK) {
		assert_int_equal(0, jws.size_bytes);
		return;
	}
	assert_int_equal(MU_OK, jws_verify(jws.data, jws.size_bytes, current, VAULT_GRANT_TYP, &payload, &err));
	claims_check(&payload, r->want_ttl_s);
	mu_buf_reset(&payload);
	assert_int_equal(MU_EDENIED, jws_verify(jws.data, jws.size_bytes, next, VAULT_GRANT_TYP, &payload, &err));
	assert_int_equal(MU_EINPUT, jws_verify(jws.data, jws.size_bytes, current, "at+jwt", &payload, &err));
}

static void
no_two_grants_have_one_jti(void **state)
{
	MU_AUTO(account_want_clear) struct account_want w;
	MU_AUTO(mu_buf_clear) struct mu_buf a = MU_BUF_INIT, b = MU_BUF_INIT;
	unsigned char mac[MAC_BYTES];
	struct mu_err err = MU_ERR_INIT;
	char *a_end, *b_end;

	(void)state;
	account_make(&w);
	account_mac(rig.vault, &w, mac);
	assert_int_equal(MU_OK, vault_mint(rig.vault, &w, mac, "xmpp", 60, NOW_S, &a, &err));
	assert_int_equal(MU_OK, vault_mint(rig.vault, &w, mac, "xmpp", 60, NOW_S, &b, &err));
	a_end = strrchr(a.data, '.');
	b_end = strrchr(b.data, '.');
	*a_end = *b_end = '\0';
	assert_string_not_equal(a.data, b.data);
}

static void
a_receipt_is_a_detached_signature(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf jwk = MU_BUF_INIT, point = MU_BUF_INIT, jws = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf whole = MU_BUF_INIT, payload = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(crypto_key_freep) struct crypto_key *k = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *x, *dots;

	(void)state;
	vault_receipt_jwk(rig.vault, &jwk);
	assert_int_equal(MU_OK, json_parse(jwk.data, jwk.size_bytes, 1024, "JWK", &root, &err));
	x = json_find_text(root, "x");
	assert_true(mu_base64url_parse(x, strlen(x), &point));
	assert_int_equal(MU_OK, crypto_key_public_new(CRYPTO_ED25519, point.data, point.size_bytes, &k, &err));
	assert_int_equal(MU_OK, vault_receipt_sign(rig.vault, "{\"done\":1}", 10, &jws, &err));
	dots = strstr(jws.data, "..");
	assert_non_null(dots);
	mu_buf_add(&whole, jws.data, (size_t)(dots + 1 - jws.data));
	mu_base64url_format(&whole, "{\"done\":1}", 10);
	mu_buf_text_add(&whole, dots + 1);
	assert_int_equal(MU_OK, jws_verify(whole.data, whole.size_bytes, k, VAULT_RECEIPT_TYP, &payload, &err));
	assert_string_equal("{\"done\":1}", payload.data);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 2] = {
		cmocka_unit_test(no_two_grants_have_one_jti),
		cmocka_unit_test(a_receipt_is_a_detached_signature),
	};
	int failed;

	rig_open(&rig);
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, mint_row, NULL, NULL, &rows[i] };
	failed = cmocka_run_group_tests_name("mint", tests, NULL, NULL);
	rig_end(&rig);
	return failed;
}
