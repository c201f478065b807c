#include "cli/talk.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/home.h"
#include "cli/show.h"
#include "http/client.h"
#include "http/percent.h"
#include "http/pin.h"

#include <string.h>
#include <unistd.h>

/* a job's output, each byte of it escaped thrice at most */
#define ANSWER_MAX_BYTES	(96u << 20)

/*
 * Where the console is, unless said: with run: /run/muster, and where state: /var/lib/muster says
 * it all.
 */
static const char *const console_paths[] = {
	"/run/muster/console.sock", "/var/lib/muster/run/console.sock",
};

static const struct show_column candidate_columns[] = {
	{ "NAME", "name" }, { "LOGIN", "uid" }, { "ID", "id" }, { NULL, NULL },
};

/* --- Open ------------------------------------------------------------------------------------- */

int
talk_home(struct cli *c)
{
	struct mu_err err = MU_ERR_INIT;

	if (c->home != NULL)
		return CLI_DONE;
	return home_open(&c->home, &err) == MU_OK ? CLI_DONE : cli_fail(c, &err);
}

bool
talk_has_session(struct cli *c)
{
	MU_AUTO(home_session_clear) struct home_session session = { .expires_at_s = 0 };
	struct mu_err err = MU_ERR_INIT;

	return talk_home(c) == CLI_DONE &&
	    home_session_read(c->home, mu_now_s(), &session, &err) == MU_OK;
}

static int
client_open(struct cli *c, const struct http_client_settings *settings)
{
	struct mu_err err = MU_ERR_INIT;

	http_client_close(c->client);
	c->client = NULL;
	c->in_session = settings->cert_pem != NULL;
	return http_client_open(settings, &c->client, &err) == MU_OK ? CLI_DONE : cli_fail(c, &err);
}

/* The session is borrowed by the client: it stays as long as the command. */
static int
session_open(struct cli *c, struct http_client_settings *settings)
{
	static struct home_session session;	/* of a process that is one command */
	struct mu_err err = MU_ERR_INIT;

	home_session_clear(&session);
	if (home_session_read(c->home, mu_now_s(), &session, &err) != MU_OK)
		return cli_fail(c, &err);
	settings->cert_pem = session.cert_pem;
	settings->key_pem = &session.key_pem;
	return client_open(c, settings);
}

static int
console_open(struct cli *c, struct http_client_settings *settings)
{
	settings->base_url = "http://console";
	settings->unix_socket = c->console;
	for (size_t i = 0; i < MU_COUNT(console_paths) && settings->unix_socket == NULL; i++)
		if (access(console_paths[i], F_OK) == 0)
			settings->unix_socket = console_paths[i];
	if (settings->unix_socket != NULL && access(settings->unix_socket, W_OK) == 0)
		return client_open(c, settings);
	cli_say(c, "no console at %s: is musterd running? --console says where its socket is, "
	    "and only root and the user that musterd runs as may use it",
	    settings->unix_socket == NULL ? console_paths[0] : settings->unix_socket);
	return CLI_UNREACHABLE;
}

int
talk_open(struct cli *c, enum talk_to to)
{
	struct http_client_settings settings = { .response_max_bytes = ANSWER_MAX_BYTES };

	if (to == TALK_CONSOLE)
		return console_open(c, &settings);
	if (talk_home(c) != CLI_DONE)
		return CLI_FAILED;
	if (c->home->server == NULL) {
		cli_say(c, "no server is known here yet: muster login --server URL "
		    "--ca-fingerprint HEX, as muster bootstrap printed them");
		return CLI_FAILED;
	}
	settings.base_url = c->server == NULL ? c->home->server : c->server;
	settings.ca_file = c->home->ca_path;
	return to == TALK_SESSION ? session_open(c, &settings) : client_open(c, &settings);
}

int
talk_pin(const struct cli *c, const char *server, const char *fingerprint, struct mu_buf *out_pem)
{
	struct mu_err err = MU_ERR_INIT;
	unsigned char bytes[HTTP_PIN_BYTES];

	if (!mu_hex_parse(fingerprint, bytes, sizeof(bytes)))
		return cli_usage(c, "--ca-fingerprint is 64 hex digits");
	if (http_pin_fetch(server, bytes, mu_tick_ms() + TALK_MS, out_pem, &err) == MU_OK)
		return CLI_DONE;
	return cli_fail(c, &err);
}

/* --- Ask -------------------------------------------------------------------------------------- */

/* Whom each of the given could have meant. */
static void
targets_tell(const struct cli *c, const struct json_node *targets)
{
	for (size_t i = 0; i < json_count(targets); i++) {
		const struct json_node *one = json_at(targets, i);
		const struct json_node *candidates = json_find(one, "candidates");
		const char *given = json_find_text(one, "given");

		show_line(c->err, "\"%s\": %s", given == NULL ? "" : given,
		    json_count(candidates) == 0 ? "nobody" : "one of these?");
		show_list(c->err, candidate_columns, false, candidates);
	}
}

