/*
 * proc/audit.c - the process that numbers audit records and has checkpoints signed
 */
#include "audit/grow.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/process.h"
#include "proc/rules.h"

#include <unistd.h>

#define PACE_MS		500	/* a record is numbered within a second */
#define RETRY_MS	2000
#define SIGN_WAIT_MS	5000

struct own {
	struct store *store;
	struct mu_buf holder, origin;
	struct audit_log *log;		/* NULL until the tree could be read */
	struct mu_timer *timer;
};

static enum mu_rc
sign(void *ctx, const char *body, struct mu_buf *out_note, struct mu_err *err)
{
	struct process *p = ctx;
	struct process_peer *keys = process_peer_find(p, PROCESS_KEYS, NULL);
	MU_AUTO(mu_buf_clear) struct mu_buf ask = MU_BUF_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;
	MU_AUTO(mu_freep) char *note = NULL;
	struct ipc_reader r;

	if (keys == NULL || !ipc_is_open(keys->channel))
		return mu_fail(err, MU_ERETRY, "keys is away");
	ipc_put_text(&ask, body);
	if (ipc_ask(keys->channel, OP_CHECKPOINT_SIGN, &ask, SIGN_WAIT_MS, &got, err) != MU_OK)
		return err->rc;
	ipc_reader_init(&r, &got);
	note = ipc_get_text(&r);
	if (!ipc_get_end(&r))
		return mu_fail(err, MU_ERETRY, "keys answered with a malformed note");
	mu_buf_text_add(out_note, note);
	return MU_OK;
}

static enum mu_rc
log_grow(struct process *p, bool *out_more, struct mu_err *err)
{
	struct own *own = p->own;
	struct audit_host host = { own->store, own->origin.data, own->holder.data, sign, p };

	if (own->log == NULL && audit_log_open(&host, &own->log, err) != MU_OK)
		return err->rc;
	return audit_log_grow(own->log, mu_now_s(), out_more, err);
}

/* What fails is logged and tried again, with the tree read anew: the commit may have happened. */
static void
on_timer(void *ctx)
{
	struct process *p = ctx;
	struct own *own = p->own;
	struct mu_err err = MU_ERR_INIT;
	bool more = false;

	if (log_grow(p, &more, &err) == MU_OK) {
		mu_timer_set(own->timer, more ? 0 : PACE_MS);
		return;
	}
	mu_log_err(&err, "audit.waits", NULL);
	audit_log_close(own->log);
	own->log = NULL;
	mu_timer_set(own->timer, RETRY_MS);
}

static enum mu_rc
audit_process_open(struct process *p, struct mu_err *err)
{
	struct own *own = mu_alloc_zero(1, sizeof(*own));
	char host[256] = "";

	p->own = own;
	if (store_open(p->conninfo, STORE_AUDIT | STORE_TREE | STORE_SOURCE, &own->store, err) != MU_OK)
		return err->rc;
	(void)gethostname(host, sizeof(host) - 1);
	mu_buf_format(&own->origin, "muster/%s", host);
	rules_holder_format(p->settings, &own->holder);
	own->timer = mu_loop_timer(p->loop, on_timer, p);
	mu_timer_set(own->timer, PACE_MS);
	return MU_OK;
}

const struct process_row process_audit = {
	.kind = PROCESS_AUDIT,
	.open = audit_process_open,
};
