/*
 * proc/claim.c - the page where a person collects a credential once
 *
 * It parses what strangers send, knows no password but for the moment it takes login to judge it, and
 * has keys unseal only what it is about to destroy.
 */
#include "api/claim.h"
#include "proc/listener.h"
#include "proc/process.h"

struct claim_process {
	struct store *store;
	struct api_claim *api;
};

static struct ipc_channel *
channel_to(struct process *p, enum process_kind kind)
{
	struct process_peer *peer = process_peer_find(p, kind, NULL);

	return peer == NULL ? NULL : peer->channel;
}

static struct ipc_channel *
keys_channel(void *ctx)
{
	return channel_to(ctx, PROCESS_KEYS);
}

static struct ipc_channel *
login_channel(void *ctx)
{
	return channel_to(ctx, PROCESS_LOGIN);
}

static enum mu_rc
claim_open(struct process *p, struct mu_err *err)
{
	MU_AUTO(listener_clear) struct listener listener = { .key_pem = MU_SECRET_INIT };
	struct claim_process *own = mu_alloc_zero(1, sizeof(*own));
	const struct settings *s = p->settings;
	struct api_claim_host host = {
		.loop = p->loop, .keys = keys_channel, .login = login_channel, .channel_ctx = p,
	};

	p->own = own;
	if (s->source_count == 0)
		return mu_fail(err, MU_ECONFIG, "sources: there is no directory to check passwords with");
	if (listener_prepare(p, &s->claim, &listener, err) != MU_OK ||
	    store_open(p->conninfo, STORE_CREDENTIAL | STORE_AUDIT, &own->store, err) != MU_OK)
		return err->rc;
	host.store = own->store;
	host.nobody_source = s->sources[0].name;
	host.nobody_base = s->sources[0].people_base;
	host.listen_fd = p->listen_fd;
	p->listen_fd = -1;
	host.cert_pem = mu_secret_text(&listener.chain_pem);
	host.key_pem = &listener.key_pem;
	return api_claim_open(&host, &own->api, err);
}

const struct process_row process_claim = {
	.kind = PROCESS_CLAIM,
	.open = claim_open,
};
