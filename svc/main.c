/*
 * main.c - musterd: what it is asked to be, and nothing else
 */
#include "proc/check.h"
#include "proc/process.h"
#include "proc/supervisor.h"

#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2

static const char usage[] =
    "usage: musterd -c FILE run       start muster and stay until SIGTERM\n"
    "       musterd -c FILE check     is it fit to run, with its policies and files?\n"
    "       musterd -c FILE migrate   bring the store to this program's version\n"
    "       musterd --version | --help\n";

static const struct {
	const char *name;
	int (*run)(const char *config_path);
} commands[] = {
	{ "run", supervisor_run },
	{ "check", check_run },
	{ "migrate", supervisor_migrate },
};

#ifdef MUSTER_SANITIZED
/* libldap makes a priority list anew for each connection and forgets the one before. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:gnutls_priority_init";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

static int
usage_fault(const char *fault, const char *about)
{
	(void)fprintf(stderr, "musterd: %s%s\n%s", fault, about, usage);
	return EXIT_USAGE;
}

static int
command_run(const char *config_path, const char *name)
{
	for (size_t i = 0; i < MU_COUNT(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(config_path);
	return usage_fault("no such command: ", name);
}

int
main(int argc, char **argv)
{
	enum process_kind kind;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("musterd %s\n", MUSTER_VERSION) < 0;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	if (argc == 3 && strcmp(argv[1], "--process") == 0) {
		if (!process_kind_parse(argv[2], &kind))
			return usage_fault("no such process: ", argv[2]);
		return process_main(kind);
	}
	if (argc < 2)
		return usage_fault("say what to do", "");
	if (strcmp(argv[1], "-c") != 0)
		return usage_fault("the configuration comes first: ", "-c FILE");
	if (argc == 2)
		return usage_fault("-c needs a file", "");
	if (argc == 3)
		return usage_fault("say what to do with ", argv[2]);
	if (argc > 4)
		return usage_fault("too many arguments, from ", argv[4]);
	return command_run(argv[2], argv[3]);
}
