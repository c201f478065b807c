#include "vault/vault_priv.h"

#include "crypto/digest.h"
#include "crypto/password.h"

#include <string.h>

#define WHERE_BYTES	(10 + 16 + 16)

/* The place of a credential: "credential" || account || credential. */
static void
where_format(const struct mu_uuid *account_id, const struct mu_uuid *credential_id,
    unsigned char out[WHERE_BYTES])
{
	(void)memcpy(out, "credential", 10);
	(void)memcpy(out + 10, account_id->bytes, 16);
	(void)memcpy(out + 26, credential_id->bytes, 16);
}

void
vault_mac(const struct vault *v, const void *bytes, size_t bytes_count, unsigned char out_mac[MAC_BYTES])
{
	crypto_mac_make(v->mac, bytes, bytes_count, out_mac);
}

bool
vault_mac_verify(const struct vault *v, const void *bytes, size_t bytes_count,
    const unsigned char mac[MAC_BYTES])
{
	unsigned char want[MAC_BYTES];

	vault_mac(v, bytes, bytes_count, want);
	return mu_secret_equal(want, sizeof(want), mac, MAC_BYTES);
}

void
vault_seal_new(const struct vault *v, const struct mu_uuid *account_id,
    const struct mu_uuid *credential_id, struct mu_buf *out_sealed)
{
	MU_AUTO(mu_secret_clear) struct mu_secret password = MU_SECRET_INIT;
	unsigned char where[WHERE_BYTES];

	where_format(account_id, credential_id, where);
	crypto_password_new(&password);
	crypto_seal(&v->raw->seal, password.bytes, password.size_bytes, where, sizeof(where), out_sealed);
}

enum mu_rc
vault_unseal(const struct vault *v, const struct mu_uuid *account_id,
    const struct mu_uuid *credential_id, const struct mu_secret *sealed, struct mu_secret *out_password,
    struct mu_err *err)
{
	unsigned char where[WHERE_BYTES];

	where_format(account_id, credential_id, where);
	if (crypto_unseal(&v->raw->seal, sealed->bytes, sealed->size_bytes, where, sizeof(where),
	    out_password, err) != MU_OK)
		return mu_wrap(err, "credential");
	return MU_OK;
}

static void
personal_key(const struct vault *v, const unsigned char salt[VAULT_SALT_BYTES], struct crypto_seal_key *out)
{
	unsigned char bytes[CRYPTO_SEAL_KEY_BYTES];

	crypto_hkdf_sha256(v->raw->audit, sizeof(v->raw->audit), salt, VAULT_SALT_BYTES,
	    "muster audit personal value", bytes, sizeof(bytes));
	crypto_seal_key_init(out, bytes);
	explicit_bzero(bytes, sizeof(bytes));
}

void
vault_audit_seal(const struct vault *v, const unsigned char salt[VAULT_SALT_BYTES],
    const void *plain, size_t plain_bytes, struct mu_buf *out_sealed)
{
	MU_AUTO(crypto_seal_key_clear) struct crypto_seal_key k;

	personal_key(v, salt, &k);
	crypto_seal(&k, plain, plain_bytes, "audit", 5, out_sealed);
}

enum mu_rc
vault_audit_unseal(const struct vault *v, const unsigned char salt[VAULT_SALT_BYTES],
    const void *sealed, size_t sealed_bytes, struct mu_secret *out_plain, struct mu_err *err)
{
	MU_AUTO(crypto_seal_key_clear) struct crypto_seal_key k;

	personal_key(v, salt, &k);
	return crypto_unseal(&k, sealed, sealed_bytes, "audit", 5, out_plain, err);
}
