/*
 * api/client.h - the configured clients of the token API get their certificates
 *
 * For each client of the configuration whose request is new, or whose certificate has run out, keys
 * certifies the request; row, MAC and audit record commit together, and then the certificate is
 * handed to whoever publishes it. A client whose request is bad is named in the log; the others go on.
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "base/secret.h"
#include "store/client.h"

/* Asks keys and waits. */
typedef enum mu_rc api_ask_fn(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out_body,
    struct mu_err *err);
typedef void api_publish_fn(void *ctx, const char *name, const char *certificate);

struct api_client_host {
	struct store *store;		/* STORE_CLIENT | STORE_AUDIT */
	api_ask_fn *ask;
	api_publish_fn *publish;
	void *ctx;
};

/*
 * Sees to one client: its certificate is issued if need be, and published in any case.
 * csr: PEM. MU_EINPUT: keys refuses the request; MU_ERETRY: store or keys is away
 */
MU_CHECKED enum mu_rc api_client_ensure(const struct api_client_host *host, const char *name,
    const char *platform, const struct mu_secret *csr, int64_t now_s, struct mu_err *err);

/*
 * Takes out the configured clients that are not among these names: whoever is struck from the configuration
 * has lost the access once this has returned. Clients that an action added stay; one of the same name as
 * a configured one becomes that. MU_ERETRY: the store is away
 */
MU_CHECKED enum mu_rc api_client_retire(const struct api_client_host *host, const char *const *names,
    size_t name_count, struct mu_err *err);

/* Names in the log every client whose certificate runs out soon or has. */
MU_CHECKED enum mu_rc api_client_expiry_log(const struct api_client_host *host, int64_t now_s,
    struct mu_err *err);

#endif
