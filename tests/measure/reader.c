#include "measure/reader.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTRS_MAX	64
#define PASSWORD_MAX_BYTES 256

static double
seconds_of(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double
reader_now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double
reader_cpu(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static void
check(int rc, const char *what)
{
	if (rc != LDAP_SUCCESS)
		errx(1, "%s: %s", what, ldap_err2string(rc));
}

static void
tls_start(LDAP *ld, const char *ca)
{
	int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;

	check(ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca), ca);
	check(ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand), "certificate demanded");
	check(ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client), "TLS context");
	check(ldap_start_tls_s(ld, NULL, NULL), "StartTLS");
}

static void
password_read(const char *file, char out[PASSWORD_MAX_BYTES])
{
	FILE *f = fopen(file, "re");

	if (f == NULL || fgets(out, PASSWORD_MAX_BYTES, f) == NULL)
		err(1, "%s", file);
	out[strcspn(out, "\n")] = '\0';
	(void)fclose(f);
}

LDAP *
reader_open(const char *uri, const char *ca, const char *bind_dn, const char *password_file)
{
	char password[PASSWORD_MAX_BYTES];
	struct berval secret;
	int v3 = LDAP_VERSION3;
	LDAP *ld;

	check(ldap_initialize(&ld, uri), uri);
	check(ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &v3), "LDAPv3");
	if (ca != NULL)
		tls_start(ld, ca);
	password_read(password_file, password);
	secret = (struct berval){ strlen(password), password };
	check(ldap_sasl_bind_s(ld, bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL), bind_dn);
	explicit_bzero(password, sizeof(password));
	return ld;
}

static void
entry_count(LDAP *ld, LDAPMessage *m, struct reader_count *count)
{
	struct berval dn, name, *values = NULL;
	BerElement *ber = NULL;

	check(ldap_get_dn_ber(ld, m, &ber, &dn), "an entry");
	count->entries++;
	count->bytes += dn.bv_len;
	while (ldap_get_attribute_ber(ld, m, ber, &name, &values) == LDAP_SUCCESS &&
	    name.bv_val != NULL) {
		for (size_t i = 0; values != NULL && values[i].bv_val != NULL; i++) {
			count->values++;
			count->bytes += values[i].bv_len;
		}
		ldap_memfree(values);
		values = NULL;
	}
	ber_free(ber, 0);
}

static void
attrs_split(char *text, char *out[ATTRS_MAX + 1])
{
	char *rest = text, *name;
	size_t count = 0;

	while ((name = strsep(&rest, ",")) != NULL) {
		if (count == ATTRS_MAX)
			errx(1, "more than %d attributes", ATTRS_MAX);
		out[count++] = name;
	}
	out[count] = NULL;
}

void
reader_search(LDAP *ld, const char *base, const char *filter, const char *attrs,
    struct reader_count *count, reader_each_fn *each, void *ctx)
{
	char *list = strdup(attrs), *names[ATTRS_MAX + 1];
	uint64_t before = count->entries;
	int id, type, code = LDAP_SUCCESS;

	attrs_split(list, names);
	check(ldap_search_ext(ld, base, LDAP_SCOPE_SUBTREE, filter, names, 0, NULL, NULL, NULL,
	    LDAP_NO_LIMIT, &id), base);
	do {
		LDAPMessage *m = NULL;

		type = ldap_result(ld, id, LDAP_MSG_ONE, NULL, &m);
		if (type <= 0)
			errx(1, "%s: the connection was lost", base);
		if (type == LDAP_RES_SEARCH_ENTRY) {
			entry_count(ld, m, count);
			if (each != NULL)
				each(ctx, count->entries - before);
		} else if (type == LDAP_RES_SEARCH_RESULT) {
			check(ldap_parse_result(ld, m, &code, NULL, NULL, NULL, NULL, 0), base);
		}
		(void)ldap_msgfree(m);
	} while (type != LDAP_RES_SEARCH_RESULT);
	check(code, base);
	free(list);
}

void
reader_close(LDAP *ld)
{
	(void)ldap_unbind_ext_s(ld, NULL, NULL);
}
