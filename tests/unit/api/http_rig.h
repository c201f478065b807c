/*
 * unit/api/http_rig.h - a server under test in a process of its own, asked over a Unix socket
 */
#ifndef UNIT_API_HTTP_RIG_H
#define UNIT_API_HTTP_RIG_H

#include "base/buf.h"
#include "base/loop.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
	pid_t pid;
	int stop_fd;
	char path[64];
};

static inline void
rig_on_stop(void *ctx, uint32_t events)
{
	(void)events;
	mu_loop_stop(ctx, 0);
}

/* Starts serve(listen_fd, stop_fd, ctx) in a child; what it returns is its exit status. */
static inline void
rig_start(struct rig *r, int (*serve)(int listen_fd, int stop_fd, void *ctx), void *ctx)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fds[2], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(r->path, sizeof(r->path), "/tmp/api_test.%d.%d", (int)getpid(), fd);
	(void)strcpy(un.sun_path, r->path);
	(void)unlink(r->path);
	if (fd < 0 || pipe(fds) != 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(fd, 64) != 0)
		abort();
	r->pid = fork();
	if (r->pid < 0)
		abort();
	if (r->pid == 0) {
		(void)close(fds[1]);
		exit(serve(fd, fds[0], ctx));
	}
	(void)close(fd);
	(void)close(fds[0]);
	r->stop_fd = fds[1];
}

/* The child's status: 0 when it ended well. */
static inline int
rig_stop(struct rig *r)
{
	int status = -1;

	(void)!write(r->stop_fd, "", 1);
	(void)close(r->stop_fd);
	(void)waitpid(r->pid, &status, 0);
	(void)unlink(r->path);
	return status;
}

static inline int
rig_connect(const struct rig *r)
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
rig_ask(const struct rig *r, const char *request, size_t request_bytes, struct mu_buf *answer)
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
rig_get(const struct rig *r, const char *path, struct mu_buf *answer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf q = MU_BUF_INIT;

	mu_buf_format(&q, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	return rig_ask(r, q.data, q.size_bytes, answer);
}

static inline int
rig_post(const struct rig *r, const char *path, const char *type, const char *body,
    struct mu_buf *answer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf q = MU_BUF_INIT;

	mu_buf_format(&q, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n\r\n%s", path, type, strlen(body), body);
	return rig_ask(r, q.data, q.size_bytes, answer);
}

#endif
