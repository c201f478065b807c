/*
 * yaml_test.c - what of YAML is read, and where what is not is faulted
 */
#include "config/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

/* --- Whole files: the faults that they have ---------------------------------------------------- */

static struct file_row {
	const char *name, *text;
	const char *faults;	/* all of them, as they are printed; "" for none */
	bool tree;		/* there is something to go on with */
} file_rows[] = {
	{ "maps, lists and scalars are read", "a: 1\nb: [x, {y: z}]\nc:\n  - d\n", "", true },
	{ "one marker of a document is fine", "---\na: 1\n...\n", "", true },
	{ "an anchor is faulted at its place", "a: &x 1\n",
	    "f.yaml:1:4: anchors (&) are not read here: write the value out\n", true },
	{ "an alias is, and reading goes on", "a: &x 1\nb: *x\nc: 2\nc: 3\n",
	    "f.yaml:1:4: anchors (&) are not read here: write the value out\n"
	    "f.yaml:2:4: aliases (*) are not read here: quote the text if it begins with *\n"
	    "f.yaml:4:1: 'c' stands here a second time: the first is in line 3\n", true },
	{ "a tag is", "a: !!int 1\n",
	    "f.yaml:1:4: tags (!) are not read here: quote the text if it begins with !\n", true },
	{ "a merge key is a key like any other", "<<: {a: 1}\n", "", true },
	{ "a key stands once, however it is quoted", "a: 1\n\"a\": 2\n",
	    "f.yaml:2:1: 'a' stands here a second time: the first is in line 1\n", true },
	{ "in another map it may stand again", "a: {b: 1}\nb: {a: 1}\n", "", true },
	{ "a directive is faulted", "%YAML 1.1\n---\na: 1\n",
	    "f.yaml:1:1: directives (%) are not read here\n", true },
	{ "two documents are too many", "a: 1\n---\nb: 1\n",
	    "f.yaml:2:1: a second document: a file has one\n", false },
	{ "an empty file is", "", "f.yaml: the file is empty\n", false },
	{ "a file of comments is empty", "# nothing\n", "f.yaml: the file is empty\n", false },
	{ "a list as a key is", "? [a]\n: 1\n", "f.yaml:1:3: a key is a word, not a list or a map\n", false },
	{ "bytes that are not UTF-8 are", "a: \xff\n", "f.yaml: not UTF-8 text: save it as UTF-8\n", false },
	{ "a byte order mark is", "\xef\xbb\xbf" "a: 1\n",
	    "f.yaml: begins with a byte order mark: save it without\n", false },
	{ "NUL in a text is", "a: \"x\\0y\"\n", "f.yaml:1:4: text cannot hold NUL (\\0)\n", true },
	{ "what is not YAML says where", "a: 1\n b: 2\n",
	    "f.yaml:2:3: not YAML: mapping values are not allowed in this context: check the indentation, "
	    "and quote text that has one of : # { } [ ] & * ! in it\n", false },
	{ "a fault quotes no control character", "\"a\\u001b[2J\": 1\n\"a\\u001b[2J\": 1\n",
	    "f.yaml:2:1: 'a\\x1b[2J' stands here a second time: the first is in line 1\n", true },
	{ "nor a mark that turns the text around", "\"a\\u202e\": 1\n\"a\\u202e\": 1\n",
	    "f.yaml:2:1: 'a\\xe2\\x80\\xae' stands here a second time: the first is in line 1\n", true },
	{ "columns count characters, not bytes", "{\u00e4\u00f6: 1, x: &a 2}\n",
	    "f.yaml:1:12: anchors (&) are not read here: write the value out\n", true },
};

static void
file_row(void **state)
{
	struct file_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf said = MU_BUF_INIT;
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	bool tree = config_doc_parse(r->text, strlen(r->text), "f.yaml", &faults, &doc);

	config_faults_format(&faults, &said);
	config_faults_clear(&faults);
	assert_string_equal(r->faults, mu_buf_text(&said));
	assert_int_equal(r->tree, tree);
	assert_int_equal(r->tree, doc != NULL);
}

/* --- One value: what each reader makes of it --------------------------------------------------- */

enum reader { TEXT, INT, BOOL, DURATION, PERCENT, NAME, TEXTS };

