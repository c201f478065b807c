/*
 * vault/vault_priv.h - the inside of the vault, shared by its files
 */
#ifndef VAULT_VAULT_PRIV_H
#define VAULT_VAULT_PRIV_H

#include <openssl/x509.h>

#include "crypto/digest.h"
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "vault/vault.h"

#define VAULT_KEY_BYTES		32
#define VAULT_FAILURES_MAX	2048	/* of all seeds together, in one window */

/* In OpenSSL's secure heap: locked into memory and left out of dumps where the system lets us. */
struct vault_raw {
	struct crypto_seal_key seal;
	unsigned char mac[VAULT_KEY_BYTES];
	unsigned char audit[VAULT_KEY_BYTES];
};

/* A code that was wrong. */
struct vault_failure {
	struct mu_uuid seed_id;
	int64_t at_s;
};

struct vault_failures {
	struct vault_failure list[VAULT_FAILURES_MAX];	/* in no order */
	size_t count;
};

struct vault {
	char *issuer;
	struct vault_raw *raw;
	struct crypto_mac *mac;			/* with raw->mac */
	struct crypto_key *grant, *grant_next, *receipt, *checkpoint, *ca;
	X509 *ca_cert;
	char *ca_pem;
	char *grant_head, *receipt_head;	/* base64url of the JWS header, and '.' */
	char *tree_origin, *tree_root;		/* of the last checkpoint; NULL before the first */
	int64_t tree_size;
	struct vault_failures failures;		/* of the last VAULT_CODE_WINDOW_S */
};

/* keydir.c: fills the keys, the CA and its certificate. */
MU_CHECKED enum mu_rc vault_keydir_load(struct vault *v, const char *dir, int64_t now_s, struct mu_err *err);

/* authority.c */
MU_CHECKED enum mu_rc vault_ca_make(const struct crypto_key *ca, int64_t now_s, struct mu_secret *out_pem,
    struct mu_err *err);
MU_CHECKED enum mu_rc vault_ca_parse(const struct mu_secret *pem, const struct crypto_key *ca, int64_t now_s,
    X509 **out_cert, struct mu_err *err);
void vault_cert_format(X509 *cert, struct mu_buf *b);		/* PEM */

/* mint.c: "base64url({"alg":...,"kid":...,"typ":...})." for a key; fresh. */
char *vault_jws_head(const struct crypto_key *k, const char *typ);

/* Appends '.'-joined head, payload and signature; detached leaves the payload out of the result. */
MU_CHECKED enum mu_rc vault_jws_sign(struct crypto_key *k, const char *head, const void *payload,
    size_t payload_bytes, bool detached, struct mu_buf *out_jws, struct mu_err *err);

#endif
