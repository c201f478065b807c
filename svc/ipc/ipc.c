#include "ipc/ipc.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES		12u	/* op u16, zero u16, id u32, payload size u32 */
#define QUEUE_MAX_BYTES		(8u << 20)
#define MESSAGES_A_TURN		64	/* then the other descriptors have their turn */
#define ERROR_TEXT_MAX_BYTES	(MU_ERR_TEXT_BYTES - 1)

/* --- The codec ------------------------------------------------------------------------------- */

void
ipc_put_u8(struct mu_buf *b, uint8_t v)
{
	mu_buf_add(b, &v, 1);
}

void
ipc_put_u32(struct mu_buf *b, uint32_t v)
{
	unsigned char bytes[4];

	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	mu_buf_add(b, bytes, sizeof(bytes));
}

void
ipc_put_i64(struct mu_buf *b, int64_t v)
{
	ipc_put_u32(b, (uint32_t)(uint64_t)v);
	ipc_put_u32(b, (uint32_t)((uint64_t)v >> 32));
}

void
ipc_put_bytes(struct mu_buf *b, const void *bytes, size_t bytes_count)
{
	mu_buf_reserve(b, 4 + bytes_count);
	ipc_put_u32(b, (uint32_t)bytes_count);
	mu_buf_add(b, bytes, bytes_count);
}

void
ipc_put_text(struct mu_buf *b, const char *text)
{
	ipc_put_bytes(b, text, text == NULL ? 0 : strlen(text));
}