static struct value_row {
	const char *name;
	enum reader reader;
	const char *text;
	int64_t want;		/* TEXT: its length, TEXTS: how many */
	const char *fault;	/* NULL: it is taken */
} value_rows[] = {
	{ "a word is text", TEXT, "word", 4, NULL },
	{ "no is text", TEXT, "no", 2, NULL },
	{ "a number is text where text is asked for", TEXT, "0x10", 4, NULL },
	{ "a filter needs no quotes", TEXT, "(&(a=b)(!(c=d*)))", 17, NULL },
	{ "a folded block is one line", TEXT, ">-\n  (&(a=b)\n  (c=d))", 14, NULL },
	{ "line breaks are not", TEXT, "\"a\\nb\"", 0, "this text holds a line break" },
	{ "nothing is not a text", TEXT, "", 0, "a value is missing here" },
	{ "null is not a text", TEXT, "null", 0, "a value is missing here" },
	{ "quoted, it is", TEXT, "\"null\"", 4, NULL },
	{ "17 bytes are enough here", TEXT, "1234567890 1234567", 0, "too long: 17 bytes" },
	{ "a list is not a text", TEXT, "[a]", 0, "this must be a text, not a list" },
	{ "a number", INT, "42", 42, NULL },
	{ "a number below zero", INT, "-5", -5, NULL },
	{ "the bounds are inside", INT, "100", 100, NULL },
	{ "beyond is out", INT, "101", 0, "'101' must be a whole number from -10 to 100 things" },
	{ "hex is not a number", INT, "0x10", 0, "'0x10' must be a whole number" },
	{ "nor is a leading zero", INT, "010", 0, "'010' must be" },
	{ "nor 1e1", INT, "1e1", 0, "'1e1' must be" },
	{ "nor a quoted one", INT, "'1'", 0, "this must be a whole number, without quotes" },
	{ "nor one beyond 64 bits", INT, "99999999999999999999", 0, "must be a whole number" },
	{ "true", BOOL, "true", 1, NULL },
	{ "false", BOOL, "false", 0, NULL },
	{ "yes is not true", BOOL, "yes", 0, "'yes' must be true or false" },
	{ "True is not true", BOOL, "True", 0, "'True' must be true or false" },
	{ "seconds", DURATION, "30s", 30, NULL },
	{ "minutes", DURATION, "5m", 300, NULL },
	{ "hours", DURATION, "8h", 28800, NULL },
	{ "days", DURATION, "30d", 2592000, NULL },
	{ "too long says the bounds", DURATION, "31d", 0, "'31d' must be from 10s to 30d" },
	{ "a time has a unit", DURATION, "30", 0, "'30' must be a time such as" },
	{ "one unit", DURATION, "1h30m", 0, "'1h30m' must be a time such as" },
	{ "a unit alone is no time", DURATION, "s", 0, "'s' must be a time such as" },
	{ "a time never overflows", DURATION, "99999999999999d", 0, "must be a time such as" },
	{ "a share", PERCENT, "2%", 200, NULL },
	{ "a fine share", PERCENT, "0.25%", 25, NULL },
	{ "half a percent", PERCENT, "0.5%", 50, NULL },
	{ "all", PERCENT, "100%", 10000, NULL },
	{ "more than all", PERCENT, "100.01%", 0, "from 0% to 100%" },
	{ "a share has its sign", PERCENT, "2", 0, "'2' must be a share" },
	{ "less than nothing", PERCENT, "-1%", 0, "must be a share" },
	{ "too fine", PERCENT, "0.125%", 0, "must be a share" },
	{ "a name of the table", NAME, "green", 2, NULL },
	{ "a name that is near", NAME, "grene", 0, "'grene' is not known here: did you mean 'green'?" },
	{ "a name that is far", NAME, "violet", 0, "'violet' is not known here: it can be red, green" },
	{ "a list of texts", TEXTS, "[a, b, 'c d']", 3, NULL },
	{ "an empty list", TEXTS, "[]", 0, NULL },
	{ "twice the same", TEXTS, "[a, b, a]", 0, "'a' stands in this list twice" },
	{ "a text is no list", TEXTS, "a", 0, "this must be a list, not a text" },
	{ "too many", TEXTS, "[a, b, c, d]", 0, "this list is too long: 3 entries" },
	{ "a list in the list", TEXTS, "[a, [b]]", 0, "this must be a text, not a list" },
};

