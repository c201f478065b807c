/*
 * api/token.h - the token API: what a person may do on the platform that asks, signed
 *
 *	GET /v1/grants/{account}	client certificate; 200 application/jwt
 *	GET /.well-known/jwks.json	the keys that sign; the next one stands there before its use
 *	GET /healthz			this process answers
 *
 * Nothing is remembered between two requests: each reads the store, so that from a revocation's commit
 * on there is a refusal. Lookups of one turn of the loop leave together, and so do the grants that
 * keys is asked to sign; requests are held until then. 401: no certificate, or nobody's. 404: no such
 * account on the caller's platform. 403: it holds nothing now. 503 with Retry-After: store or keys
 * is away, and comes back by itself. Pulls are counted per client, account and minute; refusals are
 * audited one by one.
 */
#ifndef API_TOKEN_H
#define API_TOKEN_H

#include "base/loop.h"
#include "base/secret.h"
#include "ipc/ipc.h"
#include "store/read.h"

#define API_GRANT_TTL_S	300		/* keys has the last word, and the same */

/* The channel to keys now, NULL while it is away. */
typedef struct ipc_channel *api_keys_fn(void *ctx);

struct api_token_host {
	struct mu_loop *loop;
	struct store_read *read;
	api_keys_fn *keys;
	void *keys_ctx;
	int listen_fd;			/* owned from the call on */
	const char *cert_pem;		/* the listener's chain */
	const struct mu_secret *key_pem;
	const char *client_ca_pem;
};

struct api_token;

/* At most one a loop. MU_ECONFIG as http_server_open. */
MU_CHECKED enum mu_rc api_token_open(const struct api_token_host *host, struct api_token **out_api,
    struct mu_err *err);
void api_token_close(struct api_token *api);	/* after the loop ended; NULL is fine */

#endif