/* What is not 2xx. */
static int
refusal_tell(const struct cli *c, const struct http_reply *reply, const struct json_node *problem)
{
	const char *detail = json_find_text(problem, "detail");

	if (c->json && problem != NULL)
		show_node(c->out, problem);
	if (detail != NULL && detail[0] != '\0')
		cli_say(c, "%s", detail);
	else
		cli_say(c, "the server refuses with status %d and does not say why", reply->status);
	targets_tell(c, json_find(problem, "targets"));
	show_list(c->err, candidate_columns, false, json_find(problem, "candidates"));
	if (reply->status == 401 && c->in_session)
		cli_say(c, "if your session has ended: muster login");
	if (reply->retry_after_ms > 0)
		cli_say(c, "try again in %lld s",
		    (long long)((reply->retry_after_ms + 999) / 1000));
	return reply->status == 503 ? CLI_UNREACHABLE : CLI_FAILED;
}

static int
reply_read(const struct cli *c, const struct http_reply *reply, struct json_node **out_root)
{
	struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;
	int status = CLI_DONE;

	if (reply->body.size_bytes > 0 &&
	    json_parse(mu_buf_text(&reply->body), reply->body.size_bytes, ANSWER_MAX_BYTES,
	    "the answer", &root, &err) != MU_OK && reply->status / 100 == 2) {
		cli_say(c, "this is no muster server: %s", err.text);
		return CLI_FAILED;
	}
	if (reply->status / 100 != 2) {
		status = refusal_tell(c, reply, root);
		json_free(root);
		return status;
	}
	*out_root = root;
	return CLI_DONE;
}

/* One of both certificates was refused in the handshake. */
static void
trust_explain(struct mu_err *err)
{
	char text[MU_ERR_TEXT_BYTES];

	(void)strcpy(text, err->text);
	(void)mu_fail(err, MU_ECONFIG, "%.350s: it is not the server that was pinned, or your session is not "
	    "for it: muster login, with --ca-fingerprint if the server was set up anew", text);
}

static int
call_send(struct cli *c, struct http_call *call, const struct mu_buf *body, int64_t wait_ms,
    struct json_node **out_root, bool *out_unanswered, struct mu_err *err)
{
	MU_AUTO(http_reply_clear) struct http_reply reply = HTTP_REPLY_INIT;
	int status;

	call->deadline_ms = mu_tick_ms() + wait_ms;
	if (body != NULL) {
		call->body = mu_buf_text(body);
		call->body_bytes = body->size_bytes;
	}
	*out_unanswered = http_client_call(c->client, call, &reply, err) != HTTP_ANSWERED;
	if (*out_unanswered && err->rc == MU_ECONFIG)
		trust_explain(err);
	if (*out_unanswered)
		return err->rc == MU_ERETRY ? CLI_UNREACHABLE : CLI_FAILED;
	status = reply_read(c, &reply, out_root);
	if (reply.body.size_bytes > 0)
		explicit_bzero(reply.body.data, reply.body.size_bytes);
	return status;
}

int
talk_try(struct cli *c, const char *method, const char *target, const struct mu_buf *body,
    int64_t wait_ms, struct json_node **out_root, bool *out_unanswered, struct mu_err *err)
{
	struct http_call call = {
		.method = method, .target = target,
		.content_type = body == NULL ? NULL : "application/json",
	};

	return call_send(c, &call, body, wait_ms, out_root, out_unanswered, err);
}

int
talk_form(struct cli *c, const char *target, const struct mu_buf *form, struct json_node **out_root)
{
	struct http_call call = {
		.method = "POST", .target = target,
		.content_type = "application/x-www-form-urlencoded",
		.headers = { "Accept: application/json" },
	};
	struct mu_err err = MU_ERR_INIT;
	bool unanswered;
	int status = call_send(c, &call, form, TALK_MS, out_root, &unanswered, &err);

	return unanswered ? cli_fail(c, &err) : status;
}

int
talk_ask(struct cli *c, const char *method, const char *target, const struct mu_buf *body,
    struct json_node **out_root)
{
	struct mu_err err = MU_ERR_INIT;
	bool unanswered;
	int status = talk_try(c, method, target, body, TALK_MS, out_root, &unanswered, &err);

	return unanswered ? cli_fail(c, &err) : status;
}

void
talk_segment_add(struct mu_buf *target, const char *text)
{
	mu_buf_char_add(target, '/');
	http_percent_format(target, text);
}
