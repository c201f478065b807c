/*
 * vault/totp.h - one-time codes that open the gate for an admin action
 *
 * RFC 6238 over RFC 4226 with HMAC-SHA-1. Seeds rest sealed in the store and reach this
 * file as struct mu_secret; neither seeds nor codes are ever logged.
 */
#ifndef VAULT_TOTP_H
#define VAULT_TOTP_H

#include "base/secret.h"

#include <stdbool.h>

#define TOTP_STEP_S	30	/* RFC 6238, 4.1: time step X */
#define TOTP_DIGITS	6	/* RFC 4226, 5.3: at least 6 */
#define TOTP_SEED_BYTES	20	/* RFC 4226, 4 R6: 160 bits */
#define TOTP_SKEW_STEPS	1	/* RFC 6238, 5.2: accept at most one step of delay */

/*
 * Checks the code an administrator typed against the seed enrolled for them.
 *
 * now_s      Unix time in seconds, passed in so that tests can choose it
 * last_step  in and out: the step of the last code accepted, 0 for none. It only moves
 *            forward: a code opens the gate once (RFC 6238, 5.2). Save it in the same
 *            transaction as the action.
 * MU_EINPUT   not TOTP_DIGITS decimal digits
 * MU_EDENIED  wrong, stale or used before; the caller is not told which
 *
 * Never blocks, and takes equally long for every wrong code.
 */
MU_CHECKED enum mu_rc totp_check(const struct mu_secret *seed, const char *code,
    int64_t now_s, uint64_t *last_step, struct mu_err *err);

/* TOTP_DIGITS decimal digits and nothing else. */
bool totp_code_valid(const struct mu_secret *code);

void totp_seed_new(struct mu_secret *out_seed);		/* random */
/* As authenticators take it: base32 (RFC 4648, 6). */
MU_CHECKED enum mu_rc totp_seed_format(const struct mu_secret *seed, struct mu_secret *out_base32,
    struct mu_err *err);

#endif
