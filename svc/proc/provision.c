/*
 * proc/provision.c - the process that brings platforms to what is wanted: takes unsettled accounts,
 * drives the adapters, writes receipts
 *
 * Speaks to PostgreSQL, to the adapters, and to keys (a sealed password for one step, signatures of
 * receipts). A worker per platform decides (provision/worker.h); here are its ends of the wires. A
 * platform that is slow delays nobody else: steps are sent and their answers come when they come.
 */
#include "base/clock.h"
#include "base/log.h"
#include "proc/process.h"
#include "proc/rules.h"
#include "provision/record.h"
#include "provision/worker.h"
#include "store/credential.h"
#include "store/hint.h"

#include <string.h>

#define KEYS_WAIT_MS	3000
#define EXPIRE_MS	600000	/* how often passwords that nobody collected are looked for */

struct platform {
	struct provision_process *own;
	const char *name;
	struct record record;
	struct worker *worker;
	struct mu_timer *timer;		/* what the worker waits for */
	struct mu_timer *refused;	/* the adapter was away, or took nothing, when we wanted to send */
	struct mu_err refusal;
	bool sending;
};

struct provision_process {
	struct process *process;
	struct store *store;
	struct store_hint *hint;
	struct mu_buf holder;
	struct mu_timer *expire;
	struct platform *platforms;
	size_t platform_count;
};

/* --- keys ----------------------------------------------------------------------------------- */

/* Asks keys for the bytes that answer body. */
static enum mu_rc
keys_ask(struct provision_process *own, uint16_t op, const struct mu_buf *body,
    struct mu_buf *out_answer, struct mu_err *err)
{
	struct process_peer *keys = process_peer_find(own->process, PROCESS_KEYS, NULL);

	return ipc_ask(keys == NULL ? NULL : keys->channel, op, body, KEYS_WAIT_MS, out_answer, err);
}

static enum mu_rc
answer_bytes(const struct mu_buf *answer, const unsigned char **out_bytes, size_t *out_count,
    struct mu_err *err)
{
	struct ipc_reader r;

	ipc_reader_init(&r, answer);
	*out_bytes = ipc_get_bytes(&r, out_count);
	if (!ipc_get_end(&r))
		return mu_fail(err, MU_EBROKEN, "keys answered something else");
	return MU_OK;
}

static enum mu_rc
receipt_sign(void *ctx, const struct mu_buf *bytes, struct mu_buf *out_signature, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT, answer = MU_BUF_INIT;
	const unsigned char *signature;
	size_t count;

	ipc_put_bytes(&body, bytes->data, bytes->size_bytes);
	if (keys_ask(ctx, OP_RECEIPT_SIGN, &body, &answer, err) != MU_OK
	    || answer_bytes(&answer, &signature, &count, err) != MU_OK)
		return err->rc;
	mu_buf_add(out_signature, signature, count);
	return MU_OK;
}

static enum mu_rc
seal_ask(struct provision_process *own, uint16_t op, const struct msg_seal *m,
    struct mu_secret *out_secret, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT, answer = MU_BUF_INIT;
	const unsigned char *bytes;
	size_t count;

	msg_seal_encode(m, &body);
	if (keys_ask(own, op, &body, &answer, err) != MU_OK
	    || answer_bytes(&answer, &bytes, &count, err) != MU_OK)
		return err->rc;
	mu_secret_set(out_secret, bytes, count);
	return MU_OK;
}

static enum mu_rc
port_seal_new(void *ctx, const struct mu_uuid *account_id, const struct mu_uuid *credential_id,
    struct mu_secret *out_sealed, struct mu_err *err)
{
	struct platform *x = ctx;
	struct msg_seal m = { .account_id = *account_id, .credential_id = *credential_id };

	return seal_ask(x->own, OP_SEAL_NEW, &m, out_sealed, err);
}

static enum mu_rc
port_unseal(void *ctx, const struct store_work *w, struct mu_secret *out_password,
    struct mu_err *err)
{
	struct platform *x = ctx;
	struct msg_seal m = { w->want.account_id, w->credential_id, w->sealed };

	return seal_ask(x->own, OP_UNSEAL, &m, out_password, err);
}

/* --- The store ------------------------------------------------------------------------------ */

static enum mu_rc
port_take(void *ctx, struct store_works *out_works, struct mu_err *err)
{
	struct platform *x = ctx;

	return record_take(&x->record, out_works, err);
}

static enum mu_rc
port_begin(void *ctx, const struct work_begin *b, struct mu_err *err)
{
	struct platform *x = ctx;

	return record_begin(&x->record, b, err);
}

static enum mu_rc
port_end(void *ctx, const struct work_end *e, struct mu_err *err)
{
	struct platform *x = ctx;

	return record_end(&x->record, e, err);
}

static void
hinted(void *ctx)
{
	struct provision_process *own = ctx;

	for (size_t i = 0; i < own->platform_count; i++)
		worker_hint(own->platforms[i].worker);
}

