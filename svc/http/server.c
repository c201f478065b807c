#include "http/server.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/http_priv.h"
#include "http/problem.h"

#include <microhttpd.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIORITIES	"SECURE128:-VERS-ALL:+VERS-TLS1.3"
#define HOLD_SWEEP_MS	500

struct connection {			/* from accept to close, or to its last request's end */
	struct http_peer peer;
	size_t holders_count;
	bool was_looked_at, has_spoken;
};

/*
 * A request has two holders: the library, until it is completed, and the handler, until it has
 * answered. The last to let go frees it; so neither a client that goes away nor a late answer
 * meets a freed one.
 */
struct http_request {
	struct http_server *server;
	struct MHD_Connection *mhd;	/* NULL when completed */
	struct connection *connection;
	struct http_request *next, *prev;	/* among the held */
	char *uri;
	const char *uri_at;		/* where the library keeps the target: see head_read */
	struct http_target target;
	struct mu_buf body;
	struct MHD_Response *response;
	int64_t held_at_ms;
	int status;
	bool is_read;			/* the head has been judged */
	bool is_to_close;		/* refused, and what follows cannot be trusted */
	bool is_page, is_with_handler, was_handled, is_held;
};

struct http_server {
	struct mu_loop *loop;
	struct MHD_Daemon *daemon;
	struct mu_watch *watch;
	struct mu_timer *timer, *hold_timer;
	const struct http_route *routes;
	size_t route_count;
	struct http_request *held;
	char *client_ca_pem;
	void *ctx;
	int64_t hold_ms;
	unsigned idle_s;
	bool is_tls;
};

/* --- Connections and requests: made, let go ---------------------------------------------------- */

static void
connection_drop(struct connection *connection)
{
	if (connection != NULL && --connection->holders_count == 0)
		mu_free(connection);
}

static void
on_connection(void *ctx, struct MHD_Connection *mhd, void **slot,
    enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = ctx;
	struct connection *connection = *slot;
	struct http_peer *peer;
	const union MHD_ConnectionInfo *info;
	struct sockaddr_storage address;
	struct ucred owner;
	socklen_t size = sizeof(address), owner_size = sizeof(owner);

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		*slot = NULL;
		connection_drop(connection);
		return;
	}
	connection = mu_alloc_zero(1, sizeof(*connection));
	connection->holders_count = 1;
	*slot = connection;
	if (server->idle_s > HTTP_FIRST_S)
		(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, HTTP_FIRST_S);
	peer = &connection->peer;
	peer->uid = (uid_t)-1;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info == NULL || getpeername(info->connect_fd, (struct sockaddr *)&address, &size) != 0)
		return;
	if (address.ss_family == AF_UNIX) {
		if (getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &owner, &owner_size) == 0) {
			peer->uid = owner.uid;
			peer->pid = owner.pid;
		}
	} else if (getnameinfo((struct sockaddr *)&address, size, peer->address,
	    sizeof(peer->address), NULL, 0, NI_NUMERICHOST) != 0) {
		peer->address[0] = '\0';
	}
}

static void
request_drop(struct http_request *req)
{
	if (req->mhd != NULL || req->is_with_handler)
		return;
	if (req->response != NULL)
		MHD_destroy_response(req->response);
	connection_drop(req->connection);
	http_target_clear(&req->target);
	mu_buf_wipe(&req->body);
	mu_free(req->uri);
	mu_free(req);
}

/* The library has read a request line: the raw target, before it cuts anything up. */
static void *
on_uri(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
	struct http_request *req = mu_alloc_zero(1, sizeof(*req));

	req->server = ctx;
	req->mhd = mhd;
	req->uri = mu_strdup(uri);
	req->uri_at = uri;
	return req;
}

static void
on_completed(void *ctx, struct MHD_Connection *mhd, void **req_slot,
    enum MHD_RequestTerminationCode code)
{
	struct http_request *req = *req_slot;

	(void)ctx;
	(void)mhd;
	(void)code;
	if (req == NULL)
		return;
	*req_slot = NULL;
	req->mhd = NULL;
	request_drop(req);
}

