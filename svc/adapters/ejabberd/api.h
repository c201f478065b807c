/*
 * adapters/ejabberd/api.h - one command of mod_http_api: its JSON, and what its answer means
 *
 * The HTTP status alone says little: a bad user name is a 500 as a crash is. The table in api.c
 * goes by status, code and text, and knows for sure only what was seen on the wire.
 *
 * Commands carry an OAuth token (RFC 6749, 4.3) while one is to be had: with HTTP Basic ejabberd
 * derives a SCRAM key at every call. Where the server hands out none, or takes it for nothing, the
 * password goes with each command for a while.
 */
#ifndef ADAPTERS_EJABBERD_API_H
#define ADAPTERS_EJABBERD_API_H

#include "adapters/adapter.h"
#include "http/client.h"
#include "json/read.h"

#define EJABBERD_TOKEN_MARGIN_S	60	/* a token is not used so shortly before its end */

struct ejabberd_api {
	struct http_client *http;
	char *user;				/* "admin@host" */
	const struct mu_secret *password;	/* borrowed */
	int64_t deadline_ms;			/* mu_tick_ms() when the step has to be over */
	struct mu_secret token;			/* empty: none. api.c fills it, the owner clears it */
	int64_t token_until_ms;			/* mu_tick_ms() from which it is not used */
	int64_t basic_until_ms;			/* mu_tick_ms() from which a token is asked for again */
};

/* One argument, in the order of names; one without a name ends the list. */
struct ejabberd_arg {
	const char *name;
	const char *text;
	const char *json;		/* canonical, in place of text */
};

/*
 * Sends the command and reads its answer, whatever JSON that is; clear it with ejabberd_answer_clear.
 * Outcomes other than ADAPTER_DONE set err (with retry_after_ms, where ejabberd said) and leave no answer. A command that only looks is never
 * ADAPTER_UNKNOWN.
 */
struct ejabberd_answer {
	struct json_node *root;
	const struct json_node *value;		/* borrowed from root */
};
#define EJABBERD_ANSWER_INIT { NULL, NULL }

enum adapter_outcome ejabberd_ask(struct ejabberd_api *api, const char *command,
    const struct ejabberd_arg *args, struct ejabberd_answer *out_answer, struct mu_err *err);
enum adapter_outcome ejabberd_do(struct ejabberd_api *api, const char *command,
    const struct ejabberd_arg *args, struct ejabberd_answer *out_answer, struct mu_err *err);
void ejabberd_answer_clear(struct ejabberd_answer *answer);

/* What a refusal means; body: what came with it. */
enum adapter_outcome ejabberd_refusal(int status, const char *body, size_t body_bytes,
    struct mu_err *err);

/*
 * Reads what /oauth/token answered (RFC 6749, 5.1): the token, and for how many seconds from the
 * request on it may be used, the margin taken off.
 * MU_EINPUT  not such an answer, no bearer token, or one that ends within the margin; err does not
 *            quote it
 */
MU_CHECKED enum mu_rc ejabberd_token_read(const char *body, size_t body_bytes,
    struct mu_secret *out_token, int64_t *out_use_s, struct mu_err *err);

/* An answer that is no JSON of the expected kind: ejabberd is not what we think it is. */
enum adapter_outcome ejabberd_odd(const char *command, struct mu_err *err);

#endif
