/*
 * cli/cli.h - what every command of muster is given, and how it ends
 *
 * main.c fills a struct cli from the options that stand for all commands. A command says what is
 * wrong on err and returns its exit status; out carries what was asked for, and nothing else.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,		/* refused or failed */
	CLI_USAGE = 2,
	CLI_PENDING = 3,	/* an action that others have to approve */
	CLI_UNREACHABLE = 4,	/* muster, or something it needs: asking again may help */
};

struct args;
struct command;
struct home;
struct http_client;

struct cli {
	FILE *out, *err;
	bool is_terminal;		/* out is */
	bool json, secrets_stdin;
	const char *server, *ca_fingerprint, *console;	/* as given, else NULL */
	const struct command *command;	/* the one that runs */
	struct home *home;		/* NULL until home_of */
	struct http_client *client;	/* NULL until talk_open */
	bool in_session;		/* client shows the certificate of one */
};

typedef int cli_run_fn(struct cli *c, const struct args *a);

/*
 * Runs the command that argv says, argv[0] left out of account. c needs out, err and is_terminal;
 * what it opened is closed at the end.
 */
int cli_run(struct cli *c, int argc, const char *const *argv);

/* "muster: ..." on err, made fit for a terminal. */
void cli_say(const struct cli *c, const char *fmt, ...) MU_PRINTF(2, 3);
/* The same, with how the command is used; CLI_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) MU_PRINTF(2, 3);
/* The same for an error of ours; what it means for the exit status. */
int cli_fail(const struct cli *c, const struct mu_err *err);

#endif