static void
held_add(struct http_request *req)
{
	struct http_server *server = req->server;

	req->is_held = true;
	req->held_at_ms = mu_tick_ms();
	req->prev = NULL;
	req->next = server->held;
	if (server->held != NULL)
		server->held->prev = req;
	server->held = req;
	if (!mu_timer_is_set(server->hold_timer))
		mu_timer_set(server->hold_timer, HOLD_SWEEP_MS);
}

static void
held_remove(struct http_request *req)
{
	if (req->prev != NULL)
		req->prev->next = req->next;
	else
		req->server->held = req->next;
	if (req->next != NULL)
		req->next->prev = req->prev;
	req->is_held = false;
}

/* --- Answers ----------------------------------------------------------------------------------- */

static bool
names_header(const struct http_header *headers, const char *name)
{
	for (; headers != NULL && headers->name != NULL; headers++)
		if (mu_text_equal_fold(headers->name, name))
			return true;
	return false;
}

struct content {		/* an answer's body: wiped, for it may be a credential */
	size_t size_bytes;
	char bytes[];
};

static void
content_free(void *content)
{
	struct content *c = content;

	explicit_bzero(c->bytes, c->size_bytes);
	mu_free(c);
}

static struct MHD_Response *
response_make(const char *content_type, const void *body, size_t body_bytes,
    const struct http_header *headers)
{
	struct content *content = mu_alloc(sizeof(*content) + body_bytes);
	struct MHD_Response *response;

	content->size_bytes = body_bytes;
	if (body_bytes > 0)
		(void)memcpy(content->bytes, body, body_bytes);
	response = MHD_create_response_from_buffer_with_free_callback_cls(body_bytes, content->bytes,
	    content_free, content);
	if (response == NULL)
		abort();		/* memory is out */
	if (content_type != NULL)
		(void)MHD_add_response_header(response, "Content-Type", content_type);
	if (!names_header(headers, "Cache-Control"))
		(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	for (; headers != NULL && headers->name != NULL; headers++)
		if (MHD_add_response_header(response, headers->name, headers->value) != MHD_YES)
			mu_log("http.header_dropped", "header", headers->name, NULL);
	return response;
}

/* Puts the answer in its place, unless there is one already (held for too long). */
static void
answer_set(struct http_request *req, int status, struct MHD_Response *response)
{
	if (req->response != NULL || req->mhd == NULL) {
		MHD_destroy_response(response);
		return;
	}
	req->status = status;
	req->response = response;
	if (req->is_held) {
		held_remove(req);
		MHD_resume_connection(req->mhd);
		mu_timer_set(req->server->timer, 0);
	}
}

void
http_answer(struct http_request *req, int status, const char *content_type, const void *body,
    size_t body_bytes, const struct http_header *headers)
{
	answer_set(req, status, response_make(content_type, body, body_bytes, headers));
	req->is_with_handler = false;
	request_drop(req);
}

static enum MHD_Result
answer_queue(struct http_request *req)
{
	return MHD_queue_response(req->mhd, (unsigned)req->status, req->response);
}

/* Refuses in the handler's place; the connection is closed when what follows cannot be trusted. */
static void
refuse(struct http_request *req, int status, const char *detail, bool is_to_close)
{
	struct http_header headers[4] = { 0 };
	size_t count = 0;

	if (status == 405)
		headers[count++] = (struct http_header){ "Allow", req->target.allow.data };
	if (status == 401)
		headers[count++] = (struct http_header){ "WWW-Authenticate", "ClientCertificate" };
	if (is_to_close)
		headers[count++] = (struct http_header){ "Connection", "close" };
	req->is_to_close = is_to_close;
	req->is_with_handler = true;
	http_refuse(req, status, 0, detail, headers);
}

/* --- What is read before a handler sees it ----------------------------------------------------- */

static enum MHD_Result
on_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_bytes, const char *value,
    size_t value_bytes)
{
	(void)kind;
	http_head_add(ctx, name, name_bytes, value == NULL ? "" : value, value_bytes);
	return MHD_YES;
}

