/*
 * The token API with lookups of its own: the functions of store/read.h stand here, so that each account
 * name is a case. keys is played by another process over a real channel; the platform is libcurl with
 * a client certificate.
 */
#define store_read_open		fake_read_open
#define store_read_close	fake_read_close
#define store_read_grant	fake_read_grant
#define store_read_pull_add	fake_read_pull_add
#define store_read_audit_add	fake_read_audit_add

#include "api/token.c"

#include "base/clock.h"
#include "base/text.h"
#include "ipc/message.h"
#include "unit/api/http_rig.h"
#include "unit/http/pki.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct seen {
	int pulls, refusals, mints;
	char last_record[512];
} *seen;

static struct pki_cert authority, server_cert, known, unknown, lapsed;
static unsigned char known_print[FINGERPRINT_BYTES], lapsed_print[FINGERPRINT_BYTES];

/* --- The store --------------------------------------------------------------------------------- */

struct store_read {
	struct mu_loop *loop;
};

struct lookup {
	struct mu_timer *timer;
	char name[64];
	unsigned char fingerprint[FINGERPRINT_BYTES];
	store_grant_fn *fn;
	void *ctx;
};

#define TOGETHER	40	/* more than one message holds */

static struct lookup *together[TOGETHER];
static size_t together_count;

struct store_read *
store_read_open(struct mu_loop *loop, const char *conninfo)
{
	struct store_read *r = mu_alloc_zero(1, sizeof(*r));

	(void)conninfo;
	r->loop = loop;
	return r;
}

void
store_read_close(struct store_read *r)
{
	mu_free(r);
}

static void
account_fill(const char *name, struct store_grant *g)
{
	struct account_want *w = &g->account;

	g->has_account = strcmp(name, "nobody") != 0;
	if (!g->has_account)
		return;
	w->name = mu_strdup(name);
	w->platform = mu_strdup("xmpp");
	w->version = 1;
	w->state = strcmp(name, "leaver") == 0 ? ACCOUNT_DISABLED : ACCOUNT_ENABLED;
	if (strcmp(name, "bare") != 0)
		strings_add(&w->roles, "staff-chat");
}

static void
lookup_answer(void *ctx)
{
	struct lookup *l = ctx;
	struct store_grant g = { .has_client = false };

	g.has_client = memcmp(l->fingerprint, known_print, sizeof(known_print)) == 0 ||
	    memcmp(l->fingerprint, lapsed_print, sizeof(lapsed_print)) == 0;
	if (g.has_client) {
		g.client.name = mu_strdup("prosody");
		g.client.platform = mu_strdup("xmpp");
		g.client.not_after_s = mu_now_s() +
		    (memcmp(l->fingerprint, known_print, sizeof(known_print)) == 0 ? 100 : -100);
		account_fill(l->name, &g);
	}
	if (strcmp(l->name, "storeless") == 0)
		l->fn(l->ctx, MU_ERETRY, NULL);
	else
		l->fn(l->ctx, MU_OK, &g);
	account_want_clear(&g.account);
	mu_free(g.client.name);
	mu_free(g.client.platform);
	mu_timer_free(l->timer);
	mu_free(l);
}

void
store_read_grant(struct store_read *r, const unsigned char fingerprint[FINGERPRINT_BYTES],
    const char *account_name, store_grant_fn *fn, void *ctx)
{
	struct lookup *l = mu_alloc_zero(1, sizeof(*l));

	(void)snprintf(l->name, sizeof(l->name), "%s", account_name);
	(void)memcpy(l->fingerprint, fingerprint, sizeof(l->fingerprint));
	l->fn = fn;
	l->ctx = ctx;
	l->timer = mu_loop_timer(r->loop, lookup_answer, l);
	if (strcmp(account_name, "together") != 0) {
		mu_timer_set(l->timer, 0);
		return;
	}
	together[together_count++] = l;		/* answered in one turn, when all are there */
	for (size_t i = 0; together_count == TOGETHER && i < TOGETHER; i++)
		mu_timer_set(together[i]->timer, 0);
}

