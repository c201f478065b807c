#include "cli/list.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/talk.h"
#include "cli/when.h"
#include "http/percent.h"
#include "json/write.h"

#include <string.h>

#define PAGE_ROWS	200		/* API_ADMIN_PEOPLE_MAX */
#define ROWS_MAX	1000000000

const struct list_row list_people = { "/v1/people", "people", "after", "nobody", {
	{ "NAME", "name" }, { "LOGIN", "uid" }, { "STATE", "state" }, { "SINCE", "state_since" },
	{ "BLOCKED", "blocked" }, { "SOURCE", "source" }, { "ROLES", "roles" },
} };
const struct list_row list_pending = { "/v1/pending", "pending", NULL,
    "nothing waits for approval", {
	{ "ID", "digest" }, { "ACTION", "action" }, { "TARGETS", "targets" },
	{ "ASKED BY", "requester" },
	{ "REASON", "reason" }, { "NEEDS", "needs.approvals" }, { "LAPSES", "lapses_at" },
} };
const struct list_row list_brake = { "/v1/brake", "held", NULL, "nobody is held", {
	{ "SOURCE", "source" }, { "WHO", "person" }, { "KIND", "kind" },
	{ "SINCE", "since" }, { "RELEASED", "released" }, { "REASON", "reason" },
} };
const struct list_row list_reviews = { "/v1/reviews", "reviews", "after",
    "nothing has to be confirmed", {
	{ "ID", "id" }, { "WHO", "person" }, { "ROLE", "role" }, { "SINCE", "starts_at" },
	{ "GRANTED BY", "granted_by" }, { "REVIEWED", "reviewed_at" }, { "DUE", "due_at" },
	{ "BY", "by" }, { "ENDS", "ends_at" },
} };
const struct list_row list_platforms = { "/v1/platforms", "platforms", NULL,
    "there is no platform", {
	{ "PLATFORM", "name" }, { "ADAPTER", "adapter" }, { "ACCOUNTS", "accounts" },
	{ "UNSETTLED", "unsettled" }, { "PARKED", "parked" }, { "OLDEST DEBT", "oldest_debt" },
	{ "URL", "url" },
} };
const struct list_row list_clients = { "/v1/clients", "clients", NULL, "there is no client", {
	{ "CLIENT", "name" }, { "PLATFORM", "platform" }, { "RUNS OUT", "not_after" },
	{ "CONFIGURED", "configured" }, { "FINGERPRINT", "fingerprint" },
} };
const struct list_row list_administrators = { "/v1/administrators", "administrators", NULL,
    "nobody", {
	{ "WHO", "person" }, { "ROLE", "role" }, { "ACTIVE", "active" }, { "STATE", "state" },
	{ "FAILURES", "failures" }, { "LOCKED", "locked_at" }, { "CONFLICT", "conflict" },
	{ "ENROLLED", "enrolled_at" }, { "BY", "enrolled_by" },
} };
const struct list_row list_sources = { "/v1/sources", "sources", NULL, "there is no source", {
	{ "SOURCE", "name" }, { "VERDICT", "verdict" }, { "SINCE", "since" },
	{ "COMPLETE", "complete_at" },
	{ "PEOPLE", "people" }, { "QUARANTINED", "quarantined" }, { "HELD", "held" },
	{ "TEXT", "text" },
} };
const struct list_row list_quarantine = { "/v1/sources", "quarantine", NULL,
    "nothing is quarantined", {
	{ "SOURCE", "source" }, { "ENTRY", "entry" }, { "SINCE", "since" }, { "REASON", "reason" },
} };
const struct list_row list_audit = { "/v1/audit", "records", "before", "no record", {
	{ "AT", "at" }, { "LEAF", "leaf" }, { "KIND", "kind" }, { "WHAT", "*" },
	{ "RECORD", "record" },
} };

