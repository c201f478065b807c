/*
 * api/claim.h - the page where a person collects their credentials, once
 *
 *	GET /		303 to /claim
 *	GET /claim	a form; no script
 *	POST /claim	user, password (application/x-www-form-urlencoded)
 *
 * 200: every credential that waits for the person, each as <code data-platform data-account>. It was
 * unsealed before the transaction that destroys it committed, and is shown only after: so what
 * cannot be unsealed stays collectable, and what is shown cannot be shown twice. Refusals stand in
 * <p class="refusal">: 400 malformed, 401 wrong password or nobody (the same words after the same
 * time), 403 not identified or not active, 410 collected before, 429 too many failures, 503 something
 * is away or not ready yet; nothing is lost by it.
 *
 * To a request whose Accept names application/json the same is said in JSON: 200 {"credentials": [{"name",
 * "password", "platform"}]}, refusals as RFC 9457 problem details. The form is form-encoded in any case.
 */
#ifndef API_CLAIM_H
#define API_CLAIM_H

#include "base/loop.h"
#include "base/secret.h"
#include "ipc/ipc.h"
#include "store/credential.h"

#define API_CLAIM_FAILURES		5	/* per person in API_CLAIM_WINDOW_S; then that long a wait */
#define API_CLAIM_ADDRESS_FAILURES	100	/* per address: a whole office may share one */
#define API_CLAIM_WINDOW_S		600
#define API_CLAIM_REFUSAL_MS		400	/* a 401 never comes sooner: it tells nothing by its time */

typedef struct ipc_channel *api_channel_fn(void *ctx);	/* NULL while the peer is away */

struct api_claim_host {
	struct mu_loop *loop;
	struct store *store;		/* STORE_CREDENTIAL | STORE_AUDIT */
	api_channel_fn *keys, *login;
	void *channel_ctx;
	const char *nobody_source, *nobody_base;	/* where a login name of nobody's is tried, for show */
	int listen_fd;			/* owned from the call on */
	const char *cert_pem;
	const struct mu_secret *key_pem;
};

struct api_claim;

/* MU_ECONFIG as http_server_open. */
MU_CHECKED enum mu_rc api_claim_open(const struct api_claim_host *host, struct api_claim **out_api,
    struct mu_err *err);
void api_claim_close(struct api_claim *api);	/* after the loop ended; NULL is fine */

#endif
