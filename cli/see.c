#include "cli/see.h"

#include "base/clock.h"
#include "cli/show.h"
#include "cli/talk.h"
#include "http/percent.h"

#include <string.h>
#include <unistd.h>

#define WATCH_US	1000000
#define HOME_AND_CLEAR	"\033[H\033[J"

static const struct show_column who_rows[] = {
	{ "logged in as", "person" }, { "role", "role" }, { "until", "expires_at" }, { NULL, NULL },
};
static const struct show_column person_rows[] = {
	{ "name", "name" }, { "login", "uid" }, { "id", "id" }, { "source", "source" },
	{ "state", "state" },
	{ "since", "state_since" }, { "blocked", "blocked" }, { "suspended", "suspended" },
	{ "held", "held" }, { "starts", "starts_at" }, { "ends", "ends_at" },
	{ "resumes", "resume_at" },
	{ "identified", "identified" }, { "evidence", "evidence" }, { "roles", "roles" },
	{ "groups", "groups" }, { "identification", "identification" },
	{ "attributes", "attributes" },
	{ NULL, NULL },
};
static const struct show_column account_columns[] = {
	{ "PLATFORM", "platform" }, { "ACCOUNT", "name" }, { "WANTED", "wanted" },
	{ "OBSERVED", "observed" },
	{ "SETTLED", "settled" }, { "DEBT SINCE", "debt_since" }, { "CREDENTIAL", "credential" },
	{ "RIGHTS", "entitlements" }, { "TEXT", "text" }, { NULL, NULL },
};
static const struct show_column grant_columns[] = {
	{ "GRANTED", "role" }, { "FROM", "starts_at" }, { "UNTIL", "ends_at" },
	{ "BY", "granted_by" },
	{ "REASON", "reason" }, { "CONFIRM BY", "review_due_at" }, { NULL, NULL },
};
static const struct show_column platform_rows[] = {
	{ "platform", "name" }, { "adapter", "adapter" }, { "url", "url" },
	{ "accounts", "accounts" },
	{ "unsettled", "unsettled" }, { "parked", "parked" }, { "oldest debt", "oldest_debt" },
	{ NULL, NULL },
};
static const struct show_column setting_columns[] = {
	{ "SETTING", "key" }, { "VALUE", "value" }, { NULL, NULL },
};
static const struct show_column status_rows[] = {
	{ "muster", "version" }, { "store", "store" }, { "people", "people" }, { "audit", "audit" },
	{ "administrators", "administrators" }, { "pending actions", "pending" }, { NULL, NULL },
};
static const struct show_column process_columns[] = {
	{ "PROCESS", "name" }, { "READY", "ready" }, { "SINCE", "since" },
	{ "RESTARTS", "restarts" },
	{ "PID", "pid" }, { NULL, NULL },
};
static const struct show_column source_columns[] = {
	{ "SOURCE", "name" }, { "VERDICT", "verdict" }, { "SINCE", "since" },
	{ "COMPLETE", "complete_at" },
	{ "PEOPLE", "people" }, { "QUARANTINED", "quarantined" }, { "TEXT", "text" },
	{ NULL, NULL },
};
static const struct show_column brake_columns[] = {
	{ "BRAKE", "name" }, { "HELD", "held" }, { "SINCE", "held_since" },
	{ "REASON", "held_reason" },
	{ NULL, NULL },
};
static const struct show_column status_platform_columns[] = {
	{ "PLATFORM", "name" }, { "ACCOUNTS", "accounts" }, { "UNSETTLED", "unsettled" },
	{ "PARKED", "parked" }, { "OLDEST UNCONFIRMED", "oldest_debt" }, { NULL, NULL },
};

/* GET path: in JSON it is shown as it is. */
static int
see(struct cli *c, const char *path, const char *segment, const char *rest,
    struct json_node **out_root)
{
	MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT;
	int status = talk_open(c, TALK_SESSION);

	mu_buf_text_add(&target, path);
	if (segment != NULL)
		talk_segment_add(&target, segment);
	mu_buf_text_add(&target, rest);
	if (status == CLI_DONE)
		status = talk_ask(c, "GET", target.data, NULL, out_root);
	if (status == CLI_DONE && c->json)
		show_node(c->out, *out_root);
	return status;
}

int
see_whoami_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	int status = see(c, "/v1/whoami", NULL, "", &root);

	(void)a;
	if (status == CLI_DONE && !c->json)
		show_facts(c->out, who_rows, root);
	return status;
}

int
see_person_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	int status = see(c, "/v1/people", args_get(a, "WHO"), "", &root);

	if (status != CLI_DONE || c->json)
		return status;
	show_facts(c->out, person_rows, root);
	show_list(c->out, account_columns, true, json_find(root, "accounts"));
	show_list(c->out, grant_columns, true, json_find(root, "grants"));
	return CLI_DONE;
}

