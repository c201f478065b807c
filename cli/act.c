#include "cli/act.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/secret.h"
#include "cli/show.h"
#include "cli/talk.h"
#include "cli/targets.h"
#include "cli/when.h"
#include "http/percent.h"
#include "json/write.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES		(64 * 1024)	/* a request or certificate in PEM */
#define ID_DIGITS		12
#define EXECUTE_MS		120000
#define RECEIPTS_MS		30000
#define RECEIPTS_TRIES		5
#define RECEIPTS_AGAIN_US	1000000
#define LOOK_AGAIN_MS		15000

static const struct show_column effect_columns[] = {
	{ "WHO", "person" }, { "FROM", "from" }, { "TO", "to" }, { "LOSES", "lost" },
	{ "GAINS", "gained" },
	{ "ACCOUNTS", "accounts" }, { "REFUSED", "refused" }, { NULL, NULL },
};
static const struct show_column person_columns[] = {
	{ "WHO", "name" }, { "LOGIN", "uid" }, { "ID", "id" }, { NULL, NULL },
};
static const struct show_column receipt_columns[] = {
	{ "AT", "at" }, { "WHO", "person" }, { "PLATFORM", "platform" }, { "ACCOUNT", "account" },
	{ "STEP", "step" }, { "OUTCOME", "outcome" }, { "ENDED", "sessions_ended" },
	{ "LEFT", "sessions_left" }, { "TEXT", "text" }, { NULL, NULL },
};
static const struct show_column action_rows[] = {
	{ "action", "action" }, { "reason", "reason" },
	{ "asked by", "requester" }, { "asked at", "requested_at" }, { "lapses", "lapses_at" },
	{ "digest", "digest" }, { NULL, NULL },
};
static const struct show_column approval_columns[] = {
	{ "WHO", "person" }, { "APPROVED", "approved" }, { "AT", "at" }, { "REASON", "reason" },
	{ NULL, NULL },
};

/* --- The request ------------------------------------------------------------------------------ */

static bool
is_argument(const struct arg *arg)
{
	static const char *const others[] = { "WHO", "reason", "wait", "file", "login", "user" };

	for (size_t i = 0; i < MU_COUNT(others); i++)
		if (strcmp(others[i], arg->name) == 0)
			return false;
	return true;
}

static enum mu_rc
file_text_read(const char *path, struct mu_secret *out_text, struct mu_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum mu_rc rc;

	if (fd < 0)
		return mu_fail_errno(err, MU_EINPUT, "cannot open %s", path);
	rc = mu_secret_read_fd(fd, path, FILE_MAX_BYTES, out_text, err);
	(void)close(fd);
	if (rc == MU_OK && strstr(mu_secret_text(out_text), "PRIVATE KEY") != NULL)
		return mu_fail(err, MU_EINPUT,
		    "%s holds a private key: keep it, and send a request or "
		    "certificate alone", path);
	return rc;
}

static enum mu_rc
argument_write(struct json_writer *w, const char *name, const struct arg *arg, const char *value,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;
	int64_t at_s;

	if (strcmp(arg->value, "FILE") == 0) {
		if (file_text_read(value, &text, err) != MU_OK)
			return err->rc;
		json_text(w, name, mu_secret_text(&text));
	} else if (strcmp(arg->value, "TIME") == 0) {
		if (when_parse(value, mu_now_s(), false, &at_s, err) != MU_OK)
			return mu_wrap(err, "--%s", arg->name);
		json_time(w, name, at_s);
	} else {
		json_text(w, name, value);
	}
	return MU_OK;
}

/* A certificate is called that by the API, and --cert by people. */
static void
argument_name(const struct arg *arg, char out[ARG_NAME_BYTES])
{
	(void)strcpy(out, strcmp(arg->name, "cert") == 0 ? "certificate" : arg->name);
	mu_text_lower(out);
}

struct named {
	char name[ARG_NAME_BYTES];
	size_t index;
};

static int
by_name(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	return strcmp(a->name, b->name);
}

