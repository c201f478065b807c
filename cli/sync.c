#include "cli/groups.h"

#include "cli/act.h"
#include "cli/show.h"
#include "cli/talk.h"
#include "json/write.h"

#include <string.h>

int
sync_job(struct cli *c, const char *request_json)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	struct mu_err err = MU_ERR_INIT;
	const char *output;
	int64_t ended = 1, base;
	bool unanswered;
	int status = talk_open(c, TALK_SESSION);

	if (status != CLI_DONE)
		return status;
	mu_buf_text_add(&body, request_json);
	if (c->is_terminal)
		show_line(c->err, "deciding about everybody ...");
	status = talk_try(c, "POST", "/v1/jobs", &body, TALK_JOB_MS, &answer, &unanswered, &err);
	if (unanswered)
		return cli_fail(c, &err);
	if (status != CLI_DONE)
		return status;
	output = json_find_text(answer, "output");
	(void)json_find_int(answer, "status", &ended);
	if (c->json) {
		show_node(c->out, answer);
	} else {
		show_text(c->out, output == NULL ? "" : output);
		if (json_find_int(answer, "base", &base))
			show_line(c->out, "compared with version %lld, which is in force",
			    (long long)base);
	}
	return ended == 0 ? CLI_DONE : CLI_FAILED;
}

/* The source that is meant where none is said: the only one there is. */
static int
source_find(struct cli *c, struct mu_buf *out_name)
{
	MU_AUTO(json_freep) struct json_node *root = NULL;
	const struct json_node *sources;
	const char *name;
	int status = talk_open(c, TALK_SESSION);

	if (status == CLI_DONE)
		status = talk_ask(c, "GET", "/v1/sources", NULL, &root);
	if (status != CLI_DONE)
		return status;
	sources = json_find(root, "sources");
	name = json_find_text(json_at(sources, 0), "name");
	if (json_count(sources) != 1 || name == NULL)
		return cli_usage(c,
		    "there are %zu sources: say which, muster sync status lists them",
		    json_count(sources));
	mu_buf_text_add(out_name, name);
	return CLI_DONE;
}

int
sync_run(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf source = MU_BUF_INIT, args_json = MU_BUF_INIT;
	struct json_writer w;
	int status = CLI_DONE;

	if (args_has(a, "dry-run"))
		return sync_job(c, "{\"kind\":\"plan\"}");
	if (args_has(a, "SOURCE"))
		mu_buf_text_add(&source, args_get(a, "SOURCE"));
	else
		status = source_find(c, &source);
	if (status != CLI_DONE)
		return status;
	json_begin(&w, &args_json);
	json_object_begin(&w, NULL);
	json_text(&w, "source", source.data);
	json_object_end(&w);
	json_end(&w);
	return act_with(c, a, args_json.data);
}