static const struct http_peer *
peer_look(const struct http_request *req)
{
	struct connection *connection = req->connection;
	const union MHD_ConnectionInfo *info;

	if (!connection->was_looked_at && req->mhd != NULL && req->server->is_tls) {
		info = MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		if (info != NULL && req->server->client_ca_pem != NULL)
			http_peer_read((gnutls_session_t)info->tls_session, &connection->peer);
		connection->was_looked_at = true;
	}
	if (connection->peer.is_trusted && connection->peer.not_after_s <= mu_now_s()) {
		connection->peer.is_trusted = false;	/* ran out while connected */
		(void)strcpy(connection->peer.refusal, "the certificate has expired");
	}
	return &connection->peer;
}

/* True when the route's need is met; else the request has been refused. */
static bool
need_check(struct http_request *req, const struct http_head *head)
{
	const struct http_peer *peer = peer_look(req);
	char detail[256];

	switch (req->target.route->need) {
	case HTTP_NEED_NOTHING:
		return true;
	case HTTP_NEED_CERTIFICATE:
		if (peer->is_trusted)
			return true;
		(void)snprintf(detail, sizeof(detail), "A client certificate is needed: %s",
		    peer->has_certificate ? peer->refusal : "none was presented.");
		refuse(req, 401, detail, head->length_bytes > 0);
		return false;
	case HTTP_NEED_LOCAL:
		if (peer->uid == 0 || peer->uid == geteuid())
			return true;
		refuse(req, 403, "Only root and the service's own user may ask here.",
		    head->length_bytes > 0);
		return false;
	}
	return false;
}

/* The body that the head announces: will the route take it? */
static bool
body_check(struct http_request *req, const struct http_head *head)
{
	const struct http_route *route = req->target.route;
	size_t max = route->body_max_bytes == 0 ? HTTP_BODY_MAX_BYTES : route->body_max_bytes;

	if (route->body_type == NULL) {
		if (head->length_bytes == 0)
			return true;
		refuse(req, 400, "This path takes no body.", true);
		return false;
	}
	if (head->length_bytes > max) {
		refuse(req, 413, "The body is larger than this path takes.", true);
		return false;
	}
	if (head->length_count == 0) {
		refuse(req, 411, "Content-Length is needed.", true);
		return false;
	}
	if (!http_type_is(http_header_find(req, "Content-Type"), route->body_type)) {
		refuse(req, 415, "The Content-Type is not what this path takes.", true);
		return false;
	}
	return true;
}

/*
 * The library hands out C strings. A NUL in the request line would cut the target short, and a
 * second blank would hide in it; both show in where it keeps the version: one byte behind.
 */
static bool
line_is_whole(const struct http_request *req, const char *version)
{
	return req->uri_at + strlen(req->uri) + 1 == version;
}

static void
head_read(struct http_request *req, const char *method, const char *version)
{
	struct http_head head = { 0 };
	const char *detail = NULL;
	int status;

	req->is_read = true;
	req->is_page = req->server->route_count > 0 && req->server->routes[0].is_page;
	(void)MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, on_header, &head);
	status = http_head_judge(&head, version, &detail);
	if (status == 0 && !line_is_whole(req, version)) {
		status = 400;
		detail = "The request line is malformed.";
	}
	if (status != 0) {
		refuse(req, status, detail, true);
		return;
	}
	status = http_target_read(req->server->routes, req->server->route_count, method, req->uri,
	    &req->target, &detail, &req->is_page);
	if (status != 0) {
		refuse(req, status, detail, status == 400 || head.length_bytes > 0);
		return;
	}
	if (need_check(req, &head) && body_check(req, &head) && head.length_bytes > 0)
		mu_buf_reserve(&req->body, head.length_bytes);
}

/* --- The library's calls ----------------------------------------------------------------------- */

/* The whole request is here: to the handler, and on hold if that does not answer at once. */
static enum MHD_Result
handle(struct http_request *req)
{
	if (req->response == NULL && !req->was_handled) {
		req->was_handled = true;
		req->is_with_handler = true;
		req->target.route->handler(req->server->ctx, req);
		if (req->response == NULL) {
			MHD_suspend_connection(req->mhd);
			held_add(req);
		}
	}
	return req->response == NULL ? MHD_YES : answer_queue(req);
}

/*
 * First call: the head is there. An answer queued now ends the connection, so that only refusals
 * that mean to are; the others wait for the last call, after the body.
 */
