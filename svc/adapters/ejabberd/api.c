#include "adapters/ejabberd/api.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/percent.h"
#include "json/write.h"

#define ANY		(-1)
#define ANSWER_MAX_BYTES HTTP_CLIENT_RESPONSE_MAX_BYTES
#define TOKEN_ANSWER_MAX_BYTES	8192
#define TOKEN_MAX_BYTES		4096
#define TOKEN_S			3600		/* what is asked for */
#define TOKEN_MOST_S		(366 * MU_DAY_S)
#define BASIC_MS		600000		/* without a token: then one is asked for again */

/* The first row that fits; what none fits is worth another try. */
static const struct refusal {
	int status;
	int64_t code;
	const char *text;		/* the message begins so */
	enum adapter_outcome outcome;
} refusals[] = {
	{ 401, ANY,	"",				ADAPTER_OWN_CREDENTIAL },
	{ 403, ANY,	"",				ADAPTER_OWN_CREDENTIAL },
	{ 409, ANY,	"",				ADAPTER_CONFLICT },
	{ 404, ANY,	"unknown_user",			ADAPTER_ABSENT },
	{ 404, 40,	"",				ADAPTER_REFUSED },	/* no such command here */
	{ 400, ANY,	"Room already exists",		ADAPTER_ALREADY },
	{ 400, ANY,	"Room doesn't exists",		ADAPTER_ABSENT },
	{ 400, ANY,	"The room does not exist",	ADAPTER_ABSENT },
	{ 400, ANY,	"Unknown virtual host",		ADAPTER_REFUSED },
	{ 400, ANY,	"Invalid",			ADAPTER_REFUSED },
	{ 400, ANY,	"invalid",			ADAPTER_REFUSED },
	{ 400, ANY,	"Request have",			ADAPTER_REFUSED },	/* argument missing, unknown */
	{ 500, 10001,	"",				ADAPTER_REFUSED },	/* bad name, bad host */
};

void
ejabberd_answer_clear(struct ejabberd_answer *answer)
{
	json_free(answer->root);
	*answer = (struct ejabberd_answer)EJABBERD_ANSWER_INIT;
}

/* A bare 0 or "text" is JSON too: inside a list it is what json_parse takes. */
static enum mu_rc
answer_parse(const char *body, size_t body_bytes, struct ejabberd_answer *out_answer,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf list = MU_BUF_INIT;

	mu_buf_char_add(&list, '[');
	mu_buf_add(&list, body, body_bytes);
	mu_buf_char_add(&list, ']');
	if (json_parse(list.data, list.size_bytes, ANSWER_MAX_BYTES + 2, "ejabberd's answer",
	    &out_answer->root, err) != MU_OK)
		return err->rc;
	if (json_count(out_answer->root) != 1) {
		ejabberd_answer_clear(out_answer);
		return mu_fail(err, MU_EINPUT, "ejabberd's answer: not one value");
	}
	out_answer->value = json_at(out_answer->root, 0);
	return MU_OK;
}

static enum mu_rc
outcome_rc(enum adapter_outcome outcome)
{
	switch (outcome) {
	case ADAPTER_DONE:
	case ADAPTER_ALREADY:
		return MU_OK;
	case ADAPTER_RETRY:
	case ADAPTER_UNKNOWN:
		return MU_ERETRY;
	case ADAPTER_OWN_CREDENTIAL:
		return MU_ECONFIG;
	case ADAPTER_ABSENT:
		return MU_EABSENT;
	case ADAPTER_CONFLICT:
		return MU_ECONFLICT;
	case ADAPTER_REFUSED:
		return MU_EINPUT;
	}
	return MU_EBROKEN;
}

enum adapter_outcome
ejabberd_refusal(int status, const char *body, size_t body_bytes, struct mu_err *err)
{
	MU_AUTO(ejabberd_answer_clear) struct ejabberd_answer answer = EJABBERD_ANSWER_INIT;
	enum adapter_outcome outcome = ADAPTER_RETRY;
	struct mu_err odd = MU_ERR_INIT;
	const char *text = NULL;
	int64_t code = ANY;

	if (answer_parse(body, body_bytes, &answer, &odd) == MU_OK) {
		text = json_node_text(answer.value);
		if (text == NULL)
			text = json_find_text(answer.value, "message");
		(void)json_find_int(answer.value, "code", &code);
	}
	if (text == NULL)
		text = "";
	for (size_t i = 0; i < MU_COUNT(refusals); i++) {
		const struct refusal *r = &refusals[i];

		if (r->status == status && (r->code == ANY || r->code == code)
		    && mu_text_starts(text, r->text)) {
			outcome = r->outcome;
			break;
		}
	}
	(void)mu_fail(err, outcome_rc(outcome), "[%d] code %lld%s%.200s", status, (long long)code,
	    text[0] != '\0' ? ": " : "", strchr(text, '@') == NULL ? text : "(it names the account)");
	return outcome;
}

