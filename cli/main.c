/*
 * main.c - muster: streams and the terminal, and nothing else
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/show.h"

int
main(int argc, char **argv)
{
	struct cli c = { .out = stdout, .err = stderr, .is_terminal = isatty(STDOUT_FILENO) == 1 };
	int status;

	show_locale();
	(void)umask(077);
	status = cli_run(&c, argc - 1, (const char *const *)argv + 1);
	if (fflush(stdout) != 0 && status == CLI_DONE)
		status = CLI_FAILED;
	return status;
}
