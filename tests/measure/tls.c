#include "measure/tls.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <openssl/err.h>

#define READ_BYTES 16384

static void
ended(const char *what)
{
	errx(1, "%s: %s", what, ERR_reason_error_string(ERR_peek_error()));
}

SSL_CTX *
tls_client(const char *ca, const char *certificate, const char *key)
{
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	if (client == NULL || SSL_CTX_set_min_proto_version(client, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_load_verify_locations(client, ca, NULL) != 1 ||
	    SSL_CTX_use_certificate_chain_file(client, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(client, key, SSL_FILETYPE_PEM) != 1)
		ended("certificates");
	SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
	return client;
}

SSL *
tls_connect(SSL_CTX *client, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	SSL *tls = SSL_new(client);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		err(1, "127.0.0.1:%d", port);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (SSL_set_fd(tls, fd) != 1 || SSL_set1_host(tls, "localhost") != 1 ||
	    SSL_connect(tls) != 1)
		ended("TLS");
	return tls;
}

void
tls_send(SSL *tls, const char *bytes, size_t count)
{
	if (SSL_write(tls, bytes, (int)count) != (int)count)
		ended("sending a request");
}

/* What Content-Length says, 0 without one. */
static size_t
length_of(const char *head)
{
	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	return 0;
}

static void
more(SSL *tls, struct mu_buf *b)
{
	char chunk[READ_BYTES];
	int got = SSL_read(tls, chunk, sizeof(chunk));

	if (got <= 0)
		ended("reading an answer");
	mu_buf_add(b, chunk, (size_t)got);
}

int
tls_answer(SSL *tls, struct mu_buf *body)
{
	const char *end;
	size_t head;
	int status;

	mu_buf_reset(body);
	do
		more(tls, body);
	while ((end = strstr(mu_buf_text(body), "\r\n\r\n")) == NULL);
	head = (size_t)(end - body->data) + 4;
	status = atoi(body->data + strlen("HTTP/1.1 "));
	body->data[head - 1] = '\0';
	for (size_t want = head + length_of(body->data); body->size_bytes < want;)
		more(tls, body);
	mu_buf_drop_front(body, head);
	return status;
}

int
tls_get(SSL *tls, const char *path, struct mu_buf *body)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;

	mu_buf_format(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	tls_send(tls, request.data, request.size_bytes);
	return tls_answer(tls, body);
}
