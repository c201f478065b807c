/*
 * vault/vault.h - what the process `keys` alone does: it holds every key and hands none out
 *
 * The key directory belongs to the process's user and nobody else can look into it (0700; files
 * 0600). At first start vault_open makes every key there, each file atomically, and last the file
 * `complete`; from then on a missing key is a fault of the set-up, for a new one in its place would
 * silently void what the old one vouched for. After vault_open no file is touched.
 *
 *	seal.key, mac.key, audit.key		32 random bytes in base64url
 *	grant.pem, grant-next.pem		ES256: signs grants; the next one, published before its use
 *	receipt.pem, checkpoint.pem		Ed25519
 *	ca.pem, ca.crt				the private CA: P-256, 10 years, issues leaves only
 *
 * Not for use by two threads at once.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include "base/secret.h"
#include "base/uuid.h"
#include "model/account.h"

#define VAULT_GRANT_MAX_S	300
#define VAULT_CERT_DAYS		90
#define VAULT_ADMIN_CERT_S	(8 * 3600)
#define VAULT_ADMIN_CN		"admin."	/* and the session's UUID; no client is named so */
#define VAULT_NAMES_MAX		32	/* in one server certificate */
#define VAULT_CODE_FAILURES_MAX	5	/* of one seed in VAULT_CODE_WINDOW_S are evaluated */
#define VAULT_CODE_WINDOW_S	600
#define VAULT_SALT_BYTES	16
#define VAULT_GRANT_TYP		"muster-grant+jwt"
#define VAULT_RECEIPT_TYP	"muster-receipt"

struct vault;

struct vault_config {
	const char *dir;
	const char *issuer;	/* `iss` of every grant */
};

/*
 * Loads the keys; makes what is missing at first start.
 *
 * MU_ECONFIG  the directory or a file is missing, malformed, or open to others: text says what to do
 */
MU_CHECKED enum mu_rc vault_open(const struct vault_config *config, int64_t now_s,
    struct vault **out_vault, struct mu_err *err);
void vault_close(struct vault *v);
void vault_closep(struct vault **v);

/* --- Grants ----------------------------------------------------------------------------------- */

/*
 * Appends a grant: a compact JWS, ES256, typ VAULT_GRANT_TYP. Claims: iss, aud (the platform), sub
 * (base64url of the subject), account, roles, entitlements ("room ops moderator"), iat, exp, jti.
 * What is signed is what the MAC vouches for, never what a caller says of itself.
 *
 * mac       of account_want_encode(w), made by vault_mac when the row was written
 * platform  of the client that asks
 * ttl_s     longer than VAULT_GRANT_MAX_S is shortened to it
 * MU_EDENIED  wrong MAC, another platform's account, or not enabled
 * MU_EINPUT   ttl_s is 0
 */
MU_CHECKED enum mu_rc vault_mint(struct vault *v, const struct account_want *w,
    const unsigned char mac[MAC_BYTES], const char *platform, uint32_t ttl_s, int64_t now_s,
    struct mu_buf *out_jws, struct mu_err *err);

/* Appends the JWK set with the current and the next grant key. */
void vault_jwks(const struct vault *v, struct mu_buf *b);

/* --- Rows that give power --------------------------------------------------------------------- */

/* The bytes begin with their table's name, as account_want_encode does: no row passes for another. */
void vault_mac(const struct vault *v, const void *bytes, size_t bytes_count,
    unsigned char out_mac[MAC_BYTES]);
bool vault_mac_verify(const struct vault *v, const void *bytes, size_t bytes_count,
    const unsigned char mac[MAC_BYTES]);

/* --- Credentials, sealed at rest --------------------------------------------------------------- */

/* Appends a fresh random account password (crypto/password.h), sealed for this credential alone. */
void vault_seal_new(const struct vault *v, const struct mu_uuid *account_id,
    const struct mu_uuid *credential_id, struct mu_buf *out_sealed);

/* MU_EINPUT, MU_EABSENT, MU_EDENIED as crypto_unseal. */
MU_CHECKED enum mu_rc vault_unseal(const struct vault *v, const struct mu_uuid *account_id,
    const struct mu_uuid *credential_id, const struct mu_secret *sealed, struct mu_secret *out_password,
    struct mu_err *err);

/*
 * Personal values in audit records: sealed under a key derived from the audit key and the person's
 * salt. Who erases the salt has erased them.
 */
void vault_audit_seal(const struct vault *v, const unsigned char salt[VAULT_SALT_BYTES],
    const void *plain, size_t plain_bytes, struct mu_buf *out_sealed);
MU_CHECKED enum mu_rc vault_audit_unseal(const struct vault *v, const unsigned char salt[VAULT_SALT_BYTES],
    const void *sealed, size_t sealed_bytes, struct mu_secret *out_plain, struct mu_err *err);

