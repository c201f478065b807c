#include "cli/cli.h"

#include "base/buf.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/home.h"
#include "cli/show.h"
#include "config/yaml.h"
#include "http/client.h"

#include <stdarg.h>
#include <string.h>

#define HELP_WIDTH	28	/* of the column of commands */
#define HELP_WRAP	79

/* --- What is said ----------------------------------------------------------------------------- */

static MU_PRINTF(2, 0) void
say(const struct cli *c, const char *fmt, va_list values)
{
	MU_AUTO(mu_freep) char *text = NULL;

	if (vasprintf(&text, fmt, values) >= 0)
		show_line(c->err, "muster: %s", text);
}

void
cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list values;

	va_start(values, fmt);
	say(c, fmt, values);
	va_end(values);
}

int
cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list values;

	va_start(values, fmt);
	say(c, fmt, values);
	va_end(values);
	if (c->command == NULL)
		(void)fputs("muster help lists the commands\n", c->err);
	else
		(void)fprintf(c->err, "usage: muster %s %s\n", c->command->words, c->command->args);
	return CLI_USAGE;
}

int
cli_fail(const struct cli *c, const struct mu_err *err)
{
	cli_say(c, "%s", err->text);
	if (err->rc != MU_ERETRY)
		return CLI_FAILED;
	cli_say(c, "is musterd running there, and can it be reached from here? Then try again");
	return CLI_UNREACHABLE;
}

/* --- Commands by their words ------------------------------------------------------------------ */

/* Does the row begin with this word? *out_rest: what else it has, "" for nothing. */
static bool
word_first(const struct command *row, const char *word, const char **out_rest)
{
	size_t bytes = strlen(word);

	if (bytes == 0 || strncmp(row->words, word, bytes) != 0 ||
	    (row->words[bytes] != ' ' && row->words[bytes] != '\0'))
		return false;
	*out_rest = row->words[bytes] == ' ' ? row->words + bytes + 1 : "";
	return true;
}

/* The command of one word or two; *out_words: how many it took. NULL: no such command. */
static const struct command *
command_find(const char *first, const char *second, int *out_words)
{
	const char *rest;

	for (const struct command *row = commands; row->words != NULL; row++) {
		if (!word_first(row, first, &rest))
			continue;
		*out_words = rest[0] == '\0' ? 1 : 2;
		if (rest[0] == '\0' || (second != NULL && strcmp(rest, second) == 0))
			return row;
	}
	return NULL;
}

static bool
group_exists(const char *word)
{
	const char *rest;

	for (const struct command *row = commands; row->words != NULL; row++)
		if (word_first(row, word, &rest))
			return true;
	return false;
}

static void
rows_list(FILE *to, const char *group)
{
	const char *rest;

	for (const struct command *row = commands; row->words != NULL; row++)
		if (group == NULL || word_first(row, group, &rest))
			(void)fprintf(to, "  %-*s%s\n", HELP_WIDTH, row->words, row->help);
}

/*
 * The nearest first word of a command, or, behind the first word of a group, the nearest command.
 */
static void
command_near(const char *given, bool in_group, struct mu_buf *out_near)
{
	struct config_near near;

	config_near_init(&near, given);
	for (const struct command *row = commands; row->words != NULL; row++) {
		MU_AUTO(mu_freep) char *word = mu_strndup(row->words,
		    in_group ? strlen(row->words) :
		    strcspn(row->words, " "));
		size_t before = near.best_cost;

		config_near_offer(&near, word);
		if (near.best_cost == before)
			continue;
		mu_buf_reset(out_near);
		mu_buf_text_add(out_near, word);
	}
}

static int
command_unknown(const struct cli *c, const char *first, const char *second)
{
	MU_AUTO(mu_buf_clear) struct mu_buf given = MU_BUF_INIT, near = MU_BUF_INIT;
	bool in_group = group_exists(first);

	if (in_group && second == NULL) {
		cli_say(c, "%s what?", first);
		rows_list(c->err, first);
		return CLI_USAGE;
	}
	mu_buf_text_add(&given, first);
	if (in_group)
		mu_buf_format(&given, " %s", second);
	command_near(given.data, in_group, &near);
	return near.size_bytes == 0 ? cli_usage(c, "there is no command \"%s\"", given.data) :
	    cli_usage(c, "there is no command \"%s\": did you mean \"%s\"?", given.data, near.data);
}

/* --- Help ------------------------------------------------------------------------------------- */

