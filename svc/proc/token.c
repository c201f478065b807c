/*
 * proc/token.c - the token API: strangers' requests in, signed grants out
 *
 * It parses what strangers send and holds nothing but its TLS key: it reads the store under a role
 * that can change nothing that counts, and keys signs only what a row's MAC vouches for. Several
 * share the port.
 */
#include "api/token.h"
#include "proc/listener.h"
#include "proc/process.h"

struct token_process {
	struct store_read *read;
	struct api_token *api;
};

static struct ipc_channel *
keys_channel(void *ctx)
{
	struct process_peer *keys = process_peer_find(ctx, PROCESS_KEYS, NULL);

	return keys == NULL ? NULL : keys->channel;
}

static enum mu_rc
token_open(struct process *p, struct mu_err *err)
{
	MU_AUTO(listener_clear) struct listener listener = { .key_pem = MU_SECRET_INIT };
	struct token_process *own = mu_alloc_zero(1, sizeof(*own));
	struct api_token_host host = { .loop = p->loop, .keys = keys_channel, .keys_ctx = p };

	p->own = own;
	if (listener_prepare(p, &p->settings->token, &listener, err) != MU_OK)
		return err->rc;
	own->read = store_read_open(p->loop, p->conninfo);
	host.read = own->read;
	host.listen_fd = p->listen_fd;
	p->listen_fd = -1;
	host.cert_pem = mu_secret_text(&listener.chain_pem);
	host.key_pem = &listener.key_pem;
	host.client_ca_pem = mu_secret_text(&listener.ca_pem);
	return api_token_open(&host, &own->api, err);
}

const struct process_row process_token = {
	.kind = PROCESS_TOKEN,
	.open = token_open,
};