static const struct config_name colours[] = { { "red", 1 }, { "green", 2 }, { NULL, 0 } };

static bool
value_read(enum reader reader, struct config_faults *f, const struct config_node *n, int64_t *out)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	const char *text;
	size_t count;
	bool flag;
	int value;

	switch (reader) {
	case TEXT:
		if (!config_read_text(f, n, 17, &text))
			return false;
		*out = (int64_t)strlen(text);
		return true;
	case INT:
		return config_read_int(f, n, -10, 100, "things", out);
	case BOOL:
		if (!config_read_bool(f, n, &flag))
			return false;
		*out = flag ? 1 : 0;
		return true;
	case DURATION:
		return config_read_duration(f, n, 10, 30 * 86400, out);
	case PERCENT:
		return config_read_percent(f, n, out);
	case NAME:
		if (!config_read_name(f, n, colours, &value))
			return false;
		*out = value;
		return true;
	case TEXTS:
		if (!config_read_texts(f, n, 3, 16, &list, &count))
			return false;
		*out = (int64_t)count;
		return true;
	}
	return false;
}

static void
value_row(void **state)
{
	struct value_row *r = *state;
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, said = MU_BUF_INIT;
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	int64_t value = -99;
	bool good;

	mu_buf_format(&text, "k: %s\n", r->text);
	assert_true(config_doc_parse(text.data, text.size_bytes, "f.yaml", &faults, &doc));
	good = value_read(r->reader, &faults, config_map_find(config_doc_root(doc), "k"), &value);
	config_faults_format(&faults, &said);
	assert_int_equal(faults.count, r->fault == NULL ? 0 : 1);
	config_faults_clear(&faults);
	assert_int_equal(good, r->fault == NULL);
	if (r->fault == NULL)
		assert_int_equal(r->want, value);
	else if (strstr(said.data, r->fault) == NULL)
		fail_msg("'%s' is not in '%s'", r->fault, said.data);
	if (r->fault != NULL)
		assert_int_equal(-99, value);
}

/* --- The rest ---------------------------------------------------------------------------------- */

static void
what_is_absent_is_no_fault(void **state)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	int64_t value = 7;

	(void)state;
	for (enum reader reader = TEXT; reader <= TEXTS; reader++)
		assert_false(value_read(reader, &faults, NULL, &value));
	assert_int_equal(7, value);
	assert_int_equal(0, faults.count);
}

static void
keys_are_checked_against_a_table(void **state)
{
	static const struct config_field fields[] = {
		{ "listen", true }, { "bind_password_file", false }, { "uid", true }, { NULL, false },
	};
	static const char text[] = "- {listn: 1, uid: 2}\n- {listen: 1, bind_password: 2}\n- {zzz: 1}\n- x\n";
	MU_AUTO(mu_buf_clear) struct mu_buf said = MU_BUF_INIT;
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	struct config_faults faults = CONFIG_FAULTS_INIT;

	(void)state;
	assert_true(config_doc_parse(text, strlen(text), "f.yaml", &faults, &doc));
	for (size_t i = 0; i < 4; i++)
		assert_false(config_map_keys(&faults, config_list_at(config_doc_root(doc), i), fields));
	config_faults_format(&faults, &said);
	config_faults_clear(&faults);
	assert_string_equal(said.data,
	    "f.yaml:1:3: 'listen' is missing here\n"
	    "f.yaml:1:4: unknown key 'listn': did you mean 'listen'?\n"
	    "f.yaml:2:3: 'uid' is missing here\n"
	    "f.yaml:2:15: unknown key 'bind_password': did you mean 'bind_password_file'?\n"
	    "f.yaml:3:3: 'listen' is missing here\n"
	    "f.yaml:3:3: 'uid' is missing here\n"
	    "f.yaml:3:4: unknown key 'zzz': it can be listen, bind_password_file, uid\n"
	    "f.yaml:4:3: this must be a map, not a text\n");
}

