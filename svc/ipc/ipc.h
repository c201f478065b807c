/*
 * ipc/ipc.h - typed messages between muster's processes
 *
 * A channel is one end of a SOCK_SEQPACKET socketpair(2). A message is a fixed header (op, id,
 * payload size), at most IPC_MESSAGE_MAX_BYTES in all, and at most one descriptor (SCM_RIGHTS).
 * Payloads are read and written by the codec below and nothing else; ipc/message.h has a struct
 * and its two functions for each operation. What a peer may send is an allow-list given when the
 * channel is opened: anything else, a bad header or a bad payload ends the channel, not us.
 *
 * A reply carries the id of its request and IPC_REPLY in op; a refusal is IPC_ERROR with rc,
 * retry_after_ms and text, and arrives as struct mu_err. A notice has id 0 and no answer. An answer
 * that nobody waits for is dropped; ids start at random, so it fits no other channel's question.
 *
 * A channel that is NULL is a peer that is away: calls are answered MU_ERETRY at once, the rest is
 * dropped. What travelled is wiped when it has been handled.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define IPC_MESSAGE_MAX_BYTES	65536
#define IPC_REPLY		0x8000u
#define IPC_ERROR		0x7fffu

/* --- The codec: writers append to a mu_buf; a reader remembers its first fault ------------ */

struct ipc_reader {
	const unsigned char *at, *end;
	bool bad;	/* set by the first malformed field; all later gets give zero values */
};

void ipc_put_u8(struct mu_buf *b, uint8_t v);
void ipc_put_u32(struct mu_buf *b, uint32_t v);			/* little-endian */
void ipc_put_i64(struct mu_buf *b, int64_t v);
void ipc_put_bytes(struct mu_buf *b, const void *bytes, size_t bytes_count);	/* u32 size first */
void ipc_put_text(struct mu_buf *b, const char *text);		/* as bytes; NULL is "" */

uint8_t ipc_get_u8(struct ipc_reader *r);
uint32_t ipc_get_u32(struct ipc_reader *r);
int64_t ipc_get_i64(struct ipc_reader *r);
bool ipc_get_flag(struct ipc_reader *r);			/* 0 or 1, else bad */
const unsigned char *ipc_get_bytes(struct ipc_reader *r, size_t *out_bytes_count); /* borrowed */
char *ipc_get_text(struct ipc_reader *r);	/* fresh, never NULL; UTF-8 without NUL, else bad */
void ipc_get_exact(struct ipc_reader *r, void *out_bytes, size_t bytes_count);	/* of that size */
bool ipc_get_end(struct ipc_reader *r);		/* true if all was read and nothing was bad */

/* --- Channels ----------------------------------------------------------------------------- */

struct ipc_channel;

/* What arrived. fd is -1 or a descriptor: a handler that keeps it leaves -1 there. */
struct ipc_message {
	uint16_t op;		/* without IPC_REPLY */
	uint32_t id;
	struct ipc_reader body;
	int fd;
};

/* A request or notice of the peer. Answer with ipc_reply or ipc_reply_error, now or later. */
typedef void ipc_request_fn(void *ctx, struct ipc_channel *ch, struct ipc_message *m);
/* The answer to one call: m is NULL and err says why if it was refused or the channel ended. */
typedef void ipc_answer_fn(void *ctx, struct ipc_message *m, const struct mu_err *err);
/*
 * The channel ended: peer gone or malformed. Its calls have been answered MU_ERETRY. The owner
 * calls ipc_close and waits for a new end. Comes from the loop, never from within a call of ours.
 */
typedef void ipc_end_fn(void *ctx, struct ipc_channel *ch);

/*
 * Opens a channel over fd (owned from here on), non-blocking, in loop.
 *
 * name     for the log: "token/1"; copied
 * allowed  operations that the peer may send as requests, ended by 0; borrowed for ever
 */
struct ipc_channel *ipc_open(struct mu_loop *loop, int fd, const char *name,
    const uint16_t *allowed, ipc_request_fn *on_request, ipc_end_fn *on_end, void *ctx);
void ipc_close(struct ipc_channel *ch);	/* NULL is fine; pending calls are answered MU_ERETRY */

/* For handlers: the payload is not what its operation says. Logs it and ends the channel. */
void ipc_refuse(struct ipc_channel *ch, uint16_t op);

/*
 * Sends a request whose answer is awaited. Never blocks: what the socket does not take is queued
 * (at most 8 MiB, then the channel ends). fd is -1 or a descriptor, closed after sending. body may
 * be NULL: empty. A body that is too large is answered MU_EINPUT at once, and a reply that is too
 * large becomes MU_EBROKEN. A reply to id 0 is dropped: nobody waits.
 */
void ipc_call(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body, int fd,
    ipc_answer_fn *on_answer, void *ctx);
void ipc_notify(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body, int fd);
void ipc_reply(struct ipc_channel *ch, uint16_t op, uint32_t id, const struct mu_buf *body, int fd);
void ipc_reply_error(struct ipc_channel *ch, uint32_t id, const struct mu_err *err);

/*
 * The same and waits for the answer: for loops that may block. Other messages of this channel that
 * arrive meanwhile are handled after the wait, from the loop. out_body owns the payload.
 * MU_ERETRY  the channel ended or wait_ms passed; MU_E... as refused by the peer
 */
MU_CHECKED enum mu_rc ipc_ask(struct ipc_channel *ch, uint16_t op, const struct mu_buf *body,
    int64_t wait_ms, struct mu_buf *out_body, struct mu_err *err);
void ipc_reader_init(struct ipc_reader *r, const struct mu_buf *body);

bool ipc_is_open(const struct ipc_channel *ch);	/* false for NULL */
/* What was sent and has not been taken by the socket: closing now would drop it. 0 for NULL. */
size_t ipc_waiting_bytes(const struct ipc_channel *ch);

#endif
