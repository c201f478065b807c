#include "proc/check.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
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

/* Reads a file; what is wrong with it is a fault of the file at, which names it. */
static bool
file_read(const char *at, const char *path, size_t max_bytes, struct mu_buf *out, struct config_faults *faults)
{
	MU_AUTO(mu_secret_clear) struct mu_secret bytes = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		config_fault_file(faults, at, "cannot open %s: %s", path, strerror(errno));
		return false;
	}
	if (mu_secret_read_fd(fd, path, max_bytes, &bytes, &err) != MU_OK)
		config_fault_file(faults, at, "%s", err.text);
	else
		mu_buf_add(out, bytes.bytes, bytes.size_bytes);
	(void)close(fd);
	return err.rc == MU_OK;
}

/* The settings, whose faults are added; text as read. */
static struct settings *
settings_read(const char *path, struct mu_buf *out_text, struct config_faults *faults)
{
	MU_AUTO(mu_freep) char *absolute = realpath(path, NULL);
	struct settings *settings;

	if (!file_read(path, path, CONFIG_FILE_MAX_BYTES, out_text, faults))
		return NULL;
	if (!settings_parse(out_text->data, out_text->size_bytes, absolute == NULL ? path : absolute,
	    process_adapter_keys, faults, &settings))
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

/* --- The files that the configuration names ----------------------------------------------------- */

static void
secret_check(const char *at, const char *path, struct config_faults *faults)
{
	MU_AUTO(mu_secret_clear) struct mu_secret secret = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	if (path != NULL && mu_secret_read(path, SECRET_MAX_BYTES, &secret, &err) != MU_OK)
		config_fault_file(faults, at, "%s", err.text);
}

static void
pem_check(const char *at, const char *path, const char *kind, struct config_faults *faults)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT, begin = MU_BUF_INIT;

	if (path == NULL || !file_read(at, path, PEM_MAX_BYTES, &text, faults))
		return;
	mu_buf_format(&begin, "-----BEGIN %s-----", kind);
	if (strlen(text.data) != text.size_bytes || strstr(text.data, begin.data) == NULL)
		config_fault_file(faults, at, "%s holds no %s", path, begin.data);
}

static void
files_check(const struct settings *s, struct config_faults *faults)
{
	struct store_logins logins = { .conninfo = { NULL } };
	struct mu_err err = MU_ERR_INIT;

	for (size_t i = 0; i < s->source_count; i++) {
		secret_check(s->file, s->sources[i].bind_password_file, faults);
		pem_check(s->file, s->sources[i].ca, "CERTIFICATE", faults);
	}
	for (size_t i = 0; i < s->platform_count; i++) {
		const struct config_section *section = &s->platforms[i].section;

		secret_check(s->file, config_section_secret_file(section), faults);
		for (size_t j = 0; j < section->count; j++)
			if (section->list[j].key->type == CONFIG_FILE)
				pem_check(s->file, section->list[j].text, "CERTIFICATE", faults);
	}
	for (size_t i = 0; i < s->client_count; i++)
		pem_check(s->file, s->clients[i].csr, "CERTIFICATE REQUEST", faults);
	if (s->conninfo != NULL && store_logins_read(s->conninfo, s->password_file, &logins, &err) != MU_OK)
		config_fault_file(faults, s->file, "%s", err.text);
	store_logins_clear(&logins);
}

/* The policy's faults name a file of the folder: they are given the folder's name as well. */
static void
policies_check(const struct settings *s, struct config_faults *faults)
{
	struct policy_folder folder = { .file_count = 0 };
	struct policy *policy = NULL;
	struct mu_err err = MU_ERR_INIT;

	if (policy_folder_read(s->policies, &folder, &err) != MU_OK) {
		config_fault_file(faults, s->file, "%s", err.text);
		return;
	}
	if (policy_parse(folder.files, folder.file_count, rules_attr_known, s, faults, &policy, &err) == MU_OK)
		policy_free(policy);
	policy_folder_clear(&folder);
	for (size_t i = 0; i < faults->count; i++) {
		char *path = place_path(s->policies, faults->list[i].file);

		mu_free(faults->list[i].file);
		faults->list[i].file = path;
	}
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

	if (settings != NULL) {
		files_check(settings, &faults);
		policies_check(settings, &in_policies);
	}
	faults_print(&faults);
	faults_print(&in_policies);
	status = faults.count + in_policies.count == 0 && settings != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
	if (settings != NULL)
		notes_print(settings);
	if (status == EXIT_SUCCESS)
		(void)printf("%s: good\n", config_path);
	settings_free(settings);
	config_faults_clear(&faults);
	config_faults_clear(&in_policies);
	return status;
}
