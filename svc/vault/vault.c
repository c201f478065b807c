#include "vault/vault_priv.h"

#include <openssl/crypto.h>

#include "base/log.h"

#include <string.h>

#define HEAP_BYTES	65536	/* holds every private key, with room for a signature's work */
#define HEAP_MIN_BYTES	16

/* OpenSSL keeps private numbers in this heap: locked, between guard pages, not in dumps. */
static void
heap_start(void)
{
	if (CRYPTO_secure_malloc_initialized() == 0 &&
	    CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_MIN_BYTES) != 1)
		mu_log("vault.memory", "locked", "no", "remedy", "raise the limit on locked memory", NULL);
}

void
vault_close(struct vault *v)
{
	if (v == NULL)
		return;
	crypto_mac_free(v->mac);
	OPENSSL_secure_clear_free(v->raw, sizeof(*v->raw));
	crypto_key_free(v->grant);
	crypto_key_free(v->grant_next);
	crypto_key_free(v->receipt);
	crypto_key_free(v->checkpoint);
	crypto_key_free(v->ca);
	X509_free(v->ca_cert);
	mu_free(v->issuer);
	mu_free(v->ca_pem);
	mu_free(v->grant_head);
	mu_free(v->receipt_head);
	mu_free(v->tree_origin);
	mu_free(v->tree_root);
	mu_free(v);
}

void
vault_closep(struct vault **v)
{
	vault_close(*v);
	*v = NULL;
}

enum mu_rc
vault_open(const struct vault_config *config, int64_t now_s, struct vault **out_vault, struct mu_err *err)
{
	MU_AUTO(vault_closep) struct vault *v = mu_alloc_zero(1, sizeof(*v));
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT;

	heap_start();
	v->raw = OPENSSL_secure_zalloc(sizeof(*v->raw));
	if (v->raw == NULL)
		return mu_fail(err, MU_EBROKEN, "no memory for keys");
	if (vault_keydir_load(v, config->dir, now_s, err) != MU_OK)
		return err->rc;
	v->mac = crypto_mac_new(v->raw->mac, sizeof(v->raw->mac));
	v->issuer = mu_strdup(config->issuer);
	vault_cert_format(v->ca_cert, &pem);
	v->ca_pem = mu_strdup(pem.data);
	v->grant_head = vault_jws_head(v->grant, VAULT_GRANT_TYP);
	v->receipt_head = vault_jws_head(v->receipt, VAULT_RECEIPT_TYP);
	*out_vault = MU_TAKE(v);
	return MU_OK;
}
