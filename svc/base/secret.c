#include "base/secret.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
mu_secret_clear(struct mu_secret *s)
{
	if (s->bytes != NULL)
		explicit_bzero(s->bytes, s->size_bytes);
	mu_free(s->bytes);
	*s = (struct mu_secret)MU_SECRET_INIT;
}

void
mu_secret_set(struct mu_secret *s, const void *bytes, size_t bytes_count)
{
	unsigned char *copy = mu_alloc(bytes_count + 1);

	if (bytes_count > 0)
		(void)memcpy(copy, bytes, bytes_count);
	copy[bytes_count] = 0;
	mu_secret_clear(s);
	s->bytes = copy;
	s->size_bytes = bytes_count;
}

void
mu_secret_move(struct mu_secret *to, struct mu_secret *from)
{
	mu_secret_clear(to);
	*to = *from;
	*from = (struct mu_secret)MU_SECRET_INIT;
}

const char *
mu_secret_text(const struct mu_secret *s)
{
	return s->bytes == NULL ? "" : (const char *)s->bytes;
}

bool
mu_secret_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
	const unsigned char *x = a, *y = b;
	unsigned char differs = 0;

	if (a_bytes != b_bytes)
		return false;
	for (size_t i = 0; i < a_bytes; i++)
		differs = (unsigned char)(differs | (x[i] ^ y[i]));
	return differs == 0;
}

enum mu_rc
mu_secret_read_fd(int fd, const char *name, size_t max_bytes, struct mu_secret *out_secret,
    struct mu_err *err)
{
	unsigned char *bytes = mu_alloc(max_bytes + 1);
	size_t used = 0;
	ssize_t got = 1;
	enum mu_rc rc = MU_OK;

	while (used <= max_bytes && got > 0) {
		got = read(fd, bytes + used, max_bytes + 1 - used);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			used += (size_t)got;
	}
	if (got < 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot read %s", name);
	else if (used > max_bytes)
		rc = mu_fail(err, MU_ECONFIG, "%s is larger than %zu bytes", name, max_bytes);
	if (rc == MU_OK && used > 0 && bytes[used - 1] == '\n')
		used--;
	if (rc == MU_OK && used == 0)
		rc = mu_fail(err, MU_ECONFIG, "%s is empty: put the secret there", name);
	if (rc == MU_OK)
		mu_secret_set(out_secret, bytes, used);
	explicit_bzero(bytes, max_bytes + 1);
	mu_free(bytes);
	return rc;
}

enum mu_rc
mu_secret_read(const char *path, size_t max_bytes, struct mu_secret *out_secret, struct mu_err *err)
{
	struct stat st;
	enum mu_rc rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open %s", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = mu_fail(err, MU_ECONFIG, "%s is not a regular file", path);
	else if ((st.st_mode & 077) != 0)
		rc = mu_fail(err, MU_ECONFIG, "%s can be read by others: chmod 600 %s", path, path);
	else
		rc = mu_secret_read_fd(fd, path, max_bytes, out_secret, err);
	(void)close(fd);
	return rc;
}
