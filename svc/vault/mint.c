/* Grants: libjwt composes the claims, a key that was parsed once signs them. */
#include "vault/vault_priv.h"

#include <jwt.h>

#include "base/text.h"
#include "json/write.h"

#include <stdlib.h>
#include <string.h>

#define ID_BYTES 16

static void
jwt_freep(jwt_t **j)
{
	jwt_free(*j);
}

char *
vault_jws_head(const struct crypto_key *k, const char *typ)
{
	MU_AUTO(mu_buf_clear) struct mu_buf json = MU_BUF_INIT, head = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &json);
	json_object_begin(&w, NULL);
	json_text(&w, "alg", crypto_key_alg(k));
	json_text(&w, "kid", crypto_key_id(k));
	json_text(&w, "typ", typ);
	json_object_end(&w);
	json_end(&w);
	mu_base64url_format(&head, json.data, json.size_bytes);
	mu_buf_char_add(&head, '.');
	return mu_strdup(head.data);
}

enum mu_rc
vault_jws_sign(struct crypto_key *k, const char *head, const void *payload, size_t payload_bytes,
    bool detached, struct mu_buf *out_jws, struct mu_err *err)
{
	size_t start = out_jws->size_bytes, head_bytes = strlen(head);
	unsigned char signature[CRYPTO_SIGNATURE_BYTES];
	enum mu_rc rc;

	mu_buf_add(out_jws, head, head_bytes);
	mu_base64url_format(out_jws, payload, payload_bytes);
	rc = crypto_key_sign(k, out_jws->data + start, out_jws->size_bytes - start, signature, err);
	if (rc != MU_OK || detached)
		out_jws->size_bytes = start + (rc != MU_OK ? 0 : head_bytes);
	out_jws->data[out_jws->size_bytes] = '\0';
	if (rc != MU_OK)
		return rc;
	mu_buf_char_add(out_jws, '.');
	mu_base64url_format(out_jws, signature, sizeof(signature));
	return MU_OK;
}

/* {"entitlements":["group all-staff",...],"roles":[...]}: libjwt takes lists as JSON. */
static void
lists_format(const struct account_want *w, struct mu_buf *b)
{
	MU_AUTO(mu_buf_clear) struct mu_buf rights = MU_BUF_INIT;
	struct json_writer out;

	entitlements_format(&w->entitlements, &rights);
	json_begin(&out, b);
	json_object_begin(&out, NULL);
	json_list_begin(&out, "entitlements");
	for (const char *line = mu_buf_text(&rights); *line != '\0';) {
		const char *end = strchr(line, '\n');

		json_text_bytes(&out, NULL, line, (size_t)(end - line));
		line = end + 1;
	}
	json_list_end(&out);
	json_list_begin(&out, "roles");
	for (size_t i = 0; i < w->roles.count; i++)
		json_text(&out, NULL, w->roles.list[i]);
	json_list_end(&out);
	json_object_end(&out);
	json_end(&out);
}

static bool
random_add(jwt_t *j, const char *claim, const void *bytes)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	mu_base64url_format(&text, bytes, ID_BYTES);
	return jwt_add_grant(j, claim, text.data) == 0;
}

/* NULL when libjwt refuses a value: one that is not UTF-8. */
static char *
claims_new(const struct vault *v, const struct account_want *w, int64_t now_s, int64_t ttl_s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf lists = MU_BUF_INIT;
	MU_AUTO(jwt_freep) jwt_t *j = NULL;
	unsigned char id[ID_BYTES];

	_Static_assert(ACCOUNT_SUBJECT_BYTES == ID_BYTES, "subject and jti are of one size");
	mu_random(id, sizeof(id));
	lists_format(w, &lists);
	if (jwt_new(&j) != 0 ||
	    jwt_add_grant(j, "iss", v->issuer) != 0 ||
	    jwt_add_grant(j, "aud", w->platform) != 0 ||
	    jwt_add_grant(j, "account", w->name) != 0 ||
	    !random_add(j, "sub", w->subject) ||
	    !random_add(j, "jti", id) ||
	    jwt_add_grant_int(j, "iat", (long)now_s) != 0 ||
	    jwt_add_grant_int(j, "exp", (long)(now_s + ttl_s)) != 0 ||
	    jwt_add_grants_json(j, lists.data) != 0)
		return NULL;
	return jwt_get_grants_json(j, NULL);
}

/* What the row says, if it is a row of ours that is enabled for the platform that asks. */
static enum mu_rc
account_check(const struct vault *v, const struct account_want *w, const unsigned char mac[MAC_BYTES],
    const char *platform, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf row = MU_BUF_INIT;
	char id[MU_UUID_TEXT_BYTES];

	account_want_encode(w, &row);
	if (!vault_mac_verify(v, row.data, row.size_bytes, mac))
		return mu_fail(err, MU_EDENIED, "account %s: its MAC is wrong: the row was not written by muster",
		    mu_uuid_format(&w->account_id, id));
	if (strcmp(w->platform, platform) != 0)
		return mu_fail(err, MU_EDENIED, "account %s is of another platform",
		    mu_uuid_format(&w->account_id, id));
	if (w->state != ACCOUNT_ENABLED)
		return mu_fail(err, MU_EDENIED, "account %s is not enabled", mu_uuid_format(&w->account_id, id));
	return MU_OK;
}

enum mu_rc
vault_mint(struct vault *v, const struct account_want *w, const unsigned char mac[MAC_BYTES],
    const char *platform, uint32_t ttl_s, int64_t now_s, struct mu_buf *out_jws, struct mu_err *err)
{
	enum mu_rc rc;
	char *claims;

	if (ttl_s == 0)
		return mu_fail(err, MU_EINPUT, "a grant that lasts 0 seconds is none");
	if (account_check(v, w, mac, platform, err) != MU_OK)
		return err->rc;
	claims = claims_new(v, w, now_s, ttl_s > VAULT_GRANT_MAX_S ? VAULT_GRANT_MAX_S : (int64_t)ttl_s);
	if (claims == NULL)
		return mu_fail(err, MU_EBROKEN, "libjwt cannot compose the claims");
	rc = vault_jws_sign(v->grant, v->grant_head, claims, strlen(claims), false, out_jws, err);
	free(claims);
	return rc;
}

void
vault_jwks(const struct vault *v, struct mu_buf *b)
{
	mu_buf_text_add(b, "{\"keys\":[");
	crypto_key_jwk_format(v->grant, b);
	mu_buf_char_add(b, ',');
	crypto_key_jwk_format(v->grant_next, b);
	mu_buf_text_add(b, "]}");
}

enum mu_rc
vault_receipt_sign(struct vault *v, const void *bytes, size_t bytes_count, struct mu_buf *out_jws,
    struct mu_err *err)
{
	return vault_jws_sign(v->receipt, v->receipt_head, bytes, bytes_count, true, out_jws, err);
}

void
vault_receipt_jwk(const struct vault *v, struct mu_buf *b)
{
	crypto_key_jwk_format(v->receipt, b);
}
