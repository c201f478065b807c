#include "cli/home.h"

#include "base/text.h"
#include "crypto/cert.h"
#include "json/read.h"
#include "json/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES		(64 * 1024)
#define FINGERPRINT_BYTES	32
#define KEY_BEGINS		"-----BEGIN PRIVATE KEY-----"

/* --- Folder and files ------------------------------------------------------------------------- */

static char *
path_join(const char *folder, const char *name)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;

	mu_buf_format(&path, "%s/%s", folder, name);
	return mu_strdup(path.data);
}

static char *
home_path(void)
{
	const char *own = getenv("MUSTER_HOME"), *state = getenv("XDG_STATE_HOME"),
	    *home = getenv("HOME");
	const struct passwd *user;

	if (own != NULL && own[0] != '\0')
		return mu_strdup(own);
	/* XDG Base Directory: relative paths do not count */
	if (state != NULL && state[0] == '/')
		return path_join(state, "muster");
	if (home == NULL || home[0] != '/') {
		user = getpwuid(getuid());
		home = user == NULL ? "/nonexistent" : user->pw_dir;
	}
	return path_join(home, ".local/state/muster");
}

/* Makes the folder and those above it that are missing. */
static enum mu_rc
folder_make(const char *path, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *part = mu_strdup(path);

	for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return mu_fail_errno(err, MU_ECONFIG, "cannot make the folder %s", part);
		*at = '/';
	}
	if (mkdir(part, 0700) != 0 && errno != EEXIST)
		return mu_fail_errno(err, MU_ECONFIG, "cannot make the folder %s", part);
	return MU_OK;
}

/* Who may write there may have us trust anybody. */
static enum mu_rc
folder_check(const char *path, struct mu_err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? MU_OK : mu_fail_errno(err, MU_ECONFIG, "cannot look at %s",
		    path);
	if (!S_ISDIR(st.st_mode))
		return mu_fail(err, MU_ECONFIG, "%s is no folder: set MUSTER_HOME to one", path);
	if (st.st_uid != geteuid())
		return mu_fail(err, MU_ECONFIG,
		    "%s belongs to another user: set MUSTER_HOME to a folder of "
		    "your own", path);
	if ((st.st_mode & 077) != 0)
		return mu_fail(err, MU_ECONFIG, "%s is open to others: chmod 700 %s", path, path);
	return MU_OK;
}

static enum mu_rc
bytes_write(int fd, const void *bytes, size_t bytes_count)
{
	const char *at = bytes;

	while (bytes_count > 0) {
		ssize_t put = write(fd, at, bytes_count);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return MU_ECONFIG;
		at += put;
		bytes_count -= (size_t)put;
	}
	return fsync(fd) == 0 ? MU_OK : MU_ECONFIG;
}

static enum mu_rc
file_write(const struct home *h, const char *name, const void *bytes, size_t bytes_count,
    struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(h->path, name),
	    *fresh = path_join(h->path, ".new-XXXXXX");
	enum mu_rc rc;
	int fd;

	if (folder_make(h->path, err) != MU_OK || folder_check(h->path, err) != MU_OK)
		return err->rc;
	fd = mkostemp(fresh, O_CLOEXEC);	/* 0600 */
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot write to %s", h->path);
	rc = bytes_write(fd, bytes, bytes_count);
	if (rc != MU_OK || rename(fresh, path) != 0) {
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot write %s", path);
		(void)unlink(fresh);
	}
	(void)close(fd);
	return rc;
}

static enum mu_rc
file_remove(const struct home *h, const char *name, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(h->path, name);

	if (unlink(path) != 0 && errno != ENOENT)
		return mu_fail_errno(err, MU_ECONFIG, "cannot remove %s", path);
	return MU_OK;
}

/* --- Open and pin ----------------------------------------------------------------------------- */

bool
home_fingerprint_parse(const char *text, struct mu_buf *b)
{
	unsigned char bytes[FINGERPRINT_BYTES];
	char digits[2 * FINGERPRINT_BYTES + 1];
	size_t count = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':')
			continue;
		if (count == sizeof(digits) - 1)
			return false;
		digits[count++] = *text;
	}
	digits[count] = '\0';
	if (!mu_hex_parse(digits, bytes, sizeof(bytes)))
		return false;
	mu_hex_format(b, bytes, sizeof(bytes));
	return true;
}

