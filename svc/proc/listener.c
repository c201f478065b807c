#include "proc/listener.h"

#include "base/log.h"

#include <string.h>

static void
on_renewal(void *ctx)
{
	struct process *p = ctx;

	mu_log("listener.renewal", NULL);
	mu_loop_stop(p->loop, 0);
}

enum mu_rc
listener_prepare(struct process *p, const struct settings_listen *at, struct listener *out_listener,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf answer = MU_BUF_INIT;
	MU_AUTO(msg_list_clear) struct msg_list names = { NULL, 0 }, issued = { NULL, 0 };
	struct ipc_reader reader;

	if ((p->kind == PROCESS_ADMIN ? p->admin_fd : p->listen_fd) < 0)
		return mu_fail(err, MU_ECONFIG, "no listening socket was handed over");
	for (size_t i = 0; i < at->name_count; i++)
		msg_list_add(&names, at->names[i], strlen(at->names[i]));
	msg_list_encode(&names, &body);
	if (process_keys_ask(p, OP_SERVER_ISSUE, &body, &answer, err) != MU_OK)
		return mu_wrap(err, "the listener's certificate");
	ipc_reader_init(&reader, &answer);
	if (!msg_list_decode(&reader, &issued) || issued.count != 3)
		return mu_fail(err, MU_EBROKEN, "keys gave no certificate for the listener");
	mu_secret_move(&out_listener->key_pem, &issued.list[0]);
	mu_secret_move(&out_listener->chain_pem, &issued.list[1]);
	mu_secret_move(&out_listener->ca_pem, &issued.list[2]);
	mu_timer_set(mu_loop_timer(p->loop, on_renewal, p), LISTENER_RENEW_MS);
	return MU_OK;
}

void
listener_clear(struct listener *l)
{
	mu_secret_clear(&l->key_pem);
	mu_secret_clear(&l->chain_pem);
	mu_secret_clear(&l->ca_pem);
}