/* The next bytes_count bytes, NULL (and bad) when there are fewer. */
static const unsigned char *
take(struct ipc_reader *r, size_t bytes_count)
{
	const unsigned char *at = r->at;

	if (r->bad || bytes_count > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	r->at += bytes_count;
	return at;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	const unsigned char *at = take(r, 1);

	return at == NULL ? 0 : at[0];
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	const unsigned char *at = take(r, 4);

	if (at == NULL)
		return 0;
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

int64_t
ipc_get_i64(struct ipc_reader *r)
{
	uint64_t low = ipc_get_u32(r), high = ipc_get_u32(r);

	return r->bad ? 0 : (int64_t)(high << 32 | low);
}

bool
ipc_get_flag(struct ipc_reader *r)
{
	uint8_t v = ipc_get_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

const unsigned char *
ipc_get_bytes(struct ipc_reader *r, size_t *out_bytes_count)
{
	uint32_t count = ipc_get_u32(r);
	const unsigned char *at = take(r, count);

	*out_bytes_count = at == NULL ? 0 : count;
	return at == NULL ? (const unsigned char *)"" : at;
}

char *
ipc_get_text(struct ipc_reader *r)
{
	size_t count;
	const char *bytes = (const char *)ipc_get_bytes(r, &count);

	if (!mu_utf8_valid(bytes, count)) {
		r->bad = true;
		count = 0;
	}
	return mu_strndup(bytes, count);
}

void
ipc_get_exact(struct ipc_reader *r, void *out_bytes, size_t bytes_count)
{
	size_t count;
	const unsigned char *bytes = ipc_get_bytes(r, &count);

	if (count != bytes_count)
		r->bad = true;
	if (r->bad)
		(void)memset(out_bytes, 0, bytes_count);
	else
		(void)memcpy(out_bytes, bytes, bytes_count);
}

bool
ipc_get_end(struct ipc_reader *r)
{
	if (r->at != r->end)
		r->bad = true;
	return !r->bad;
}

void
ipc_reader_init(struct ipc_reader *r, const struct mu_buf *body)
{
	const char *bytes = mu_buf_text(body);

	*r = (struct ipc_reader){
		.at = (const unsigned char *)bytes,
		.end = (const unsigned char *)bytes + body->size_bytes,
	};
}

/* --- Channels -------------------------------------------------------------------------------- */

/* A message on its way out, or one that came in during ipc_ask and waits for its handler. */
struct parcel {
	struct parcel *next;
	uint16_t op;		/* in: as on the wire */
	uint32_t id;
	struct mu_buf bytes;	/* out: header and payload; in: payload */
	int fd;
};

struct parcels {
	struct parcel *first, **last;
	size_t size_bytes;
};

struct pending {
	struct pending *next;
	uint32_t id;
	uint16_t op;
	ipc_answer_fn *on_answer;
	void *ctx;
};

struct ipc_channel {
	struct mu_loop *loop;
	struct mu_watch *watch;		/* NULL once ended */
	struct mu_timer *later;		/* the end, or the inbox, is handled from the loop */
	char *name;
	const uint16_t *allowed;
	ipc_request_fn *on_request;
	ipc_end_fn *on_end;
	void *ctx;
	struct parcels outbox, inbox;
	struct pending *pending, **pending_last;
	uint32_t next_id;
	int fd;				/* -1 once ended */
	unsigned busy;			/* handlers running: free later */
	bool mute;			/* the peer reads no more, but its last words may wait */
	bool end_told, closed;
};

static void
parcels_init(struct parcels *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->size_bytes = 0;
}

static void
parcels_add(struct parcels *q, struct parcel *p)
{
	p->next = NULL;
	*q->last = p;
	q->last = &p->next;
	q->size_bytes += p->bytes.size_bytes + sizeof(*p);
}

static struct parcel *
parcels_take(struct parcels *q)
{
	struct parcel *p = q->first;

	if (p == NULL)
		return NULL;
	q->first = p->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->size_bytes -= p->bytes.size_bytes + sizeof(*p);
	return p;
}

static void
parcel_free(struct parcel *p)
{
	if (p == NULL)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	mu_buf_wipe(&p->bytes);
	mu_free(p);
}

static void
parcel_freep(struct parcel **p)
{
	parcel_free(*p);
	*p = NULL;
}

static void
parcels_clear(struct parcels *q)
{
	struct parcel *p;

	while ((p = parcels_take(q)) != NULL)
		parcel_free(p);
}

static void
pending_add(struct ipc_channel *ch, uint32_t id, uint16_t op, ipc_answer_fn *on_answer, void *ctx)
{
	struct pending *p = mu_alloc_zero(1, sizeof(*p));

	p->id = id;
	p->op = op;
	p->on_answer = on_answer;
	p->ctx = ctx;
	*ch->pending_last = p;
	ch->pending_last = &p->next;
}

/* Takes the call out of the list; NULL when nobody waits for that id. */
static struct pending *
pending_take(struct ipc_channel *ch, uint32_t id)
{
	struct pending **at = &ch->pending;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	struct pending *p = *at;
	if (p == NULL)
		return NULL;
	*at = p->next;
	if (p->next == NULL)
		ch->pending_last = at;
	return p;
}

/* Answers all that wait: the peer will not. */
static void
pending_fail(struct ipc_channel *ch)
{
	struct mu_err err = MU_ERR_INIT;
	struct pending *next = ch->pending;

	/* A handler that asks again at once waits for the loop's next turn. */
	ch->pending = NULL;
	ch->pending_last = &ch->pending;
	(void)mu_fail(&err, MU_ERETRY, "%s is away", ch->name);
	while (next != NULL) {
		struct pending *p = next;

		next = p->next;
		if (p->on_answer != NULL)
			p->on_answer(p->ctx, NULL, &err);
		mu_free(p);
	}
}

/* Frees a closed channel once no handler of its runs any more. */
static void
leave(struct ipc_channel *ch)
{
	ch->busy--;
	if (ch->busy > 0 || !ch->closed)
		return;
	mu_timer_free(ch->later);
	parcels_clear(&ch->outbox);
	parcels_clear(&ch->inbox);
	mu_free(ch->name);
	mu_free(ch);
}

/* Lets go of the socket; the owner is told from the loop. */
static void
end(struct ipc_channel *ch)
{
	if (ch->fd < 0)
		return;
	mu_watch_remove(ch->watch);
	ch->watch = NULL;
	(void)close(ch->fd);
	ch->fd = -1;
	parcels_clear(&ch->outbox);
	if (!ch->closed)
		mu_timer_set(ch->later, 0);
}

static void
end_bad(struct ipc_channel *ch, const char *fault)
{
	if (ch->fd < 0)
		return;
	mu_log("ipc.refused", "peer", ch->name, "fault", fault, NULL);
	end(ch);
}

/* Closes every descriptor that came along; returns the one, -1 for none, -2 for several. */
static int
descriptor_take(struct msghdr *msg)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int one;

			(void)memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (fd == -1) {
				fd = one;
				continue;
			}
			(void)close(one);
			if (fd >= 0)
				(void)close(fd);
			fd = -2;
		}
	}
	return fd;
}

