#include "cli/groups.h"

#include "base/text.h"
#include "cli/act.h"
#include "cli/show.h"
#include "cli/talk.h"

#include <string.h>

#define DIGEST_DIGITS	64
#define PREFIX_DIGITS	4		/* fewer are too easily mistyped */

static bool
is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == '\0';
}

/*
 * The one pending action whose digest begins like this; the choice is told when there are several.
 */
static int
digest_find(struct cli *c, const char *id, struct mu_buf *out_digest)
{
	static const struct show_column columns[] = {
		{ "ID", "digest" }, { "ACTION", "action" }, { "ASKED BY", "requester" },
		{ NULL, NULL },
	};
	MU_AUTO(show_table_clear) struct show_table found;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *pending;
	int status = talk_ask(c, "GET", "/v1/pending", NULL, &root);

	if (status != CLI_DONE)
		return status;
	show_table_init(&found, columns, false);
	pending = json_find(root, "pending");
	for (size_t i = 0; i < json_count(pending); i++) {
		const char *digest = json_find_text(json_at(pending, i), "digest");

		if (digest == NULL || !mu_text_starts(digest, id) || !is_hex(digest))
			continue;
		show_table_add(&found, json_at(pending, i));
		mu_buf_reset(out_digest);
		mu_buf_text_add(out_digest, digest);
	}
	if (found.row_count == 1)
		return CLI_DONE;
	if (found.row_count == 0)
		cli_say(c, "nothing pending begins with %s: muster pending lists what waits", id);
	else
		cli_say(c, "several begin with %s: give more of its digits", id);
	show_table_print(&found, c->err);
	return CLI_FAILED;
}

/* ID as an administrator types it: a digest, or how it begins. */
static int
digest_of(struct cli *c, const char *given, struct mu_buf *out_digest)
{
	MU_AUTO(mu_freep) char *id = mu_strdup(given);
	int status;

	mu_text_lower(id);
	if (!is_hex(id) || strlen(id) < PREFIX_DIGITS || strlen(id) > DIGEST_DIGITS)
		return cli_usage(c,
		    "\"%s\" is no ID: it is %d or more of the digits that muster pending shows",
		    given, PREFIX_DIGITS);
	status = talk_open(c, TALK_SESSION);
	if (status != CLI_DONE)
		return status;
	if (strlen(id) < DIGEST_DIGITS)
		return digest_find(c, id, out_digest);
	mu_buf_text_add(out_digest, id);
	return CLI_DONE;
}

/* What a policy would change is seen beside the one in force; by whom may not see that, whole. */
static void
policy_show(struct cli *c, const struct json_node *action)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *args = json_find(json_find(action, "document"), "args");

	if (talk_ask(c, "GET", "/v1/policy", NULL, &root) != CLI_DONE)
		cli_say(c, "so all of the new policy is shown");
	policy_difference_show(c->err, json_find(root, "files"), json_find(args, "files"));
}

/* Is it a policy that waits? */
static bool
is_policy(const struct json_node *action)
{
	return mu_text_equal(json_find_text(action, "action"), "policy.apply") &&
	    mu_text_equal(json_find_text(action, "state"), "pending");
}

/* Shows the action, asks for the code, sends the decision; before a policy is approved it is planned. */
static int
decide(struct cli *c, const char *id, const char *verb, const char *reason,
    struct json_node **out_action, struct json_node **out_shown)
{
	MU_AUTO(mu_buf_clear) struct mu_buf digest = MU_BUF_INIT, target = MU_BUF_INIT;
	MU_AUTO(mu_buf_wipe) struct mu_buf body = MU_BUF_INIT;
	int status = digest_of(c, id, &digest);

	if (status != CLI_DONE)
		return status;
	mu_buf_format(&target, "/v1/actions/%s", digest.data);
	status = talk_ask(c, "GET", target.data, NULL, out_shown);
	if (status == CLI_DONE && reason == NULL && is_policy(*out_shown)) {
		json_freep(out_shown);
		status = policy_pending_plan(c, digest.data);
		if (status == CLI_DONE)
			status = talk_ask(c, "GET", target.data, NULL, out_shown);
	}
	if (status != CLI_DONE)
		return status;
	if (!c->json)
		act_document_show(c->err, *out_shown);
	if (!c->json && mu_text_equal(json_find_text(*out_shown, "action"), "policy.apply"))
		policy_show(c, *out_shown);
	status = act_code_body(c, reason, &body);
	if (status != CLI_DONE)
		return status;
	mu_buf_format(&target, "/%s", verb);
	return talk_ask(c, "POST", target.data, &body, out_action);
}

int
pending_approve_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *action = NULL, *shown = NULL;
	int status = decide(c, args_get(a, "ID"), "approve", NULL, &action, &shown);

	return status == CLI_DONE ? act_end(c, action, json_find(shown, "preview")) : status;
}

int
pending_deny_run(struct cli *c, const struct args *a)
{
	MU_AUTO(json_freep) struct json_node *action = NULL, *shown = NULL;
	int status = decide(c, args_get(a, "ID"), "deny", args_get(a, "reason"), &action, &shown);
	const char *state = json_find_text(action, "state"),
	    *name = json_find_text(action, "action");

	if (status != CLI_DONE)
		return status;
	if (c->json)
		show_node(c->out, action);
	else
		show_line(c->out, "%s: %s", state == NULL ? "no answer" : state,
		    name == NULL ? "" : name);
	return mu_text_equal(state, "denied") ? CLI_DONE : CLI_FAILED;
}
