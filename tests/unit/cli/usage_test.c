/*
 * usage_test.c - the command line: what is wrong with it, said with the nearest right word; exit
 * status 2
 */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/show.h"

#define WORDS_MAX	16

/*
 * A command line with '|' between its words; says stands in what is printed, on err unless the
 * status is 0.
 */
static struct usage_row {
	const char *name, *line;
	int status;
	const char *says;
} usage_rows[] = {
	{ "nothing asks for a command", "", CLI_USAGE, "usage: muster" },
	{ "an unknown command suggests the nearest", "revok|a|--reason|x", CLI_USAGE,
	    "did you mean \"revoke\"?" },
	{ "a mistyped group suggests the group", "plicy|check|x", CLI_USAGE,
	    "did you mean \"policy\"?" },
	{ "a mistyped word of a group suggests the command", "person|lst", CLI_USAGE,
	    "did you mean \"person list\"?" },
	{ "what is near nothing is named", "frobnicate", CLI_USAGE,
	    "there is no command \"frobnicate\"" },
	{ "a group alone lists its commands", "person", CLI_USAGE, "person explain" },
	{ "an unknown option suggests the nearest", "revoke|a|--reson|x", CLI_USAGE,
	    "did you mean --reason?" },
	{ "an unknown option before the command", "--jso|whoami", CLI_USAGE,
	    "did you mean --json?" },
	{ "an option near nothing is named", "whoami|--frobnicate", CLI_USAGE,
	    "there is no option --frobnicate" },
	{ "an option of another command is unknown", "resume|a|--reason|x|--until|8h", CLI_USAGE,
	    "no option --until" },
	{ "letters are no options", "revoke|-f|x", CLI_USAGE, "options are written out" },
	{ "a required option is missing", "revoke|a", CLI_USAGE, "--reason is missing" },
	{ "an option without its value", "revoke|a|--reason", CLI_USAGE, "--reason needs TEXT" },
	{ "the next option is no value", "revoke|a|--reason|--wait", CLI_USAGE,
	    "--reason needs TEXT" },
	{ "an empty value is none", "revoke|a|--reason=", CLI_USAGE, "--reason is empty" },
	{ "a value for what takes none", "revoke|a|--reason|x|--wait=yes", CLI_USAGE,
	    "--wait takes no value" },
	{ "an option given twice", "deny|abcd|--reason|x|--reason|y", CLI_USAGE,
	    "--reason is given twice" },
	{ "a global option given twice", "--json|whoami|--json", CLI_USAGE,
	    "--json is given twice" },
	{ "an argument is missing", "grant|a|--until|8h|--reason|x", CLI_USAGE, "ROLE is missing" },
	{ "one argument too many", "person|show|a|b", CLI_USAGE, "\"b\" is one argument too many" },
	{ "neither of two", "client|add|x|--platform|p", CLI_USAGE,
	    "give exactly one of --csr, --cert" },
	{ "both of two", "client|add|x|--platform|p|--csr|a|--cert|b", CLI_USAGE,
	    "give exactly one of" },
	{ "nobody to revoke", "revoke|--reason|x", CLI_USAGE, "say whom it is about" },
	{ "a time that is none", "suspend|a|--until|soon|--reason|x", CLI_USAGE,
	    "\"soon\" is no time" },
	{ "a name with a control character", "suspend|a\x1b[2J|--reason|x", CLI_USAGE,
	    "a\\x1b[2J" },
	{ "an ID that is none", "approve|xyz", CLI_USAGE, "\"xyz\" is no ID" },
	{ "an ID that is too short", "approve|abc", CLI_USAGE, "is no ID" },
	{ "a limit that is no number", "person|list|--limit|many", CLI_USAGE, "--limit many" },
	{ "a claim without a server", "credential|claim", CLI_USAGE, "--server URL" },
	{ "a fingerprint that is none", "--server|https://a|login|--ca-fingerprint|12", CLI_USAGE,
	    "64 hex digits" },
	{ "a first login without a fingerprint", "--server|https://a|login", CLI_USAGE,
	    "--ca-fingerprint HEX" },
	{ "help is an answer", "help", CLI_DONE, "audit list" },
	{ "so is --help", "--help", CLI_DONE, "audit list" },
	{ "help for one command", "help|revoke", CLI_DONE, "usage: muster revoke [WHO...]" },
	{ "help behind a command, though arguments are missing", "grant|--help", CLI_DONE,
	    "usage: muster grant" },
	{ "help for a group", "person|--help", CLI_DONE, "person explain" },
	{ "help for what is unknown", "help|revok", CLI_USAGE, "did you mean \"revoke\"?" },
	{ "the version", "--version", CLI_DONE, "muster " MUSTER_VERSION },
	{ "the shipped policies have no fault", "policy|check|" SOURCE_DIR "/policies", CLI_DONE,
	    "files without a fault" },
	{ "and pass their cases", "policy|test|" SOURCE_DIR "/policies", CLI_DONE, " passed, 0 failed" },
	{ "a folder without policies is named", "policy|check|" SOURCE_DIR "/cli", CLI_FAILED, "holds no policies" },
	{ "a folder that is not there is named", "policy|test|/nonexistent", CLI_FAILED, "/nonexistent" },
	{ "no fault in JSON is an empty list", "--json|policy|check|" SOURCE_DIR "/policies", CLI_DONE,
	    "{\"faults\":[]}" },
	{ "without a server there is no session", "whoami", CLI_FAILED, "muster login --server" },
	{ "without a console there is nobody to ask", "bootstrap|a|b|--console|/nonexistent/s",
	    CLI_UNREACHABLE,
	    "no console at /nonexistent/s" },
};

