/* The key directory: what is in it, who may look into it, and how it comes into being. */
#include "vault/vault_priv.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES	16384
#define COMPLETE	"complete"	/* written last: from then on nothing may be missing */

struct keydir {
	const char *path;
	int fd;
	bool is_complete;
};

static void
keydir_close(struct keydir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}

/* Nobody else may look in; nobody else may have put it there. */
static enum mu_rc
guard(const struct stat *st, const char *dir, const char *name, const char *mode, struct mu_err *err)
{
	if (st->st_uid != geteuid())
		return mu_fail(err, MU_ECONFIG, "%s/%s belongs to user %u: chown %u %s/%s", dir, name,
		    (unsigned int)st->st_uid, (unsigned int)geteuid(), dir, name);
	if ((st->st_mode & 077) != 0)
		return mu_fail(err, MU_ECONFIG, "%s/%s is open to others: chmod %s %s/%s", dir, name, mode, dir,
		    name);
	return MU_OK;
}

static enum mu_rc
keydir_open(const char *path, struct keydir *out, struct mu_err *err)
{
	MU_AUTO(keydir_close) struct keydir d = { path, -1, false };
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return mu_fail_errno(err, MU_ECONFIG, "cannot make the key directory %s", path);
	d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0 || fstat(d.fd, &st) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot open the key directory %s", path);
	if (guard(&st, path, ".", "700", err) != MU_OK)
		return err->rc;
	d.is_complete = faccessat(d.fd, COMPLETE, F_OK, 0) == 0;
	*out = d;
	d.fd = -1;
	return MU_OK;
}

/* MU_EABSENT: there is no such file. */
static enum mu_rc
file_read(const struct keydir *d, const char *name, struct mu_secret *out, struct mu_err *err)
{
	struct stat st;
	enum mu_rc rc;
	int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return mu_fail_errno(err, errno == ENOENT ? MU_EABSENT : MU_ECONFIG, "cannot open %s/%s", d->path,
		    name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = mu_fail(err, MU_ECONFIG, "%s/%s is not a regular file", d->path, name);
	else
		rc = guard(&st, d->path, name, "600", err);
	if (rc == MU_OK)
		rc = mu_secret_read_fd(fd, name, FILE_MAX_BYTES, out, err);
	(void)close(fd);
	return rc;
}

static bool
write_all(int fd, const unsigned char *bytes, size_t bytes_count)
{
	while (bytes_count > 0) {
		ssize_t put = write(fd, bytes, bytes_count);

		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			bytes += put;
			bytes_count -= (size_t)put;
		}
	}
	return fsync(fd) == 0;
}