void
store_read_pull_add(struct store_read *r, const struct mu_uuid *client_id,
    const struct mu_uuid *account_id, int64_t now_s)
{
	(void)r;
	(void)client_id;
	(void)account_id;
	(void)now_s;
	seen->pulls++;
}

void
store_read_audit_add(struct store_read *r, const struct mu_uuid *record_id, int64_t at_ms,
    const char *kind, const char *body)
{
	(void)r;
	(void)record_id;
	(void)at_ms;
	if (strcmp(kind, "grant.refused") == 0)
		seen->refusals++;
	(void)snprintf(seen->last_record, sizeof(seen->last_record), "%s", body);
}

/* --- keys, in a process of its own --------------------------------------------------------------- */

static void
mint(struct ipc_channel *ch, struct ipc_message *m)
{
	struct msg_mint *asked = mu_alloc_zero(1, sizeof(*asked));
	struct msg_minted *made = mu_alloc_zero(1, sizeof(*made));
	struct mu_buf body = MU_BUF_INIT, token = MU_BUF_INIT;

	seen->mints++;
	if (msg_mint_decode(&m->body, asked)) {
		made->count = asked->count;
		for (size_t i = 0; i < asked->count; i++) {
			bool is_forged = strcmp(asked->list[i].account.name, "forged") == 0;

			mu_buf_reset(&token);
			mu_buf_format(&token, "%s@%s", asked->list[i].account.name, asked->platform);
			made->list[i].rc = is_forged ? MU_EDENIED : MU_OK;
			made->list[i].token = mu_strdup(is_forged ? "" : token.data);
		}
		msg_minted_encode(made, &body);
		if (strcmp(asked->list[0].account.name, "keyless") == 0)
			ipc_reply_error(ch, m->id, &(struct mu_err){ MU_ERETRY, 0, "keys rests" });
		else
			ipc_reply(ch, OP_MINT, m->id, &body, -1);
		msg_mint_clear(asked);
	}
	msg_minted_clear(made);
	mu_free(asked);
	mu_free(made);
	mu_buf_clear(&body);
	mu_buf_clear(&token);
}

static void
keys_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	struct mu_buf body = MU_BUF_INIT;

	(void)ctx;
	if (m->op == OP_MINT) {
		mint(ch, m);
		return;
	}
	ipc_put_text(&body, "{\"keys\":[]}");
	ipc_reply(ch, OP_JWKS, m->id, &body, -1);
	mu_buf_clear(&body);
}

static void
keys_end(void *ctx, struct ipc_channel *ch)
{
	(void)ch;
	mu_loop_stop(ctx, 0);
}

static int
keys_run(int fd)
{
	static const uint16_t allowed[] = { OP_MINT, OP_JWKS, 0 };
	struct mu_loop *loop = mu_loop_new();
	struct ipc_channel *ch = ipc_open(loop, fd, "token", allowed, keys_request, keys_end, loop);

	(void)mu_loop_run(loop);
	ipc_close(ch);
	mu_loop_free(loop);
	return 0;
}

/* --- The process under test ---------------------------------------------------------------------- */

static void
no_request(void *ctx, struct ipc_channel *ch, struct ipc_message *m)
{
	(void)ctx;
	(void)ch;
	(void)m;
}

static void
no_end(void *ctx, struct ipc_channel *ch)
{
	(void)ctx;
	(void)ch;
}

static struct ipc_channel *
channel_get(void *ctx)
{
	return ctx;
}

