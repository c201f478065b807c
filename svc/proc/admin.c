/*
 * proc/admin.c - the administrators' console, and the certificates of the configured clients
 */
#include "base/clock.h"
#include "base/log.h"
#include "api/client.h"
#include "api/console.h"
#include "proc/process.h"

#define LOOK_EVERY_MS	((int64_t)86400 * 1000)
#define AGAIN_MS	2000

struct admin_process {
	struct process *process;
	struct store *store;
	struct api_console *console;
	struct mu_timer *clients_timer;
};

static struct ipc_channel *
supervisor_channel(void *ctx)
{
	const struct process *p = ctx;

	return p->control;
}

static bool
job_is_up(void *ctx)
{
	const struct process *p = ctx;

	for (size_t i = 0; i < p->peer_count; i++)
		if (p->peers[i].kind == PROCESS_WORK && p->peers[i].channel != NULL)
			return true;
	return false;
}

static enum mu_rc
keys_ask(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out_body, struct mu_err *err)
{
	return process_keys_ask(ctx, op, body, out_body, err);
}

static void
certificate_publish(void *ctx, const char *name, const char *certificate)
{
	MU_AUTO(mu_buf_clear) struct mu_buf file = MU_BUF_INIT;

	mu_buf_format(&file, "clients/%s.crt", name);
	process_publish(ctx, file.data, certificate);
}

/* Sees to all clients of the configuration; what is away now is tried again soon. */
static void
clients_ensure(void *ctx)
{
	struct admin_process *own = ctx;
	struct process *p = own->process;
	const struct api_client_host host = { own->store, keys_ask, certificate_publish, p };
	MU_AUTO(mu_freep) const char **names = mu_alloc_zero(p->settings->client_count, sizeof(*names));
	int64_t again_ms = LOOK_EVERY_MS;
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < p->settings->client_count; i++)
		names[i] = p->settings->clients[i].name;
	if (api_client_retire(&host, names, p->settings->client_count, &err) != MU_OK) {
		mu_log_err(&err, "client.not_removed", NULL);
		again_ms = AGAIN_MS;
	}
	for (size_t i = 0; i < p->settings->client_count; i++) {
		const struct settings_client *c = &p->settings->clients[i];
		MU_AUTO(mu_buf_clear) struct mu_buf secret = MU_BUF_INIT;
		const struct mu_secret *csr;

		mu_buf_format(&secret, "csr/%s", c->name);
		csr = process_secret(p, secret.data);
		if (csr == NULL) {
			mu_log("client.no_request", "client", c->name, "file", c->csr, NULL);
			continue;
		}
		err = (struct mu_err)MU_ERR_INIT;
		if (api_client_ensure(&host, c->name, c->platform, csr, mu_now_s(), &err) != MU_OK) {
			mu_log_err(&err, "client.not_issued", "client", c->name, NULL);
			if (err.rc == MU_ERETRY)
				again_ms = AGAIN_MS;
		}
	}
	if (api_client_expiry_log(&host, mu_now_s(), &err) != MU_OK)
		again_ms = AGAIN_MS;
	mu_timer_set(own->clients_timer, again_ms);
}

static enum mu_rc
admin_open(struct process *p, struct mu_err *err)
{
	struct admin_process *own = mu_alloc_zero(1, sizeof(*own));
	struct api_console_host host = {
		.loop = p->loop, .supervisor = supervisor_channel, .job_is_up = job_is_up, .ctx = p,
		.listen_fd = p->listen_fd,
	};

	own->process = p;
	p->own = own;
	if (p->listen_fd < 0)
		return mu_fail(err, MU_ECONFIG, "no console socket was handed over");
	if (store_open(p->conninfo, STORE_STATUS | STORE_CLIENT | STORE_AUDIT, &own->store, err) != MU_OK)
		return err->rc;
	host.store = own->store;
	p->listen_fd = -1;
	if (api_console_open(&host, &own->console, err) != MU_OK)
		return err->rc;
	own->clients_timer = mu_loop_timer(p->loop, clients_ensure, own);
	clients_ensure(own);
	return MU_OK;
}

static void
admin_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	struct admin_process *own = p->own;

	if (!api_console_job_take(own->console, m))
		ipc_refuse(from->channel, m->op);
}

const struct process_row process_admin = {
	.kind = PROCESS_ADMIN,
	.open = admin_open,
	.request = admin_request,
};
