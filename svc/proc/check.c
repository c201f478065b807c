#include "proc/check.h"

#include "base/secret.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "proc/crew.h"
#include "proc/place.h"
#include "proc/process.h"
#include "proc/rules.h"
#include "sandbox/sandbox.h"
#include "store/role.h"

#define SECRET_MAX_BYTES	4096
#define PEM_MAX_BYTES		(1024 * 1024)

static void
faults_print(const struct config_faults *faults)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	config_faults_format(faults, &text);
	(void)fputs(mu_buf_text(&text), stderr);
	(void)fflush(stderr);
}

static enum mu_rc
file_read(const char *path, size_t max_bytes, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret bytes = MU_SECRET_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum mu_rc rc;

	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open %s", path);
	rc = mu_secret_read_fd(fd, path, max_bytes, &bytes, err);
	(void)close(fd);
	if (rc == MU_OK)
		mu_buf_add(out, bytes.bytes, bytes.size_bytes);
	return rc;
}

/* The settings, whose faults are added; text as read. */
static struct settings *
settings_read(const char *path, struct mu_buf *out_text, struct config_faults *faults)
{
	MU_AUTO(mu_freep) char *absolute = realpath(path, NULL);
	struct mu_err err = MU_ERR_INIT;
	struct settings *settings;

	if (file_read(path, CONFIG_FILE_MAX_BYTES, out_text, &err) != MU_OK) {
		config_fault_file(faults, path, "%s", err.text);
		return NULL;
	}
	if (!settings_parse(out_text->data, out_text->size_bytes,
		absolute == NULL ? path : absolute, process_adapter_keys, faults, &settings))
		return NULL;
	return settings;
}

struct settings *
check_settings(const char *config_path, struct mu_buf *out_text)
{
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct settings *settings = settings_read(config_path, out_text, &faults);

	faults_print(&faults);
	config_faults_clear(&faults);
	return settings;
}

/* --- The files that the configuration names ----------------------------------------------- */

/* The configuration once more, to find where it names a file. */
struct names {
	struct config_doc *doc;
	char *folder;
	struct config_faults *faults;
};

/* The scalar below n that names path, NULL when there is none. */
static const struct config_node *
place_find(const struct names *in, const struct config_node *n, const char *path)
{
	const struct config_node *found = NULL;

	if (config_node_kind(n) == CONFIG_SCALAR) {
		MU_AUTO(mu_freep) char *named = config_path_join(in->folder, config_scalar_text(n));

		return strcmp(named, path) == 0 ? n : NULL;
	}
	for (size_t i = 0; i < config_list_count(n) && found == NULL; i++)
		found = place_find(in, config_list_at(n, i), path);
	for (size_t i = 0; i < config_map_count(n) && found == NULL; i++)
		found = place_find(in, config_map_at(n, i), path);
	return found;
}

static void
path_fault(const struct names *in, const char *path, const struct mu_err *err)
{
	const struct config_node *at = place_find(in, config_doc_root(in->doc), path);

	if (at != NULL)
		config_fault(in->faults, at, "%s", err->text);
	else
		config_fault_file(in->faults, config_doc_name(in->doc), "%s", err->text);
}

static void
secret_check(const struct names *in, const char *path)
{
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (path != NULL && mu_secret_read(path, SECRET_MAX_BYTES, &secret, &err) != MU_OK)
		path_fault(in, path, &err);
}

static void
pem_check(const struct names *in, const char *path, const char *kind)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, begin = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (path == NULL)
		return;
	mu_buf_format(&begin, "-----BEGIN %s-----", kind);
	if (file_read(path, PEM_MAX_BYTES, &text, &err) == MU_OK &&
	    (strlen(text.data) != text.size_bytes || strstr(text.data, begin.data) == NULL))
		(void)mu_fail(&err, MU_ECONFIG, "%s holds no %s", path, begin.data);
	if (err.rc != MU_OK)
		path_fault(in, path, &err);
}