static enum mu_rc
query_add(struct mu_buf *target, const struct args *a, struct mu_err *err)
{
	for (size_t i = 0; i < a->spec.count; i++) {
		const char *name = a->spec.list[i].name;
		MU_AUTO(mu_buf_clear) struct mu_buf value = MU_BUF_INIT;
		int64_t at_s;

		if (a->values[i] == NULL || !a->spec.list[i].is_option ||
		    strcmp(name, "limit") == 0)
			continue;
		if (a->spec.list[i].value[0] == '\0')
			mu_buf_text_add(&value, "true");
		else if (strcmp(a->spec.list[i].value, "TIME") != 0)
			mu_buf_text_add(&value, a->values[i]);
		else if (when_parse(a->values[i], mu_now_s(), true, &at_s, err) == MU_OK)
			mu_time_format(&value, at_s);
		else
			return mu_wrap(err, "--%s", name);
		mu_buf_format(target, "%c%s=", strchr(target->data, '?') == NULL ? '?' : '&', name);
		http_percent_format(target, value.data);
	}
	return MU_OK;
}

struct shown {
	struct show_table table;
	struct mu_buf json;		/* the rows so far: a whole answer or none */
	int64_t count;
	bool more;
};

static void
shown_clear(struct shown *s)
{
	show_table_clear(&s->table);
	mu_buf_clear(&s->json);
}

static void
page_show(struct cli *c, struct shown *s, const struct json_node *list)
{
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < json_count(list); i++) {
		if (!c->json)
			show_table_add(&s->table, json_at(list, i));
		if (c->json && s->json.size_bytes > 0)
			mu_buf_char_add(&s->json, ',');
		if (c->json && json_canonical(json_at(list, i), &s->json, &err) != MU_OK)
			mu_buf_text_add(&s->json, "null");
	}
	s->count += (int64_t)json_count(list);
	show_table_print(&s->table, c->out);
}

/* Asks for pages until there is none, or enough. */
static int
pages_show(struct cli *c, const struct list_row *row, const char *query, int64_t limit,
    struct shown *s)
{
	MU_AUTO(mu_freep) char *next = NULL;

	do {
		MU_AUTO(json_freep) struct json_node *root = NULL;
		MU_AUTO(mu_buf_clear) struct mu_buf target = MU_BUF_INIT;
		int64_t want = limit - s->count < PAGE_ROWS ? limit - s->count : PAGE_ROWS;
		int status;

		mu_buf_text_add(&target, query);
		if (row->page != NULL)
			mu_buf_format(&target, "%climit=%lld",
			    strchr(query, '?') == NULL ? '?' : '&', (long long)want);
		if (next != NULL) {
			mu_buf_format(&target, "&%s=", row->page);
			http_percent_format(&target, next);
		}
		status = talk_ask(c, "GET", target.data, NULL, &root);
		if (status != CLI_DONE)
			return status;
		page_show(c, s, json_find(root, row->member));
		mu_free(next);
		next = row->page == NULL ? NULL : mu_strdup(json_find_text(root, "next"));
	} while (next != NULL && s->count < limit);
	s->more = next != NULL;
	return CLI_DONE;
}

static void
json_list_show(struct cli *c, const char *member, const struct shown *s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf whole = MU_BUF_INIT;

	mu_buf_format(&whole, "{\"%s\":[", member);
	mu_buf_add(&whole, mu_buf_text(&s->json), s->json.size_bytes);
	mu_buf_text_add(&whole, "]}");
	show_json(c->out, whole.data);
}

int
list_run(struct cli *c, const struct args *a)
{
	const struct list_row *row = c->command->list;
	MU_AUTO(mu_buf_clear) struct mu_buf query = MU_BUF_INIT;
	MU_AUTO(shown_clear) struct shown shown = { .count = 0 };
	struct mu_err err = MU_ERR_INIT;
	int64_t limit = ROWS_MAX;
	int status;

	if (row->page != NULL && args_has(a, "limit") &&
	    !mu_int_parse(args_get(a, "limit"), 1, ROWS_MAX, &limit))
		return cli_usage(c, "--limit %s is no number from 1", args_get(a, "limit"));
	mu_buf_text_add(&query, row->path);
	if (query_add(&query, a, &err) != MU_OK)
		return cli_usage(c, "%s", err.text);
	show_table_init(&shown.table, row->columns, false);
	status = talk_open(c, TALK_SESSION);
	if (status == CLI_DONE)
		status = pages_show(c, row, query.data, limit, &shown);
	if (status != CLI_DONE)
		return status;
	if (c->json)
		json_list_show(c, row->member, &shown);
	else if (shown.count == 0)
		show_line(c->err, "%s", row->none);
	if (shown.more)
		show_line(c->err, "there are more: --limit");
	return CLI_DONE;
}
