/* Seeds of administrators' codes: made, sealed for one person, and evaluated so many times and no more. */
#include "vault/vault_priv.h"

#include "vault/totp.h"

#include <stdio.h>
#include <string.h>

#define WHERE_BYTES	(9 + 16 + 16)

/* The place of a seed: "totp_seed" || seed || person. */
static void
where_format(const struct mu_uuid *seed_id, const struct mu_uuid *person_id, unsigned char out[WHERE_BYTES])
{
	(void)memcpy(out, "totp_seed", 9);
	(void)memcpy(out + 9, seed_id->bytes, 16);
	(void)memcpy(out + 25, person_id->bytes, 16);
}

enum mu_rc
vault_seed_new(const struct vault *v, const struct mu_uuid *seed_id, const struct mu_uuid *person_id,
    struct mu_buf *out_sealed, struct mu_secret *out_base32, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret seed = MU_SECRET_INIT;
	unsigned char where[WHERE_BYTES];

	totp_seed_new(&seed);
	if (totp_seed_format(&seed, out_base32, err) != MU_OK)
		return err->rc;
	where_format(seed_id, person_id, where);
	crypto_seal(&v->raw->seal, seed.bytes, seed.size_bytes, where, sizeof(where), out_sealed);
	return MU_OK;
}

/*
 * Forgets failures that are old. Where the clock was set back, they last from now on: neither longer
 * than they should, nor shorter.
 */
static void
failures_sweep(struct vault_failures *f, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct vault_failure *one = &f->list[i];

		if (one->at_s > now_s)
			one->at_s = now_s;
		if (now_s - one->at_s < VAULT_CODE_WINDOW_S)
			f->list[kept++] = *one;
	}
	f->count = kept;
}

/* May one more code of this seed be evaluated? A full table refuses: what it knows is not forgotten. */
static enum mu_rc
failures_allow(const struct vault_failures *f, const struct mu_uuid *seed_id, int64_t now_s,
    struct mu_err *err)
{
	int64_t first_s = now_s, first_any_s = now_s;
	size_t failures = 0;

	for (size_t i = 0; i < f->count; i++) {
		const struct vault_failure *one = &f->list[i];

		if (one->at_s < first_any_s)
			first_any_s = one->at_s;
		if (!mu_uuid_equal(&one->seed_id, seed_id))
			continue;
		failures++;
		if (one->at_s < first_s)
			first_s = one->at_s;
	}
	if (failures < VAULT_CODE_FAILURES_MAX && f->count < VAULT_FAILURES_MAX)
		return MU_OK;
	if (failures < VAULT_CODE_FAILURES_MAX)
		first_s = first_any_s;
	err->retry_after_ms = (first_s + VAULT_CODE_WINDOW_S - now_s) * 1000;
	return mu_fail(err, MU_ERETRY, "too many wrong codes: no code is evaluated for %lld s",
	    (long long)(err->retry_after_ms / 1000));
}

static enum mu_rc
seed_open(const struct vault *v, const struct mu_uuid *seed_id, const struct mu_uuid *person_id,
    const struct mu_secret *sealed, struct mu_secret *out_seed, struct mu_err *err)
{
	unsigned char where[WHERE_BYTES];

	where_format(seed_id, person_id, where);
	if (crypto_unseal(&v->raw->seal, sealed->bytes, sealed->size_bytes, where, sizeof(where), out_seed,
	    err) == MU_OK)
		return MU_OK;
	if (err->rc != MU_EDENIED)	/* the store's fault, not whose code it is */
		err->rc = MU_ECONFIG;
	return mu_wrap(err, "the seed of codes");
}

enum mu_rc
vault_code_check(struct vault *v, const struct mu_uuid *seed_id, const struct mu_uuid *person_id,
    const struct mu_secret *sealed, const struct mu_secret *code, int64_t last_step, int64_t now_s,
    int64_t *out_step, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret seed = MU_SECRET_INIT;
	struct vault_failures *f = &v->failures;
	uint64_t step = (uint64_t)last_step;

	if (!totp_code_valid(code))
		return mu_fail(err, MU_EINPUT, "a code has %d digits", TOTP_DIGITS);
	if (seed_open(v, seed_id, person_id, sealed, &seed, err) != MU_OK)
		return err->rc;
	failures_sweep(f, now_s);
	if (failures_allow(f, seed_id, now_s, err) != MU_OK)
		return err->rc;
	if (totp_check(&seed, mu_secret_text(code), now_s, &step, err) != MU_OK) {
		if (err->rc == MU_EDENIED)
			f->list[f->count++] = (struct vault_failure){ *seed_id, now_s };
		return err->rc;
	}
	*out_step = (int64_t)step;
	return MU_OK;
}
