/*
 * cli/commands.h - every command there is, a row each
 *
 * Usage lines, help, completion and manual page stand on this table: a test compares them with it.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/act.h"
#include "cli/cli.h"
#include "cli/list.h"

struct command {
	const char *words;		/* "person list" */
	const char *args;		/* as in args.h */
	const char *help;		/* one line, an imperative's end: "logs you in" */
	const char *more;		/* paragraphs and examples */
	cli_run_fn *run;
	const char *action;		/* of act_run: the action that it asks for */
	const struct list_row *list;	/* of list_run */
};

extern const struct command commands[];		/* ended by { NULL } */
extern const char cli_global_args[];		/* what stands for every command */

#endif