/*
 * Takes one message off the socket. NULL when there is none now or the channel has ended.
 */
static struct parcel *
receive(struct ipc_channel *ch)
{
	static unsigned char bytes[IPC_MESSAGE_MAX_BYTES];
	union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
	    .msg_controllen = sizeof(control.room) };
	struct ipc_reader head = { .at = bytes, .end = bytes + HEADER_BYTES };
	MU_AUTO(parcel_freep) struct parcel *p = NULL;
	uint32_t op, payload_bytes;
	ssize_t got;

	/* ECONNRESET comes once, before the peer's last words: it left ours unread. */
	do {
		got = recvmsg(ch->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return NULL;
	if (got <= 0) {
		end(ch);
		return NULL;
	}
	p = mu_alloc_zero(1, sizeof(*p));
	p->fd = descriptor_take(&msg);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || p->fd == -2 ||
	    (size_t)got < HEADER_BYTES) {
		end_bad(ch, "message does not fit the format");
		return NULL;
	}
	op = ipc_get_u32(&head);
	p->id = ipc_get_u32(&head);
	payload_bytes = ipc_get_u32(&head);
	if (op > UINT16_MAX || payload_bytes != (size_t)got - HEADER_BYTES) {
		end_bad(ch, "message header does not fit the message");
		return NULL;
	}
	p->op = (uint16_t)op;
	mu_buf_add(&p->bytes, bytes + HEADER_BYTES, payload_bytes);
	explicit_bzero(bytes, (size_t)got);
	return MU_TAKE(p);
}

static bool
is_allowed(const struct ipc_channel *ch, uint16_t op)
{
	for (const uint16_t *at = ch->allowed; *at != 0; at++)
		if (*at == op)
			return true;
	return false;
}

/* Reads a refusal: rc, retry_after_ms, text. */
static bool
error_decode(struct ipc_reader *r, struct mu_err *out_err)
{
	uint8_t rc = ipc_get_u8(r);
	int64_t retry_after_ms = ipc_get_i64(r);
	MU_AUTO(mu_freep) char *text = ipc_get_text(r);

	if (!ipc_get_end(r) || rc == MU_OK || rc > MU_EBROKEN ||
	    strlen(text) > ERROR_TEXT_MAX_BYTES)
		return false;
	(void)mu_fail(out_err, (enum mu_rc)rc, "%s", text);
	out_err->retry_after_ms = retry_after_ms;
	return true;
}

/* Hands an answer to the one who waits for it. */
static void
answer(struct ipc_channel *ch, struct parcel *p, struct ipc_message *m)
{
	struct mu_err err = MU_ERR_INIT;
	struct pending *call = p->id == 0 ? NULL : pending_take(ch, p->id);

	if (call == NULL)
		return; /* nobody waits any more, or it was meant for an end before this one */
	if (m->op == IPC_ERROR ? !error_decode(&m->body, &err) : m->op != call->op) {
		end_bad(ch, "answer does not fit the question");
		(void)mu_fail(&err, MU_ERETRY, "%s answered nonsense", ch->name);
	}
	if (call->on_answer != NULL && err.rc == MU_OK) {
		p->fd = -1;
		call->on_answer(call->ctx, m, &err);
		if (m->fd >= 0)
			(void)close(m->fd);
	} else if (call->on_answer != NULL) {
		call->on_answer(call->ctx, NULL, &err);
	}
	mu_free(call);
}

