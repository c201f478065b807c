/*
 * api/login_priv.h - what a login says, read strictly
 *
 * {"action"?, "code", "csr"?, "password", "user"}, nothing else, at most LOGIN_BODY_MAX_BYTES.
 */
#ifndef API_LOGIN_PRIV_H
#define API_LOGIN_PRIV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#include <stdbool.h>

#define LOGIN_BODY_MAX_BYTES	65536
#define LOGIN_USER_MAX_BYTES	255
#define LOGIN_PASSWORD_MAX_BYTES 1024
#define LOGIN_CSR_MAX_BYTES	16384

struct login_request {
	char *user;
	char *csr;			/* NULL: none */
	char *action;			/* canonical JSON, as for /v1/actions; NULL: none */
	struct mu_secret password, code;
	bool is_enrolment;		/* the code is a one-time code; else six digits */
};

/*
 * MU_EINPUT  malformed, or a code that is neither six digits nor a one-time code. Six digits need
 *            either csr or action, never both; a one-time code takes no action.
 */
MU_CHECKED enum mu_rc login_request_parse(const char *body, size_t body_bytes,
    struct login_request *out_request, struct mu_err *err);
void login_request_clear(struct login_request *r);

#endif
