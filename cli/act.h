/*
 * cli/act.h - an action from the command line to its end: propose, preview, code, execute
 *
 * An option of the command is an argument of the action of the same name, and so is an argument
 * that is not WHO, in lower case; FILE stands for what is in the file, TIME for an RFC 3339 time.
 */
#ifndef CLI_ACT_H
#define CLI_ACT_H

#include "base/buf.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "json/read.h"

/* A command whose row says all: its action, its arguments. */
int act_run(struct cli *c, const struct args *a);

/* The same with the action's arguments made by the caller: a JSON object. */
int act_with(struct cli *c, const struct args *a, const char *args_json);

/* Proposes what request says and goes on to its end; wait: then follows its receipts. */
int act_propose(struct cli *c, const struct mu_buf *request, bool wait);

/* revoke: also by a login of its own, and for the names in a file. */
int act_revoke(struct cli *c, const struct args *a);

/* All that an ACTION is: what, why, whom, whose approvals, and what it would do. */
void act_document_show(FILE *to, const struct json_node *action);

/*
 * Prints an ACTION that the server answered, with the preview it had (NULL: none). CLI_DONE:
 * executed.
 */
int act_end(struct cli *c, const struct json_node *action, const struct json_node *preview);

/* {"code": CODE} and what else is given: {"code", "reason"}. The caller wipes it. */
int act_code_body(struct cli *c, const char *reason, struct mu_buf *out_body);

#endif