enum adapter_outcome
ejabberd_odd(const char *command, struct mu_err *err)
{
	(void)mu_fail(err, MU_ERETRY, "ejabberd %s: an answer that is not of the kind documented",
	    command);
	return ADAPTER_RETRY;
}

static void
args_format(const struct ejabberd_arg *args, struct mu_buf *b)
{
	struct json_writer w;
	size_t bytes = 64;

	for (const struct ejabberd_arg *a = args; a->name != NULL; a++)
		bytes += strlen(a->name) + 6 * strlen(a->json != NULL ? a->json : a->text) + 8;
	mu_buf_reserve(b, bytes);	/* a password in it: growing would leave a copy behind */
	json_begin(&w, b);
	json_object_begin(&w, NULL);
	for (const struct ejabberd_arg *a = args; a->name != NULL; a++) {
		if (a->json != NULL)
			json_value(&w, a->name, a->json);
		else
			json_text(&w, a->name, a->text);
	}
	json_object_end(&w);
	json_end(&w);
}

static bool
is_bearer(const char *token)		/* RFC 6750, 2.1: b64token */
{
	size_t letters = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~+/");

	return letters > 0 && token[letters + strspn(token + letters, "=")] == '\0';
}

enum mu_rc
ejabberd_token_read(const char *body, size_t body_bytes, struct mu_secret *out_token,
    int64_t *out_use_s, struct mu_err *err)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err quoting = MU_ERR_INIT;
	const char *token, *type;
	int64_t expires_s;

	if (json_parse(body, body_bytes, TOKEN_ANSWER_MAX_BYTES, "token", &root, &quoting) != MU_OK)
		return mu_fail(err, MU_EINPUT, "ejabberd's token: no JSON");
	if (json_get_text(root, "access_token", TOKEN_MAX_BYTES, &token, &quoting) != MU_OK
	    || !is_bearer(token))
		return mu_fail(err, MU_EINPUT, "ejabberd's token: no access_token");
	type = json_find_text(root, "token_type");
	if (type == NULL || !mu_text_equal_fold(type, "bearer"))
		return mu_fail(err, MU_EINPUT, "ejabberd's token: token_type is not bearer");
	if (json_get_int(root, "expires_in", EJABBERD_TOKEN_MARGIN_S + 1, TOKEN_MOST_S, &expires_s,
	    &quoting) != MU_OK)
		return mu_fail(err, MU_EINPUT, "ejabberd's token: no expires_in, or too soon");
	mu_secret_set(out_token, token, strlen(token));
	*out_use_s = expires_s - EJABBERD_TOKEN_MARGIN_S;
	return MU_OK;
}

static enum http_sent
token_ask(struct ejabberd_api *api, struct http_reply *out_reply, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf form = MU_BUF_INIT;
	struct http_call call = {
		.method = "POST", .target = "/oauth/token",
		.content_type = "application/x-www-form-urlencoded",
		.deadline_ms = api->deadline_ms,
	};

	mu_buf_reserve(&form, 3 * (strlen(api->user) + api->password->size_bytes) + 128);
	mu_buf_text_add(&form, "grant_type=password&client_id=muster&scope=");
	http_percent_format(&form, "ejabberd:admin");
	mu_buf_format(&form, "&ttl=%d&username=", TOKEN_S);
	http_percent_format(&form, api->user);
	mu_buf_text_add(&form, "&password=");
	http_percent_format(&form, mu_secret_text(api->password));
	call.body = form.data;
	call.body_bytes = form.size_bytes;
	return http_client_call(api->http, &call, out_reply, err);
}

/*
 * A token where one is to be had, else none. Which refusal is the password's fault the answer does
 * not tell: ejabberd (23.01) closes the connection without a word both for a wrong password and for
 * an account that oauth_access leaves out. The command that follows with the password tells.
 */
