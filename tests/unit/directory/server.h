/*
 * tests/unit/directory/server.h - an LDAP server in this process, whose searches a test answers
 */
#ifndef TESTS_DIRECTORY_SERVER_H
#define TESTS_DIRECTORY_SERVER_H

#include "model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lber.h>
#include <ldap.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
	struct mu_loop *loop;
	/* Answers a search; ber stands in front of its base, raw is the whole message. */
	void (*search)(struct server *s, int msgid, BerElement *ber, const struct mu_buf *raw);
	const void *play;		/* the test's; NULL: its beginning */
	int listen_fd, fd;
	uint16_t port;
	struct mu_watch *listen_watch, *watch;
	struct mu_timer *trickle;
	struct mu_buf in, out;
	size_t binds, extended, searches, probes, connections;
	int starttls_code, bind_code;
	bool trickle_on;		/* a byte at a time */
};

static inline void
out_flush(void *ctx)
{
	struct server *s = ctx;
	while (s->out.size_bytes > 0 && s->fd >= 0) {
		ssize_t n = send(s->fd, s->out.data, s->trickle_on ? 1 : s->out.size_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			mu_timer_set(s->trickle, 1);
		if (n <= 0)
			return;
		mu_buf_drop_front(&s->out, (size_t)n);
		if (s->trickle_on) {
			mu_timer_set(s->trickle, 0);
			return;
		}
	}
}

static inline void
message_send(struct server *s, BerElement *ber)
{
	struct berval bytes;

	assert_int_equal(0, ber_flatten2(ber, &bytes, 0));
	mu_buf_add(&s->out, bytes.bv_val, bytes.bv_len);
	ber_free(ber, 1);
}

static inline void
result_send(struct server *s, int msgid, ber_tag_t tag, int code, const char *control_oid,
    const struct mu_buf *control)
{
	BerElement *ber = ber_alloc_t(LBER_USE_DER);

	assert_true(ber_printf(ber, "{it{ess}", msgid, tag, code, "", "as the test wants") >= 0);
	if (control_oid != NULL)
		assert_true(ber_printf(ber, "t{{so}}", (ber_tag_t)0xa0, control_oid, control->data,
		    (ber_len_t)control->size_bytes) >= 0);
	assert_true(ber_printf(ber, "}") >= 0);
	message_send(s, ber);
}

static inline void
connection_drop(struct server *s)
{
	mu_watch_remove(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	mu_buf_reset(&s->in);
	mu_buf_reset(&s->out);
}

static inline void
message_answer(struct server *s, const struct mu_buf *raw)
{
	struct berval bytes = { raw->size_bytes, raw->data };
	BerElement *ber = ber_init(&bytes);
	ber_len_t length;
	ber_int_t msgid;
	ber_tag_t tag;

	assert_true(ber_scanf(ber, "{i", &msgid) != LBER_ERROR);
	tag = ber_peek_tag(ber, &length);
	if (tag == LDAP_REQ_BIND) {
		s->binds++;
		result_send(s, msgid, LDAP_RES_BIND, s->bind_code, NULL, NULL);
	} else if (tag == LDAP_REQ_EXTENDED) {
		s->extended++;
		result_send(s, msgid, LDAP_RES_EXTENDED, s->starttls_code, NULL, NULL);
	} else if (tag == LDAP_REQ_SEARCH) {
		s->search(s, msgid, ber, raw);
	}
	ber_free(ber, 1);
}

/* How long the message at the front is, 0 while it is not whole. */
static inline size_t
message_size(const struct mu_buf *in)
{
	const unsigned char *at = (const unsigned char *)in->data;
	size_t head = 2, length;

	if (in->size_bytes < 6)
		return 0;
	length = at[1];
	if (length >= 0x80) {
		head += length & 0x7f;
		length = 0;
		for (size_t i = 2; i < head; i++)
			length = length << 8 | at[i];
	}
	return in->size_bytes < head + length ? 0 : head + length;
}

static inline void
server_readable(void *ctx, uint32_t epoll_events)
{
	struct server *s = ctx;
	char bytes[4096];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);
	size_t size;

	(void)epoll_events;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			connection_drop(s);
		return;
	}
	mu_buf_add(&s->in, bytes, (size_t)n);
	while ((size = message_size(&s->in)) > 0) {
		MU_AUTO(mu_buf_clear) struct mu_buf raw = MU_BUF_INIT;

		mu_buf_add(&raw, s->in.data, size);
		mu_buf_drop_front(&s->in, size);
		message_answer(s, &raw);
	}
	out_flush(s);
}

static inline void
server_accept(void *ctx, uint32_t epoll_events)
{
	struct server *s = ctx;

	(void)epoll_events;
	connection_drop(s);
	s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(s->fd >= 0);
	s->connections++;
	s->watch = mu_loop_watch(s->loop, s->fd, EPOLLIN, server_readable, s);
}

static inline void
server_open(struct server *s, struct mu_loop *loop,
    void (*search)(struct server *, int, BerElement *, const struct mu_buf *))
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	*s = (struct server){ .loop = loop, .search = search, .fd = -1, .starttls_code = LDAP_PROTOCOL_ERROR };
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(0, bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(0, listen(s->listen_fd, 8));
	assert_int_equal(0, getsockname(s->listen_fd, (struct sockaddr *)&address, &length));
	s->port = ntohs(address.sin_port);
	s->listen_watch = mu_loop_watch(loop, s->listen_fd, EPOLLIN, server_accept, s);
	s->trickle = mu_loop_timer(loop, out_flush, s);
}

static inline void
server_close(struct server *s)
{
	connection_drop(s);
	mu_watch_remove(s->listen_watch);
	mu_timer_free(s->trickle);
	(void)close(s->listen_fd);
	mu_buf_clear(&s->in);
	mu_buf_clear(&s->out);
}

#endif
