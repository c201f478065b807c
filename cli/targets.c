#include "cli/targets.h"

#include "base/secret.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES	(1u << 20)
#define FAULTS_MAX	1000		/* lines of faults that are told; the rest is counted */

void
targets_clear(struct targets *t)
{
	for (size_t i = 0; i < t->count; i++)
		mu_free(t->list[i]);
	mu_free(t->list);
	*t = (struct targets)TARGETS_INIT;
}

/* What is wrong with a name, NULL: nothing. */
static const char *
name_fault(const char *name, size_t bytes)
{
	if (bytes == 0)
		return "a name is empty";
	if (bytes > TARGET_MAX_BYTES)
		return "a name is longer than 256 bytes";
	if (!mu_utf8_valid(name, bytes))
		return "a name is not UTF-8";
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < bytes &&
		    (unsigned char)name[i + 1] < 0xa0))
			return "a name holds a control character";
	}
	return NULL;
}

static void
name_add(struct targets *t, const char *name, size_t bytes)
{
	for (size_t i = 0; i < t->count; i++)
		if (strlen(t->list[i]) == bytes && memcmp(t->list[i], name, bytes) == 0)
			return;
	if (t->count > TARGETS_MAX)
		return;
	t->list = mu_alloc_again(t->list, t->count + 1, sizeof(*t->list));
	t->list[t->count++] = mu_strndup(name, bytes);
}

enum mu_rc
targets_add(struct targets *t, const char *name, struct mu_err *err)
{
	const char *fault = name_fault(name, strlen(name));

	if (fault != NULL)
		return mu_fail(err, MU_EINPUT, "%s: \"%.80s\"", fault, name);
	name_add(t, name, strlen(name));
	return MU_OK;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void
line_add(struct targets *t, const char *line, size_t bytes, const char *file, size_t number,
    struct mu_buf *faults, size_t *fault_count)
{
	const char *fault;

	while (bytes > 0 && is_blank(line[bytes - 1]))
		bytes--;
	for (; bytes > 0 && is_blank(*line); bytes--)
		line++;
	if (bytes == 0 || *line == '#')
		return;
	fault = name_fault(line, bytes);
	if (fault == NULL)
		name_add(t, line, bytes);
	else if (++*fault_count <= FAULTS_MAX)
		mu_buf_format(faults, "%s:%zu: %s\n", file, number, fault);
}

enum mu_rc
targets_parse(struct targets *t, const char *text, size_t text_bytes, const char *file,
    struct mu_buf *out_faults, struct mu_err *err)
{
	size_t fault_count = 0, number = 0, at = 0;

	while (at < text_bytes) {
		const char *end = memchr(text + at, '\n', text_bytes - at);
		size_t bytes = end == NULL ? text_bytes - at : (size_t)(end - (text + at));

		line_add(t, text + at, bytes, file, ++number, out_faults, &fault_count);
		at += bytes + 1;
	}
	if (fault_count > 0)
		return mu_fail(err, MU_EINPUT, "%s: %zu bad line%s; nothing was done", file,
		    fault_count, fault_count == 1 ? "" : "s");
	return MU_OK;
}

enum mu_rc
targets_read(struct targets *t, const char *file, struct mu_buf *out_faults, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum mu_rc rc;

	if (fd < 0)
		return mu_fail_errno(err, MU_EINPUT, "cannot open %s", file);
	rc = mu_secret_read_fd(fd, file, FILE_MAX_BYTES, &text, err);
	(void)close(fd);
	if (rc != MU_OK)
		return rc;
	return targets_parse(t, mu_secret_text(&text), text.size_bytes, file, out_faults, err);
}

enum mu_rc
targets_check(const struct targets *t, struct mu_err *err)
{
	if (t->count == 0)
		return mu_fail(err, MU_EINPUT, "say whom it is about");
	if (t->count > TARGETS_MAX)
		return mu_fail(err, MU_EINPUT,
		    "one action is about %d people at most: make several of it",
		    TARGETS_MAX);
	return MU_OK;
}
