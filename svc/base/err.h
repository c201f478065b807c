/*
 * base/err.h - what went wrong, named after what the caller can do about it
 *
 * A struct mu_err lives on the caller's stack. Functions return the rc that they put there; text
 * is for people and names the thing and the remedy. It never holds a secret.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"

#include <stdint.h>

enum mu_rc {
	MU_OK = 0,
	MU_EINPUT,	/* mend the request: it is malformed */
	MU_EDENIED,	/* stop: policy, scope or second factor says no */
	MU_EABSENT,	/* it does not exist */
	MU_ECONFLICT,	/* read again: the world has moved on */
	MU_ERETRY,	/* wait err->retry_after_ms, then try again */
	MU_ECONFIG,	/* call the operator: the set-up is wrong */
	MU_EBROKEN,	/* give up: an invariant failed */
};

#define MU_ERR_TEXT_BYTES 512

struct mu_err {
	enum mu_rc rc;
	int64_t retry_after_ms;
	char text[MU_ERR_TEXT_BYTES];
};

#define MU_ERR_INIT { MU_OK, 0, "" }

/* Sets the error; returns rc. Text that does not fit is cut. */
enum mu_rc mu_fail(struct mu_err *err, enum mu_rc rc, const char *fmt, ...) MU_PRINTF(3, 4);

/* The same with the text of errno behind it: "open x: No such file or directory". */
enum mu_rc mu_fail_errno(struct mu_err *err, enum mu_rc rc, const char *fmt, ...) MU_PRINTF(3, 4);

/* Puts the place in front of the text: "key ring x: no such file". Returns err->rc. */
enum mu_rc mu_wrap(struct mu_err *err, const char *fmt, ...) MU_PRINTF(2, 3);

/* "retry", "input", ...: the rc as it stands in logs. */
const char *mu_rc_name(enum mu_rc rc);

#endif
