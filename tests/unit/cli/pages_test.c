/*
 * pages_test.c - manual page and completion say of every command what the table of commands says
 */
#include "cli/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"

#define PAGE_MAX_BYTES (256 * 1024)

static void
page_read(const char *name, struct mu_buf *out_text)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	FILE *file;

	mu_buf_format(&path, "%s/%s", SOURCE_DIR, name);
	file = fopen(path.data, "r");
	if (file == NULL)
		fail_msg("%s cannot be opened", path.data);
	mu_buf_reserve(out_text, PAGE_MAX_BYTES);
	out_text->size_bytes = fread(out_text->data, 1, PAGE_MAX_BYTES, file);
	out_text->data[out_text->size_bytes] = '\0';
	(void)fclose(file);
}

/* Is it a whole line of the text? */
static bool
has_line(const struct mu_buf *text, const char *line)
{
	MU_AUTO(mu_buf_clear) struct mu_buf whole = MU_BUF_INIT;

	mu_buf_format(&whole, "\n%s\n", line);
	return strstr(text->data, whole.data) != NULL;
}

static void
options_format(const struct arg_spec *spec, struct mu_buf *b)
{
	for (size_t i = 0, count = 0; i < spec->count; i++)
		if (spec->list[i].is_option)
			mu_buf_format(b, "%s--%s", count++ == 0 ? "" : " ", spec->list[i].name);
}

/* The usage line in mdoc(7): "[--until TIME]" is "Oo Fl -until Ar TIME Oc". */
static void
mdoc_format(const char *spec, struct mu_buf *b)
{
	static const struct {
		char sign;
		const char *macro;
	} macros[] = { { '[', " Oo" }, { ']', " Oc" }, { '(', " Po" }, { ')', " Pc" },
	    { '|', " |" } };

	while (*spec != '\0') {
		size_t bytes = strcspn(spec, " []()|"), i = 0;

		while (bytes == 0 && i < MU_COUNT(macros) && macros[i].sign != *spec)
			i++;
		if (bytes == 0) {
			mu_buf_text_add(b, i < MU_COUNT(macros) ? macros[i].macro : "");
			spec++;
			continue;
		}
		if (strncmp(spec, "--", 2) == 0)
			mu_buf_format(b, " Fl %.*s", (int)bytes - 1, spec + 1);
		else if (bytes > 3 && strncmp(spec + bytes - 3, "...", 3) == 0)
			mu_buf_format(b, " Ar %.*s ...", (int)bytes - 3, spec);
		else
			mu_buf_format(b, " Ar %.*s", (int)bytes, spec);
		spec += bytes;
	}
}

static void
the_manual_page_has_every_command(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf page = MU_BUF_INIT;

	(void)state;
	page_read("cli/muster.1", &page);
	for (const struct command *row = commands; row->words != NULL; row++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

		mu_buf_format(&line, ".It Cm %s", row->words);
		mdoc_format(row->args, &line);
		if (!has_line(&page, line.data))
			fail_msg("muster.1 has no line \"%s\"", line.data);
	}
}

static void
the_manual_page_has_every_global_option(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf page = MU_BUF_INIT;
	struct arg_spec spec;

	(void)state;
	page_read("cli/muster.1", &page);
	arg_spec_parse(cli_global_args, &spec);
	for (size_t i = 0; i < spec.count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

		mu_buf_format(&line, ".It Fl -%s", spec.list[i].name);
		if (spec.list[i].value[0] != '\0')
			mu_buf_format(&line, " Ar %s", spec.list[i].value);
		if (!has_line(&page, line.data))
			fail_msg("muster.1 has no line \"%s\"", line.data);
	}
}

static void
bash_completes_every_command_and_option(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf page = MU_BUF_INIT;

	(void)state;
	page_read("cli/completion/muster.bash", &page);
	for (const struct command *row = commands; row->words != NULL; row++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
		struct arg_spec spec;

		arg_spec_parse(row->args, &spec);
		mu_buf_format(&line, "%s|", row->words);
		options_format(&spec, &line);
		if (!has_line(&page, line.data))
			fail_msg("muster.bash has no line \"%s\"", line.data);
	}
}

static void
zsh_completes_every_command_and_option(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf page = MU_BUF_INIT;

	(void)state;
	page_read("cli/completion/muster.zsh", &page);
	for (const struct command *row = commands; row->words != NULL; row++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
		struct arg_spec spec;

		arg_spec_parse(row->args, &spec);
		mu_buf_format(&line, "\t\t\"%s|", row->words);
		options_format(&spec, &line);
		mu_buf_format(&line, "|%s\"", row->help);
		if (!has_line(&page, line.data))
			fail_msg("muster.zsh has no line \"%s\"", line.data);
	}
}

static void
both_complete_the_global_options(void **state)
{
	static const char *const pages[] = { "cli/completion/muster.bash",
	    "cli/completion/muster.zsh" };
	MU_AUTO(mu_buf_clear) struct mu_buf options = MU_BUF_INIT;
	struct arg_spec spec;

	(void)state;
	arg_spec_parse(cli_global_args, &spec);
	options_format(&spec, &options);
	for (size_t i = 0; i < MU_COUNT(pages); i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf page = MU_BUF_INIT;

		page_read(pages[i], &page);
		if (strstr(page.data, options.data) == NULL)
			fail_msg("%s lacks one of %s", pages[i], options.data);
	}
}

int
main(void)
{
	const struct CMUnitTest pages[] = {
		cmocka_unit_test(the_manual_page_has_every_command),
		cmocka_unit_test(the_manual_page_has_every_global_option),
		cmocka_unit_test(bash_completes_every_command_and_option),
		cmocka_unit_test(zsh_completes_every_command_and_option),
		cmocka_unit_test(both_complete_the_global_options),
	};

	return cmocka_run_group_tests_name("pages", pages, NULL, NULL);
}