int
see_explain_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf rest = MU_BUF_INIT;
	const struct json_node *lines;
	int status;

	mu_buf_text_add(&rest, "/explain");
	if (args_has(a, "ROLE")) {
		mu_buf_text_add(&rest, "?role=");
		http_percent_format(&rest, args_get(a, "ROLE"));
	}
	status = see(c, "/v1/people", args_get(a, "WHO"), rest.data, &root);
	if (status != CLI_DONE || c->json)
		return status;
	lines = json_find(root, "lines");
	for (size_t i = 0; i < json_count(lines); i++) {
		const char *line = json_node_text(json_at(lines, i));

		show_text(c->out, line == NULL ? "" : line);
	}
	if (json_count(lines) == 0)
		show_line(c->err, "there is nothing to explain: no role gives anything");
	return CLI_DONE;
}

int
see_platform_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	int status = see(c, "/v1/platforms", args_get(a, "PLATFORM"), "", &root);

	if (status != CLI_DONE || c->json)
		return status;
	show_facts(c->out, platform_rows, root);
	show_list(c->out, setting_columns, false, json_find(root, "settings"));
	return CLI_DONE;
}

/* --- Status ----------------------------------------------------------------------------------- */

/* Sources whose brake holds somebody. */
static void
brakes_show(FILE *to, const struct json_node *sources)
{
	MU_AUTO(show_table_clear) struct show_table table;
	int64_t held = 0;

	show_table_init(&table, brake_columns, false);
	for (size_t i = 0; i < json_count(sources); i++)
		if (json_find_int(json_at(sources, i), "held", &held) && held > 0)
			show_table_add(&table, json_at(sources, i));
	if (table.row_count > 0)
		(void)fputc('\n', to);
	show_table_print(&table, to);
}

static void
status_show(FILE *to, const struct json_node *root)
{
	show_facts(to, status_rows, root);
	(void)fputc('\n', to);
	show_list(to, source_columns, false, json_find(root, "sources"));
	brakes_show(to, json_find(root, "sources"));
	(void)fputc('\n', to);
	show_list(to, status_platform_columns, false, json_find(root, "platforms"));
	(void)fputc('\n', to);
	show_list(to, process_columns, false, json_find(root, "processes"));
}

static int64_t
number_of(const struct json_node *object, const char *name)
{
	int64_t number = 0;

	(void)json_find_int(object, name, &number);
	return number;
}

/* One line: for a log, or whoever reads along. */
static void
status_line_show(FILE *to, const struct json_node *root)
{
	const struct json_node *sources = json_find(root, "sources"),
	    *platforms = json_find(root, "platforms");
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

	mu_time_format(&line, mu_now_s());
	mu_buf_format(&line, " active=%lld pending=%lld",
	    (long long)number_of(json_find(root, "people"), "active"),
	    (long long)number_of(root, "pending"));
	for (size_t i = 0; i < json_count(sources); i++) {
		const struct json_node *s = json_at(sources, i);
		const char *name = json_find_text(s, "name"),
		    *verdict = json_find_text(s, "verdict");

		mu_buf_format(&line, " source=%s verdict=%s held=%lld", name == NULL ? "" : name,
		    verdict == NULL ? "" : verdict, (long long)number_of(s, "held"));
	}
	for (size_t i = 0; i < json_count(platforms); i++) {
		const struct json_node *p = json_at(platforms, i);
		const char *name = json_find_text(p, "name");

		mu_buf_format(&line, " platform=%s unsettled=%lld parked=%lld",
		    name == NULL ? "" : name,
		    (long long)number_of(p, "unsettled"), (long long)number_of(p, "parked"));
	}
	show_line(to, "%s", line.data);
	(void)fflush(to);
}

static void
look_show(const struct cli *c, const struct json_node *root, bool watch)
{
	if (c->json) {
		show_node(c->out, root);
	} else if (watch && !c->is_terminal) {
		status_line_show(c->out, root);
	} else {
		if (watch)
			(void)fputs(HOME_AND_CLEAR, c->out);
		status_show(c->out, root);
		(void)fflush(c->out);
	}
}

/* With a session from the API; without, or when its socket is named, from the console. */
int
see_status_run(struct cli *c, const struct args *a)
{
	bool watch = args_has(a, "watch");
	bool has_session = c->console == NULL && talk_has_session(c);
	int status = talk_open(c, has_session ? TALK_SESSION : TALK_CONSOLE);

	if (status != CLI_DONE)
		return status;
	do {
		MU_AUTO(json_freep) struct json_node *root = NULL;

		status = talk_ask(c, "GET", "/v1/status", NULL, &root);
		if (status == CLI_DONE)
			look_show(c, root, watch);
		if (watch)
			(void)usleep(WATCH_US);
	} while (watch && (status == CLI_DONE || status == CLI_UNREACHABLE));
	return status;
}
