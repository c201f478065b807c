#include "cycle/cycle.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/yaml.h"
#include "crypto/digest.h"
#include "store/policy.h"

#include <string.h>

#define WHOLE_MAX_BYTES	60000	/* what fits into a question to keys */

static void
text_column_add(struct mu_buf *b, const char *text)
{
	mu_buf_column_add(b, text, strlen(text));
}

/* The bytes under a version's digest: each file's name and content with their lengths. */
static void
bytes_encode(const struct store_policy *p, struct mu_buf *b)
{
	mu_buf_format(b, "policy:%lld:", (long long)p->version);
	for (size_t i = 0; i < p->file_count; i++) {
		text_column_add(b, p->files[i].name);
		text_column_add(b, p->files[i].content);
	}
}

/*
 * The bytes under its MAC: its digest, however long the files are. Versions of before have one over
 * the bytes themselves, which go on with a number where these have a word.
 */
static void
mac_encode(const struct store_policy *p, const unsigned char digest[CRYPTO_SHA256_BYTES],
    struct mu_buf *b)
{
	mu_buf_format(b, "policy:%lld:digest:", (long long)p->version);
	mu_buf_column_add(b, digest, CRYPTO_SHA256_BYTES);
	text_column_add(b, p->applied_by);
}

/* Writes these files as that version, with its record. */
static enum mu_rc
version_write(struct store *s, const struct policy_file *files, size_t file_count, int64_t version,
    const char *applied_by, enum audit_kind kind, cycle_mac_fn *mac, void *mac_ctx,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT, maced = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf digest = MU_BUF_INIT;
	MU_AUTO(store_policy_clear) struct store_policy p = { .version = version };
	unsigned char macs[1][MAC_BYTES];
	int64_t now_ms = mu_now_ms();
	struct audit_field fields[3];

	p.applied_by = mu_strdup(applied_by);
	p.applied_at_s = now_ms / 1000;
	p.files = mu_alloc_zero(file_count, sizeof(*p.files));
	for (size_t i = 0; i < file_count; i++)
		p.files[p.file_count++] = (struct store_policy_file){
			mu_strdup(files[i].name), mu_strdup(files[i].content) };
	bytes_encode(&p, &bytes);
	crypto_sha256(bytes.data, bytes.size_bytes, p.digest);
	mac_encode(&p, p.digest, &maced);
	if (mac(mac_ctx, &maced, 1, macs, err) != MU_OK)
		return err->rc;
	(void)memcpy(p.mac, macs[0], sizeof(p.mac));
	store_policy_write(s, &p);
	mu_hex_format(&digest, p.digest, sizeof(p.digest));
	fields[0] = (struct audit_field)AUDIT_NUMBER("version", p.version);
	fields[1] = (struct audit_field)AUDIT_TEXT("digest", digest.data);
	fields[2] = (struct audit_field)AUDIT_TEXT("actor", applied_by);
	audit_record(s, kind, now_ms, fields, kind == AUDIT_POLICY_SEEDED ? 2 : 3, NULL);
	return MU_OK;
}

/* Reads the newest version, writing the seed first where there is none. In a transaction. */
static enum mu_rc
current_read(struct store *s, const struct policy_file *seed, size_t seed_count, cycle_mac_fn *mac,
    void *mac_ctx, struct store_policy *out_policy, struct mu_err *err)
{
	enum mu_rc rc = store_policy_current(s, out_policy, err);

	if (rc != MU_EABSENT || seed_count == 0)
		return rc;
	if (version_write(s, seed, seed_count, 1, "seed", AUDIT_POLICY_SEEDED, mac, mac_ctx,
	    err) != MU_OK)
		return err->rc;
	store_policy_decided_write(s, 1, mu_now_ms() / 1000);	/* nobody was there before it */
	return store_policy_current(s, out_policy, err);
}

static enum mu_rc
version_check(const struct store_policy *p, cycle_mac_check_fn *check, void *mac_ctx,
    struct mu_err *err)
{
	struct mu_buf bytes[2] = { MU_BUF_INIT, MU_BUF_INIT };
	unsigned char macs[2][MAC_BYTES], digest[CRYPTO_SHA256_BYTES];
	bool right[2] = { false, false };
	enum mu_rc rc;

