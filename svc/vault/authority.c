/* The private CA: makes itself once, then certificates for listeners and for clients. */
#include "vault/vault_priv.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "config/settings.h"
#include "crypto/cert.h"
#include "crypto/fault.h"
#include "vault/csr.h"

#include <arpa/inet.h>
#include <string.h>

#define CA_DAYS		3652	/* 10 years */
#define EARLY_S		300	/* clocks of peers may be behind ours */
#define SERIAL_BYTES	16
#define CN_MAX_CHARS	64	/* RFC 5280, ub-common-name */
#define HOST_MAX_BYTES	253
#define LABEL_MAX_BYTES	63

struct extension {
	int nid;
	const char *value;	/* as in openssl's x509v3_config(5): constants only */
};

static const struct extension ca_extensions[] = {
	{ NID_basic_constraints,	"critical,CA:TRUE,pathlen:0" },
	{ NID_key_usage,		"critical,keyCertSign,cRLSign" },
	{ NID_subject_key_identifier,	"hash" },
	{ NID_authority_key_identifier,	"keyid:always" },
	{ 0,				NULL },
};

static const struct extension server_extensions[] = {
	{ NID_basic_constraints,	"critical,CA:FALSE" },
	{ NID_key_usage,		"critical,digitalSignature" },
	{ NID_ext_key_usage,		"serverAuth" },
	{ NID_subject_key_identifier,	"hash" },
	{ NID_authority_key_identifier,	"keyid:always" },
	{ 0,				NULL },
};

static const struct extension client_extensions[] = {
	{ NID_basic_constraints,	"critical,CA:FALSE" },
	{ NID_key_usage,		"critical,digitalSignature" },
	{ NID_ext_key_usage,		"clientAuth" },
	{ NID_subject_key_identifier,	"hash" },
	{ NID_authority_key_identifier,	"keyid:always" },
	{ 0,				NULL },
};

static void
serial_set(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *n;

	mu_random(bytes, sizeof(bytes));
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);	/* positive, and always as long */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	crypto_must(n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL, "serial");
	BN_free(n);
}

static void
extension_add(X509 *cert, X509 *issuer, const struct extension *e)
{
	X509_EXTENSION *made;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	made = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
	crypto_must(made != NULL && X509_add_ext(cert, made, -1) == 1, "certificate extension");
	X509_EXTENSION_free(made);
}

/* A certificate with everything but its signature; issuer NULL: it signs itself. */
static X509 *
cert_draft(const char *cn, EVP_PKEY *key, X509 *issuer, const struct extension *extensions, int64_t now_s,
    int64_t lasts_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_NAME_new();

	crypto_must(cert != NULL && name != NULL && X509_set_version(cert, X509_VERSION_3) == 1, "certificate");
	serial_set(cert);
	crypto_must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0), "certificate name");
	crypto_must(X509_set_subject_name(cert, name), "certificate name");
	crypto_must(X509_set_issuer_name(cert, issuer == NULL ? name : X509_get_subject_name(issuer)),
	    "certificate name");
	X509_NAME_free(name);
	crypto_must(ASN1_TIME_set(X509_getm_notBefore(cert), now_s - EARLY_S) != NULL, "certificate time");
	crypto_must(ASN1_TIME_set(X509_getm_notAfter(cert), now_s + lasts_s) != NULL, "certificate time");
	crypto_must(X509_set_pubkey(cert, key), "certificate key");
	for (const struct extension *e = extensions; e->value != NULL; e++)
		extension_add(cert, issuer == NULL ? cert : issuer, e);
	return cert;
}

static enum mu_rc
cert_sign(X509 *cert, const struct crypto_key *ca, struct mu_err *err)
{
	if (X509_sign(cert, crypto_key_openssl(ca), EVP_sha256()) <= 0)
		return crypto_fail(err, MU_EBROKEN, "cannot sign a certificate");
	return MU_OK;
}

void
vault_cert_format(X509 *cert, struct mu_buf *b)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	crypto_must(bio != NULL && PEM_write_bio_X509(bio, cert) == 1, "write PEM");
	size = BIO_get_mem_data(bio, &text);
	mu_buf_add(b, text, (size_t)size);
	BIO_free(bio);
}

