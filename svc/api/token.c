#include "api/token.h"

#include "audit/record.h"
#include "auth/client.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "http/server.h"
#include "ipc/message.h"

#include <string.h>

#define REPLY_ROOM_BYTES	(56 * 1024)	/* of a message, for the grants of one batch */
#define WAIT_S			1

/* One request for a grant, from its lookup to its answer. */
struct pull {
	struct api_token *api;
	struct pull *next;
	struct http_request *req;
	unsigned char fingerprint[FINGERPRINT_BYTES];
	struct mu_uuid client_id;
	char *client, *platform;
	struct account_want account;
	unsigned char mac[MAC_BYTES];
};

/* What keys was asked for with one message, in its order. */
struct batch {
	struct api_token *api;
	struct pull *list[MINT_BATCH_MAX];
	size_t count;
};

struct api_token {
	struct api_token_host host;
	struct http_server *server;
	struct pull *first, **last;	/* looked up in this turn, not yet with keys */
};

static void
pull_free(struct pull *pull)
{
	account_want_clear(&pull->account);
	mu_free(pull->client);
	mu_free(pull->platform);
	mu_free(pull);
}

/* --- Refusals ---------------------------------------------------------------------------------- */

static void
refusal_audit(const struct pull *pull, const char *reason)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, print = MU_BUF_INIT;
	char person[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3];
	size_t count = 0;
	struct mu_uuid id;
	int64_t now_ms = mu_now_ms();

	mu_hex_format(&print, pull->fingerprint, sizeof(pull->fingerprint));
	fields[count++] = (struct audit_field)AUDIT_TEXT("client",
	    pull->client == NULL ? print.data : pull->client);
	fields[count++] = (struct audit_field)AUDIT_TEXT("reason", reason);
	if (pull->account.version != 0)
		fields[count++] = (struct audit_field)AUDIT_TEXT("person",
		    mu_uuid_format(&pull->account.person_id, person));
	mu_uuid_new(&id);
	audit_record_format(&body, &id, AUDIT_GRANT_REFUSED, now_ms, fields, count);
	store_read_audit_add(pull->api->host.read, &id, now_ms, audit_kind_name(AUDIT_GRANT_REFUSED),
	    body.data);
}

/* Ends the pull. reason is for the audit record, detail for who asked. */
static void
pull_refuse(struct pull *pull, int status, const char *reason, const char *detail)
{
	const struct http_header headers[] = {
		{ status == 401 ? "WWW-Authenticate" : NULL, "ClientCertificate" }, { NULL, NULL },
	};

	refusal_audit(pull, reason);
	http_refuse(pull->req, status, 0, detail, headers);
	pull_free(pull);
}

/* Ends the pull: nobody can say now. Not a refusal, so not audited. */
static void
pull_postpone(struct pull *pull)
{
	http_refuse(pull->req, 503, WAIT_S, "Part of the service is away: try again.", NULL);
	pull_free(pull);
}

/* --- Grants: a batch goes to keys at the end of the turn ---------------------------------------- */

static void
minted_take(struct pull *pull, const struct minted_one *one)
{
	switch (one->rc) {
	case MU_OK:
		store_read_pull_add(pull->api->host.read, &pull->client_id, &pull->account.account_id,
		    mu_now_s());
		http_answer(pull->req, 200, "application/jwt", one->token, strlen(one->token), NULL);
		pull_free(pull);
		return;
	case MU_EDENIED:
		mu_log("token.row_refused", "client", pull->client, NULL);
		pull_refuse(pull, 403, "keys refuses the account's row", "The account cannot be vouched for.");
		return;
	case MU_EINPUT:
	case MU_EABSENT:
	case MU_ECONFLICT:
	case MU_ERETRY:
	case MU_ECONFIG:
	case MU_EBROKEN:
		break;
	}
	pull_postpone(pull);
}