/* ctx: NULL without keys */
static int
serve(int listen_fd, int stop_fd, void *ctx)
{
	static const uint16_t nothing[] = { 0 };
	struct mu_loop *loop = mu_loop_new();
	struct api_token_host host = { .loop = loop, .keys = channel_get, .listen_fd = listen_fd,
		.cert_pem = server_cert.cert_pem, .key_pem = &server_cert.key_pem,
		.client_ca_pem = authority.cert_pem };
	struct mu_err err = MU_ERR_INIT;
	struct ipc_channel *ch = NULL;
	struct api_token *api = NULL;
	struct mu_watch *stop;
	int fds[2], status;
	pid_t keys = -1;

	if (ctx != NULL) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
			return 1;
		keys = fork();
		if (keys == 0) {
			(void)close(fds[0]);
			mu_loop_free(loop);
			exit(keys_run(fds[1]));
		}
		(void)close(fds[1]);
		ch = ipc_open(loop, fds[0], "keys", nothing, no_request, no_end, NULL);
	}
	host.keys_ctx = ch;
	host.read = store_read_open(loop, "");
	if (api_token_open(&host, &api, &err) != MU_OK)
		return 1;
	stop = mu_loop_watch(loop, stop_fd, EPOLLIN, rig_on_stop, loop);
	status = mu_loop_run(loop);
	mu_watch_remove(stop);
	ipc_close(ch);
	api_token_close(api);
	store_read_close(host.read);
	mu_loop_free(loop);
	(void)close(stop_fd);
	if (keys > 0)
		(void)waitpid(keys, NULL, 0);
	return status;
}

/* --- The tests ----------------------------------------------------------------------------------- */

static struct http_rig with_keys, without_keys;

static struct http_client *
client_new(const struct http_rig *r, const struct pki_cert *cert)
{
	return rig_client(r, authority.cert_pem, cert == NULL ? NULL : cert->cert_pem,
	    cert == NULL ? NULL : &cert->key_pem);
}

static int
get(struct http_client *client, const char *path, struct http_reply *reply)
{
	return rig_call(client, "GET", path, NULL, reply);
}

static struct row {
	const char *name;
	const struct pki_cert *cert;
	const char *path;
	int status;
	const char *type, *holds;
	int pulls, refusals, mints;
	bool without_keys;
} rows[] = {
	{ "who holds something is granted it", &known, "/v1/grants/ann", 200, "application/jwt", "ann@xmpp",
	    1, 0, 1, false },
	{ "a name is decoded", &known, "/v1/grants/J%C3%B6rg", 200, "application/jwt", "J\xc3\xb6rg@xmpp",
	    1, 0, 1, false },
	{ "a leaver is refused, and keys not asked", &known, "/v1/grants/leaver", 403,
	    "application/problem+json", "not enabled", 0, 1, 0, false },
	{ "who holds nothing is refused", &known, "/v1/grants/bare", 403, "application/problem+json",
	    "no grant", 0, 1, 0, false },
	{ "an unknown account is 404", &known, "/v1/grants/nobody", 404, "application/problem+json",
	    "no such account", 0, 1, 0, false },
	{ "a row that keys does not vouch for is 403", &known, "/v1/grants/forged", 403,
	    "application/problem+json", "vouched", 0, 1, 1, false },
	{ "no certificate is 401", NULL, "/v1/grants/ann", 401, "application/problem+json", "certificate",
	    0, 0, 0, false },
	{ "nobody's certificate is 401", &unknown, "/v1/grants/ann", 401, "application/problem+json",
	    "No client", 0, 1, 0, false },
	{ "a client that has lapsed is 401", &lapsed, "/v1/grants/ann", 401, "application/problem+json",
	    "expired", 0, 1, 0, false },
	{ "store away is 503", &known, "/v1/grants/storeless", 503, "application/problem+json", "try again",
	    0, 0, 0, false },
	{ "keys refusing the batch is 503", &known, "/v1/grants/keyless", 503, "application/problem+json",
	    "try again", 0, 0, 1, false },
	{ "keys away is 503", &known, "/v1/grants/ann", 503, "application/problem+json", "try again", 0, 0,
	    0, true },
	{ "keys away leaves refusals standing", &known, "/v1/grants/leaver", 403,
	    "application/problem+json", "not enabled", 0, 1, 0, true },
	{ "the keys are public", NULL, "/.well-known/jwks.json", 200, "application/jwk-set+json", "keys", 0,
	    0, 0, false },
	{ "no keys, no key set", NULL, "/.well-known/jwks.json", 503, "application/problem+json", "", 0, 0, 0,
	    true },
	{ "health is told to anybody", NULL, "/healthz", 200, "application/json", "ok", 0, 0, 0, true },
	{ "there is no console here", &known, "/v1/status", 404, "application/problem+json", "", 0, 0, 0,
	    false },
};

