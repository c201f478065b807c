#include "cli/groups.h"

#include "cli/act.h"
#include "cli/job.h"
#include "cli/talk.h"
#include "json/write.h"

#include <string.h>

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

static int
dry_run(struct cli *c, const char *source)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &request);
	json_object_begin(&w, NULL);
	json_text(&w, "form", c->json ? "json" : "text");
	json_text(&w, "kind", "dry-run");
	if (source != NULL)
		json_text(&w, "source", source);
	json_object_end(&w);
	json_end(&w);
	return job_show(c, request.data, "reading the directory and deciding ...");
}

int
sync_run(struct cli *c, const struct args *a)
{
	MU_AUTO(mu_buf_clear) struct mu_buf source = MU_BUF_INIT, args_json = MU_BUF_INIT;
	struct json_writer w;
	int status = CLI_DONE;

	if (args_has(a, "dry-run"))
		return dry_run(c, args_get(a, "SOURCE"));
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