/* The action's arguments: those that were given, in canonical order. */
static enum mu_rc
arguments_make(const struct args *a, struct mu_buf *out_json, struct mu_err *err)
{
	struct named names[ARGS_MAX];
	struct json_writer w;
	size_t count = 0;

	for (size_t i = 0; i < a->spec.count; i++) {
		if (a->values[i] == NULL || !is_argument(&a->spec.list[i]))
			continue;
		argument_name(&a->spec.list[i], names[count].name);
		names[count++].index = i;
	}
	qsort(names, count, sizeof(*names), by_name);
	json_begin(&w, out_json);
	json_object_begin(&w, NULL);
	for (size_t i = 0; i < count; i++)
		if (argument_write(&w, names[i].name, &a->spec.list[names[i].index],
		    a->values[names[i].index], err) != MU_OK)
			return err->rc;
	json_object_end(&w);
	json_end(&w);
	return MU_OK;
}

/* Where no reason is asked for, the command stands for it: "client remove xmpp-server". */
static void
reason_make(const struct cli *c, const struct args *a, struct mu_buf *b)
{
	const char *given = args_get(a, "reason");

	mu_buf_text_add(b, given == NULL ? c->command->words : given);
	for (size_t i = 0; given == NULL && i < a->spec.count; i++)
		if (!a->spec.list[i].is_option && a->values[i] != NULL)
			mu_buf_format(b, " %s", a->values[i]);
}

static bool
spec_has(const struct args *a, const char *name)
{
	for (size_t i = 0; i < a->spec.count; i++)
		if (strcmp(a->spec.list[i].name, name) == 0)
			return true;
	return false;
}

/* Everybody it is about; the faults of a file are told. */
static int
targets_make(const struct cli *c, const struct args *a, struct targets *t)
{
	MU_AUTO(mu_buf_clear) struct mu_buf faults = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < a->many_count; i++)
		if (targets_add(t, a->many[i], &err) != MU_OK)
			return cli_usage(c, "%s", err.text);
	if (a->many_count == 0 && args_has(a, "WHO") &&
	    targets_add(t, args_get(a, "WHO"), &err) != MU_OK)
		return cli_usage(c, "%s", err.text);
	if (spec_has(a, "file") && args_has(a, "file") &&
	    targets_read(t, args_get(a, "file"), &faults, &err) != MU_OK) {
		show_text(c->err, mu_buf_text(&faults));
		return cli_fail(c, &err);
	}
	if (targets_check(t, &err) != MU_OK)
		return cli_usage(c, "%s", err.text);
	return CLI_DONE;
}

static int
request_make(const struct cli *c, const struct args *a, const char *args_json,
    struct mu_buf *out_request)
{
	MU_AUTO(targets_clear) struct targets targets = TARGETS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf reason = MU_BUF_INIT;
	struct json_writer w;
	int status = spec_has(a, "WHO") ? targets_make(c, a, &targets) : CLI_DONE;

	if (status != CLI_DONE)
		return status;
	reason_make(c, a, &reason);
	json_begin(&w, out_request);
	json_object_begin(&w, NULL);
	json_text(&w, "action", c->command->action);
	json_value(&w, "args", args_json);
	json_text(&w, "reason", reason.data);
	json_list_begin(&w, "targets");
	for (size_t i = 0; i < targets.count; i++)
		json_text(&w, NULL, targets.list[i]);
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
	return CLI_DONE;
}

/* --- What is shown ---------------------------------------------------------------------------- */

static void
preview_show(FILE *to, const struct json_node *preview)
{
	const struct json_node *lines = json_find(preview, "lines");
	const char *summary = json_find_text(preview, "summary");

	if (summary != NULL && summary[0] != '\0')
		show_line(to, "%s", summary);
	for (size_t i = 0; i < json_count(lines); i++) {
		const char *line = json_node_text(json_at(lines, i));

		show_text(to, line == NULL ? "" : line);
	}
	show_list(to, effect_columns, true, json_find(preview, "people"));
}

