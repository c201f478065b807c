/* Checkpoints: C2SP tlog-checkpoint bodies in C2SP signed-note envelopes, Ed25519. */
#include "vault/vault_priv.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "crypto/digest.h"

#include <string.h>

#define ALG_ED25519	0x01	/* signed-note: signature type */
#define HASH_BYTES	4
#define ROOT_CHARS	44	/* base64 of 32 bytes */

/* RFC 4648 section 4, padded. */
static void
base64_format(struct mu_buf *b, const unsigned char *bytes, size_t bytes_count)
{
	mu_buf_reserve(b, 4 * ((bytes_count + 2) / 3));
	b->size_bytes += (size_t)EVP_EncodeBlock((unsigned char *)b->data + b->size_bytes, bytes,
	    (int)bytes_count);
}

/* signed-note: the first four bytes of SHA-256(name || "\n" || type || public key). */
static void
key_hash(const char *origin, const unsigned char *typed_key, size_t typed_bytes, unsigned char out[HASH_BYTES])
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	unsigned char hash[CRYPTO_SHA256_BYTES];

	mu_buf_format(&text, "%s\n", origin);
	mu_buf_add(&text, typed_key, typed_bytes);
	crypto_sha256(text.data, text.size_bytes, hash);
	(void)memcpy(out, hash, HASH_BYTES);
}

static size_t
typed_key_get(const struct crypto_key *k, unsigned char out[1 + CRYPTO_PUBLIC_MAX_BYTES])
{
	out[0] = ALG_ED25519;
	return 1 + crypto_key_public_bytes(k, out + 1);
}

/* A root hash is canonical base64 of 32 bytes: decoding and encoding gives it back. */
static bool
root_valid(const char *root)
{
	MU_AUTO(mu_buf_clear) struct mu_buf again = MU_BUF_INIT;
	unsigned char bytes[ROOT_CHARS];

	if (strlen(root) != ROOT_CHARS || EVP_DecodeBlock(bytes, (const unsigned char *)root, ROOT_CHARS) != 33)
		return false;
	base64_format(&again, bytes, 32);
	return strcmp(mu_buf_text(&again), root) == 0;
}

/* A key's name in a signed note: not empty, no blank, no '+'. */
static bool
origin_valid(const char *origin)
{
	return entitlement_name_valid(origin) && strchr(origin, '+') == NULL;
}

/* Cuts the body into its three lines; false if it is anything else. */
static bool
body_parse(char *body, int64_t *out_size, char **out_root)
{
	char *size = strchr(body, '\n'), *root = size == NULL ? NULL : strchr(size + 1, '\n');
	char *end = root == NULL ? NULL : strchr(root + 1, '\n');

	if (end == NULL || end[1] != '\0')
		return false;
	*size++ = *root++ = *end = '\0';
	*out_root = root;
	return origin_valid(body) && mu_int_parse(size, 0, INT64_MAX, out_size) && root_valid(root);
}

static bool
tree_grows(const struct vault *v, const char *origin, int64_t size, const char *root)
{
	if (v->tree_origin == NULL)
		return true;
	return strcmp(v->tree_origin, origin) == 0 && size >= v->tree_size &&
	    (size > v->tree_size || strcmp(v->tree_root, root) == 0);
}

enum mu_rc
vault_checkpoint_sign(struct vault *v, const char *body, struct mu_buf *out_note, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *origin = mu_strdup(body);	/* cut after its first line */
	unsigned char typed_key[1 + CRYPTO_PUBLIC_MAX_BYTES], line[HASH_BYTES + CRYPTO_SIGNATURE_BYTES];
	int64_t size;
	char *root;

	if (!body_parse(origin, &size, &root))
		return mu_fail(err, MU_EINPUT, "not a checkpoint: origin, size and root hash, a line each");
	if (!tree_grows(v, origin, size, root))
		return mu_fail(err, MU_ECONFLICT, "the audit tree of %s has %lld leaves, but a checkpoint of %s "
		    "over %lld was signed before: the store was set back or changed", origin, (long long)size,
		    v->tree_origin, (long long)v->tree_size);
	key_hash(origin, typed_key, typed_key_get(v->checkpoint, typed_key), line);
	if (crypto_key_sign(v->checkpoint, body, strlen(body), line + HASH_BYTES, err) != MU_OK)
		return err->rc;
	mu_buf_format(out_note, "%s\n\xe2\x80\x94 %s ", body, origin);
	base64_format(out_note, line, sizeof(line));
	mu_buf_char_add(out_note, '\n');
	mu_free(v->tree_root);
	mu_free(v->tree_origin);
	v->tree_root = mu_strdup(root);
	v->tree_origin = MU_TAKE(origin);
	v->tree_size = size;
	return MU_OK;
}

void
vault_checkpoint_verifier(const struct vault *v, struct mu_buf *b)
{
	unsigned char typed_key[1 + CRYPTO_PUBLIC_MAX_BYTES], hash[HASH_BYTES];
	size_t typed_bytes = typed_key_get(v->checkpoint, typed_key);

	if (v->tree_origin == NULL)
		return;
	key_hash(v->tree_origin, typed_key, typed_bytes, hash);
	mu_buf_format(b, "%s+", v->tree_origin);
	mu_hex_format(b, hash, sizeof(hash));
	mu_buf_char_add(b, '+');
	base64_format(b, typed_key, typed_bytes);
}
