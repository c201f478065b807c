#include "proc/job.h"

#include "base/log.h"

#include <string.h>

#define PIECE_BYTES	32768
#define WAITING_BYTES	(1u << 20)	/* in the channel, before we wait for it to be taken */
#define LOOK_MS		2

/* The answer on its way. */
struct sending {
	struct process *process;
	struct process_peer *to;
	struct mu_timer *timer;
	struct mu_buf lines, json;
	size_t at;			/* in both, one behind the other */
	bool failed, ended;
};

/* The size of the next piece of text: no character is cut in two. */
static size_t
piece_bytes(const struct mu_buf *text, size_t at)
{
	size_t size = text->size_bytes - at;

	if (size <= PIECE_BYTES)
		return size;
	size = PIECE_BYTES;
	while (size > 1 && ((unsigned char)text->data[at + size] & 0xc0) == 0x80)
		size--;
	return size;
}

static void
piece_send(struct sending *s)
{
	bool is_json = s->at >= s->lines.size_bytes;
	const struct mu_buf *text = is_json ? &s->json : &s->lines;
	size_t at = is_json ? s->at - s->lines.size_bytes : s->at;
	size_t size = piece_bytes(text, at);
	MU_AUTO(mu_freep) char *piece = mu_strndup(text->data + at, size);
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;

	ipc_put_text(&body, piece);
	ipc_notify(s->to->channel, is_json ? OP_JOB_RESULT : OP_JOB_OUTPUT, &body, -1);
	s->at += size;
}

static void
on_send(void *ctx)
{
	struct sending *s = ctx;
	size_t all = s->lines.size_bytes + s->json.size_bytes;
	MU_AUTO(mu_buf_clear) struct mu_buf end = MU_BUF_INIT;

	while (s->at < all && ipc_waiting_bytes(s->to->channel) < WAITING_BYTES &&
	    ipc_is_open(s->to->channel))
		piece_send(s);
	if (s->at == all && !s->ended) {
		ipc_put_u8(&end, s->failed ? 1 : 0);
		ipc_notify(s->to->channel, OP_JOB_END, &end, -1);
		s->ended = true;
	}
	if (ipc_is_open(s->to->channel) &&
	    (!s->ended || ipc_waiting_bytes(s->to->channel) > 0))
		mu_timer_set(s->timer, LOOK_MS);
	else
		mu_loop_stop(s->process->loop, 0);
}

void
job_answer(struct process *p, struct process_peer *to, const struct cycle_told *told,
    const struct mu_err *err)
{
	static struct sending sending;	/* a process has one job, and what it kept ends with it */

	sending = (struct sending){ .process = p, .to = to, .failed = err->rc != MU_OK };
	mu_buf_add(&sending.lines, mu_buf_text(&told->lines), told->lines.size_bytes);
	mu_buf_add(&sending.json, mu_buf_text(&told->json), told->json.size_bytes);
	if (err->rc != MU_OK) {
		mu_buf_format(&sending.lines, "%s\n", err->text);
		mu_log_err(err, "job.failed", "job", p->instance, NULL);
	}
	sending.timer = mu_loop_timer(p->loop, on_send, &sending);
	mu_timer_set(sending.timer, 0);
}

bool
job_go_take(struct ipc_reader *body, bool *out_as_json)
{
	MU_AUTO(mu_freep) char *form = ipc_get_text(body);

	*out_as_json = strcmp(form, "json") == 0;
	return ipc_get_end(body) && (*out_as_json || strcmp(form, "text") == 0);
}