static void
bounds_hold(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct config_doc *doc = NULL;

	(void)state;
	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "[");
	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "]");
	assert_true(config_doc_parse(text.data, text.size_bytes, "f", &faults, &doc));
	config_doc_free(doc);
	mu_buf_reset(&text);
	for (int i = 0; i <= CONFIG_DEPTH_MAX; i++)
		mu_buf_text_add(&text, "[");
	assert_false(config_doc_parse(text.data, text.size_bytes, "f", &faults, &doc));
	assert_non_null(strstr(faults.list[0].text, "too deeply"));
	config_faults_clear(&faults);

	mu_buf_reset(&text);
	for (int i = 0; i < 1001; i++)
		mu_buf_format(&text, "k%d: 1\n", i);
	assert_false(config_doc_parse(text.data, text.size_bytes, "f", &faults, &doc));
	assert_int_equal(1001, faults.list[0].line);
	config_faults_clear(&faults);

	mu_buf_reset(&text);
	for (int i = 0; i < CONFIG_NODES_MAX; i++)
		mu_buf_text_add(&text, "- 1\n");
	assert_false(config_doc_parse(text.data, text.size_bytes, "f", &faults, &doc));
	assert_non_null(strstr(faults.list[0].text, "too many values"));
	config_faults_clear(&faults);

	mu_buf_reset(&text);
	mu_buf_reserve(&text, CONFIG_FILE_MAX_BYTES + 1);
	memset(text.data, 'x', CONFIG_FILE_MAX_BYTES + 1);
	assert_false(config_doc_parse(text.data, CONFIG_FILE_MAX_BYTES + 1, "f", &faults, &doc));
	assert_non_null(strstr(faults.list[0].text, "larger than"));
	config_faults_clear(&faults);
	assert_true(config_doc_parse(text.data, CONFIG_TEXT_MAX_BYTES + 1, "f", &faults, &doc));
	assert_int_equal(1, faults.count);
	config_faults_clear(&faults);
	config_doc_free(doc);
}

static void
faults_beyond_the_bound_are_counted(void **state)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, said = MU_BUF_INIT;
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct config_doc *doc = NULL;

	(void)state;
	assert_int_equal(MU_OK, config_faults_fail(&faults, &err));
	for (int i = 0; i < CONFIG_FAULTS_MAX + 5; i++)
		mu_buf_text_add(&text, "- &a 1\n");
	assert_true(config_doc_parse(text.data, text.size_bytes, "f.yaml", &faults, &doc));
	assert_int_equal(CONFIG_FAULTS_MAX, faults.count);
	config_faults_format(&faults, &said);
	assert_non_null(strstr(said.data, "\nand 5 more: mend these first\n"));
	assert_int_equal(MU_ECONFIG, config_faults_fail(&faults, &err));
	assert_string_equal("f.yaml:1:3: anchors (&) are not read here: write the value out (and 204 more)",
	    err.text);
	config_faults_clear(&faults);
	config_doc_free(doc);
}

static void
a_file_that_is_not_there_is_a_fault(void **state)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct config_doc *doc = NULL;

	(void)state;
	assert_false(config_doc_read("/nowhere/x.yaml", &faults, &doc));
	assert_string_equal("/nowhere/x.yaml", faults.list[0].file);
	assert_string_equal("cannot be read: No such file or directory", faults.list[0].text);
	config_faults_clear(&faults);
	assert_false(config_doc_read("/", &faults, &doc));
	assert_int_equal(1, faults.count);
	config_faults_clear(&faults);
	assert_false(config_doc_read("/dev/null", &faults, &doc));
	assert_string_equal("the file is empty", faults.list[0].text);
	config_faults_clear(&faults);
}

int
main(void)
{
	struct CMUnitTest files[MU_COUNT(file_rows)], values[MU_COUNT(value_rows)];
	const struct CMUnitTest rest[] = {
		cmocka_unit_test(what_is_absent_is_no_fault),
		cmocka_unit_test(keys_are_checked_against_a_table),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(faults_beyond_the_bound_are_counted),
		cmocka_unit_test(a_file_that_is_not_there_is_a_fault),
	};

	for (size_t i = 0; i < MU_COUNT(file_rows); i++)
		files[i] = (struct CMUnitTest){ file_rows[i].name, file_row, NULL, NULL, &file_rows[i] };
	for (size_t i = 0; i < MU_COUNT(value_rows); i++)
		values[i] = (struct CMUnitTest){ value_rows[i].name, value_row, NULL, NULL, &value_rows[i] };
	return cmocka_run_group_tests_name("files", files, NULL, NULL) +
	    cmocka_run_group_tests_name("values", values, NULL, NULL) +
	    cmocka_run_group_tests_name("yaml", rest, NULL, NULL);
}