	if (check == NULL)
		return MU_OK;
	bytes_encode(p, &bytes[1]);
	crypto_sha256(bytes[1].data, bytes[1].size_bytes, digest);
	mac_encode(p, digest, &bytes[0]);
	(void)memcpy(macs[0], p->mac, MAC_BYTES);
	(void)memcpy(macs[1], p->mac, MAC_BYTES);
	rc = check(mac_ctx, bytes, (const unsigned char (*)[MAC_BYTES])macs,
	    bytes[1].size_bytes <= WHOLE_MAX_BYTES ? 2 : 1, right, err);
	mu_buf_clear(&bytes[0]);
	mu_buf_clear(&bytes[1]);
	if (rc == MU_OK && !right[0] && !right[1])
		return mu_fail(err, MU_EBROKEN,
		    "policy version %lld in the store was not written by muster: restore the store",
		    (long long)p->version);
	return rc;
}

static enum mu_rc
current_parse(const struct store_policy *p, policy_attr_fn *attr_known, const void *attr_ctx,
    struct policy **out_policy, struct mu_err *err)
{
	MU_AUTO(config_faults_clear) struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_freep) struct policy_file *files = mu_alloc_zero(p->file_count, sizeof(*files));

	for (size_t i = 0; i < p->file_count; i++)
		files[i] = (struct policy_file){ p->files[i].name, p->files[i].content };
	if (policy_parse(files, p->file_count, attr_known, attr_ctx, &faults, out_policy,
	    err) == MU_OK)
		return MU_OK;
	if (config_faults_fail(&faults, err) == MU_OK)
		return err->rc;
	return mu_wrap(err, "policy version %lld", (long long)p->version);
}

static enum mu_rc
in_force(struct store *s, const struct policy_file *seed, size_t seed_count, cycle_mac_fn *mac,
    cycle_mac_check_fn *check, void *mac_ctx, policy_attr_fn *attr_known, const void *attr_ctx,
    struct policy **out_policy, int64_t *out_version, struct mu_err *err)
{
	MU_AUTO(store_policy_clear) struct store_policy current = { .version = 0 };

	if (current_read(s, seed, seed_count, mac, mac_ctx, &current, err) != MU_OK ||
	    version_check(&current, check, mac_ctx, err) != MU_OK ||
	    current_parse(&current, attr_known, attr_ctx, out_policy, err) != MU_OK)
		return err->rc;
	if (out_version != NULL)
		*out_version = current.version;
	return MU_OK;
}

enum mu_rc
cycle_policy_current(struct store *s, cycle_mac_check_fn *mac_check, void *mac_ctx,
    policy_attr_fn *attr_known, const void *attr_ctx, struct policy **out_policy,
    int64_t *out_version, struct mu_err *err)
{
	return in_force(s, NULL, 0, NULL, mac_check, mac_ctx, attr_known, attr_ctx, out_policy,
	    out_version, err);
}

enum mu_rc
cycle_policy_in_force(struct store *s, const struct policy_file *seed, size_t seed_count,
    cycle_mac_fn *mac, cycle_mac_check_fn *mac_check, void *mac_ctx, policy_attr_fn *attr_known,
    const void *attr_ctx, struct policy **out_policy, int64_t *out_version, struct mu_err *err)
{
	struct policy *policy = NULL;
	int64_t version = 0;
	enum mu_rc rc;

	if (store_begin(s, err) != MU_OK)
		return err->rc;
	rc = in_force(s, seed, seed_count, mac, mac_check, mac_ctx, attr_known, attr_ctx, &policy,
	    &version, err);
	/* A seed with faults is never in force: it may be mended in its files. */
	if (rc == MU_OK)
		rc = store_commit(s, err);
	if (rc != MU_OK) {
		store_rollback(s);
		policy_free(policy);
		return rc;
	}
	*out_policy = policy;
	if (out_version != NULL)
		*out_version = version;
	return MU_OK;
}

enum mu_rc
cycle_policy_apply(struct store *s, const struct policy_file *files, size_t file_count,
    int64_t base, const char *applied_by, cycle_mac_fn *mac, void *mac_ctx,
    policy_attr_fn *attr_known, const void *attr_ctx, struct config_faults *faults,
    int64_t *out_version, struct mu_err *err)
{
	struct policy *policy = NULL;
	int64_t version;

	if (store_policy_version(s, &version, err) != MU_OK)
		return err->rc;
	if (version != base)
		return mu_fail(err, MU_ECONFLICT,
		    "policy version %lld is in force, not %lld: plan again", (long long)version,
		    (long long)base);
	if (policy_parse(files, file_count, attr_known, attr_ctx, faults, &policy, err) != MU_OK)
		return err->rc;
	policy_free(policy);
	if (version_write(s, files, file_count, version + 1, applied_by, AUDIT_POLICY_APPLIED, mac,
	    mac_ctx, err) != MU_OK)
		return err->rc;
	*out_version = version + 1;
	return MU_OK;
}