static int
help_all(FILE *to)
{
	(void)fprintf(to, "usage: muster %s COMMAND ...\n\n", cli_global_args);
	rows_list(to, NULL);
	(void)fputs("\nmuster help COMMAND says more about one of them. Exit status: 0 done,\n"
	    "1 refused or failed, 2 usage, 3 waits for approval, 4 not reachable.\n", to);
	return CLI_DONE;
}

/* A line of text, broken between words where it is wider than most terminals. */
static void
line_wrap(FILE *to, const char *line, size_t bytes)
{
	size_t at = 0, column = 0;

	while (at < bytes) {
		const char *blank = memchr(line + at + 1, ' ', bytes - at - 1);
		size_t word = blank == NULL ? bytes - at : (size_t)(blank - (line + at));

		if (column > 0 && column + word > HELP_WRAP) {
			(void)fputc('\n', to);
			at++;	/* the blank before the word */
			word--;
			column = 0;
		}
		(void)fwrite(line + at, 1, word, to);
		at += word;
		column += word;
	}
	(void)fputc('\n', to);
}

/* Examples, which are indented, stay as they are. */
static int
help_one(FILE *to, const struct command *row)
{
	(void)fprintf(to, "usage: muster %s %s\n\nmuster %s %s.\n\n", row->words, row->args,
	    row->words, row->help);
	for (const char *at = row->more; *at != '\0';) {
		size_t bytes = strcspn(at, "\n");

		if (*at == ' ')
			(void)fprintf(to, "%.*s\n", (int)bytes, at);
		else
			line_wrap(to, at, bytes);
		at += bytes + (at[bytes] == '\n');
	}
	return CLI_DONE;
}

static int
help_run(struct cli *c, int argc, const char *const *argv)
{
	const struct command *row;
	int words;

	if (argc == 0)
		return help_all(c->out);
	row = command_find(argv[0], argc > 1 ? argv[1] : NULL, &words);
	if (row != NULL)
		return help_one(c->out, row);
	if (argc == 1 && group_exists(argv[0])) {
		rows_list(c->out, argv[0]);
		return CLI_DONE;
	}
	return command_unknown(c, argv[0], argc > 1 ? argv[1] : NULL);
}

/* --- Run -------------------------------------------------------------------------------------- */

static void
globals_take(struct cli *c, const struct args *globals)
{
	c->json = args_has(globals, "json");
	c->secrets_stdin = args_has(globals, "secrets-stdin");
	c->server = args_get(globals, "server");
	c->ca_fingerprint = args_get(globals, "ca-fingerprint");
	c->console = args_get(globals, "console");
}

/* argv from the command's first word on. */
static int
command_run(struct cli *c, struct args *globals, int argc, const char *const *argv)
{
	MU_AUTO(args_clear) struct args a = { .many_count = 0 };
	struct mu_err err = MU_ERR_INIT;
	int words = 0;

	if (strcmp(argv[0], "help") == 0)
		return help_run(c, argc - 1, argv + 1);
	c->command = command_find(argv[0], argc > 1 ? argv[1] : NULL, &words);
	if (c->command == NULL && argc > 1 && (strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0))
		return help_run(c, 1, argv);
	if (c->command == NULL)
		return command_unknown(c, argv[0], argc > 1 && argv[1][0] != '-' ? argv[1] : NULL);
	args_init(&a, c->command->args);
	if (args_take(&a, globals, argc, argv, words, &err) != MU_OK)
		return cli_usage(c, "%s", err.text);
	if (args_has(globals, "help"))
		return help_one(c->out, c->command);
	globals_take(c, globals);
	return c->command->run(c, &a);
}

int
cli_run(struct cli *c, int argc, const char *const *argv)
{
	MU_AUTO(args_clear) struct args globals = { .many_count = 0 }, none = { .many_count = 0 };
	struct mu_err err = MU_ERR_INIT;
	int at = 0, status;

	args_init(&globals, cli_global_args);
	while (at < argc && (strncmp(argv[at], "--", 2) == 0 || strcmp(argv[at], "-h") == 0))
		if (args_option_take(&none, &globals, argc, argv, &at, &err) != MU_OK)
			return cli_usage(c, "%s", err.text);
	if (args_has(&globals, "version")) {
		(void)fprintf(c->out, "muster %s\n", MUSTER_VERSION);
		return CLI_DONE;
	}
	if (at == argc && args_has(&globals, "help"))
		return help_all(c->out);
	if (at == argc) {
		(void)help_all(c->err);
		return CLI_USAGE;
	}
	if (args_has(&globals, "help"))
		return help_run(c, argc - at, argv + at);
	status = command_run(c, &globals, argc - at, argv + at);
	http_client_close(c->client);
	c->client = NULL;
	home_close(c->home);
	c->home = NULL;
	return status;
}
