/* The client against a server that answers, in raw bytes, what a platform might. */
#include "base/clock.h"
#include "http/client.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOTHING "\x01"		/* an answer that is none: the server stays silent */

static struct row {
	const char *name, *answer;
	enum http_sent sent;
	int status;
	enum mu_rc rc;
	int64_t retry_after_ms;
	const char *body, *type;
} rows[] = {
	{ "an answer is an answer, whatever its status",
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nContent-Type: Text/Plain; charset=x\r\n\r\nno",
	    HTTP_ANSWERED, 404, MU_OK, 0, "no", "text/plain" },
	{ "Retry-After in seconds is read",
	    "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n", HTTP_ANSWERED, 429, MU_OK,
	    7000, "", NULL },
	{ "Retry-After in the past is now",
	    "HTTP/1.1 503 No\r\nContent-Length: 0\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n",
	    HTTP_ANSWERED, 503, MU_OK, 0, "", NULL },
	{ "a redirect is an answer and is not followed",
	    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
	    HTTP_ANSWERED, 302, MU_OK, 0, "", NULL },
	{ "a chunked answer is put together",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
	    HTTP_ANSWERED, 200, MU_OK, 0, "abc", NULL },
	{ "half an answer is none", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", HTTP_UNANSWERED, 0,
	    MU_ERETRY, 0, NULL, NULL },
	{ "a connection closed without a word leaves it open", "", HTTP_UNANSWERED, 0, MU_ERETRY, 0, NULL,
	    NULL },
	{ "silence until the deadline leaves it open", NOTHING, HTTP_UNANSWERED, 0, MU_ERETRY, 0, NULL,
	    NULL },
	{ "what is no HTTP is broken", "SSH-2.0-OpenSSH_9.2\r\n", HTTP_UNANSWERED, 0, MU_EBROKEN, 0, NULL,
	    NULL },
	{ "an answer larger than allowed is broken",
	    "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789",
	    HTTP_UNANSWERED, 0, MU_EBROKEN, 0, NULL, NULL },
};

static char path[64];
static int listen_fd;

/* Reads one request into seen and writes the answer; in a process of its own. */
static void
answer_once(const char *answer, int seen_fd)
{
	char request[8192];
	int fd = accept(listen_fd, NULL, NULL);
	ssize_t got = read(fd, request, sizeof(request));

	if (got > 0)
		(void)!write(seen_fd, request, (size_t)got);
	if (strcmp(answer, NOTHING) == 0)
		(void)poll(NULL, 0, 10000);
	else
		(void)!write(fd, answer, strlen(answer));
	_exit(0);
}

static pid_t
server_start(const char *answer, int *out_seen_fd)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		answer_once(answer, fds[1]);
	(void)close(fds[1]);
	*out_seen_fd = fds[0];
	return pid;
}

static struct http_client *
client_new(size_t max_bytes)
{
	struct http_client_settings settings = {
		.base_url = "http://platform", .unix_socket = path, .response_max_bytes = max_bytes,
	};
	struct http_client *client = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert_int_equal(http_client_open(&settings, &client, &err), MU_OK);
	return client;
}

static void
answer_row(void **state)
{
	const struct row *r = *state;
	struct http_client *client = client_new(32);
	struct http_reply reply = HTTP_REPLY_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct http_call call = { .method = "GET", .target = "/x" };
	int seen_fd;
	pid_t pid = server_start(r->answer, &seen_fd);

	call.deadline_ms = mu_tick_ms() + (strcmp(r->answer, NOTHING) == 0 ? 300 : 10000);
	assert_int_equal(http_client_call(client, &call, &reply, &err), r->sent);
	assert_int_equal(err.rc, r->rc);
	assert_int_equal(reply.status, r->status);
	assert_int_equal(reply.retry_after_ms, r->retry_after_ms);
	if (r->body != NULL)
		assert_string_equal(mu_buf_text(&reply.body), r->body);
	if (r->type != NULL)
		assert_string_equal(reply.content_type, r->type);
	http_reply_clear(&reply);
	http_client_close(client);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(seen_fd);
}