static void
needs_show(FILE *to, const struct json_node *needs)
{
	int64_t approvals = 0;
	bool code = true;

	(void)json_find_int(needs, "approvals", &approvals);
	(void)json_find_bool(needs, "code", &code);
	if (approvals > 0)
		show_line(to, "needs: %s and the approval of %lld other%s",
		    code ? "your code" : "your word",
		    (long long)approvals, approvals == 1 ? "" : "s");
	else
		show_line(to, "needs: %s", code ? "your code" : "nothing more");
}

static int64_t
approvals_missing(const struct json_node *action)
{
	const struct json_node *approvals = json_find(action, "approvals");
	int64_t missing = 0;

	(void)json_find_int(json_find(action, "needs"), "approvals", &missing);
	for (size_t i = 0; i < json_count(approvals) && missing > 0; i++) {
		bool approved = false;

		(void)json_find_bool(json_at(approvals, i), "approved", &approved);
		missing -= approved;
	}
	return missing;
}

/* A policy's files are texts of many lines: policy_difference_show shows them better. */
static bool
argument_show(void *to, const char *name, const struct json_node *value)
{
	if (json_kind(value) != JSON_KIND_OBJECT)
		show_member(to, name, value);
	return true;
}

void
act_document_show(FILE *to, const struct json_node *action)
{
	int64_t wanted = 0;

	show_facts(to, action_rows, action);
	json_each(json_find(json_find(action, "document"), "args"), argument_show, to);
	show_list(to, person_columns, false, json_find(action, "targets"));
	show_list(to, approval_columns, true, json_find(action, "approvals"));
	preview_show(to, json_find(action, "preview"));
	(void)json_find_int(json_find(action, "needs"), "approvals", &wanted);
	show_line(to, "approvals: %lld of %lld", (long long)(wanted - approvals_missing(action)),
	    (long long)wanted);
}

/* What the server hands out with the result: a certificate, a code. */
static void
result_show(FILE *to, const struct json_node *action)
{
	const struct json_node *result = json_find(action, "result");
	const char *certificate = json_find_text(result, "certificate");
	const char *code = json_find_text(json_find(action, "shown"), "enrolment_code");
	int64_t version;

	show_list(to, effect_columns, true, json_find(result, "people"));
	if (json_find_int(result, "version", &version))
		show_line(to, "policy version %lld is in force", (long long)version);
	if (certificate != NULL)
		show_text(to, certificate);
	if (code != NULL) {
		show_line(to, "one-time code for their first login: %s", code);
		show_line(to, "Hand it over in person. It is shown once, here.");
	}
}

/* The action as the server answered it, with the preview among its members. */
static void
action_json_show(FILE *to, const struct json_node *action, const struct json_node *preview)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf whole = MU_BUF_INIT, rest = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (preview == NULL || json_find(action, "preview") != NULL || json_count(action) == 0) {
		show_node(to, action);
		return;
	}
	mu_buf_text_add(&whole, "{\"preview\":");
	if (json_canonical(preview, &whole, &err) != MU_OK ||
	    json_canonical(action, &rest, &err) != MU_OK)
		return;
	mu_buf_char_add(&whole, ',');
	mu_buf_text_add(&whole, rest.data + 1);
	if (json_parse(whole.data, whole.size_bytes, whole.size_bytes, "the answer", &root,
	    &err) == MU_OK)
		show_node(to, root);
}

int
act_end(struct cli *c, const struct json_node *action, const struct json_node *preview)
{
	const char *name = json_find_text(action, "action"),
	    *digest = json_find_text(action, "digest");
	const char *state = json_find_text(action, "state");
	int64_t missing;

	if (name == NULL || digest == NULL || state == NULL) {
		cli_say(c, "the server's answer is no action");
		return CLI_FAILED;
	}
	if (c->json)
		action_json_show(c->out, action, preview);
	if (strcmp(state, "executed") == 0) {
		if (!c->json)
			show_line(c->out, "done: %s (%.*s)", name, ID_DIGITS, digest);
		if (!c->json)
			result_show(c->out, action);
		return CLI_DONE;
	}
	if (strcmp(state, "pending") == 0) {
		missing = approvals_missing(action);
		if (missing == 0)	/* somebody who approved is an administrator no more */
			missing = 1;
		if (!c->json)
			show_line(c->out, "pending: %.*s, %lld approval%s missing", ID_DIGITS,
			    digest, (long long)missing, missing == 1 ? "" : "s");
		return CLI_PENDING;
	}
	if (!c->json)
		show_line(c->out, "%s: %s (%.*s)", state, name, ID_DIGITS, digest);
	return CLI_FAILED;
}