struct said {
	char *out, *err;
	size_t out_bytes, err_bytes;
};

/* Runs a command line; its words are parted by '|'. */
static int
line_run(const char *line, struct said *said)
{
	MU_AUTO(mu_freep) char *copy = mu_strdup(line);
	const char *argv[WORDS_MAX];
	struct cli c = { .is_terminal = false };
	int argc = 0, status;

	for (char *word = strtok(copy, "|"); word != NULL; word = strtok(NULL, "|"))
		argv[argc++] = word;
	*said = (struct said){ .out = NULL };
	c.out = open_memstream(&said->out, &said->out_bytes);
	c.err = open_memstream(&said->err, &said->err_bytes);
	status = cli_run(&c, argc, argv);
	(void)fclose(c.out);
	(void)fclose(c.err);
	return status;
}

static void
usage_row(void **state)
{
	struct usage_row *r = *state;
	struct said said;
	int status = line_run(r->line, &said);
	const char *place = status == CLI_DONE ? said.out : said.err;

	if (status != r->status || strstr(place, r->says) == NULL)
		print_error("status %d, out:\n%serr:\n%s", status, said.out, said.err);
	assert_int_equal(r->status, status);
	assert_non_null(strstr(place, r->says));
	if (status == CLI_USAGE)
		assert_string_equal("", said.out);
	free(said.out);
	free(said.err);
}

static void
options_stand_anywhere(void **state)
{
	static const char *const argv[] = {
		"a", "--until=8h", "--json", "b", "--reason", "x y", "--", "--wait",
	};
	struct mu_err err = MU_ERR_INIT;
	struct args a, globals;

	(void)state;
	args_init(&globals, cli_global_args);
	args_init(&a, "WHO... --reason TEXT [--until TIME] [--wait]");
	assert_int_equal(MU_OK, args_take(&a, &globals, MU_COUNT(argv), argv, 0, &err));
	assert_true(args_has(&globals, "json"));
	assert_false(args_has(&a, "wait"));
	assert_string_equal("8h", args_get(&a, "until"));
	assert_string_equal("x y", args_get(&a, "reason"));
	assert_int_equal(3, a.many_count);
	assert_string_equal("--wait", a.many[2]);
	args_clear(&a);
	args_clear(&globals);
}

/* Every row has help, an example, and a usage line that can be read back. */
static void
every_command_is_whole(void **state)
{
	(void)state;
	for (const struct command *row = commands; row->words != NULL; row++) {
		MU_AUTO(mu_buf_clear) struct mu_buf example = MU_BUF_INIT;
		struct arg_spec spec;

		arg_spec_parse(row->args, &spec);
		mu_buf_format(&example, "muster %s", row->words);
		if (strstr(row->more, example.data) == NULL || row->help[0] == '\0' ||
		    row->run == NULL)
			fail_msg("%s has no help, no example, or does nothing", row->words);
		if (row->run == act_run && row->action == NULL)
			fail_msg("%s is no action", row->words);
		if (row->run == list_run && row->list == NULL)
			fail_msg("%s lists nothing", row->words);
	}
}

static void
P5_18_no_option_skips_a_check(void **state)
{
	static const char *const shortcuts[] = { "force", "yes", "skip", "override", "no-verify",
	    "insecure" };

	(void)state;
	for (size_t i = 0; i < MU_COUNT(shortcuts); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf option = MU_BUF_INIT;

		mu_buf_format(&option, "--%s", shortcuts[i]);
		assert_null(strstr(cli_global_args, option.data));
		for (const struct command *row = commands; row->words != NULL; row++)
			if (strstr(row->args, option.data) != NULL)
				fail_msg("%s has %s", row->words, option.data);
	}
}

static void
P3_4_no_argument_takes_a_secret(void **state)
{
	static const char *const secrets[] = { "code", "password", "secret", "token", "seed",
	    "otp" };

	(void)state;
	for (const struct command *row = commands; row->words != NULL; row++) {
		struct arg_spec spec;

		arg_spec_parse(row->args, &spec);
		for (size_t i = 0; i < spec.count; i++)
			for (size_t k = 0; k < MU_COUNT(secrets); k++)
				assert_string_not_equal(secrets[k], spec.list[i].name);
	}
}

int
main(void)
{
	struct CMUnitTest usage[MU_COUNT(usage_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(every_command_is_whole),
		cmocka_unit_test(P5_18_no_option_skips_a_check),
		cmocka_unit_test(P3_4_no_argument_takes_a_secret),
	};

	show_locale();
	(void)setenv("MUSTER_HOME", "/nonexistent/muster-home", 1);
	for (size_t i = 0; i < MU_COUNT(usage_rows); i++)
		usage[i] = (struct CMUnitTest){ usage_rows[i].name, usage_row, NULL, NULL,
		    &usage_rows[i] };
	return cmocka_run_group_tests_name("usage", usage, NULL, NULL) +
	    cmocka_run_group_tests_name("arguments", rest, NULL, NULL);
}