static void
cert_fingerprint(X509 *cert, unsigned char out[CRYPTO_FINGERPRINT_BYTES])
{
	unsigned char *der = NULL;
	int der_bytes = i2d_X509(cert, &der);

	crypto_must(der_bytes > 0, "write DER");
	crypto_cert_fingerprint(der, (size_t)der_bytes, out);
	OPENSSL_free(der);
}

enum mu_rc
vault_ca_make(const struct crypto_key *ca, int64_t now_s, struct mu_secret *out_pem, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	char name[CN_MAX_CHARS];
	enum mu_rc rc;
	X509 *cert;

	/* Part of the key's id sets two installations' authorities apart in a trust store. */
	(void)snprintf(name, sizeof(name), "muster private CA %.8s", crypto_key_id(ca));
	cert = cert_draft(name, crypto_key_openssl(ca), NULL, ca_extensions, now_s,
	    CA_DAYS * (int64_t)MU_DAY_S);
	rc = cert_sign(cert, ca, err);
	if (rc == MU_OK) {
		vault_cert_format(cert, &text);
		mu_secret_set(out_pem, text.data, text.size_bytes);
	}
	X509_free(cert);
	return rc;
}

enum mu_rc
vault_ca_parse(const struct mu_secret *pem, const struct crypto_key *ca, int64_t now_s, X509 **out_cert,
    struct mu_err *err)
{
	BIO *bio = BIO_new_mem_buf(mu_secret_text(pem), (int)pem->size_bytes);
	time_t now = (time_t)now_s;
	enum mu_rc rc = MU_OK;
	X509 *cert;

	crypto_must(bio != NULL, "read PEM");
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (cert == NULL)
		return crypto_fail(err, MU_EINPUT, "not a certificate in PEM");
	if (X509_check_ca(cert) != 1 || X509_verify(cert, crypto_key_openssl(ca)) != 1)
		rc = crypto_fail(err, MU_EINPUT, "not the certificate of the key in ca.pem");
	else if (X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
		rc = mu_fail(err, MU_ECONFIG, "the private CA's certificate has expired");
	if (rc == MU_OK)
		*out_cert = cert;
	else
		X509_free(cert);
	return rc;
}

const char *
vault_ca_pem(const struct vault *v)
{
	return v->ca_pem;
}

static bool
label_valid(const char *label, size_t length)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	return length > 0 && length <= LABEL_MAX_BYTES && strspn(label, good) >= length &&
	    label[0] != '-' && label[length - 1] != '-';
}

/* RFC 952 and 1123: labels of letters, digits and inner hyphens. */
static bool
host_valid(const char *host)
{
	const char *end = host;

	for (const char *label = host;; label = end + 1) {
		end = label + strcspn(label, ".");
		if (!label_valid(label, (size_t)(end - label)))
			return false;
		if (*end == '\0')
			return end - host <= HOST_MAX_BYTES;
	}
}