/* --- The way of an action --------------------------------------------------------------------- */

int
act_code_body(struct cli *c, const char *reason, struct mu_buf *out_body)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct json_writer w;

	if (secret_code_ask(c, "Code: ", &code, &err) != MU_OK)
		return cli_fail(c, &err);
	json_begin(&w, out_body);
	json_object_begin(&w, NULL);
	json_text(&w, "code", mu_secret_text(&code));
	if (reason != NULL)
		json_text(&w, "reason", reason);
	json_object_end(&w);
	json_end(&w);
	return CLI_DONE;
}

struct following {
	struct show_table table;
	struct mu_buf target;
	char *after;			/* the last receipt that was shown; NULL: none */
	int64_t unsettled;
	size_t shown;			/* in the last answer */
};

static void
following_clear(struct following *f)
{
	show_table_clear(&f->table);
	mu_buf_clear(&f->target);
	mu_free(f->after);
}

static int
receipts_show(struct cli *c, struct following *f, const struct json_node *answer)
{
	const struct json_node *receipts = json_find(answer, "receipts");

	f->shown = json_count(receipts);
	for (size_t i = 0; i < f->shown; i++) {
		if (c->json)
			show_node(c->out, json_at(receipts, i));
		else
			show_table_add(&f->table, json_at(receipts, i));
	}
	show_table_print(&f->table, c->out);
	(void)fflush(c->out);
	if (!json_find_int(answer, "unsettled", &f->unsettled)) {
		cli_say(c, "the server's answer holds no receipts");
		return CLI_FAILED;
	}
	if (json_find_text(answer, "next") != NULL) {
		mu_free(f->after);
		f->after = mu_strdup(json_find_text(answer, "next"));
	}
	return CLI_DONE;
}

/* Asks for what came after the last one; what is away for a moment is asked again. */
static int
receipts_ask(struct cli *c, struct following *f, const char *digest)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	int status = CLI_UNREACHABLE;

	mu_buf_reset(&f->target);
	mu_buf_format(&f->target, "/v1/receipts?action=%s", digest);
	if (f->after != NULL) {
		mu_buf_text_add(&f->target, "&after=");
		http_percent_format(&f->target, f->after);
	}
	for (int tries = 0; status == CLI_UNREACHABLE && tries < RECEIPTS_TRIES; tries++) {
		struct mu_err err = MU_ERR_INIT;
		bool unanswered;

		if (tries > 0)
			(void)usleep(RECEIPTS_AGAIN_US);
		status = talk_try(c, "GET", f->target.data, NULL, RECEIPTS_MS, &answer, &unanswered,
		    &err);
		if (unanswered)
			status = cli_fail(c, &err);
	}
	return status == CLI_DONE ? receipts_show(c, f, answer) : status;
}

/* Prints the receipts as they come, until every account is as wanted. */
static int
receipts_follow(struct cli *c, const char *digest)
{
	MU_AUTO(following_clear) struct following f = { .unsettled = 1 };
	int status = CLI_DONE;

	show_table_init(&f.table, receipt_columns, false);
	while (status == CLI_DONE && (f.unsettled > 0 || f.shown > 0))
		status = receipts_ask(c, &f, digest);
	if (status == CLI_DONE && !c->json)
		show_line(c->out, "settled: every account is as wanted");
	return status;
}

/*
 * Sends the code. When no answer came, the action may have been done all the same: the server is
 * asked, and only if that fails, too, it stays open.
 */
