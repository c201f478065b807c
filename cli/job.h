/*
 * cli/job.h - a long computation of the server, and what came of it
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/cli.h"
#include "json/read.h"

/*
 * Asks for a job (POST /v1/jobs) and waits for its end; progress is said on a terminal. *out_answer
 * is set as soon as it ended, also when it failed: then what it said has been told (CLI_FAILED).
 */
int job_run(struct cli *c, const char *request_json, const char *progress,
    struct json_node **out_answer);

/* The same, and shows all of it: its text, or with --json the answer. */
int job_show(struct cli *c, const char *request_json, const char *progress);

#endif
