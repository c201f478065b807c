#include "vault/jws.h"

#include "base/text.h"
#include "json/read.h"

#include <string.h>

static enum mu_rc
header_check(const struct mu_buf *header, const struct crypto_key *key, const char *typ, struct mu_err *err)
{
	static const char *const members[] = { "alg", "kid", "typ", NULL };
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const char *alg, *kind, *kid = crypto_key_id(key);

	if (json_parse(mu_buf_text(header), header->size_bytes, JWS_HEADER_MAX_BYTES, "token header", &root,
	    err) != MU_OK || json_only(root, members, err) != MU_OK ||
	    json_get_text(root, "alg", 16, &alg, err) != MU_OK ||
	    json_get_text(root, "typ", 64, &kind, err) != MU_OK)
		return err->rc;
	if (json_find(root, "kid") != NULL && json_get_text(root, "kid", 128, &kid, err) != MU_OK)
		return err->rc;
	if (strcmp(alg, crypto_key_alg(key)) != 0)
		return mu_fail(err, MU_EINPUT, "the token's alg is not %s", crypto_key_alg(key));
	if (strcmp(kind, typ) != 0)
		return mu_fail(err, MU_EINPUT, "the token's typ is not %s", typ);
	if (strcmp(kid, crypto_key_id(key)) != 0)
		return mu_fail(err, MU_EDENIED, "the token is signed with another key");
	return MU_OK;
}

/* The place of the next '.', NULL if there is none before end. */
static const char *
dot_find(const char *at, const char *end)
{
	return memchr(at, '.', (size_t)(end - at));
}

enum mu_rc
jws_verify(const char *token, size_t token_bytes, struct crypto_key *key, const char *typ,
    struct mu_buf *out_payload, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf header = MU_BUF_INIT, payload = MU_BUF_INIT, signature = MU_BUF_INIT;
	const char *end = token + token_bytes, *first, *second;

	if (token_bytes > JWS_MAX_BYTES)
		return mu_fail(err, MU_EINPUT, "the token is larger than %d bytes", JWS_MAX_BYTES);
	first = dot_find(token, end);
	second = first == NULL ? NULL : dot_find(first + 1, end);
	if (second == NULL || dot_find(second + 1, end) != NULL)
		return mu_fail(err, MU_EINPUT, "a token has three segments");
	if (!mu_base64url_parse(token, (size_t)(first - token), &header) ||
	    !mu_base64url_parse(first + 1, (size_t)(second - first - 1), &payload) ||
	    !mu_base64url_parse(second + 1, (size_t)(end - second - 1), &signature))
		return mu_fail(err, MU_EINPUT, "a segment of the token is not canonical base64url");
	if (signature.size_bytes != CRYPTO_SIGNATURE_BYTES)
		return mu_fail(err, MU_EINPUT, "the token's signature does not have %d bytes",
		    CRYPTO_SIGNATURE_BYTES);
	if (header_check(&header, key, typ, err) != MU_OK)
		return err->rc;
	if (!crypto_key_verify(key, token, (size_t)(second - token), (unsigned char *)signature.data))
		return mu_fail(err, MU_EDENIED, "the token's signature is wrong");
	mu_buf_add(out_payload, payload.data, payload.size_bytes);
	return MU_OK;
}