static void
row_run(void **state)
{
	const struct row *r = *state;
	struct http_client *client = client_new(r->without_keys ? &without_keys : &with_keys, r->cert);
	struct http_reply reply = HTTP_REPLY_INIT;
	struct seen before = *seen;

	assert_int_equal(get(client, r->path, &reply), r->status);
	assert_string_equal(reply.content_type, r->type);
	assert_non_null(strstr(mu_buf_text(&reply.body), r->holds));
	assert_int_equal(seen->pulls - before.pulls, r->pulls);
	assert_int_equal(seen->refusals - before.refusals, r->refusals);
	assert_int_equal(seen->mints - before.mints, r->mints);
	assert_true((reply.retry_after_ms > 0) == (r->status == 503));
	assert_true((http_client_header(client, "www-authenticate") != NULL) == (r->status == 401));
	assert_string_equal(http_client_header(client, "cache-control"),
	    strstr(r->path, "jwks") != NULL && r->status == 200 ? "public, max-age=300" : "no-store");
	http_reply_clear(&reply);
	http_client_close(client);
}

/* Grants that are due in one turn of the loop are signed with as few messages as hold them. */
static void
many_at_once_are_few_messages(void **state)
{
	struct http_reply reply = HTTP_REPLY_INIT;
	struct seen before = *seen;
	int done = 0, status;

	(void)state;
	for (int i = 0; i < TOGETHER; i++)
		if (fork() == 0)
			_exit(get(client_new(&with_keys, &known), "/v1/grants/together", &reply) == 200 ? 0 : 1);
	for (int i = 0; i < TOGETHER; i++)
		if (wait(&status) > 0 && status == 0)
			done++;
	assert_int_equal(done, TOGETHER);
	assert_int_equal(seen->pulls - before.pulls, TOGETHER);
	assert_int_equal(seen->mints - before.mints, 2);
}

static int
all_up(void **state)
{
	size_t size = FINGERPRINT_BYTES;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pki_make(&authority, NULL, "Test authority", NULL, 99);
	pki_make(&server_cert, &authority, "localhost", GNUTLS_KP_TLS_WWW_SERVER, 9);
	pki_make(&known, &authority, "prosody", GNUTLS_KP_TLS_WWW_CLIENT, 9);
	pki_make(&unknown, &authority, "prosody", GNUTLS_KP_TLS_WWW_CLIENT, 9);
	pki_make(&lapsed, &authority, "prosody", GNUTLS_KP_TLS_WWW_CLIENT, 9);
	pki_must(gnutls_x509_crt_get_fingerprint(known.crt, GNUTLS_DIG_SHA256, known_print, &size));
	pki_must(gnutls_x509_crt_get_fingerprint(lapsed.crt, GNUTLS_DIG_SHA256, lapsed_print, &size));
	rig_run(&with_keys, rig_tcp(&with_keys), serve, seen);
	rig_run(&without_keys, rig_tcp(&without_keys), serve, NULL);
	return seen == MAP_FAILED;
}

static int
all_down(void **state)
{
	int status = rig_stop(&with_keys) | rig_stop(&without_keys);

	(void)state;
	pki_clear(&authority);
	pki_clear(&server_cert);
	pki_clear(&known);
	pki_clear(&unknown);
	pki_clear(&lapsed);
	return status;
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows) + 1] = { cmocka_unit_test(many_at_once_are_few_messages) };

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i + 1] = (struct CMUnitTest){ rows[i].name, row_run, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests(tests, all_up, all_down);
}
