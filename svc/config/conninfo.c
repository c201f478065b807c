#include "config/conninfo_priv.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

struct target {
	bool remote, verified;
};

/* Reads a value at *at, quoted or not, into a fresh string; NULL when a quote is not closed. */
static char *
value_parse(const char **at)
{
	struct mu_buf value = MU_BUF_INIT;
	bool quoted = **at == '\'';
	const char *s = *at + (quoted ? 1 : 0);

	mu_buf_reserve(&value, 0);
	for (; *s != '\0' && !(quoted ? *s == '\'' : *s == ' '); s++) {
		if (*s == '\\' && s[1] != '\0')
			s++;
		mu_buf_char_add(&value, *s);
	}
	if (quoted && *s++ != '\'')
		mu_buf_clear(&value);
	*at = s;
	return value.data;
}

/* A host list is local if each host is a folder of sockets or an abstract socket. */
static bool
hosts_local(const char *hosts)
{
	for (const char *at = hosts; at != NULL; at = strchr(at, ',')) {
		if (*at == ',')
			at++;
		if (*at != '/' && *at != '@' && *at != '\0' && *at != ',')
			return false;
	}
	return true;
}

static const char *
keyword_check(const char *keyword, const char *value, struct target *target)
{
	if (strcmp(keyword, "password") == 0)
		return "holds a password: put it into a file and name it in password_file";
	if (strcmp(keyword, "service") == 0 || strcmp(keyword, "passfile") == 0)
		return "names a service or passfile: write out what it says";
	if (strcmp(keyword, "dbname") == 0 && strchr(value, '=') != NULL)
		return "has a dbname that is a conninfo of its own: write it out";
	if (strcmp(keyword, "dbname") == 0 && strstr(value, "://") != NULL)
		return "has a dbname that is a URI: write it out";
	if (strcmp(keyword, "hostaddr") == 0 || (strcmp(keyword, "host") == 0 && !hosts_local(value)))
		target->remote = true;
	if (strcmp(keyword, "sslmode") == 0)
		target->verified = strcmp(value, "verify-full") == 0;
	return NULL;
}

const char *
config_conninfo_fault(const char *text)
{
	struct target target = { false, false };
	const char *at = text + strspn(text, " ");

	if (strstr(text, "://") != NULL && strchr(text, '=') == NULL)
		return "is a URI: write it as \"host=... dbname=... sslmode=verify-full\"";
	while (*at != '\0') {
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
		MU_AUTO(mu_freep) char *keyword = mu_strndup(at, length), *value = NULL;
		const char *fault;

		at += length;
		at += strspn(at, " ");
		if (length == 0 || *at != '=')
			return "is not of the form \"host=... dbname=... sslmode=verify-full\"";
		at++;
		at += strspn(at, " ");
		value = value_parse(&at);
		if (value == NULL)
			return "has a quote that is not closed";
		fault = keyword_check(keyword, value, &target);
		if (fault != NULL)
			return fault;
		at += strspn(at, " ");
	}
	if (target.remote && !target.verified)
		return "crosses a network: add sslmode=verify-full (and sslrootcert=FILE)";
	return NULL;
}