/* All of the file or nothing, and durable: temporary name, fsync, rename, fsync of the directory. */
static enum mu_rc
file_write(const struct keydir *d, const char *name, const struct mu_secret *s, struct mu_err *err)
{
	char fresh[64];
	bool worked;
	int fd;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	(void)unlinkat(d->fd, fresh, 0);
	fd = openat(d->fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot make %s/%s", d->path, fresh);
	worked = write_all(fd, s->bytes, s->size_bytes);
	(void)close(fd);
	if (!worked || renameat(d->fd, fresh, d->fd, name) != 0 || fsync(d->fd) != 0)
		return mu_fail_errno(err, MU_ECONFIG, "cannot write %s/%s", d->path, name);
	return MU_OK;
}

/* Is it time to make this file? Otherwise err says why it could not be read. */
static bool
may_make(const struct keydir *d, const char *name, struct mu_err *err)
{
	if (err->rc != MU_EABSENT)
		return false;
	if (d->is_complete) {
		(void)mu_fail(err, MU_ECONFIG, "%s/%s is missing: bring it back from a backup; a new one would void "
		    "all that the old one vouched for", d->path, name);
		return false;
	}
	return true;
}

static void
raw_new(struct mu_secret *out_text)
{
	unsigned char bytes[VAULT_KEY_BYTES];
	struct mu_buf text = MU_BUF_INIT;

	mu_random(bytes, sizeof(bytes));
	mu_base64url_format(&text, bytes, sizeof(bytes));
	mu_buf_char_add(&text, '\n');
	mu_secret_set(out_text, text.data, text.size_bytes);
	mu_buf_wipe(&text);
	explicit_bzero(bytes, sizeof(bytes));
}

static bool
raw_parse(const struct mu_secret *text, unsigned char out[VAULT_KEY_BYTES])
{
	struct mu_buf bytes = MU_BUF_INIT;
	bool good = mu_base64url_parse(mu_secret_text(text), text->size_bytes, &bytes) &&
	    bytes.size_bytes == VAULT_KEY_BYTES;

	if (good)
		(void)memcpy(out, bytes.data, VAULT_KEY_BYTES);
	mu_buf_wipe(&bytes);
	return good;
}

static enum mu_rc
raw_load(const struct keydir *d, const char *name, unsigned char out[VAULT_KEY_BYTES], struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;

	if (file_read(d, name, &text, err) != MU_OK) {
		if (!may_make(d, name, err))
			return err->rc;
		raw_new(&text);
		if (file_write(d, name, &text, err) != MU_OK || file_read(d, name, &text, err) != MU_OK)
			return err->rc;
	}
	if (!raw_parse(&text, out))
		return mu_fail(err, MU_ECONFIG, "%s/%s does not hold %d bytes in base64url: bring it back from a "
		    "backup", d->path, name, VAULT_KEY_BYTES);
	return MU_OK;
}

static enum mu_rc
pair_load(const struct keydir *d, const char *name, enum crypto_key_kind kind, struct crypto_key **out,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;

	if (file_read(d, name, &pem, err) != MU_OK) {
		MU_AUTO(crypto_key_freep) struct crypto_key *fresh = NULL;

		if (!may_make(d, name, err))
			return err->rc;
		fresh = crypto_key_new(kind);
		crypto_key_format(fresh, &pem);
		if (file_write(d, name, &pem, err) != MU_OK)
			return err->rc;
	}
	if (crypto_key_parse(&pem, out, err) != MU_OK) {
		err->rc = MU_ECONFIG;
		return mu_wrap(err, "%s/%s", d->path, name);
	}
	if (crypto_key_kind(*out) != kind)
		return mu_fail(err, MU_ECONFIG, "%s/%s is a key of another kind", d->path, name);
	return MU_OK;
}

static enum mu_rc
ca_load(const struct keydir *d, struct vault *v, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret pem = MU_SECRET_INIT;

	if (pair_load(d, "ca.pem", CRYPTO_ES256, &v->ca, err) != MU_OK)
		return err->rc;
	if (file_read(d, "ca.crt", &pem, err) != MU_OK) {
		if (!may_make(d, "ca.crt", err))
			return err->rc;
		if (vault_ca_make(v->ca, now_s, &pem, err) != MU_OK ||
		    file_write(d, "ca.crt", &pem, err) != MU_OK)
			return err->rc;
	}
	if (vault_ca_parse(&pem, v->ca, now_s, &v->ca_cert, err) != MU_OK) {
		err->rc = MU_ECONFIG;
		return mu_wrap(err, "%s/ca.crt", d->path);
	}
	return MU_OK;
}

static enum mu_rc
complete_write(const struct keydir *d, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret text = MU_SECRET_INIT;

	if (d->is_complete)
		return MU_OK;
	mu_secret_set(&text, "1\n", 2);
	return file_write(d, COMPLETE, &text, err);
}

enum mu_rc
vault_keydir_load(struct vault *v, const char *dir, int64_t now_s, struct mu_err *err)
{
	MU_AUTO(keydir_close) struct keydir d = { dir, -1, false };
	unsigned char seal[VAULT_KEY_BYTES];

	if (keydir_open(dir, &d, err) != MU_OK || raw_load(&d, "seal.key", seal, err) != MU_OK)
		return err->rc;
	crypto_seal_key_init(&v->raw->seal, seal);
	explicit_bzero(seal, sizeof(seal));
	if (raw_load(&d, "mac.key", v->raw->mac, err) != MU_OK ||
	    raw_load(&d, "audit.key", v->raw->audit, err) != MU_OK ||
	    pair_load(&d, "grant.pem", CRYPTO_ES256, &v->grant, err) != MU_OK ||
	    pair_load(&d, "grant-next.pem", CRYPTO_ES256, &v->grant_next, err) != MU_OK ||
	    pair_load(&d, "receipt.pem", CRYPTO_ED25519, &v->receipt, err) != MU_OK ||
	    pair_load(&d, "checkpoint.pem", CRYPTO_ED25519, &v->checkpoint, err) != MU_OK ||
	    ca_load(&d, v, now_s, err) != MU_OK)
		return err->rc;
	return complete_write(&d, err);
}