static void
on_minted(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct batch *batch = ctx;
	struct msg_minted *minted = mu_alloc_zero(1, sizeof(*minted));
	bool good = m != NULL && msg_minted_decode(&m->body, minted) && minted->count == batch->count;

	if (!good)
		mu_log("token.unsigned", "reason", m == NULL ? err->text : "malformed answer", NULL);
	for (size_t i = 0; i < batch->count; i++) {
		if (good)
			minted_take(batch->list[i], &minted->list[i]);
		else
			pull_postpone(batch->list[i]);
	}
	msg_minted_clear(minted);
	mu_free(minted);
	mu_free(batch);
}

/* About how large the grant will be: names and rights in base64, and what every grant has. */
static size_t
grant_room(const struct account_want *w)
{
	size_t bytes = strlen(w->name) + strlen(w->platform);

	for (size_t i = 0; i < w->roles.count; i++)
		bytes += strlen(w->roles.list[i]) + 4;
	for (size_t i = 0; i < w->entitlements.count; i++)
		bytes += strlen(w->entitlements.list[i].name) + strlen(w->entitlements.list[i].level) + 16;
	return bytes * 2 + 700;
}

/* Takes pulls of one platform out of the queue, as many as fit into one message. */
static struct batch *
batch_take(struct api_token *api)
{
	struct batch *batch = mu_alloc_zero(1, sizeof(*batch));
	const char *platform = api->first->platform;
	size_t used = 0;

	batch->api = api;
	for (struct pull **at = &api->first; *at != NULL && batch->count < MINT_BATCH_MAX;) {
		struct pull *pull = *at;
		size_t room = grant_room(&pull->account);

		if (strcmp(pull->platform, platform) != 0 ||
		    (batch->count > 0 && used + room > REPLY_ROOM_BYTES)) {
			at = &pull->next;
			continue;
		}
		used += room;
		*at = pull->next;
		batch->list[batch->count++] = pull;
	}
	api->last = &api->first;
	while (*api->last != NULL)
		api->last = &(*api->last)->next;
	return batch;
}

static void
batch_send(struct batch *batch, struct ipc_channel *keys)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct msg_mint *mint = mu_alloc_zero(1, sizeof(*mint));

	mint->platform = batch->list[0]->platform;	/* all borrowed from the pulls */
	mint->ttl_s = API_GRANT_TTL_S;
	for (size_t i = 0; i < batch->count; i++) {
		mint->list[i].account = batch->list[i]->account;
		(void)memcpy(mint->list[i].mac, batch->list[i]->mac, MAC_BYTES);
	}
	mint->count = batch->count;
	msg_mint_encode(mint, &body);
	mu_free(mint);
	ipc_call(keys, OP_MINT, &body, -1, on_minted, batch);
}

static void
on_turn(void *ctx)
{
	struct api_token *api = ctx;

	while (api->first != NULL) {
		struct batch *batch = batch_take(api);
		struct ipc_channel *keys = api->host.keys(api->host.keys_ctx);

		if (ipc_is_open(keys)) {
			batch_send(batch, keys);
			continue;
		}
		for (size_t i = 0; i < batch->count; i++)
			pull_postpone(batch->list[i]);
		mu_free(batch);
	}
}

/* --- The routes -------------------------------------------------------------------------------- */

/* The store has answered: refused, or on to keys. */
static void
on_grant(void *ctx, enum mu_rc rc, struct store_grant *grant)
{
	struct pull *pull = ctx;
	struct mu_err err = MU_ERR_INIT;

	if (rc != MU_OK) {
		pull_postpone(pull);
		return;
	}
	if (grant->has_client) {
		pull->client_id = grant->client.client_id;
		pull->client = MU_TAKE(grant->client.name);
		pull->platform = MU_TAKE(grant->client.platform);
	}
	if (auth_client_check(grant->has_client ? &grant->client : NULL, mu_now_s(), &err) != MU_OK) {
		pull_refuse(pull, 401, grant->has_client ? "certificate expired" : "unknown certificate",
		    err.text);
		return;
	}
	if (!grant->has_account) {
		pull_refuse(pull, 404, "no such account", "The platform has no such account.");
		return;
	}
	pull->account = grant->account;
	grant->account = (struct account_want){ .version = 0 };
	(void)memcpy(pull->mac, grant->mac, MAC_BYTES);
	if (pull->account.state != ACCOUNT_ENABLED) {
		pull_refuse(pull, 403, "account not enabled", "The account is not enabled.");
		return;
	}
	if (pull->account.roles.count == 0 && pull->account.entitlements.count == 0) {
		pull_refuse(pull, 403, "nothing granted", "The account holds no grant.");
		return;
	}
	pull->next = NULL;
	*pull->api->last = pull;
	pull->api->last = &pull->next;
}