static void
a_request_says_what_the_call_says(void **state)
{
	struct http_client *client = client_new(0);
	struct http_reply reply = HTTP_REPLY_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct mu_secret password = MU_SECRET_INIT;
	struct http_call call = {
		.method = "PATCH", .target = "/a%20b?c=d", .content_type = "application/json", .body = "{}",
		.body_bytes = 2, .user = "admin", .password = &password,
		.headers = { "X-Request: 1" }, .deadline_ms = mu_tick_ms() + 10000,
	};
	char seen[8192] = "";
	int seen_fd;
	pid_t pid = server_start("HTTP/1.1 204 No\r\nETag: \"7\"\r\n\r\n", &seen_fd);

	(void)state;
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	mu_secret_set(&password, "s3cr\xc3\xa4t", 7);
	assert_int_equal(http_client_call(client, &call, &reply, &err), HTTP_ANSWERED);
	assert_string_equal(http_client_header(client, "etag"), "\"7\"");
	assert_null(http_client_header(client, "location"));
	assert_true(read(seen_fd, seen, sizeof(seen) - 1) > 0);
	assert_non_null(strstr(seen, "PATCH /a%20b?c=d HTTP/1.1\r\n"));
	assert_non_null(strstr(seen, "Authorization: Basic YWRtaW46czNjcsOkdA==\r\n"));
	assert_non_null(strstr(seen, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(seen, "X-Request: 1\r\n"));
	assert_non_null(strstr(seen, "Content-Length: 2\r\n"));
	assert_null(strstr(seen, "Expect"));
	assert_non_null(strstr(seen, "\r\n\r\n{}"));
	http_reply_clear(&reply);
	mu_secret_clear(&password);
	http_client_close(client);
	(void)waitpid(pid, NULL, 0);
	(void)close(seen_fd);
}

static void
nobody_there_is_not_sent(void **state)
{
	struct http_client_settings settings = {
		.base_url = "http://127.0.0.1:1", .insecure_plain = true,
	};
	struct http_client *client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct http_call call = { .method = "POST", .target = "/", .deadline_ms = mu_tick_ms() + 5000 };

	(void)state;
	assert_int_equal(http_client_open(&settings, &client, &err), MU_OK);
	assert_int_equal(http_client_call(client, &call, &reply, &err), HTTP_NOT_SENT);
	assert_int_equal(err.rc, MU_ERETRY);
	call.deadline_ms = mu_tick_ms();
	assert_int_equal(http_client_call(client, &call, &reply, &err), HTTP_NOT_SENT);
	call.deadline_ms = mu_tick_ms() + 5000;
	call.headers[0] = "X: 1\r\nY: 2";
	assert_int_equal(http_client_call(client, &call, &reply, &err), HTTP_NOT_SENT);
	assert_int_equal(err.rc, MU_EINPUT);
	call.headers[0] = NULL;
	call.target = "/a b";
	assert_int_equal(http_client_call(client, &call, &reply, &err), HTTP_NOT_SENT);
	assert_int_equal(err.rc, MU_EINPUT);
	http_client_close(client);
}

static void
weak_settings_are_refused(void **state)
{
	static const char *const urls[] = {
		"http://platform", "ftp://platform", "https://user:word@platform", "https://platform/path",
		"https://platform?x", "platform", "https://", "file:///etc/passwd",
	};
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < MU_COUNT(urls); i++) {
		struct http_client_settings settings = { .base_url = urls[i] };
		struct http_client *client = NULL;

		assert_int_equal(http_client_open(&settings, &client, &err), MU_ECONFIG);
		assert_null(client);
	}
	struct http_client_settings settings = { .base_url = "https://platform", .ca_file = "/dev/null" };
	struct http_client *client = NULL;

	assert_int_equal(http_client_open(&settings, &client, &err), MU_ECONFIG);
	assert_non_null(strstr(err.text, "/dev/null"));
}

static int
socket_up(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(path, sizeof(path), "/tmp/http_client_test.%d", (int)getpid());
	(void)strcpy(un.sun_path, path);
	(void)unlink(path);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listen_fd, (struct sockaddr *)&un, sizeof(un)) != 0 || listen(listen_fd, 8) != 0;
}

static int
socket_down(void **state)
{
	(void)state;
	(void)close(listen_fd);
	return unlink(path);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 3] = {
		cmocka_unit_test(a_request_says_what_the_call_says),
		cmocka_unit_test(nobody_there_is_not_sent),
		cmocka_unit_test(weak_settings_are_refused),
	};

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 3] = (struct CMUnitTest){ rows[i].name, answer_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests(tests, socket_up, socket_down);
}
