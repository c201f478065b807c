/*
 * proc/login.c - checks one directory password at a time: yes or no
 *
 * It holds the sources' addresses and certificates of authority, no key, no store and no password
 * of muster's. claim and admin ask by source and DN; what they typed is wiped with the answer.
 */
#include "proc/process.h"

#include "base/log.h"
#include "base/text.h"
#include "directory/login.h"
#include "ipc/message.h"

#define RETRY_MS 1000

/* A question under way. */
struct question {
	struct login_process *own;
	struct question *next;
	/* NULL once it was started anew: nobody waits for the answer */
	struct process_peer *peer;
	uint32_t id;
	const char *source;
};

struct login_process {
	struct directory_source *sources;	/* in the order of the settings */
	struct question *questions;
};

static void
login_answered(void *ctx, enum login_answer answer, const char *text)
{
	static const char *const names[] = { [LOGIN_YES] = "yes", [LOGIN_NO] = "no",
		[LOGIN_UNKNOWN] = "unknown" };
	struct question *q = ctx, **at = &q->own->questions;
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	mu_log("login.checked", "source", q->source, "answer", names[answer], "text", text, NULL);
	if (q->peer != NULL && ipc_is_open(q->peer->channel)) {
		if (answer == LOGIN_UNKNOWN) {
			err.retry_after_ms = RETRY_MS;
			(void)mu_fail(&err, MU_ERETRY, "directory %s cannot say", q->source);
			ipc_reply_error(q->peer->channel, q->id, &err);
		} else {
			ipc_put_u8(&body, answer == LOGIN_YES ? 1 : 0);
			ipc_reply(q->peer->channel, OP_LOGIN, q->id, &body, -1);
		}
	}
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	mu_free(q);
}

static const struct directory_source *
source_find(const struct process *p, const char *name)
{
	const struct login_process *own = p->own;

	for (size_t i = 0; i < p->settings->source_count; i++)
		if (mu_text_equal(own->sources[i].name, name))
			return &own->sources[i];
	return NULL;
}

static void
login_request(struct process *p, struct process_peer *from, struct ipc_message *m)
{
	struct login_process *own = p->own;
	const struct directory_source *source;
	struct mu_err err = MU_ERR_INIT;
	struct msg_login asked;

	if (!msg_login_decode(&m->body, &asked)) {
		ipc_refuse(from->channel, m->op);
		return;
	}
	source = source_find(p, asked.source);
	if (source == NULL) {
		(void)mu_fail(&err, MU_EABSENT, "source %s: not configured", asked.source);
		ipc_reply_error(from->channel, m->id, &err);
	} else {
		struct question *q = mu_alloc_zero(1, sizeof(*q));

		*q = (struct question){ .own = own, .next = own->questions, .peer = from,
			.id = m->id, .source = source->name };
		own->questions = q;
		login_ask(p->loop, source, asked.dn, &asked.password, login_answered, q);
	}
	msg_login_clear(&asked);
}

/* What the end before it had asked is answered to nobody. */
static void
login_peer_up(struct process *p, struct process_peer *peer)
{
	struct login_process *own = p->own;

	for (struct question *q = own->questions; q != NULL; q = q->next)
		if (q->peer == peer)
			q->peer = NULL;
}

static enum mu_rc
login_open(struct process *p, struct mu_err *err)
{
	struct login_process *own = mu_alloc_zero(1, sizeof(*own));
	size_t count = p->settings->source_count;

	p->own = own;
	own->sources = mu_alloc_zero(count + 1, sizeof(*own->sources));
	for (size_t i = 0; i < count; i++) {
		directory_source_init(&own->sources[i], &p->settings->sources[i], NULL);
		if (login_prepare(&own->sources[i], err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

const struct process_row process_login = {
	.kind = PROCESS_LOGIN,
	.open = login_open,
	.request = login_request,
	.peer_up = login_peer_up,
};
