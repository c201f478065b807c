#include "cli/job.h"

#include "cli/show.h"
#include "cli/talk.h"

#include <string.h>

static int
job_ask(struct cli *c, const char *request_json, const char *progress,
    struct json_node **out_answer)
{
	MU_AUTO(mu_buf_clear) struct mu_buf body = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	bool unanswered;
	int status = talk_open(c, TALK_SESSION);

	if (status != CLI_DONE)
		return status;
	mu_buf_text_add(&body, request_json);
	if (c->is_terminal)
		show_line(c->err, "%s", progress);
	status = talk_try(c, "POST", "/v1/jobs", &body, TALK_JOB_MS, out_answer, &unanswered, &err);
	return unanswered ? cli_fail(c, &err) : status;
}

static bool
has_ended_well(const struct json_node *answer)
{
	int64_t ended = 1;

	return json_find_int(answer, "status", &ended) && ended == 0;
}

int
job_run(struct cli *c, const char *request_json, const char *progress,
    struct json_node **out_answer)
{
	const char *output;
	int status = job_ask(c, request_json, progress, out_answer);

	if (status != CLI_DONE || has_ended_well(*out_answer))
		return status;
	output = json_find_text(*out_answer, "output");
	show_text(c->err, output == NULL ? "the job failed\n" : output);
	return CLI_FAILED;
}

int
job_show(struct cli *c, const char *request_json, const char *progress)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	const char *output;
	int status = job_ask(c, request_json, progress, &answer);

	if (status != CLI_DONE)
		return status;
	output = json_find_text(answer, "output");
	if (c->json)
		show_node(c->out, answer);
	else
		show_text(has_ended_well(answer) ? c->out : c->err, output == NULL ? "" : output);
	return has_ended_well(answer) ? CLI_DONE : CLI_FAILED;
}