static int
execute(struct cli *c, const char *digest, const struct mu_buf *body, struct json_node **out_action)
{
	MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT, again = MU_ERR_INIT;
	bool unanswered, silent;
	const char *state;
	int status;

	mu_buf_format(&target, "/v1/actions/%s/execute", digest);
	status = talk_try(c, "POST", target.data, body, EXECUTE_MS, out_action, &unanswered, &err);
	if (!unanswered)
		return status;
	mu_buf_reset(&target);
	mu_buf_format(&target, "/v1/actions/%s", digest);
	(void)talk_try(c, "GET", target.data, NULL, LOOK_AGAIN_MS, out_action, &silent, &again);
	state = json_find_text(*out_action, "state");
	if (state != NULL && strcmp(state, "prepared") != 0)
		return CLI_DONE;
	if (state == NULL)
		cli_say(c, "no answer came: whether it was done, muster audit list tells");
	return cli_fail(c, &err);
}

static const char *
digest_of(const struct json_node *answer)
{
	const char *digest = json_find_text(answer, "digest");

	return digest != NULL && strlen(digest) == 64 &&
	    strspn(digest, "0123456789abcdef") == 64 ? digest : NULL;
}

int
act_propose(struct cli *c, const struct mu_buf *request, bool wait)
{
	MU_AUTO(json_freep) struct json_node *proposal = NULL, *action = NULL;
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	const char *digest;
	bool code = true;
	int status = talk_ask(c, "POST", "/v1/actions", request, &proposal);

	if (status != CLI_DONE)
		return status;
	digest = digest_of(proposal);
	if (digest == NULL) {
		cli_say(c, "the server's answer is no proposal");
		return CLI_FAILED;
	}
	if (!c->json) {
		preview_show(c->err, json_find(proposal, "preview"));
		needs_show(c->err, json_find(proposal, "needs"));
	}
	(void)json_find_bool(json_find(proposal, "needs"), "code", &code);
	if (code)
		status = act_code_body(c, NULL, &body);
	else
		mu_buf_text_add(&body, "{\"code\":\"\"}");
	if (status == CLI_DONE)
		status = execute(c, digest, &body, &action);
	if (status == CLI_DONE)
		status = act_end(c, action, json_find(proposal, "preview"));
	if (status == CLI_DONE && wait)
		status = receipts_follow(c, digest);
	return status;
}

int
act_with(struct cli *c, const struct args *a, const char *args_json)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	int status = request_make(c, a, args_json, &request);

	if (status == CLI_DONE)
		status = talk_open(c, TALK_SESSION);
	return status == CLI_DONE ? act_propose(c, &request, false) : status;
}

int
act_run(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf args_json = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (arguments_make(a, &args_json, &err) != MU_OK)
		return cli_usage(c, "%s", err.text);
	return act_with(c, a, args_json.data);
}

/* --- revoke ----------------------------------------------------------------------------------- */

/* Login and action in one request: one password, one code, no session. */
static int
revoke_at_login(struct cli *c, const struct args *a, const struct mu_buf *request)
{
	MU_AUTO(json_freep) struct json_node *action = NULL;
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	bool unanswered;
	int status = talk_open(c, TALK_STRANGER);

	if (status == CLI_DONE)
		status = login_body_make(c, args_get(a, "user"), mu_buf_text(request), &body);
	if (status != CLI_DONE)
		return status;
	status = talk_try(c, "POST", "/v1/login", &body, EXECUTE_MS, &action, &unanswered, &err);
	if (unanswered)
		return cli_fail(c, &err);
	return status == CLI_DONE ? act_end(c, action, NULL) : status;
}

int
act_revoke(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	bool wait = args_has(a, "wait"), has_session;
	int status = request_make(c, a, "{}", &request);

	if (status != CLI_DONE)
		return status;
	has_session = !args_has(a, "login") && talk_has_session(c);
	if (!has_session && !wait)
		return revoke_at_login(c, a, &request);
	if (!has_session)
		status = login_session(c, args_get(a, "user"), false);
	if (status == CLI_DONE)
		status = talk_open(c, TALK_SESSION);
	return status == CLI_DONE ? act_propose(c, &request, wait) : status;
}