static bool
name_add(GENERAL_NAMES *names, const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool v4 = inet_pton(AF_INET, text, address) == 1;
	bool v6 = !v4 && inet_pton(AF_INET6, text, address) == 1;
	ASN1_STRING *value;
	GENERAL_NAME *name;

	if (!v4 && !v6 && !host_valid(text))
		return false;
	value = ASN1_STRING_type_new(v4 || v6 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
	name = GENERAL_NAME_new();
	crypto_must(value != NULL && name != NULL, "certificate name");
	if (v4 || v6)
		crypto_must(ASN1_STRING_set(value, address, v4 ? 4 : 16), "certificate name");
	else
		crypto_must(ASN1_STRING_set(value, text, -1), "certificate name");
	GENERAL_NAME_set0_value(name, v4 || v6 ? GEN_IPADD : GEN_DNS, value);
	crypto_must(sk_GENERAL_NAME_push(names, name) > 0, "certificate name");
	return true;
}

static enum mu_rc
names_new(const char *const *names, size_t name_count, GENERAL_NAMES **out_list, struct mu_err *err)
{
	GENERAL_NAMES *list;

	if (name_count == 0 || name_count > VAULT_NAMES_MAX)
		return mu_fail(err, MU_EINPUT, "a listener has 1 to %d names, not %zu", VAULT_NAMES_MAX, name_count);
	list = GENERAL_NAMES_new();
	crypto_must(list != NULL, "certificate names");
	for (size_t i = 0; i < name_count; i++)
		if (!name_add(list, names[i])) {
			GENERAL_NAMES_free(list);
			return mu_fail(err, MU_EINPUT, "\"%.100s\" is neither a host name nor an address", names[i]);
		}
	*out_list = list;
	return MU_OK;
}

enum mu_rc
vault_server_issue(struct vault *v, const char *const *names, size_t name_count, int64_t now_s,
    struct mu_secret *out_key_pem, struct mu_buf *out_chain_pem, struct mu_err *err)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *key = NULL;
	GENERAL_NAMES *list;
	enum mu_rc rc;
	X509 *cert;

	if (names_new(names, name_count, &list, err) != MU_OK)
		return err->rc;
	key = crypto_key_new(CRYPTO_ES256);
	cert = cert_draft(strlen(names[0]) > CN_MAX_CHARS ? "muster" : names[0], crypto_key_openssl(key),
	    v->ca_cert, server_extensions, now_s, VAULT_CERT_DAYS * (int64_t)MU_DAY_S);
	crypto_must(X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0), "certificate names");
	GENERAL_NAMES_free(list);
	rc = cert_sign(cert, v->ca, err);
	if (rc == MU_OK) {
		crypto_key_format(key, out_key_pem);
		vault_cert_format(cert, out_chain_pem);
		mu_buf_text_add(out_chain_pem, v->ca_pem);
	}
	X509_free(cert);
	return rc;
}

static bool
client_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= SETTINGS_NAME_MAX_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* Certifies the key of a request for a client of that name. */
static enum mu_rc
client_certify(struct vault *v, const char *cn, const char *csr_pem, size_t csr_bytes, int64_t now_s,
    int64_t lasts_s, struct vault_client *out_client, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	EVP_PKEY *key = NULL;
	enum mu_rc rc;
	X509 *cert;

	if (csr_key_parse(csr_pem, csr_bytes, &key, err) != MU_OK)
		return err->rc;
	cert = cert_draft(cn, key, v->ca_cert, client_extensions, now_s, lasts_s);
	rc = cert_sign(cert, v->ca, err);
	if (rc == MU_OK) {
		vault_cert_format(cert, &text);
		out_client->certificate = mu_strdup(text.data);
		cert_fingerprint(cert, out_client->fingerprint);
		out_client->not_after_s = now_s + lasts_s;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

enum mu_rc
vault_client_issue(struct vault *v, const char *name, const char *csr_pem, size_t csr_bytes,
    int64_t now_s, struct vault_client *out_client, struct mu_err *err)
{
	if (!client_name_valid(name))
		return mu_fail(err, MU_EINPUT, "a client's name is a lower-case word of at most %d letters, "
		    "digits and '-'", SETTINGS_NAME_MAX_BYTES);
	if (client_certify(v, name, csr_pem, csr_bytes, now_s, VAULT_CERT_DAYS * (int64_t)MU_DAY_S, out_client,
	    err) != MU_OK)
		return mu_wrap(err, "client %s", name);
	return MU_OK;
}

enum mu_rc
vault_admin_issue(struct vault *v, const struct mu_uuid *session_id, const char *csr_pem,
    size_t csr_bytes, int64_t now_s, struct vault_client *out_client, struct mu_err *err)
{
	char cn[sizeof(VAULT_ADMIN_CN) + MU_UUID_TEXT_BYTES], id[MU_UUID_TEXT_BYTES];

	(void)snprintf(cn, sizeof(cn), "%s%s", VAULT_ADMIN_CN, mu_uuid_format(session_id, id));
	return client_certify(v, cn, csr_pem, csr_bytes, now_s, VAULT_ADMIN_CERT_S, out_client, err);
}

void
vault_client_clear(struct vault_client *c)
{
	mu_free(c->certificate);
	*c = (struct vault_client){ .certificate = NULL };
}
