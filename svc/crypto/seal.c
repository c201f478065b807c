#include "crypto/seal.h"

#include <openssl/evp.h>

#include "base/uuid.h"
#include "crypto/digest.h"
#include "crypto/fault.h"

#include <limits.h>
#include <string.h>

#define VERSION		1
#define NONCE_BYTES	12
#define TAG_BYTES	16
#define HEAD_BYTES	(1 + CRYPTO_SEAL_KEY_ID_BYTES)

void
crypto_seal_key_init(struct crypto_seal_key *k, const unsigned char bytes[CRYPTO_SEAL_KEY_BYTES])
{
	(void)memcpy(k->bytes, bytes, sizeof(k->bytes));
	crypto_hkdf_sha256(bytes, CRYPTO_SEAL_KEY_BYTES, NULL, 0, "muster seal key id", k->id,
	    sizeof(k->id));
}

void
crypto_seal_key_clear(struct crypto_seal_key *k)
{
	explicit_bzero(k, sizeof(*k));
}

void
crypto_seal(const struct crypto_seal_key *k, const void *plain, size_t plain_bytes,
    const void *aad, size_t aad_bytes, struct mu_buf *b)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char *head, *text;
	int used;

	crypto_must(ctx != NULL && plain_bytes < INT_MAX && aad_bytes < INT_MAX, "seal");
	mu_buf_reserve(b, plain_bytes + CRYPTO_SEAL_OVERHEAD_BYTES);
	head = (unsigned char *)b->data + b->size_bytes;
	head[0] = VERSION;
	(void)memcpy(head + 1, k->id, sizeof(k->id));
	mu_random(head + HEAD_BYTES, NONCE_BYTES);
	text = head + HEAD_BYTES + NONCE_BYTES;
	crypto_must(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), k->bytes, head + HEAD_BYTES, NULL), "seal");
	crypto_must(EVP_EncryptUpdate(ctx, NULL, &used, head, HEAD_BYTES), "seal");
	crypto_must(EVP_EncryptUpdate(ctx, NULL, &used, aad, (int)aad_bytes), "seal");
	crypto_must(EVP_EncryptUpdate(ctx, text, &used, plain, (int)plain_bytes), "seal");
	crypto_must(EVP_EncryptFinal_ex(ctx, text + plain_bytes, &used), "seal");
	crypto_must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + plain_bytes), "seal");
	EVP_CIPHER_CTX_free(ctx);
	b->size_bytes += plain_bytes + CRYPTO_SEAL_OVERHEAD_BYTES;
	b->data[b->size_bytes] = '\0';
}

enum mu_rc
crypto_unseal(const struct crypto_seal_key *k, const void *sealed, size_t sealed_bytes,
    const void *aad, size_t aad_bytes, struct mu_secret *out_plain, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret plain = MU_SECRET_INIT;
	const unsigned char *head = sealed, *text = head + HEAD_BYTES + NONCE_BYTES;
	unsigned char tag[TAG_BYTES];
	size_t text_bytes;
	EVP_CIPHER_CTX *ctx;
	bool intact;
	int used;

	if (sealed_bytes < CRYPTO_SEAL_OVERHEAD_BYTES || sealed_bytes >= INT_MAX || aad_bytes >= INT_MAX ||
	    head[0] != VERSION)
		return mu_fail(err, MU_EINPUT, "not a sealed envelope of version %d", VERSION);
	if (memcmp(head + 1, k->id, sizeof(k->id)) != 0)
		return mu_fail(err, MU_EABSENT, "sealed with another key");
	text_bytes = sealed_bytes - CRYPTO_SEAL_OVERHEAD_BYTES;
	(void)memcpy(tag, text + text_bytes, sizeof(tag));
	mu_secret_set(&plain, text, text_bytes);
	ctx = EVP_CIPHER_CTX_new();
	crypto_must(ctx != NULL, "unseal");
	crypto_must(EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), k->bytes, head + HEAD_BYTES, NULL), "unseal");
	crypto_must(EVP_DecryptUpdate(ctx, NULL, &used, head, HEAD_BYTES), "unseal");
	crypto_must(EVP_DecryptUpdate(ctx, NULL, &used, aad, (int)aad_bytes), "unseal");
	crypto_must(EVP_DecryptUpdate(ctx, plain.bytes, &used, text, (int)text_bytes), "unseal");
	crypto_must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag), "unseal");
	intact = EVP_DecryptFinal_ex(ctx, plain.bytes + text_bytes, &used) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!intact)
		return crypto_fail(err, MU_EDENIED, "the sealed envelope was changed or belongs elsewhere");
	mu_secret_move(out_plain, &plain);
	return MU_OK;
}