/* Runs the handler of one message; the channel may be closed after. */
static void
dispatch(struct ipc_channel *ch, struct parcel *p)
{
	struct ipc_message m = {
		.op = p->op & (uint16_t)~IPC_REPLY, .id = p->id, .fd = p->fd,
	};

	ipc_reader_init(&m.body, &p->bytes);
	if ((p->op & IPC_REPLY) != 0) {
		answer(ch, p, &m);
	} else if (!is_allowed(ch, p->op)) {
		MU_AUTO(mu_buf_clear) struct mu_buf fault = MU_BUF_INIT;

		mu_buf_format(&fault, "operation %u is not allowed", p->op);
		end_bad(ch, fault.data);
	} else {
		p->fd = -1;
		ch->on_request(ch->ctx, ch, &m);
	}
}

/* Handles what has arrived: first what came during an ipc_ask, then what the socket holds. */
static void
arrivals_handle(struct ipc_channel *ch)
{
	for (int i = 0; i < MESSAGES_A_TURN && !ch->closed; i++) {
		MU_AUTO(parcel_freep) struct parcel *p = parcels_take(&ch->inbox);

		if (p == NULL && ch->fd >= 0)
			p = receive(ch);
		if (p == NULL)
			return;
		dispatch(ch, p);
	}
	if (!ch->closed && ch->inbox.first != NULL)
		mu_timer_set(ch->later, 0);
}

/*
 * Sends one message. false when the socket is full. When the peer is gone, reading finds that out
 * behind its last words; any other fault ends the channel.
 */