static void
expire(void *ctx)
{
	struct provision_process *own = ctx;
	struct mu_err err = MU_ERR_INIT;

	mu_timer_set(own->expire, EXPIRE_MS);
	if (store_begin(own->store, &err) == MU_OK)
		store_credential_expire(own->store, mu_now_s());
	if (err.rc != MU_OK || store_commit(own->store, &err) != MU_OK)
		mu_log_err(&err, "provision.expire", NULL);
}

/* --- The adapter ---------------------------------------------------------------------------- */

/* What could not be sent is told from the loop, as an answer would be. */
static void
refused(void *ctx)
{
	struct platform *x = ctx;

	if (x->refusal.rc == MU_ERETRY)
		worker_away(x->worker);
	else
		worker_answer(x->worker, NULL, &x->refusal);
}

static void
step_answered(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct platform *x = ctx;
	struct receipt receipt;

	if (m == NULL) {
		x->refusal = *err;
		if (x->sending)
			mu_timer_set(x->refused, 0);
		else
			refused(x);
		return;
	}
	if (!receipt_decode(&m->body, &receipt)) {
		x->refusal = (struct mu_err)MU_ERR_INIT;
		(void)mu_fail(&x->refusal, MU_EBROKEN, "adapter %s answered something else", x->name);
		refused(x);
		return;
	}
	worker_answer(x->worker, &receipt, NULL);
	receipt_clear(&receipt);
}

static void
port_send(void *ctx, const struct step *s)
{
	struct platform *x = ctx;
	struct process_peer *adapter = process_peer_find(x->own->process, PROCESS_ADAPTER, x->name);
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;

	step_encode(s, &body);
	x->sending = true;
	ipc_call(adapter == NULL ? NULL : adapter->channel, OP_STEP, &body, -1, step_answered, x);
	x->sending = false;
}

static void
port_wait(void *ctx, int64_t delay_ms)
{
	struct platform *x = ctx;

	mu_timer_set(x->timer, delay_ms > 0 ? delay_ms : 0);
}

static void
waited(void *ctx)
{
	struct platform *x = ctx;

	worker_run(x->worker);
}

static const struct worker_port port = {
	.take = port_take, .begin = port_begin, .end = port_end,
	.seal_new = port_seal_new, .unseal = port_unseal,
	.send = port_send, .wait = port_wait,
};

/* --- Life ----------------------------------------------------------------------------------- */

static void
about_answered(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct platform *x = ctx;
	struct mu_err store_err = MU_ERR_INIT;
	struct msg_about about;

	if (m == NULL) {	/* it went as it came: its successor is greeted as well */
		mu_log_err(err, "provision.adapter", "platform", x->name, NULL);
		return;
	}
	if (!msg_about_decode(&m->body, &about)) {
		mu_log("provision.adapter", "platform", x->name, "text", "answered something else", NULL);
		return;
	}
	if (record_unpark(&x->record, &store_err) != MU_OK)
		mu_log_err(&store_err, "provision.unpark", "platform", x->name, NULL);
	mu_log("provision.adapter", "platform", x->name, "adapter", about.adapter, NULL);
	worker_adapter(x->worker, about.can, about.steps);
	msg_about_clear(&about);
}

static void
provision_peer_up(struct process *p, struct process_peer *peer)
{
	struct provision_process *own = p->own;

	for (size_t i = 0; i < own->platform_count; i++) {
		struct platform *x = &own->platforms[i];

		if (peer->kind == PROCESS_ADAPTER && strcmp(peer->instance, x->name) == 0)
			ipc_call(peer->channel, OP_ABOUT, NULL, -1, about_answered, x);
	}
}

static void
platform_open(struct provision_process *own, struct platform *x, const char *name)
{
	struct mu_loop *loop = own->process->loop;

	*x = (struct platform){ .own = own, .name = name,
	    .record = { own->store, name, own->holder.data, receipt_sign, own } };
	x->worker = worker_new(name, &port, x);
	x->timer = mu_loop_timer(loop, waited, x);
	x->refused = mu_loop_timer(loop, refused, x);
}

static enum mu_rc
provision_open(struct process *p, struct mu_err *err)
{
	struct provision_process *own = mu_alloc_zero(1, sizeof(*own));
	const struct settings *s = p->settings;

	p->own = own;
	own->process = p;
	if (store_open(p->conninfo, STORE_QUEUE | STORE_CREDENTIAL | STORE_AUDIT, &own->store, err)
	    != MU_OK)
		return err->rc;
	rules_holder_format(s, &own->holder);
	own->platforms = mu_alloc_zero(s->platform_count + 1, sizeof(*own->platforms));
	for (size_t i = 0; i < s->platform_count; i++)
		platform_open(own, &own->platforms[own->platform_count++], s->platforms[i].name);
	own->expire = mu_loop_timer(p->loop, expire, own);
	mu_timer_set(own->expire, EXPIRE_MS);
	own->hint = store_hint_open(p->loop, p->conninfo);
	store_hint_on(own->hint, STORE_CHANNEL_ACCOUNTS, hinted, own);
	return MU_OK;
}

const struct process_row process_provision = {
	.kind = PROCESS_PROVISION,
	.open = provision_open,
	.peer_up = provision_peer_up,
};