static enum mu_rc
server_read(struct home *h, const char *path, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;
	MU_AUTO(json_freep) struct json_node *root = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf fingerprint = MU_BUF_INIT;
	const char *server, *hex;

	if (mu_secret_read(path, FILE_MAX_BYTES, &text, err) != MU_OK)
		return err->rc;
	if (json_parse(mu_secret_text(&text), text.size_bytes, FILE_MAX_BYTES, path, &root,
	    err) != MU_OK ||
	    json_get_text(root, "ca_fingerprint", 128, &hex, err) != MU_OK ||
	    json_get_text(root, "server", 1024, &server, err) != MU_OK)
		return mu_wrap(err, "%s", path);
	if (!home_fingerprint_parse(hex, &fingerprint))
		return mu_fail(err, MU_ECONFIG,
		    "%s: ca_fingerprint is not 64 hex digits: remove the file and "
		    "log in anew", path);
	h->ca_fingerprint = mu_strdup(fingerprint.data);
	h->server = mu_strdup(server);
	return MU_OK;
}

enum mu_rc
home_open(struct home **out_home, struct mu_err *err)
{
	struct home *h = mu_alloc_zero(1, sizeof(*h));
	MU_AUTO(mu_freep) char *server = NULL;
	enum mu_rc rc;

	h->path = home_path();
	h->ca_path = path_join(h->path, "ca.crt");
	server = path_join(h->path, "server.json");
	rc = folder_check(h->path, err);
	if (rc == MU_OK && access(server, F_OK) == 0)
		rc = server_read(h, server, err);
	if (rc == MU_OK)
		*out_home = MU_TAKE(h);
	home_close(h);
	return rc;
}

void
home_close(struct home *h)
{
	if (h == NULL)
		return;
	mu_free(h->path);
	mu_free(h->ca_path);
	mu_free(h->server);
	mu_free(h->ca_fingerprint);
	mu_free(h);
}

enum mu_rc
home_pin(struct home *h, const char *server, const char *ca_fingerprint, const char *ca_pem,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	struct json_writer w;

	json_begin(&w, &text);
	json_object_begin(&w, NULL);
	json_text(&w, "ca_fingerprint", ca_fingerprint);
	json_text(&w, "server", server);
	json_object_end(&w);
	json_end(&w);
	mu_buf_char_add(&text, '\n');
	if (file_remove(h, "session.pem", err) != MU_OK ||
	    file_remove(h, "server.json", err) != MU_OK ||
	    (ca_pem != NULL && file_write(h, "ca.crt", ca_pem, strlen(ca_pem), err) != MU_OK) ||
	    file_write(h, "server.json", text.data, text.size_bytes, err) != MU_OK)
		return err->rc;
	mu_free(h->server);
	mu_free(h->ca_fingerprint);
	h->server = mu_strdup(server);
	h->ca_fingerprint = mu_strdup(ca_fingerprint);
	return MU_OK;
}

/* --- Session ---------------------------------------------------------------------------------- */

void
home_session_clear(struct home_session *s)
{
	mu_free(s->cert_pem);
	mu_secret_clear(&s->key_pem);
	*s = (struct home_session){ .expires_at_s = 0 };
}

enum mu_rc
home_session_read(const struct home *h, int64_t now_s, struct home_session *out_session,
    struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = path_join(h->path, "session.pem");
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;
	MU_AUTO(home_session_clear) struct home_session s = { .expires_at_s = 0 };
	unsigned char fingerprint[CRYPTO_FINGERPRINT_BYTES];
	const char *key;

	if (access(path, F_OK) != 0)
		return mu_fail(err, MU_EABSENT, "you are not logged in: muster login");
	if (mu_secret_read(path, FILE_MAX_BYTES, &text, err) != MU_OK)
		return err->rc;
	key = strstr(mu_secret_text(&text), KEY_BEGINS);
	if (key == NULL)
		return mu_fail(err, MU_EABSENT, "%s holds no session: muster login", path);
	s.cert_pem = mu_strndup(mu_secret_text(&text), (size_t)(key - mu_secret_text(&text)));
	mu_secret_set(&s.key_pem, key, strlen(key));
	if (crypto_cert_read(s.cert_pem, fingerprint, &s.expires_at_s, err) != MU_OK)
		return mu_fail(err, MU_EABSENT, "%s holds no session: muster login", path);
	if (s.expires_at_s <= now_s)
		return mu_fail(err, MU_EABSENT, "your session has run out: muster login");
	*out_session = s;
	s = (struct home_session){ .expires_at_s = 0 };
	return MU_OK;
}

enum mu_rc
home_session_write(const struct home *h, const char *cert_pem, const struct mu_secret *key_pem,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_wipe) struct mu_buf text = MU_BUF_INIT;
	const char *line_end = cert_pem[strlen(cert_pem) - 1] == '\n' ? "" : "\n";

	mu_buf_reserve(&text, strlen(cert_pem) + key_pem->size_bytes + 2);
	mu_buf_format(&text, "%s%s", cert_pem, line_end);
	mu_buf_add(&text, key_pem->bytes, key_pem->size_bytes);
	return file_write(h, "session.pem", text.data, text.size_bytes, err);
}

enum mu_rc
home_session_remove(const struct home *h, struct mu_err *err)
{
	return file_remove(h, "session.pem", err);
}