static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_bytes, void **req_slot)
{
	struct http_request *req = *req_slot;
	const union MHD_ConnectionInfo *info;

	(void)ctx;
	(void)url;
	if (req == NULL)
		return MHD_NO;
	if (!req->is_read) {
		info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		if (info == NULL || info->socket_context == NULL)
			return MHD_NO;
		req->connection = info->socket_context;
		req->connection->holders_count++;
		if (!req->connection->has_spoken) {
			req->connection->has_spoken = true;
			(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
			    req->server->idle_s);
		}
		head_read(req, method, version);
		return req->is_to_close ? answer_queue(req) : MHD_YES;
	}
	if (*upload_bytes > 0) {
		mu_buf_add(&req->body, upload, *upload_bytes);
		*upload_bytes = 0;
		return MHD_YES;
	}
	return handle(req);
}

static size_t
unescape_nothing(void *ctx, struct MHD_Connection *mhd, char *text)
{
	(void)ctx;
	(void)mhd;
	return strlen(text);		/* http_target_read decodes, strictly */
}

/* --- In the loop ------------------------------------------------------------------------------- */

static void
run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	mu_timer_stop(server->timer);
	(void)MHD_run(server->daemon);
	if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && !mu_timer_is_set(server->timer))
		mu_timer_set(server->timer, wait_ms > 60000 ? 60000 : (int64_t)wait_ms);
}

static void
on_ready(void *ctx, uint32_t epoll_events)
{
	(void)epoll_events;
	run(ctx);
}

static void
on_timer(void *ctx)
{
	run(ctx);
}

/* Answers in the place of a handler that does not. */
static void
held_give_up(struct http_request *req)
{
	static const char body[] = "{\"detail\":\"The answer took too long: try again.\","
	    "\"status\":503,\"title\":\"Service Unavailable\"}";
	const struct http_header headers[] = { { "Retry-After", "1" }, { NULL, NULL } };

	answer_set(req, 503,
	    response_make("application/problem+json", body, sizeof(body) - 1, headers));
}

static void
on_hold_timer(void *ctx)
{
	struct http_server *server = ctx;
	int64_t since_ms = mu_tick_ms() - server->hold_ms;

	for (struct http_request *req = server->held, *next; req != NULL; req = next) {
		next = req->next;
		if (req->held_at_ms <= since_ms)
			held_give_up(req);
	}
	if (server->held != NULL)
		mu_timer_set(server->hold_timer, HOLD_SWEEP_MS);
}

/* --- Open and close ---------------------------------------------------------------------------- */

/* Key and certificate are tried first: the library would only say that it did not start. */
static enum mu_rc
pair_check(const struct http_server_settings *settings, struct mu_err *err)
{
	gnutls_certificate_credentials_t credentials = NULL;
	gnutls_datum_t key, cert = { NULL, 0 };
	int status;

	(void)memcpy(&cert.data, &settings->cert_pem, sizeof(cert.data));	/* only read */
	cert.size = (unsigned)strlen(settings->cert_pem);
	key.data = settings->key_pem->bytes;
	key.size = (unsigned)settings->key_pem->size_bytes;
	if (gnutls_certificate_allocate_credentials(&credentials) != 0)
		return mu_fail(err, MU_EBROKEN, "GnuTLS gives no credentials");
	status = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(credentials);
	if (status < 0)
		return mu_fail(err, MU_ECONFIG, "the listener's certificate and key: %s",
		    gnutls_strerror(status));
	return MU_OK;
}

static enum mu_rc
socket_check(const struct http_server_settings *settings, struct mu_err *err)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int flags = fcntl(settings->listen_fd, F_GETFL);

	if (flags < 0 || getsockname(settings->listen_fd, (struct sockaddr *)&address, &size) != 0 ||
	    fcntl(settings->listen_fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "the listening socket");
	if (settings->cert_pem == NULL && address.ss_family != AF_UNIX)
		return mu_fail(err, MU_ECONFIG, "a listener without TLS must be a Unix socket");
	return MU_OK;
}

