/*
 * tests/unit/directory/cutter.h - a way to a server that is cut after so many bytes of its answers
 *
 * Each connection gets further than the one before it, until one is not cut any more. Every second
 * ends by a reset, the others in peace. A second connection beside one that is open is counted: there
 * is to be none.
 */
#ifndef TESTS_DIRECTORY_CUTTER_H
#define TESTS_DIRECTORY_CUTTER_H

#include "slapd.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>

struct cutter_told {
	size_t connections;		/* so far; each cut one was told less than was to come */
	size_t beside;			/* that came while one was open */
	size_t bytes;			/* that the last one let through */
	size_t step;			/* so much further each gets */
};

struct cutter {
	char uri[64];
	pid_t pid;
	struct cutter_told *told;	/* shared */
};

static inline int
cutter_to(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

/* Passes on what is there, at most max bytes; how many, 0: it has ended. */
static inline size_t
cutter_pass(int from, int to, size_t max)
{
	char bytes[4096];
	ssize_t got = read(from, bytes, max < sizeof(bytes) ? max : sizeof(bytes));

	if (got <= 0)
		return 0;
	for (ssize_t at = 0; at < got;) {
		ssize_t put = write(to, bytes + at, (size_t)(got - at));

		if (put <= 0)
			return 0;
		at += put;
	}
	return (size_t)got;
}

static inline void
cutter_serve(struct cutter_told *told, int listener, int client, int server)
{
	struct pollfd wait[3] = { { client, POLLIN, 0 }, { server, POLLIN, 0 }, { listener, POLLIN, 0 } };
	size_t left = told->connections * told->step;

	told->bytes = 0;
	while (left > 0 && poll(wait, 3, -1) > 0) {
		size_t got = 1;

		if (wait[0].revents != 0 && cutter_pass(client, server, SIZE_MAX) == 0)
			return;
		if (wait[1].revents != 0) {
			got = cutter_pass(server, client, left);
			left -= got;
			told->bytes += got;
		}
		if (got == 0)
			return;
		if (wait[2].revents != 0) {	/* it may be the next: is this one still there? */
			char byte;

			if (recv(client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
				told->beside++;
			return;
		}
	}
}

static inline void
cutter_run(struct cutter_told *told, int listener, uint16_t port)
{
	for (;;) {
		int client = accept(listener, NULL, NULL), server = cutter_to(port);
		struct linger hard = { 1, 0 };

		told->connections++;
		if (client >= 0 && server >= 0)
			cutter_serve(told, listener, client, server);
		if (told->connections % 2 == 0)
			(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		(void)close(client);
		(void)close(server);
	}
}

/* To the server at that address ("ldap://127.0.0.1:PORT"). */
static inline void
cutter_open(struct cutter *c, const char *uri, size_t step)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t port = (uint16_t)strtoul(strrchr(uri, ':') + 1, NULL, 10);
	socklen_t length = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	c->told = mmap(NULL, sizeof(*c->told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(c->told != MAP_FAILED);
	*c->told = (struct cutter_told){ .step = step };
	assert_int_equal(0, bind(listener, (struct sockaddr *)&at, sizeof(at)));
	assert_int_equal(0, listen(listener, 8));
	assert_int_equal(0, getsockname(listener, (struct sockaddr *)&at, &length));
	(void)snprintf(c->uri, sizeof(c->uri), "ldap://127.0.0.1:%u", ntohs(at.sin_port));
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		cutter_run(c->told, listener, port);
		_exit(0);
	}
	(void)close(listener);
}

static inline void
cutter_close(struct cutter *c)
{
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	(void)munmap(c->told, sizeof(*c->told));
}

#endif
