/*
 * unit/api/http_rig.h - a server under test in a process of its own, asked over a Unix socket, or over
 * TLS with a certificate
 */
#ifndef UNIT_API_HTTP_RIG_H
#define UNIT_API_HTTP_RIG_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "http/client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct http_rig {
	pid_t pid;
	int stop_fd, port;		/* port: of TLS, 0 for none */
	char path[64];			/* of the Unix socket, "" for none */
};

static inline void
rig_on_stop(void *ctx, uint32_t events)
{
	(void)events;
	mu_loop_stop(ctx, 0);
}

static inline int
rig_unix(struct http_rig *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(r->path, sizeof(r->path), "/tmp/api_test.%d.%d", (int)getpid(), fd);
	(void)strcpy(un.sun_path, r->path);
	(void)unlink(r->path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 || listen(fd, 64) != 0)
		abort();
	return fd;
}

static inline int
rig_tcp(struct http_rig *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, size) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &size) != 0)
		abort();
	r->port = ntohs(in.sin_port);
	return fd;
}

/* Starts serve(listen_fd, stop_fd, ctx) in a child; what it returns is its exit status. */
static inline void
rig_run(struct http_rig *r, int listen_fd, int (*serve)(int listen_fd, int stop_fd, void *ctx), void *ctx)
{
	int fds[2];

	if (pipe(fds) != 0)
		abort();
	r->pid = fork();
	if (r->pid < 0)
		abort();
	if (r->pid == 0) {
		(void)close(fds[1]);
		exit(serve(listen_fd, fds[0], ctx));
	}
	(void)close(listen_fd);
	(void)close(fds[0]);
	r->stop_fd = fds[1];
}

static inline void
rig_start(struct http_rig *r, int (*serve)(int listen_fd, int stop_fd, void *ctx), void *ctx)
{
	rig_run(r, rig_unix(r), serve, ctx);
}

/* The child's status: 0 when it ended well. */
static inline int
rig_stop(struct http_rig *r)
{
	int status = -1;

	(void)!write(r->stop_fd, "", 1);
	(void)close(r->stop_fd);
	(void)waitpid(r->pid, &status, 0);
	if (r->path[0] != '\0')
		(void)unlink(r->path);
	return status;
}

static inline int
rig_connect(const struct http_rig *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)strcpy(un.sun_path, r->path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		abort();
	return fd;
}

/* Sends a request, with "Connection: close" in it, and reads to the end; returns its status. */
static inline int
rig_ask(const struct http_rig *r, const char *request, size_t request_bytes, struct mu_buf *answer)
{
	int fd = rig_connect(r), status = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char chunk[4096];
	ssize_t got = 1;

	mu_buf_reset(answer);
	if (write(fd, request, request_bytes) != (ssize_t)request_bytes)
		abort();
	while (got > 0 && poll(&p, 1, 20000) > 0) {
		got = read(fd, chunk, sizeof(chunk));
		if (got > 0)
			mu_buf_add(answer, chunk, (size_t)got);
	}
	(void)close(fd);
	if (sscanf(mu_buf_text(answer), "HTTP/1.1 %d ", &status) != 1)
		return 0;
	return status;
}

static inline int
rig_get(const struct http_rig *r, const char *path, struct mu_buf *answer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf q = MU_BUF_INIT;

	mu_buf_format(&q, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	return rig_ask(r, q.data, q.size_bytes, answer);
}

/* more: further header lines, each ended by CRLF. */
static inline int
rig_post_with(const struct http_rig *r, const char *path, const char *type, const char *more, const char *body,
    struct mu_buf *answer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf q = MU_BUF_INIT;

	mu_buf_format(&q, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n%s\r\n%s", path, type, strlen(body), more, body);
	return rig_ask(r, q.data, q.size_bytes, answer);
}

static inline int
rig_post(const struct http_rig *r, const char *path, const char *type, const char *body,
    struct mu_buf *answer)
{
	return rig_post_with(r, path, type, "", body, answer);
}

/* --- Over TLS ---------------------------------------------------------------------------------- */

/* cert_pem NULL: without a certificate. */
static inline struct http_client *
rig_client(const struct http_rig *r, const char *ca_pem, const char *cert_pem, const struct mu_secret *key_pem)
{
	char url[64];
	struct http_client_settings settings = {
		.base_url = url, .address = "127.0.0.1", .ca_pem = ca_pem, .cert_pem = cert_pem,
		.key_pem = key_pem,
	};
	struct http_client *client = NULL;
	struct mu_err err = MU_ERR_INIT;

	(void)snprintf(url, sizeof(url), "https://localhost:%d", r->port);
	if (http_client_open(&settings, &client, &err) != MU_OK)
		abort();
	return client;
}

/* body NULL: a GET, else JSON that is posted. Returns the status. */
static inline int
rig_call(struct http_client *client, const char *method, const char *path, const char *body,
    struct http_reply *reply)
{
	struct http_call call = { .method = method, .target = path,
		.content_type = body == NULL ? NULL : "application/json", .body = body,
		.body_bytes = body == NULL ? 0 : strlen(body), .deadline_ms = mu_tick_ms() + 20000 };
	struct mu_err err = MU_ERR_INIT;

	http_reply_clear(reply);
	if (http_client_call(client, &call, reply, &err) != HTTP_ANSWERED) {
		(void)fprintf(stderr, "%s %s: %s\n", method, path, err.text);
		abort();
	}
	return reply->status;
}

#endif