static struct MHD_Daemon *
daemon_start(struct http_server *server, const struct http_server_settings *settings)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	unsigned connections_max = settings->connections_max == 0 ? HTTP_CONNECTIONS_MAX :
	    settings->connections_max;
	const char *priorities = PRIORITIES;

	if (server->is_tls) {
		flags |= MHD_USE_TLS;
		tls[0].option = MHD_OPTION_HTTPS_MEM_CERT;
		(void)memcpy(&tls[0].ptr_value, &settings->cert_pem, sizeof(void *));
		tls[1].option = MHD_OPTION_HTTPS_MEM_KEY;
		tls[1].ptr_value = settings->key_pem->bytes;
		tls[2].option = MHD_OPTION_HTTPS_PRIORITIES;
		(void)memcpy(&tls[2].ptr_value, &priorities, sizeof(void *));
		if (server->client_ca_pem != NULL) {
			tls[3].option = MHD_OPTION_HTTPS_MEM_TRUST;
			tls[3].ptr_value = server->client_ca_pem;
		}
	}
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
	    MHD_OPTION_LISTEN_SOCKET, settings->listen_fd,
	    MHD_OPTION_CONNECTION_LIMIT, connections_max,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, connections_max / HTTP_ADDRESS_SHARE,
	    MHD_OPTION_CONNECTION_TIMEOUT, server->idle_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADERS_MAX_BYTES,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
	    MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

enum mu_rc
http_server_open(struct mu_loop *loop, const struct http_server_settings *settings,
    struct http_server **out_server, struct mu_err *err)
{
	struct http_server *server;
	const union MHD_DaemonInfo *info;

	if (socket_check(settings, err) != MU_OK ||
	    (settings->cert_pem != NULL && pair_check(settings, err) != MU_OK)) {
		(void)close(settings->listen_fd);
		return err->rc;
	}
	server = mu_alloc_zero(1, sizeof(*server));
	server->loop = loop;
	server->routes = settings->routes;
	server->route_count = settings->route_count;
	server->ctx = settings->ctx;
	server->hold_ms = settings->hold_ms == 0 ? HTTP_HOLD_MS : settings->hold_ms;
	server->idle_s = settings->idle_s == 0 ? HTTP_IDLE_S : settings->idle_s;
	server->is_tls = settings->cert_pem != NULL;
	server->client_ca_pem = mu_strdup(settings->client_ca_pem);
	server->daemon = daemon_start(server, settings);
	if (server->daemon == NULL) {
		(void)close(settings->listen_fd);
		mu_free(server->client_ca_pem);
		mu_free(server);
		return mu_fail(err, MU_ECONFIG, "the listener does not start: are its certificate, key "
		    "and client authorities PEM?");
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->watch = mu_loop_watch(loop, info->epoll_fd, EPOLLIN, on_ready, server);
	server->timer = mu_loop_timer(loop, on_timer, server);
	server->hold_timer = mu_loop_timer(loop, on_hold_timer, server);
	*out_server = server;
	return MU_OK;
}

void
http_server_close(struct http_server *server)
{
	if (server == NULL)
		return;
	while (server->held != NULL)
		held_give_up(server->held);
	run(server);			/* sends what was held */
	mu_watch_remove(server->watch);
	mu_timer_free(server->timer);
	mu_timer_free(server->hold_timer);
	MHD_stop_daemon(server->daemon);
	mu_free(server->client_ca_pem);
	mu_free(server);
}

/* --- What a handler may ask -------------------------------------------------------------------- */

bool
http_is_for_people(const struct http_request *req)
{
	return req->is_page;
}

const struct http_peer *
http_peer_of(const struct http_request *req)
{
	return peer_look(req);
}

const char *
http_name_of(const struct http_request *req)
{
	return mu_buf_text(&req->target.name);
}

const char *
http_body_of(const struct http_request *req, size_t *out_bytes_count)
{
	*out_bytes_count = req->body.size_bytes;
	return mu_buf_text(&req->body);
}

const char *
http_query_find(const struct http_request *req, const char *name)
{
	return http_form_find(&req->target.query, name);
}

const char *
http_header_find(const struct http_request *req, const char *name)
{
	return req->mhd == NULL ? NULL : MHD_lookup_connection_value(req->mhd, MHD_HEADER_KIND, name);
}