static bool
transmit(struct ipc_channel *ch, const struct parcel *p)
{
	union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
	struct iovec iov = { .iov_base = p->bytes.data, .iov_len = p->bytes.size_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (p->fd >= 0) {
		struct cmsghdr *c;

		(void)memset(&control, 0, sizeof(control));
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		(void)memcpy(CMSG_DATA(c), &p->fd, sizeof(int));
	}
	if (ch->mute)
		return true;
	do {
		sent = sendmsg(ch->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		ch->mute = true;
	else if (sent < 0)
		end_bad(ch, strerror(errno));
	return true;
}

static void
outbox_flush(struct ipc_channel *ch)
{
	while (ch->fd >= 0 && ch->outbox.first != NULL && transmit(ch, ch->outbox.first))
		parcel_free(parcels_take(&ch->outbox));
	if (ch->fd >= 0)
		mu_watch_change(ch->watch, ch->outbox.first == NULL ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void
ready(void *ctx, uint32_t events)
{
	struct ipc_channel *ch = ctx;

	ch->busy++;
	if ((events & EPOLLOUT) != 0)
		outbox_flush(ch);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		arrivals_handle(ch);
	leave(ch);
}

/* From the loop: what waits in the inbox, and after it the end. */
static void
later(void *ctx)
{
	struct ipc_channel *ch = ctx;

	ch->busy++;
	arrivals_handle(ch);
	if (!ch->closed && ch->fd < 0 && ch->inbox.first == NULL) {
		pending_fail(ch);
		if (!ch->closed && !ch->end_told) {
			ch->end_told = true;
			ch->on_end(ch->ctx, ch);
		}
	}
	leave(ch);
}

/* Queues a message and sends what the socket takes. Owns fd. */
static void
post(struct ipc_channel *ch, uint16_t op, uint32_t id, const struct mu_buf *body, int fd)
{
	MU_AUTO(parcel_freep) struct parcel *p = mu_alloc_zero(1, sizeof(*p));
	size_t body_bytes = body == NULL ? 0 : body->size_bytes;

	p->fd = fd;
	if (ch->fd < 0)
		return;
	mu_buf_reserve(&p->bytes, HEADER_BYTES + body_bytes);
	ipc_put_u32(&p->bytes, op);
	ipc_put_u32(&p->bytes, id);
	ipc_put_u32(&p->bytes, (uint32_t)body_bytes);
	if (body_bytes > 0)
		mu_buf_add(&p->bytes, body->data, body_bytes);
	if (ch->outbox.first == NULL && transmit(ch, p))
		return;
	if (ch->outbox.size_bytes + p->bytes.size_bytes > QUEUE_MAX_BYTES) {
		end_bad(ch, "does not take its messages");
		return;
	}
	parcels_add(&ch->outbox, MU_TAKE(p));
	mu_watch_change(ch->watch, EPOLLIN | EPOLLOUT);
}

static bool
fits(const struct mu_buf *body)
{
	return body == NULL || body->size_bytes <= IPC_MESSAGE_MAX_BYTES - HEADER_BYTES;
}

static enum mu_rc
too_large(struct mu_err *err, enum mu_rc rc, const struct mu_buf *body)
{
	return mu_fail(err, rc, "message of %zu bytes: at most %u", body->size_bytes,
	    IPC_MESSAGE_MAX_BYTES - HEADER_BYTES);
}

static uint32_t
id_next(struct ipc_channel *ch)
{
	ch->next_id++;
	if (ch->next_id == 0)
		ch->next_id = 1;
	return ch->next_id;
}

struct ipc_channel *
ipc_open(struct mu_loop *loop, int fd, const char *name, const uint16_t *allowed,
    ipc_request_fn *on_request, ipc_end_fn *on_end, void *ctx)
{
	struct ipc_channel *ch = mu_alloc_zero(1, sizeof(*ch));

	ch->loop = loop;
	ch->fd = fd;
	ch->name = mu_strdup(name);
	ch->allowed = allowed;
	ch->on_request = on_request;
	ch->on_end = on_end;
	ch->ctx = ctx;
	ch->pending_last = &ch->pending;
	/* An answer that was meant for the end before this one must not fit a question of ours. */
	mu_random(&ch->next_id, sizeof(ch->next_id));
	parcels_init(&ch->outbox);
	parcels_init(&ch->inbox);
	ch->later = mu_loop_timer(loop, later, ch);
	ch->watch = mu_loop_watch(loop, fd, EPOLLIN, ready, ch);
	return ch;
}

void
ipc_close(struct ipc_channel *ch)
{
	if (ch == NULL || ch->closed)
		return;
	ch->closed = true;
	ch->busy++;
	mu_timer_stop(ch->later);
	end(ch);
	pending_fail(ch);
	leave(ch);
}

void
ipc_refuse(struct ipc_channel *ch, uint16_t op)
{
	MU_AUTO(mu_buf_clear) struct mu_buf fault = MU_BUF_INIT;

	if (ch == NULL)
		return;
	mu_buf_format(&fault, "payload does not fit operation %u", op);
	end_bad(ch, fault.data);
}

void
ipc_call(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body, int fd,
    ipc_answer_fn *on_answer, void *ctx)
{
	struct mu_err err = MU_ERR_INIT;
	uint32_t id;

	if (ch == NULL || ch->closed || !fits(body)) {
		if (fits(body))
			(void)mu_fail(&err, MU_ERETRY, "the peer is away");
		else
			(void)too_large(&err, MU_EINPUT, body);
		if (fd >= 0)
			(void)close(fd);
		if (on_answer != NULL)
			on_answer(ctx, NULL, &err);
		return;
	}
	id = id_next(ch);
	pending_add(ch, id, op, on_answer, ctx);
	post(ch, op, id, body, fd);
	if (ch->fd < 0)
		mu_timer_set(ch->later, 0);
}

void
ipc_notify(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body, int fd)
{
	struct mu_err err = MU_ERR_INIT;

	if (ch != NULL && fits(body)) {
		post(ch, op, 0, body, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (ch != NULL) {
		(void)too_large(&err, MU_EBROKEN, body);
		mu_log_err(&err, "ipc.notice", "peer", ch->name, NULL);
	}
}

void
ipc_reply(struct ipc_channel *ch, uint16_t op, uint32_t id, const struct mu_buf *body, int fd)
{
	struct mu_err err = MU_ERR_INIT;

	if (ch != NULL && id != 0 && fits(body)) {
		post(ch, op | IPC_REPLY, id, body, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (ch != NULL && id != 0) {
		(void)too_large(&err, MU_EBROKEN, body);
		ipc_reply_error(ch, id, &err);
	}
}

void
ipc_reply_error(struct ipc_channel *ch, uint32_t id, const struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	const char *text =
	    mu_utf8_valid(err->text, strlen(err->text)) ? err->text : "unreadable error";

	if (ch == NULL || id == 0)
		return;
	ipc_put_u8(&body, (uint8_t)(err->rc == MU_OK ? MU_EBROKEN : err->rc));
	ipc_put_i64(&body, err->retry_after_ms);
	ipc_put_text(&body, text);
	post(ch, IPC_ERROR | IPC_REPLY, id, &body, -1);
}

/* What ipc_ask waits for. */
struct asked {
	struct mu_buf *out_body;
	struct mu_err *err;
	bool answered;
};

static void
asked_answer(void *ctx, struct ipc_message *m, const struct mu_err *err)
{
	struct asked *a = ctx;

	a->answered = true;
	if (m == NULL) {
		*a->err = *err;
		return;
	}
	if (m->fd >= 0)
		(void)close(m->fd);
	mu_buf_add(a->out_body, m->body.at, (size_t)(m->body.end - m->body.at));
}

/* Sleeps until the socket is ready or the time is over; sends and takes what it can. */
static void
ask_turn(struct ipc_channel *ch, uint32_t id, int64_t left_ms)
{
	struct pollfd pfd = { .fd = ch->fd, .events = POLLIN };
	struct parcel *p;

	if (ch->outbox.first != NULL)
		pfd.events |= POLLOUT;
	if (poll(&pfd, 1, left_ms > 60000 ? 60000 : (int)left_ms) <= 0)
		return;
	outbox_flush(ch);
	while (ch->fd >= 0 && (p = receive(ch)) != NULL) {
		bool ours = p->id == id && (p->op & IPC_REPLY) != 0;

		if (!ours) {
			parcels_add(&ch->inbox, p);
			if (ch->inbox.size_bytes > QUEUE_MAX_BYTES)
				end_bad(ch, "sends more than can be kept");
			continue;
		}
		dispatch(ch, p);
		parcel_free(p);
		return;
	}
}

enum mu_rc
ipc_ask(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body, int64_t wait_ms,
    struct mu_buf *out_body, struct mu_err *err)
{
	struct asked a = { .out_body = out_body, .err = err };
	int64_t until_ms = mu_tick_ms() + wait_ms, left_ms;
	uint32_t id;

	if (!ipc_is_open(ch))
		return mu_fail(err, MU_ERETRY, "%s is away", ch == NULL ? "the peer" : ch->name);
	if (!fits(body))
		return too_large(err, MU_EINPUT, body);
	err->rc = MU_OK;
	ch->busy++;
	id = id_next(ch);
	pending_add(ch, id, op, asked_answer, &a);
	post(ch, op, id, body, -1);
	while (!a.answered && ch->fd >= 0 && (left_ms = until_ms - mu_tick_ms()) > 0)
		ask_turn(ch, id, left_ms);
	if (!a.answered && ch->fd < 0) {
		mu_free(pending_take(ch, id));
		(void)mu_fail(err, MU_ERETRY, "%s is away", ch->name);
	} else if (!a.answered) {
		mu_free(pending_take(ch, id));
		(void)mu_fail(err, MU_ERETRY, "%s did not answer within %lld ms", ch->name,
		    (long long)wait_ms);
	}
	if (!ch->closed && (ch->inbox.first != NULL || ch->fd < 0))
		mu_timer_set(ch->later, 0);
	leave(ch);
	return err->rc;
}

size_t
ipc_waiting_bytes(const struct ipc_channel *ch)
{
	return ch == NULL || ch->closed ? 0 : ch->outbox.size_bytes;
}

bool
ipc_is_open(const struct ipc_channel *ch)
{
	return ch != NULL && ch->fd >= 0;
}
