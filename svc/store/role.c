#include "store/role.h"

#include "store/role_priv.h"

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#define PASSWORD_FILE_MAX_BYTES 65536

static const char *const names[] = {
	[STORE_ROLE_CYCLE] = "muster_cycle", [STORE_ROLE_PROVISION] = "muster_provision",
	[STORE_ROLE_AUDIT] = "muster_audit", [STORE_ROLE_TOKEN] = "muster_token",
	    [STORE_ROLE_ADMIN] = "muster_admin",
	[STORE_ROLE_CLAIM] = "muster_claim", [STORE_ROLE_WORK] = "muster_work",
};

const char *
store_role_name(enum store_role role)
{
	return names[role];
}

void
store_logins_clear(struct store_logins *l)
{
	for (size_t i = 0; i < STORE_ROLE_COUNT; i++) {
		if (l->conninfo[i] != NULL)
			explicit_bzero(l->conninfo[i], strlen(l->conninfo[i]));
		mu_free(l->conninfo[i]);
		l->conninfo[i] = NULL;
	}
}

void
store_conninfo_add(struct mu_buf *b, const char *key, const char *value)
{
	mu_buf_format(b, "%s%s='", b->size_bytes > 0 ? " " : "", key);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			mu_buf_char_add(b, '\\');
		mu_buf_char_add(b, *value);
	}
	mu_buf_char_add(b, '\'');
}

static const char *
option(const PQconninfoOption *options, const char *key)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, key) == 0)
			return options->val == NULL ? "" : options->val;
	return "";
}

/* Every host is a socket's directory; none given is libpq's own. */
static bool
is_local(const PQconninfoOption *options)
{
	const char *host = option(options, "host");

	if (option(options, "hostaddr")[0] != '\0' || (host[0] != '\0' && host[0] != '/'))
		return false;
	for (const char *at = host; (at = strchr(at, ',')) != NULL;)
		if (*++at != '/')
			return false;
	return true;
}

/*
 * The password of the role in the file's text; NULL when it has no line. Borrowed, up to its
 * newline.
 */
static const char *
password_find(const char *text, const char *role)
{
	size_t length = strlen(role);

	for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, role, length) == 0 && at[length] == ':' && at[length + 1] != '\n' &&
		    at[length + 1] != '\0')
			return at + length + 1;
	}
	return NULL;
}

static enum mu_rc
file_check(const char *text, const char *path, struct mu_err *err)
{
	int line = 1;

	for (const char *at = text; *at != '\0'; line++) {
		size_t length = strcspn(at, "\n");

		if (length > 0 && *at != '#' && memchr(at, ':', length) == NULL)
			return mu_fail(err, MU_ECONFIG, "%s:%d: expected \"role:password\"", path,
			    line);
		at += length + (at[length] == '\n');
	}
	return MU_OK;
}

static void
login_format(const PQconninfoOption *options, const char *role, const char *password,
    struct mu_buf *b)
{
	MU_AUTO(mu_freep) char *secret = mu_strndup(password, strcspn(password, "\n"));

	for (; options->keyword != NULL; options++)
		if (options->val != NULL && options->val[0] != '\0' && strcmp(options->keyword,
		    "user") != 0 && strcmp(options->keyword, "password") != 0)
			store_conninfo_add(b, options->keyword, options->val);
	store_conninfo_add(b, "user", role);
	store_conninfo_add(b, "password", secret);
	explicit_bzero(secret, strlen(secret));
}

static enum mu_rc
logins_make(const PQconninfoOption *options, const char *text, const char *path,
    struct store_logins *out_logins, struct mu_err *err)
{
	MU_AUTO(store_logins_clear) struct store_logins logins = { .conninfo = { NULL } };

	if (!is_local(options) && strcmp(option(options, "sslmode"), "verify-full") != 0)
		return mu_fail(err, MU_ECONFIG,
		    "conninfo: a store over the network needs sslmode=verify-full (and"
		    " sslrootcert)");
	if (file_check(text, path, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < STORE_ROLE_COUNT; i++) {
		const char *password = password_find(text, names[i]);
		struct mu_buf b = MU_BUF_INIT;

		if (password == NULL)
			return mu_fail(err, MU_ECONFIG, "%s: no line \"%s:...\"", path, names[i]);
		login_format(options, names[i], password, &b);
		logins.conninfo[i] = b.data;
	}
	*out_logins = logins;
	logins = (struct store_logins){ .conninfo = { NULL } };
	return MU_OK;
}

enum mu_rc
store_logins_read(const char *conninfo, const char *password_file, struct store_logins *out_logins,
    struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret file = MU_SECRET_INIT;
	char *fault = NULL;
	enum mu_rc rc;
	PQconninfoOption *options = PQconninfoParse(conninfo, &fault);

	if (options == NULL) {
		(void)mu_fail(err, MU_ECONFIG, "conninfo: %.200s", fault == NULL ? "malformed" :
		    fault);
		PQfreemem(fault);
		return err->rc;
	}
	rc = mu_secret_read(password_file, PASSWORD_FILE_MAX_BYTES, &file, err);
	if (rc == MU_OK)
		rc = logins_make(options, mu_secret_text(&file), password_file, out_logins, err);
	PQconninfoFree(options);
	return rc;
}
