#include "http/client.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/url_priv.h"

#include <curl/curl.h>

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYSTEM_CA_FILE		"/etc/ssl/certs/ca-certificates.crt"
#define CA_FILE_MAX_BYTES	(2u << 20)
#define ADDRESSES_MAX		8
#define PEM_BEGIN		"-----BEGIN CERTIFICATE-----"

struct http_client {
	CURL *easy;
	struct curl_slist *pinned;	/* CURLOPT_RESOLVE: host and port -> addresses */
	struct mu_buf ca_pem;
	struct http_url url;
	char *base_url, *address, *unix_socket, *cert_pem;
	const struct mu_secret *key_pem;
	size_t response_max_bytes;
	struct mu_buf *body;		/* of the reply being read */
	bool is_too_large;
	char curl_text[CURL_ERROR_SIZE];
};

void
http_reply_clear(struct http_reply *reply)
{
	mu_free(reply->content_type);
	mu_buf_wipe(&reply->body);	/* a platform may answer with a credential */
	*reply = (struct http_reply)HTTP_REPLY_INIT;
}

void
http_client_close(struct http_client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->easy);
	curl_slist_free_all(client->pinned);
	curl_global_cleanup();
	mu_buf_clear(&client->ca_pem);
	mu_free(client->base_url);
	http_url_clear(&client->url);
	mu_free(client->address);
	mu_free(client->unix_socket);
	mu_free(client->cert_pem);
	mu_free(client);
}

static void
client_closep(struct http_client **client)
{
	http_client_close(*client);
}

static enum mu_rc
ca_read(struct http_client *client, const char *path, struct mu_err *err)
{
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open the authorities %s", path);
	while (got > 0 && client->ca_pem.size_bytes <= CA_FILE_MAX_BYTES) {
		char chunk[8192];

		got = read(fd, chunk, sizeof(chunk));
		if (got > 0)
			mu_buf_add(&client->ca_pem, chunk, (size_t)got);
	}
	(void)close(fd);
	if (got < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot read the authorities %s", path);
	if (strstr(mu_buf_text(&client->ca_pem), PEM_BEGIN) == NULL ||
	    client->ca_pem.size_bytes > CA_FILE_MAX_BYTES)
		return mu_fail(err, MU_ECONFIG, "%s holds no PEM certificates", path);
	return MU_OK;
}

static enum mu_rc
base_url_read(struct http_client *client, const struct http_client_settings *settings,
    struct mu_err *err)
{
	const char *text = settings->base_url;
	size_t length = strlen(text);

	if (http_url_parse(text, &client->url, err) != MU_OK)
		return err->rc;
	if (mu_text_equal(client->url.scheme, "http") && settings->unix_socket == NULL &&
	    !settings->insecure_plain)
		return mu_fail(err, MU_ECONFIG, "\"%s\" is not encrypted: use https://", text);
	client->base_url = mu_strndup(text, text[length - 1] == '/' ? length - 1 : length);
	return MU_OK;
}

/* The authorities: those of the settings, else the system's. */
static enum mu_rc
ca_set(struct http_client *client, const struct http_client_settings *settings, struct mu_err *err)
{
	if (settings->ca_pem == NULL)
		return ca_read(client, settings->ca_file == NULL ? SYSTEM_CA_FILE : settings->ca_file, err);
	if (strstr(settings->ca_pem, PEM_BEGIN) == NULL)
		return mu_fail(err, MU_ECONFIG, "the authority to trust is no certificate in PEM");
	mu_buf_text_add(&client->ca_pem, settings->ca_pem);
	return MU_OK;
}

enum mu_rc
http_client_open(const struct http_client_settings *settings, struct http_client **out_client,
    struct mu_err *err)
{
	MU_AUTO(client_closep) struct http_client *client = NULL;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return mu_fail(err, MU_EBROKEN, "libcurl does not start");
	client = mu_alloc_zero(1, sizeof(*client));
	client->easy = curl_easy_init();
	if (client->easy == NULL)
		return mu_fail(err, MU_EBROKEN, "libcurl gives no handle");
	if (base_url_read(client, settings, err) != MU_OK)
		return err->rc;
	if (mu_text_equal(client->url.scheme, "https") && ca_set(client, settings, err) != MU_OK)
		return err->rc;
	client->address = mu_strdup(settings->address);
	client->unix_socket = mu_strdup(settings->unix_socket);
	client->cert_pem = mu_strdup(settings->cert_pem);
	client->key_pem = settings->key_pem;
	client->response_max_bytes = settings->response_max_bytes == 0 ?
	    HTTP_CLIENT_RESPONSE_MAX_BYTES : settings->response_max_bytes;
	*out_client = MU_TAKE(client);
	return MU_OK;
}

/* Appends the host's addresses as CURLOPT_RESOLVE wants them: "a,b,c". */
static enum mu_rc
host_resolve(const char *host, struct mu_buf *b, struct mu_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found = NULL;
	int status = getaddrinfo(host, NULL, &hints, &found), count = 0;

	if (status != 0)
		return mu_fail(err, MU_ERETRY, "cannot find host %s: %s", host, gai_strerror(status));
	for (struct addrinfo *at = found; at != NULL && count < ADDRESSES_MAX; at = at->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0,
		    NI_NUMERICHOST) != 0)
			continue;
		mu_buf_format(b, count++ == 0 ? "%s" : ",%s", text);
	}
	freeaddrinfo(found);
	return count > 0 ? MU_OK : mu_fail(err, MU_ERETRY, "host %s has no address", host);
}