static void
files_check(const struct settings *s, const struct names *in)
{
	struct store_logins logins = { .conninfo = { NULL } };
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < s->source_count; i++) {
		secret_check(in, s->sources[i].bind_password_file);
		pem_check(in, s->sources[i].ca, "CERTIFICATE");
	}
	for (size_t i = 0; i < s->platform_count; i++) {
		const struct config_section *section = &s->platforms[i].section;

		secret_check(in, config_section_secret_file(section));
		for (size_t j = 0; j < section->count; j++)
			if (section->list[j].key->type == CONFIG_FILE)
				pem_check(in, section->list[j].text, "CERTIFICATE");
	}
	for (size_t i = 0; i < s->client_count; i++)
		pem_check(in, s->clients[i].csr, "CERTIFICATE REQUEST");
	if (s->conninfo != NULL &&
	    store_logins_read(s->conninfo, s->password_file, &logins, &err) != MU_OK)
		path_fault(in, s->password_file == NULL ? s->conninfo : s->password_file, &err);
	store_logins_clear(&logins);
}

/*
 * The policy's faults name a file of the folder: they are given the folder's name as well. What the
 * configuration says of a role that the policy lacks is a fault of the configuration.
 * MU_ECONFIG  the folder cannot be read
 */
static enum mu_rc
policies_check(const struct settings *s, struct config_faults *of_settings,
    struct config_faults *faults, struct mu_err *err)
{
	struct policy_folder folder = { .file_count = 0 };
	struct policy *policy = NULL;
	struct mu_err ignored = MU_ERR_INIT;

	if (policy_folder_read(s->policies, &folder, err) != MU_OK)
		return err->rc;
	if (policy_parse(folder.files, folder.file_count, rules_attr_known, s, faults, &policy,
		&ignored) == MU_OK) {
		rules_authority_check(s, policy, s->file, of_settings);
		policy_free(policy);
	}
	policy_platforms_check(folder.files, folder.file_count, rules_platform_known, s, faults);
	policy_folder_clear(&folder);
	for (size_t i = 0; i < faults->count; i++) {
		char *path = place_path(s->policies, faults->list[i].file);

		mu_free(faults->list[i].file);
		faults->list[i].file = path;
	}
	return MU_OK;
}

/* All that the settings name; faults stand in two lists, each in order. */
static void
named_check(const struct settings *s, const struct mu_buf *text, struct config_faults *faults,
    struct config_faults *in_policies)
{
	MU_AUTO(mu_freep) char *file = mu_strdup(s->file);
	struct names in = { .faults = faults, .folder = dirname(file) };
	struct mu_err err = MU_ERR_INIT;

	if (!config_doc_parse(text->data, text->size_bytes, s->file, faults, &in.doc))
		return;
	files_check(s, &in);
	if (policies_check(s, faults, in_policies, &err) != MU_OK)
		path_fault(&in, s->policies, &err);
	config_doc_free(in.doc);
}

/* What will not be as strong as it could, or not start here: no fault of the files. */
static void
notes_print(const struct settings *s)
{
	MU_AUTO(mu_buf_clear) struct mu_buf lacks = MU_BUF_INIT;
	struct crew_users users;
	struct mu_err err = MU_ERR_INIT;

	sandbox_report(&lacks);
	if (crew_users_find(s->users, &users, &err) != MU_OK)
		(void)printf("note: %s\n", err.text);
	else if (!users.separate)
		(void)printf("note: not started as root, so all processes share one user\n");
	(void)fputs(mu_buf_text(&lacks), stdout);
}

int
check_run(const char *config_path)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct config_faults faults = CONFIG_FAULTS_INIT, in_policies = CONFIG_FAULTS_INIT;
	struct settings *settings = settings_read(config_path, &text, &faults);
	int status;

	if (settings != NULL)
		named_check(settings, &text, &faults, &in_policies);
	faults_print(&faults);
	faults_print(&in_policies);
	status =
	    faults.count + in_policies.count == 0 && settings != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
	if (settings != NULL)
		notes_print(settings);
	if (status == EXIT_SUCCESS)
		(void)printf("%s: good\n", config_path);
	settings_free(settings);
	config_faults_clear(&faults);
	config_faults_clear(&in_policies);
	return status;
}