/* --- Administrators' codes ---------------------------------------------------------------------- */

/*
 * Makes a seed (vault/totp.h). Appends it sealed for this seed_id of this person alone; out_base32 is what
 * their authenticator takes.
 */
MU_CHECKED enum mu_rc vault_seed_new(const struct vault *v, const struct mu_uuid *seed_id,
    const struct mu_uuid *person_id, struct mu_buf *out_sealed, struct mu_secret *out_base32,
    struct mu_err *err);

/*
 * Checks a code against a sealed seed, whatever it is asked: after VAULT_CODE_FAILURES_MAX failures of a
 * seed in VAULT_CODE_WINDOW_S no code of it is evaluated, the right one neither. A failure counts once
 * the seed has opened, so nobody fills the table with seeds that are none; when it is full, nothing is
 * evaluated until the oldest has run out.
 *
 * last_step   >= 0, of the last code accepted: only the code of a later step will do
 * MU_EINPUT   not six digits: counts for nothing
 * MU_EDENIED  wrong, stale or used before; or not this person's seed
 * MU_ERETRY   not evaluated: retry_after_ms
 * MU_ECONFIG  no sealed seed, or sealed under a key that is not here
 */
MU_CHECKED enum mu_rc vault_code_check(struct vault *v, const struct mu_uuid *seed_id,
    const struct mu_uuid *person_id, const struct mu_secret *sealed, const struct mu_secret *code,
    int64_t last_step, int64_t now_s, int64_t *out_step, struct mu_err *err);

/* --- Receipts and checkpoints ------------------------------------------------------------------ */

/*
 * Appends a detached JWS (RFC 7515, appendix F; EdDSA, typ VAULT_RECEIPT_TYP): "header..signature".
 * The header names the key.
 */
MU_CHECKED enum mu_rc vault_receipt_sign(struct vault *v, const void *bytes, size_t bytes_count,
    struct mu_buf *out_jws, struct mu_err *err);
void vault_receipt_jwk(const struct vault *v, struct mu_buf *b);

/*
 * Signs a checkpoint (C2SP tlog-checkpoint: origin, tree size, base64 root hash, a line each) and
 * appends the signed note (C2SP signed-note), in which the key bears the origin's name. As long as
 * the vault is open the tree keeps its origin and only grows.
 *
 * MU_EINPUT     not such a body
 * MU_ECONFLICT  smaller than the last one signed, as large with another root, or of another origin
 */
MU_CHECKED enum mu_rc vault_checkpoint_sign(struct vault *v, const char *body, struct mu_buf *out_note,
    struct mu_err *err);

/*
 * Appends "origin+hash+key", which a verifier of checkpoints is given (C2SP signed-note); nothing
 * before the first checkpoint.
 */
void vault_checkpoint_verifier(const struct vault *v, struct mu_buf *b);

/* --- The private CA ---------------------------------------------------------------------------- */

const char *vault_ca_pem(const struct vault *v);	/* borrowed from v */

/*
 * Makes a key and a certificate for a listener: VAULT_CERT_DAYS, serverAuth, names as DNS names or IP
 * addresses. The chain is the certificate and the CA's, so that a client can pin the CA.
 * MU_EINPUT  no names, too many, or one that is neither host name nor address
 */
MU_CHECKED enum mu_rc vault_server_issue(struct vault *v, const char *const *names, size_t name_count,
    int64_t now_s, struct mu_secret *out_key_pem, struct mu_buf *out_chain_pem, struct mu_err *err);

struct vault_client {
	char *certificate;		/* PEM */
	unsigned char fingerprint[32];	/* SHA-256 of its DER */
	int64_t not_after_s;
};

void vault_client_clear(struct vault_client *c);

/*
 * Certifies a client's key: VAULT_CERT_DAYS, clientAuth, CN=name. Of the request nothing is taken but
 * the key (vault/csr.h says which keys are good enough).
 * MU_EINPUT  malformed request, weak key, or not a client name as in the configuration ([a-z][a-z0-9-]*,
 *            up to SETTINGS_NAME_MAX_BYTES): without a dot none passes for an administrator
 */
MU_CHECKED enum mu_rc vault_client_issue(struct vault *v, const char *name, const char *csr_pem,
    size_t csr_bytes, int64_t now_s, struct vault_client *out_client, struct mu_err *err);

/*
 * The same for an administrator's session: VAULT_ADMIN_CERT_S, CN is VAULT_ADMIN_CN and the session's UUID.
 * MU_EINPUT  malformed request or weak key
 */
MU_CHECKED enum mu_rc vault_admin_issue(struct vault *v, const struct mu_uuid *session_id,
    const char *csr_pem, size_t csr_bytes, int64_t now_s, struct vault_client *out_client,
    struct mu_err *err);

#endif
