#include "vault/totp.h"

#include <liboath/oath.h>

#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>
#include <threads.h>

static once_flag liboath_once = ONCE_FLAG_INIT;
static bool liboath_ready;

static void
liboath_start(void)
{
	liboath_ready = oath_init() == OATH_OK;
}

/* The input's length would choose how many digits liboath compares: it is fixed here. */
static bool
is_code(const char *code)
{
	return strlen(code) == TOTP_DIGITS && strspn(code, "0123456789") == TOTP_DIGITS;
}

enum mu_rc
totp_check(const struct mu_secret *seed, const char *code, int64_t now_s, uint64_t *last_step,
    struct mu_err *err)
{
	uint64_t now_step = (uint64_t)(now_s / TOTP_STEP_S), found = 0;
	char expected[TOTP_DIGITS + 1];

	call_once(&liboath_once, liboath_start);
	if (!liboath_ready || now_s < TOTP_STEP_S * TOTP_SKEW_STEPS)
		return mu_fail(err, MU_EBROKEN, "cannot check codes: liboath or the clock is broken");
	if (!is_code(code))
		return mu_fail(err, MU_EINPUT, "a code has %d digits", TOTP_DIGITS);
	/* Every step is computed and compared, whichever matches: the time taken tells nothing. */
	for (uint64_t step = now_step - TOTP_SKEW_STEPS; step <= now_step; step++) {
		if (oath_hotp_generate(mu_secret_text(seed), seed->size_bytes, step, TOTP_DIGITS, false,
		    OATH_HOTP_DYNAMIC_TRUNCATION, expected) != OATH_OK)
			return mu_fail(err, MU_EBROKEN, "liboath cannot compute a code");
		if (mu_secret_equal(expected, TOTP_DIGITS, code, TOTP_DIGITS) && step > *last_step)
			found = step;
	}
	explicit_bzero(expected, sizeof(expected));
	if (found == 0)
		return mu_fail(err, MU_EDENIED, "the code is wrong, stale or was used before");
	*last_step = found;
	return MU_OK;
}

bool
totp_code_valid(const struct mu_secret *code)
{
	return code->size_bytes == TOTP_DIGITS && is_code(mu_secret_text(code));
}

void
totp_seed_new(struct mu_secret *out_seed)
{
	unsigned char bytes[TOTP_SEED_BYTES];

	mu_random(bytes, sizeof(bytes));
	mu_secret_set(out_seed, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
}

enum mu_rc
totp_seed_format(const struct mu_secret *seed, struct mu_secret *out_base32, struct mu_err *err)
{
	size_t text_bytes = 0;
	char *text = NULL;

	if (oath_base32_encode(mu_secret_text(seed), seed->size_bytes, &text, &text_bytes) != OATH_OK)
		return mu_fail(err, MU_EBROKEN, "liboath cannot write base32");
	mu_secret_set(out_base32, text, text_bytes);
	explicit_bzero(text, text_bytes);
	free(text);
	return MU_OK;
}