/* Sees to it that curl never looks a name up itself. */
static enum mu_rc
host_pin(struct http_client *client, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

	if (client->pinned != NULL || client->unix_socket != NULL ||
	    (client->address == NULL && http_host_is_numeric(client->url.host)))
		return MU_OK;
	mu_buf_format(&line, "+%s:%s:", client->url.host, client->url.port);
	if (client->address != NULL)
		mu_buf_text_add(&line, client->address);
	else if (host_resolve(client->url.host, &line, err) != MU_OK)
		return err->rc;
	client->pinned = curl_slist_append(NULL, line.data);
	return MU_OK;
}

static size_t
body_take(char *bytes, size_t each_bytes, size_t count, void *ctx)
{
	struct http_client *client = ctx;
	size_t bytes_count = each_bytes * count;

	if (bytes_count > client->response_max_bytes - client->body->size_bytes) {
		client->is_too_large = true;
		return 0;
	}
	mu_buf_add(client->body, bytes, bytes_count);
	return bytes_count;
}

static void
headers_wipe(struct curl_slist **list)
{
	for (struct curl_slist *at = *list; at != NULL; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(*list);
}

static bool
is_clean(const char *text)	/* no control character that could start another header */
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void
authorization_add(const struct http_call *call, struct curl_slist **headers)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	MU_AUTO(mu_buf_wipe) struct mu_buf line = MU_BUF_INIT, pair = MU_BUF_INIT;

	if (call->bearer != NULL) {
		mu_buf_reserve(&line, call->bearer->size_bytes + 32);
		mu_buf_text_add(&line, "Authorization: Bearer ");
		mu_buf_add(&line, call->bearer->bytes, call->bearer->size_bytes);
	} else if (call->user != NULL && call->password != NULL) {
		mu_buf_reserve(&pair, strlen(call->user) + call->password->size_bytes + 4);
		mu_buf_format(&pair, "%s:", call->user);
		mu_buf_add(&pair, call->password->bytes, call->password->size_bytes);
		mu_buf_reserve(&line, pair.size_bytes * 2 + 32);
		mu_buf_text_add(&line, "Authorization: Basic ");
		for (size_t i = 0; i < pair.size_bytes; i += 3) {	/* RFC 4648, 4 */
			size_t left = pair.size_bytes - i;
			const unsigned char *at = (const unsigned char *)pair.data + i;
			unsigned bits = (unsigned)at[0] << 16 | (left > 1 ? (unsigned)at[1] << 8 : 0) |
			    (left > 2 ? (unsigned)at[2] : 0);

			mu_buf_char_add(&line, digits[bits >> 18]);
			mu_buf_char_add(&line, digits[bits >> 12 & 63]);
			mu_buf_char_add(&line, left > 1 ? digits[bits >> 6 & 63] : '=');
			mu_buf_char_add(&line, left > 2 ? digits[bits & 63] : '=');
		}
	} else {
		return;
	}
	*headers = curl_slist_append(*headers, line.data);
}

static enum mu_rc
headers_make(const struct http_call *call, struct curl_slist **headers, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

	if (call->target[0] != '/' || !is_clean(call->target) || strchr(call->target, ' ') != NULL)
		return mu_fail(err, MU_EINPUT, "request target \"%.100s\" is not encoded", call->target);
	*headers = curl_slist_append(*headers, "Expect:");	/* never wait for 100 Continue */
	if (call->content_type != NULL) {
		mu_buf_format(&line, "Content-Type: %s", call->content_type);
		*headers = curl_slist_append(*headers, line.data);
	}
	for (size_t i = 0; i < HTTP_CLIENT_HEADERS_MAX && call->headers[i] != NULL; i++)
		*headers = curl_slist_append(*headers, call->headers[i]);
	authorization_add(call, headers);
	for (struct curl_slist *at = *headers; at != NULL; at = at->next)
		if (!is_clean(at->data))
			return mu_fail(err, MU_EINPUT, "a request header holds a control character");
	return MU_OK;
}

static void
blob_set(CURL *easy, CURLoption option, const void *bytes, size_t bytes_count)
{
	struct curl_blob blob = { .len = bytes_count, .flags = CURL_BLOB_NOCOPY };

	(void)memcpy(&blob.data, &bytes, sizeof(bytes));	/* curl reads it, its type says void * */
	(void)curl_easy_setopt(easy, option, &blob);
}