static enum mu_rc
token_ensure(struct ejabberd_api *api, struct mu_err *err)
{
	MU_AUTO(http_reply_clear) struct http_reply reply = HTTP_REPLY_INIT;
	struct mu_err refused = MU_ERR_INIT;
	int64_t now_ms = mu_tick_ms(), use_s;
	enum http_sent sent;

	if (api->token.size_bytes > 0 && now_ms < api->token_until_ms)
		return MU_OK;
	mu_secret_clear(&api->token);
	if (now_ms < api->basic_until_ms)
		return MU_OK;
	sent = token_ask(api, &reply, &refused);
	if (sent == HTTP_NOT_SENT) {
		*err = refused;
		return err->rc;
	}
	if (sent == HTTP_ANSWERED && reply.status == 200
	    && ejabberd_token_read(mu_buf_text(&reply.body), reply.body.size_bytes, &api->token,
	    &use_s, &refused) == MU_OK)
		api->token_until_ms = now_ms + use_s * 1000;
	else
		api->basic_until_ms = now_ms + BASIC_MS;
	return MU_OK;
}

/*
 * A call answered 401 or 403 was not carried out. With a token it is sent again, once with a new
 * one and then with the password: api_permissions may know the account and leave out its tokens.
 */
static enum http_sent
authorised_call(struct ejabberd_api *api, struct http_call *call, struct http_reply *out_reply,
    struct mu_err *err)
{
	for (bool is_anew = false;; is_anew = true) {
		enum http_sent sent;
		bool has_token;

		if (token_ensure(api, err) != MU_OK)
			return HTTP_NOT_SENT;
		has_token = api->token.size_bytes > 0;
		call->bearer = has_token ? &api->token : NULL;
		call->user = has_token ? NULL : api->user;
		call->password = has_token ? NULL : api->password;
		sent = http_client_call(api->http, call, out_reply, err);
		if (!has_token || sent != HTTP_ANSWERED
		    || (out_reply->status != 401 && out_reply->status != 403))
			return sent;
		mu_secret_clear(&api->token);
		if (is_anew || out_reply->status == 403)
			api->basic_until_ms = mu_tick_ms() + BASIC_MS;
		http_reply_clear(out_reply);
	}
}

static enum adapter_outcome
unanswered(enum http_sent sent, bool changes, const char *command, struct mu_err *err)
{
	(void)mu_wrap(err, "ejabberd %s", command);
	return sent == HTTP_UNANSWERED && changes ? ADAPTER_UNKNOWN : ADAPTER_RETRY;
}

static enum adapter_outcome
command_send(struct ejabberd_api *api, const char *command, const struct ejabberd_arg *args,
    bool changes, struct ejabberd_answer *out_answer, struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(http_reply_clear) struct http_reply reply = HTTP_REPLY_INIT;
	char target[64] = "/api/";
	enum http_sent sent;
	struct http_call call = {
		.method = "POST", .target = target, .content_type = "application/json",
		.deadline_ms = api->deadline_ms,
	};

	(void)strncat(target, command, sizeof(target) - strlen(target) - 1);
	args_format(args, &body);
	call.body = body.data;
	call.body_bytes = body.size_bytes;
	sent = authorised_call(api, &call, &reply, err);
	if (sent != HTTP_ANSWERED)
		return unanswered(sent, changes, command, err);
	if (reply.status != 200) {
		enum adapter_outcome outcome = ejabberd_refusal(reply.status,
		    mu_buf_text(&reply.body), reply.body.size_bytes, err);

		err->retry_after_ms = reply.retry_after_ms;
		(void)mu_wrap(err, "ejabberd %s", command);
		return outcome;
	}
	if (answer_parse(mu_buf_text(&reply.body), reply.body.size_bytes, out_answer, err) != MU_OK)
		return ejabberd_odd(command, err);
	return ADAPTER_DONE;
}

enum adapter_outcome
ejabberd_ask(struct ejabberd_api *api, const char *command, const struct ejabberd_arg *args,
    struct ejabberd_answer *out_answer, struct mu_err *err)
{
	return command_send(api, command, args, false, out_answer, err);
}

enum adapter_outcome
ejabberd_do(struct ejabberd_api *api, const char *command, const struct ejabberd_arg *args,
    struct ejabberd_answer *out_answer, struct mu_err *err)
{
	return command_send(api, command, args, true, out_answer, err);
}
