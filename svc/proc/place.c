#include "proc/place.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PUBLISH_MAX_BYTES	32768
#define CERTIFICATE_BEGIN	"-----BEGIN CERTIFICATE-----\n"
#define BACKLOG			512

char *
place_path(const char *dir, const char *name)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;

	mu_buf_format(&path, "%s/%s", dir, name);
	return mu_strdup(path.data);
}

/* Makes a folder, or takes the one that is there if it is a folder of whom it is to be. */
static enum mu_rc
folder_make(const char *path, mode_t mode, const struct crew_user *owner, struct mu_err *err)
{
	struct stat st;
	enum mu_rc rc = MU_OK;
	int fd;

	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return mu_fail_errno(err, MU_ECONFIG, "cannot make the folder %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open the folder %s", path);
	if (fstat(fd, &st) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot look at %s", path);
	else if (st.st_uid != geteuid() && st.st_uid != owner->uid)
		rc = mu_fail(err, MU_ECONFIG,
		    "%s belongs to user %u: give it to %u, or name another folder", path, st.st_uid,
		    owner->uid);
	else if (geteuid() == 0 && fchown(fd, owner->uid, owner->gid) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot give %s to user %u", path, owner->uid);
	else if (fchmod(fd, mode) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot change the mode of %s", path);
	(void)close(fd);
	return rc;
}

static enum mu_rc
lock_take(const char *state, int *out_fd, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = place_path(state, "lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			(void)mu_fail(err, MU_ECONFIG, "another musterd runs in %s: stop it, "
			    "or set state: to another folder", state);
		else
			(void)mu_fail_errno(err, MU_ECONFIG, "cannot lock %s", path);
		(void)close(fd);
		return err->rc;
	}
	*out_fd = fd;
	return MU_OK;
}

enum mu_rc
place_open(const struct settings *s, const struct crew_users *users, int *out_lock_fd,
    struct mu_err *err)
{
	const struct crew_user self = { geteuid(), getegid() };
	const mode_t pass = users->separate ? 0711 : 0700, open_to_all = 0755;
	MU_AUTO(mu_freep) char *keys = place_path(s->state, "keys");
	MU_AUTO(mu_freep) char *clients = place_path(s->state, "clients");
	MU_AUTO(mu_freep) char *store = place_path(s->run, "store");
	int fd = -1;

	if (folder_make(s->state, pass, &self, err) != MU_OK ||
	    lock_take(s->state, &fd, err) != MU_OK)
		return err->rc;
	if (folder_make(s->run, pass, &self, err) != MU_OK ||
	    folder_make(keys, 0700, &users->kinds[PROCESS_KEYS], err) != MU_OK ||
	    folder_make(clients, open_to_all, &self, err) != MU_OK ||
	    folder_make(store, pass, &users->store, err) != MU_OK) {
		(void)close(fd);
		return err->rc;
	}
	*out_lock_fd = fd;
	return MU_OK;
}

/* Is it "clients/NAME.crt" of a client in the configuration? */
static bool
client_file(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->client_count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf file = MU_BUF_INIT;

		mu_buf_format(&file, "clients/%s.crt", s->clients[i].name);
		if (strcmp(file.data, name) == 0)
			return true;
	}
	return false;
}

/* How the file begins that a process may publish under that name; NULL: it may not. */
static const char *
publish_begin(const struct settings *s, enum process_kind by, const char *name)
{
	if (by == PROCESS_KEYS && strcmp(name, "ca.crt") == 0)
		return CERTIFICATE_BEGIN;
	if (by == PROCESS_KEYS &&
	    (strcmp(name, "checkpoint") == 0 || strcmp(name, "checkpoint.vkey") == 0 ||
		strcmp(name, "receipt.jwk") == 0))
		return "";
	if (by == PROCESS_ADMIN && client_file(s, name))
		return CERTIFICATE_BEGIN;
	return NULL;
}

static enum mu_rc
file_replace(const char *path, const void *bytes, size_t bytes_count, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf fresh = MU_BUF_INIT;
	enum mu_rc rc = MU_OK;
	int fd;

	mu_buf_format(&fresh, "%s.new", path);
	(void)unlink(fresh.data);
	fd = open(fresh.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot make %s", fresh.data);
	if (write(fd, bytes, bytes_count) != (ssize_t)bytes_count || fchmod(fd, 0644) != 0 ||
	    fsync(fd) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot write %s", fresh.data);
	(void)close(fd);
	if (rc == MU_OK && rename(fresh.data, path) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot put %s in its place", path);
	if (rc != MU_OK)
		(void)unlink(fresh.data);
	return rc;
}

enum mu_rc
place_publish(const struct settings *s, enum process_kind by, const char *name, const void *bytes,
    size_t bytes_count, struct mu_err *err)
{
	const char *begin = publish_begin(s, by, name);
	MU_AUTO(mu_freep) char *path = NULL;

	if (begin == NULL)
		return mu_fail(
		    err, MU_EDENIED, "%s may not publish %s", process_kind_name(by), name);
	if (bytes_count == 0 || bytes_count > PUBLISH_MAX_BYTES || bytes_count < strlen(begin) ||
	    memcmp(bytes, begin, strlen(begin)) != 0 || !mu_utf8_valid(bytes, bytes_count))
		return mu_fail(err, MU_EINPUT, "%s: not the text that such a file holds", name);
	path = place_path(s->state, name);
	return file_replace(path, bytes, bytes_count, err);
}

enum mu_rc
place_listen(const struct settings_listen *listen_at, bool shared, int *out_fd, struct mu_err *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	const int on = 1;
	struct addrinfo *ai = NULL;
	char port[16];
	int fd = -1, fault;
	enum mu_rc rc = MU_OK;

	(void)snprintf(port, sizeof(port), "%u", listen_at->port);
	fault = getaddrinfo(listen_at->host, port, &hints, &ai);
	if (fault != 0)
		return mu_fail(err, MU_ECONFIG, "cannot listen on %s: %s", listen_at->host,
		    gai_strerror(fault));
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
	    (ai->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
		rc = mu_fail_errno(
		    err, MU_ECONFIG, "cannot listen on %s port %s", listen_at->host, port);
	freeaddrinfo(ai);
	if (rc == MU_OK)
		*out_fd = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum mu_rc
place_console(const struct settings *s, struct crew_user owner, int *out_fd, struct mu_err *err)
{
	MU_AUTO(mu_freep) char *path = place_path(s->run, "console.sock");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	enum mu_rc rc = MU_OK;
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return mu_fail(err, MU_ECONFIG,
		    "%s is too long for a Unix socket: set run: to a shorter folder", path);
	(void)strcpy(at.sun_path, path);
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
	    chmod(path, 0600) != 0 || (geteuid() == 0 && chown(path, owner.uid, owner.gid) != 0) ||
	    listen(fd, BACKLOG) != 0)
		rc = mu_fail_errno(err, MU_ECONFIG, "cannot listen on %s", path);
	if (rc == MU_OK)
		*out_fd = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum mu_rc
place_text(const char *name, const struct mu_buf *text, int *out_fd, struct mu_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	while (fd >= 0 && done < text->size_bytes) {
		ssize_t wrote = write(fd, text->data + done, text->size_bytes - done);

		if (wrote <= 0 && errno != EINTR)
			break;
		done += wrote > 0 ? (size_t)wrote : 0;
	}
	if (fd >= 0 && done == text->size_bytes &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0) {
		*out_fd = fd;
		return MU_OK;
	}
	(void)mu_fail_errno(err, MU_EBROKEN, "cannot keep a copy of %s", name);
	if (fd >= 0)
		(void)close(fd);
	return err->rc;
}