static void
transport_set(struct http_client *client)
{
	CURL *easy = client->easy;

	curl_easy_reset(easy);		/* keeps connections and TLS sessions */
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->curl_text);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	    mu_text_starts(client->base_url, "https") ? "https" : "http");
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);	/* what is pinned stays */
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
	if (client->unix_socket != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
	if (client->pinned != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_RESOLVE, client->pinned);
	if (client->ca_pem.size_bytes > 0) {
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		blob_set(easy, CURLOPT_CAINFO_BLOB, client->ca_pem.data, client->ca_pem.size_bytes);
	}
	if (client->cert_pem != NULL && client->key_pem != NULL) {
		blob_set(easy, CURLOPT_SSLCERT_BLOB, client->cert_pem, strlen(client->cert_pem));
		blob_set(easy, CURLOPT_SSLKEY_BLOB, client->key_pem->bytes, client->key_pem->size_bytes);
	}
}

static void
request_set(struct http_client *client, const struct http_call *call, const char *url,
    struct curl_slist *headers, int64_t left_ms)
{
	CURL *easy = client->easy;

	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(left_ms < HTTP_CLIENT_CONNECT_MS ? left_ms : HTTP_CLIENT_CONNECT_MS));
	if (call->body != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_bytes);
	} else if (strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");	/* Content-Length: 0 */
	} else if (strcmp(call->method, "HEAD") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static bool
is_trust_failure(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
	    code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER;
}

/* Not answered: how far did it get, and whose fault is it? */
static enum http_sent
failure_read(struct http_client *client, CURLcode code, struct mu_err *err)
{
	const char *text = client->curl_text[0] != '\0' ? client->curl_text : curl_easy_strerror(code);
	long sent_bytes = 0;
	enum mu_rc rc = MU_ERETRY;

	(void)curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
	if (is_trust_failure(code))
		rc = MU_ECONFIG;
	else if (client->is_too_large || code == CURLE_WEIRD_SERVER_REPLY ||
	    code == CURLE_UNSUPPORTED_PROTOCOL)
		rc = MU_EBROKEN;
	if (client->is_too_large)
		(void)mu_fail(err, rc, "%s: the answer is larger than %zu bytes", client->base_url,
		    client->response_max_bytes);
	else if (client->unix_socket != NULL && code == CURLE_COULDNT_CONNECT)
		(void)mu_fail(err, rc, "%s: nobody listens there", client->unix_socket);
	else
		(void)mu_fail(err, rc, "%s: %s", client->base_url, text);
	if (sent_bytes > 0)
		return HTTP_UNANSWERED;
	curl_slist_free_all(client->pinned);	/* the host may have moved: look again next time */
	client->pinned = NULL;
	return HTTP_NOT_SENT;
}

static void
reply_read(struct http_client *client, struct http_reply *reply)
{
	const char *type = NULL;
	curl_off_t wait_s = 0;
	long status = 0;

	(void)curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &wait_s);
	(void)curl_easy_getinfo(client->easy, CURLINFO_CONTENT_TYPE, &type);
	reply->status = (int)status;
	reply->retry_after_ms = wait_s <= 0 ? 0 : (wait_s > MU_DAY_S ? MU_DAY_S : wait_s) * 1000;
	if (type != NULL) {
		reply->content_type = mu_strndup(type, strcspn(type, "; \t"));
		mu_text_lower(reply->content_type);
	}
}

enum http_sent
http_client_call(struct http_client *client, const struct http_call *call,
    struct http_reply *out_reply, struct mu_err *err)
{
	MU_AUTO(headers_wipe) struct curl_slist *headers = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf url = MU_BUF_INIT;
	MU_AUTO(http_reply_clear) struct http_reply reply = HTTP_REPLY_INIT;
	int64_t left_ms;
	CURLcode code;

	if (headers_make(call, &headers, err) != MU_OK || host_pin(client, err) != MU_OK)
		return HTTP_NOT_SENT;
	left_ms = call->deadline_ms - mu_tick_ms();
	if (left_ms <= 0) {
		(void)mu_fail(err, MU_ERETRY, "%s: no time left to ask", client->base_url);
		return HTTP_NOT_SENT;
	}
	mu_buf_format(&url, "%s%s", client->base_url, call->target);
	client->body = &reply.body;
	client->is_too_large = false;
	client->curl_text[0] = '\0';
	transport_set(client);
	request_set(client, call, url.data, headers, left_ms);
	code = curl_easy_perform(client->easy);
	client->body = NULL;
	if (code != CURLE_OK)
		return failure_read(client, code, err);
	reply_read(client, &reply);
	*out_reply = reply;
	reply = (struct http_reply)HTTP_REPLY_INIT;
	return HTTP_ANSWERED;
}

const char *
http_client_header(struct http_client *client, const char *name)
{
	struct curl_header *header = NULL;

	if (curl_easy_header(client->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}
