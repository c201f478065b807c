#include "cli/groups.h"

#include "policy/policy.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/act.h"
#include "cli/job.h"
#include "cli/show.h"
#include "config/yaml.h"
#include "json/write.h"

#include <stdlib.h>
#include <string.h>

#define VERSION_MAX	1000000000

/* A folder of policies, read and parsed here. */
struct reading {
	struct policy_folder folder;
	struct config_faults faults;
	struct policy *policy;
};

static void
reading_clear(struct reading *r)
{
	policy_folder_clear(&r->folder);
	config_faults_clear(&r->faults);
	policy_free(r->policy);
}

/* Which attributes sources have is the server's to know. */
static bool
any_attribute(const void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

/* "DIR/roles.yaml:3:5: what is wrong", so that editors find it. */
static void
faults_show(struct cli *c, const char *dir, const struct config_faults *faults)
{
	MU_AUTO(mu_buf_clear) struct mu_buf json = MU_BUF_INIT;
	struct json_writer w;

	for (size_t i = 0; i < faults->count && !c->json; i++) {
		const struct config_fault_row *f = &faults->list[i];

		if (f->line == 0)	/* of the file as a whole */
			show_line(c->err, "%s/%s: %s", dir, f->file, f->text);
		else
			show_line(c->err, "%s/%s:%u:%u: %s", dir, f->file, f->line, f->column,
			    f->text);
	}
	if (faults->more_count > 0)
		show_line(c->err, "and %zu more", faults->more_count);
	if (!c->json)
		return;
	json_begin(&w, &json);
	json_object_begin(&w, NULL);
	json_list_begin(&w, "faults");
	for (size_t i = 0; i < faults->count; i++) {
		const struct config_fault_row *f = &faults->list[i];

		json_object_begin(&w, NULL);
		json_int(&w, "column", f->column);
		json_text(&w, "file", f->file);
		json_int(&w, "line", f->line);
		json_text(&w, "text", f->text);
		json_object_end(&w);
	}
	json_list_end(&w);
	json_object_end(&w);
	json_end(&w);
	show_json(c->out, json.data);
}

static int
folder_parse(struct cli *c, const char *dir, struct reading *r)
{
	struct mu_err err = MU_ERR_INIT;

	if (policy_folder_read(dir, &r->folder, &err) != MU_OK)
		return cli_fail(c, &err);
	if (r->folder.file_count == 0) {
		cli_say(c, "%s holds no policies: no file in it ends in .yaml", dir);
		return CLI_FAILED;
	}
	if (policy_parse(r->folder.files, r->folder.file_count, any_attribute, NULL, &r->faults,
	    &r->policy, &err) == MU_OK)
		return CLI_DONE;
	faults_show(c, dir, &r->faults);
	return CLI_FAILED;
}

int
policy_check_run(struct cli *c, const struct args *a)
{
	MU_AUTO(reading_clear) struct reading r = { .policy = NULL };
	int status = folder_parse(c, args_get(a, "DIR"), &r);

	if (status == CLI_DONE && c->json)
		faults_show(c, args_get(a, "DIR"), &r.faults);
	else if (status == CLI_DONE)
		show_line(c->out, "%s: %zu files without a fault", args_get(a, "DIR"),
		    r.folder.file_count);
	return status;
}

/* --- Cases ------------------------------------------------------------------------------------ */

static void
results_show(struct cli *c, const char *lines, const struct policy_cases_result *sum)
{
	MU_AUTO(mu_buf_clear) struct mu_buf json = MU_BUF_INIT;
	struct json_writer w;

	if (!c->json) {
		show_text(c->out, lines);
		show_line(c->out, "%zu passed, %zu failed", sum->passed, sum->failed);
		return;
	}
	json_begin(&w, &json);
	json_object_begin(&w, NULL);
	json_int(&w, "failed", (int64_t)sum->failed);
	json_list_begin(&w, "lines");
	for (; *lines != '\0'; lines += strcspn(lines, "\n"), lines += *lines == '\n')
		json_text_bytes(&w, NULL, lines, strcspn(lines, "\n"));
	json_list_end(&w);
	json_int(&w, "passed", (int64_t)sum->passed);
	json_object_end(&w);
	json_end(&w);
	show_json(c->out, json.data);
}

int
policy_test_run(struct cli *c, const struct args *a)
{
	MU_AUTO(reading_clear) struct reading r = { .policy = NULL };
	MU_AUTO(policy_folder_clear) struct policy_folder cases = { .file_count = 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	struct policy_cases_result sum = { 0, 0 };
	const char *dir = args_get(a, "DIR");
	struct mu_err err = MU_ERR_INIT;
	int status = folder_parse(c, dir, &r);

	if (status != CLI_DONE)
		return status;
	if (policy_cases_read(dir, &cases, &err) != MU_OK)
		return cli_fail(c, &err);
	for (size_t i = 0; i < cases.file_count; i++) {
		struct policy_cases_result one = { 0, 0 };

		if (policy_cases_run(r.policy, &cases.files[i], mu_now_s(), &r.faults, &lines, &one,
		    &err) != MU_OK)
			continue;	/* its faults are told with those of the others */
		sum.passed += one.passed;
		sum.failed += one.failed;
	}
	if (r.faults.count > 0) {
		faults_show(c, dir, &r.faults);
		return CLI_FAILED;
	}
	if (sum.passed + sum.failed == 0) {
		cli_say(c, "%s/cases holds no cases: nothing was tested", dir);
		return CLI_FAILED;
	}
	results_show(c, mu_buf_text(&lines), &sum);
	return sum.failed == 0 ? CLI_DONE : CLI_FAILED;
}

/* --- Plan and apply --------------------------------------------------------------------------- */

static void
files_write(struct json_writer *w, const struct policy_folder *folder)
{
	json_object_begin(w, "files");	/* in order of name: policy_folder */
	for (size_t i = 0; i < folder->file_count; i++)
		json_text(w, folder->files[i].name, folder->files[i].content);
	json_object_end(w);
}

/* A file's name is a member's name in what is sent. */
static int
names_check(const struct cli *c, const struct policy_folder *folder)
{
	for (size_t i = 0; i < folder->file_count; i++) {
		const char *name = folder->files[i].name;

		if (name[strspn(name,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0')
			continue;
		cli_say(c, "%s: a policy's file is named with letters, digits, '.', '-' and '_'",
		    name);
		return CLI_FAILED;
	}
	return CLI_DONE;
}

/* What is asked for: a plan of these files. */
static void
plan_request(const struct policy_folder *folder, bool as_json, struct mu_buf *out)
{
	struct json_writer w;

	json_begin(&w, out);
	json_object_begin(&w, NULL);
	files_write(&w, folder);
	json_text(&w, "form", as_json ? "json" : "text");
	json_text(&w, "kind", "plan");
	json_object_end(&w);
	json_end(&w);
}

static const char deciding[] = "deciding about everybody by this policy ...";

int
policy_plan_run(struct cli *c, const struct args *a)
{
	MU_AUTO(reading_clear) struct reading r = { .policy = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	int status = folder_parse(c, args_get(a, "DIR"), &r);

	if (status == CLI_DONE)
		status = names_check(c, &r.folder);
	if (status != CLI_DONE)
		return status;
	plan_request(&r.folder, c->json, &request);
	return job_show(c, request.data, deciding);
}

/* What is planned now; what an earlier plan said stands in its place where it is given. */
struct planned {
	struct json_node *answer;
	int64_t base;
	const char *outcome;
};

static int
planned_find(struct cli *c, const struct args *a, const struct policy_folder *folder,
    struct planned *out)
{
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	const char *base = args_get(a, "base"), *outcome = args_get(a, "outcome");
	const struct json_node *result;
	int status;

	if (base != NULL && !mu_int_parse(base, 0, VERSION_MAX, &out->base))
		return cli_usage(c, "--base %s is no version", base);
	plan_request(folder, false, &request);
	status = job_run(c, request.data, deciding, &out->answer);
	if (status != CLI_DONE)
		return status;
	result = json_find(out->answer, "result");
	out->outcome = outcome != NULL ? outcome : json_find_text(result, "outcome");
	if (out->outcome == NULL || (base == NULL && !json_find_int(result, "base", &out->base))) {
		cli_say(c, "the server's answer holds no version and no outcome");
		return CLI_FAILED;
	}
	return CLI_DONE;
}

int
policy_apply_run(struct cli *c, const struct args *a)
{
	MU_AUTO(reading_clear) struct reading r = { .policy = NULL };
	MU_AUTO(mu_buf_clear) struct mu_buf args_json = MU_BUF_INIT;
	struct planned planned = { .answer = NULL };
	struct json_writer w;
	int status = folder_parse(c, args_get(a, "DIR"), &r);

	if (status == CLI_DONE)
		status = names_check(c, &r.folder);
	if (status == CLI_DONE)
		status = planned_find(c, a, &r.folder, &planned);
	if (status == CLI_DONE) {
		json_begin(&w, &args_json);
		json_object_begin(&w, NULL);
		json_int(&w, "base", planned.base);
		files_write(&w, &r.folder);
		json_text(&w, "outcome", planned.outcome);
		json_object_end(&w);
		json_end(&w);
		status = act_with(c, a, args_json.data);
	}
	json_freep(&planned.answer);
	return status;
}

int
policy_pending_plan(struct cli *c, const char *digest)
{
	MU_AUTO(json_freep) struct json_node *answer = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf request = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &request);
	json_object_begin(&w, NULL);
	json_text(&w, "action", digest);
	json_text(&w, "kind", "plan");
	json_object_end(&w);
	json_end(&w);
	return job_run(c, request.data, deciding, &answer);
}

/* --- What an approver sees -------------------------------------------------------------------- */

/* How many bytes at the front of both are the same whole lines. */
static size_t
lines_same(const char *a, const char *b)
{
	size_t same = 0;

	for (size_t i = 0; a[i] == b[i]; i++) {
		if (a[i] == '\n')
			same = i + 1;
		if (a[i] == '\0')
			return i;
	}
	return same;
}

/* The same for the end. */
static size_t
lines_same_behind(const char *a, const char *b)
{
	size_t a_bytes = strlen(a), b_bytes = strlen(b), same = 0;

	while (same < a_bytes && same < b_bytes && a[a_bytes - same - 1] == b[b_bytes - same - 1])
		same++;
	while (same > 0 && ((same < a_bytes && a[a_bytes - same - 1] != '\n') ||
	    (same < b_bytes && b[b_bytes - same - 1] != '\n')))
		same--;
	return same;
}

static void
lines_show(FILE *to, char sign, const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		const char *end = memchr(text + at, '\n', bytes - at);
		size_t length = end == NULL ? bytes - at : (size_t)(end - text) - at;

		show_line(to, "%c %.*s", sign, (int)length, text + at);
		at += length + 1;
	}
}

static void
file_difference_show(FILE *to, const char *name, const char *before, const char *after)
{
	size_t front = lines_same(before, after), behind;

	before += front;
	after += front;
	behind = lines_same_behind(before, after);
	show_line(to, "%s:", name);
	lines_show(to, '-', before, strlen(before) - behind);
	lines_show(to, '+', after, strlen(after) - behind);
}

struct compared {
	FILE *to;
	const struct json_node *with;
};

static bool
changed_show(void *ctx, const char *name, const struct json_node *value)
{
	const struct compared *in = ctx;
	const char *after = json_node_text(value), *before = json_find_text(in->with, name);

	if (after != NULL && !mu_text_equal(before, after))
		file_difference_show(in->to, name, before == NULL ? "" : before, after);
	return true;
}

static bool
dropped_show(void *ctx, const char *name, const struct json_node *value)
{
	const struct compared *in = ctx;

	(void)value;
	if (json_find(in->with, name) == NULL)
		show_line(in->to, "%s: is left out", name);
	return true;
}

void
policy_difference_show(FILE *to, const struct json_node *before, const struct json_node *after)
{
	json_each(after, changed_show, &(struct compared){ to, before });
	json_each(before, dropped_show, &(struct compared){ to, after });
}