static void
grants_get(void *ctx, struct http_request *req)
{
	struct api_token *api = ctx;
	struct pull *pull = mu_alloc_zero(1, sizeof(*pull));

	pull->api = api;
	pull->req = req;
	(void)memcpy(pull->fingerprint, http_peer_of(req)->fingerprint, sizeof(pull->fingerprint));
	store_read_grant(api->host.read, pull->fingerprint, http_name_of(req), on_grant, pull);
}

static void
on_jwks(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	static const struct http_header headers[] = {
		{ "Cache-Control", "public, max-age=300" }, { NULL, NULL },
	};
	struct http_request *req = ctx;
	MU_AUTO(mu_freep) char *text = m == NULL ? NULL : ipc_get_text(&m->body);

	if (m == NULL || !ipc_get_end(&m->body)) {
		mu_log("token.no_jwks", "reason", m == NULL ? err->text : "malformed answer", NULL);
		http_refuse(req, 503, WAIT_S, "Part of the service is away: try again.", NULL);
		return;
	}
	http_answer(req, 200, "application/jwk-set+json", text, strlen(text), headers);
}

static void
jwks_get(void *ctx, struct http_request *req)
{
	struct api_token *api = ctx;
	struct ipc_channel *keys = api->host.keys(api->host.keys_ctx);

	if (ipc_is_open(keys))
		ipc_call(keys, OP_JWKS, NULL, -1, on_jwks, req);
	else
		http_refuse(req, 503, WAIT_S, "Part of the service is away: try again.", NULL);
}

static void
healthz_get(void *ctx, struct http_request *req)
{
	static const char body[] = "{\"status\":\"ok\"}\n";

	(void)ctx;
	http_answer(req, 200, "application/json", body, sizeof(body) - 1, NULL);
}

static const struct http_route routes[] = {
	{ "GET", "/v1/grants/{account}", HTTP_NEED_CERTIFICATE, NULL, 0, false, grants_get },
	{ "GET", "/.well-known/jwks.json", HTTP_NEED_NOTHING, NULL, 0, false, jwks_get },
	{ "GET", "/healthz", HTTP_NEED_NOTHING, NULL, 0, false, healthz_get },
};

enum mu_rc
api_token_open(const struct api_token_host *host, struct api_token **out_api, struct mu_err *err)
{
	struct api_token *api = mu_alloc_zero(1, sizeof(*api));
	struct http_server_settings settings = {
		.listen_fd = host->listen_fd, .cert_pem = host->cert_pem, .key_pem = host->key_pem,
		.client_ca_pem = host->client_ca_pem, .routes = routes, .route_count = MU_COUNT(routes),
		.ctx = api,
	};

	api->host = *host;
	api->last = &api->first;
	if (http_server_open(host->loop, &settings, &api->server, err) != MU_OK) {
		mu_free(api);
		return err->rc;
	}
	mu_loop_each_turn(host->loop, on_turn, api);
	*out_api = api;
	return MU_OK;
}

void
api_token_close(struct api_token *api)
{
	if (api == NULL)
		return;
	while (api->first != NULL) {
		struct pull *pull = api->first;

		api->first = pull->next;
		pull_postpone(pull);
	}
	http_server_close(api->server);
	mu_free(api);
}
