#include "policy/policy.h"

#include "base/secret.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
by_name(const void *x, const void *y)
{
	const struct policy_file *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static enum mu_rc
file_read(int folder, const char *path, const char *name, const char *prefix, struct policy_folder *f,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf place = MU_BUF_INIT, content = MU_BUF_INIT;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum mu_rc rc;

	mu_buf_format(&place, "%s/%s", path, name);
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open %s", place.data);
	rc = mu_secret_read_fd(fd, place.data, POLICY_FILES_MAX_BYTES, &text, err);
	(void)close(fd);
	if (rc != MU_OK)
		return rc;
	if (!mu_utf8_valid(mu_secret_text(&text), text.size_bytes) ||
	    strlen(mu_secret_text(&text)) != text.size_bytes)
		return mu_fail(err, MU_ECONFIG, "%s is not UTF-8 text", place.data);
	f->files = mu_alloc_again(f->files, f->file_count + 1, sizeof(*f->files));
	mu_buf_reset(&place);
	mu_buf_format(&place, "%s%s", prefix, name);
	mu_buf_format(&content, "%s\n", mu_secret_text(&text));	/* the last line's end was taken for a secret's */
	f->files[f->file_count++] = (struct policy_file){ mu_strdup(place.data), mu_strdup(content.data) };
	return MU_OK;
}

/* All *.yaml of an open folder, which this closes; prefix comes before each name. */
static enum mu_rc
files_read(DIR *dir, const char *path, const char *prefix, struct policy_folder *out_folder, struct mu_err *err)
{
	struct policy_folder f = { .file_count = 0 };
	enum mu_rc rc = MU_OK;
	size_t bytes = 0;
	const struct dirent *e;

	while (rc == MU_OK && (e = readdir(dir)) != NULL) {
		size_t length = strlen(e->d_name);

		if (length > 5 && strcmp(e->d_name + length - 5, ".yaml") == 0 && e->d_name[0] != '.')
			rc = file_read(dirfd(dir), path, e->d_name, prefix, &f, err);
		else
			continue;
		if (rc == MU_OK)
			bytes += strlen(f.files[f.file_count - 1].content);
		if (bytes > POLICY_FILES_MAX_BYTES || f.file_count > POLICY_FILES_MAX)
			rc = mu_fail(err, MU_ECONFIG, "%s holds more than %d files or %u bytes of"
			    " policies", path, POLICY_FILES_MAX, POLICY_FILES_MAX_BYTES);
	}
	(void)closedir(dir);
	if (rc != MU_OK) {
		policy_folder_clear(&f);
		return rc;
	}
	if (f.file_count > 0)
		qsort(f.files, f.file_count, sizeof(*f.files), by_name);
	*out_folder = f;
	return MU_OK;
}

enum mu_rc
policy_folder_read(const char *path, struct policy_folder *out_folder, struct mu_err *err)
{
	DIR *dir = opendir(path);

	if (dir == NULL)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open the policies folder %s", path);
	return files_read(dir, path, "", out_folder, err);
}

enum mu_rc
policy_cases_read(const char *path, struct policy_folder *out_folder, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf place = MU_BUF_INIT;
	DIR *dir;

	mu_buf_format(&place, "%s/%s", path, "cases");
	dir = opendir(place.data);
	if (dir != NULL)
		return files_read(dir, place.data, "cases/", out_folder, err);
	if (errno != ENOENT)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open the cases folder %s", place.data);
	*out_folder = (struct policy_folder){ .file_count = 0 };
	return MU_OK;
}

void
policy_folder_clear(struct policy_folder *f)
{
	for (size_t i = 0; i < f->file_count; i++) {
		mu_free(f->files[i].name);
		mu_free(f->files[i].content);
	}
	mu_free(f->files);
	*f = (struct policy_folder){ .file_count = 0 };
}
