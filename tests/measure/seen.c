/*
 * measure/seen.c - how soon a change in the directory is seen elsewhere
 *
 *	measure_seen consumer LDAPI BIND_DN PASSWORD_FILE URI
 *	measure_seen token LDAPI BIND_DN PASSWORD_FILE PORT CA CERTIFICATE KEY
 *
 * Reads changes from standard input, one a line, tabs between: DN, attribute, "=" (set it) or "+"
 * (add a value), value, account, role. Each is made at the directory (LDAPI); then the other place
 * is asked again and again over one connection: a consumer whether the entry has the value; the
 * token API, where no role is named, whether the account is refused, else whether it has that role.
 *
 * Prints a JSON array of [milliseconds until the directory had acknowledged, until it was seen],
 * both from when the change was sent.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "measure/reader.h"
#include "measure/tls.h"

#define LINE_MAX_BYTES	2048
#define PATIENCE_S	60
#define PAUSE_NS	10000000	/* between changes: what follows from one does not meet the next */

struct change {
	char *dn, *attribute, *how, *value, *account, *role;
};

struct place {
	LDAP *consumer;		/* or */
	SSL *token;
	struct mu_buf body, claims;
};

static void
change_parse(char *line, struct change *out)
{
	char **words[] = { &out->dn, &out->attribute, &out->how, &out->value, &out->account,
		&out->role };
	char *rest = line;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < MU_COUNT(words); i++)
		if ((*words[i] = strsep(&rest, "\t")) == NULL)
			errx(2, "a change has %zu words", MU_COUNT(words));
}

static void
change_make(LDAP *directory, const struct change *c)
{
	char *values[] = { c->value, NULL };
	LDAPMod mod = { .mod_op = c->how[0] == '+' ? LDAP_MOD_ADD : LDAP_MOD_REPLACE,
		.mod_type = c->attribute, .mod_vals = { .modv_strvals = values } };
	LDAPMod *mods[] = { &mod, NULL };
	int rc = ldap_modify_ext_s(directory, c->dn, mods, NULL, NULL);

	if (rc != LDAP_SUCCESS)
		errx(1, "%s: %s", c->dn, ldap_err2string(rc));
}

static bool
consumer_sees(LDAP *consumer, const struct change *c)
{
	char *attrs[] = { c->attribute, NULL };
	LDAPMessage *found = NULL;
	struct berval **values;
	bool seen = false;
	int rc = ldap_search_ext_s(consumer, c->dn, LDAP_SCOPE_BASE, "(objectClass=*)", attrs, 0,
	    NULL, NULL, NULL, 1, &found);

	if (rc != LDAP_SUCCESS || ldap_count_entries(consumer, found) != 1)
		errx(1, "%s at the consumer: %s", c->dn, ldap_err2string(rc));
	values = ldap_get_values_len(consumer, ldap_first_entry(consumer, found), c->attribute);
	for (size_t i = 0; values != NULL && values[i] != NULL; i++)
		seen = seen || (strlen(c->value) == values[i]->bv_len &&
		    memcmp(c->value, values[i]->bv_val, values[i]->bv_len) == 0);
	ldap_value_free_len(values);
	(void)ldap_msgfree(found);
	return seen;
}

/* Does the JWT in an answer name a role? */
static bool
role_is_in(struct place *p, const char *role)
{
	const char *at = strchr(mu_buf_text(&p->body), '.'), *end;
	MU_AUTO(mu_buf_clear) struct mu_buf quoted = MU_BUF_INIT;

	if (at == NULL || (end = strchr(at + 1, '.')) == NULL)
		errx(1, "the token API answered no JWT: %s", mu_buf_text(&p->body));
	mu_buf_reset(&p->claims);
	if (!mu_base64url_parse(at + 1, (size_t)(end - at - 1), &p->claims))
		errx(1, "the token API answered a JWT whose claims are no base64url");
	mu_buf_format(&quoted, "\"%s\"", role);
	return strstr(mu_buf_text(&p->claims), quoted.data) != NULL;
}

static bool
token_sees(struct place *p, const struct change *c)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT;
	int status;

	mu_buf_format(&path, "/v1/grants/%s", c->account);
	status = tls_get(p->token, path.data, &p->body);
	if (status != 200 && status != 403)
		errx(1, "%s: the token API answered %d", path.data, status);
	return c->role[0] == '\0' ? status == 403 : status == 200 && role_is_in(p, c->role);
}

static bool
place_sees(struct place *p, const struct change *c)
{
	return p->consumer != NULL ? consumer_sees(p->consumer, c) : token_sees(p, c);
}

static void
change_time(LDAP *directory, struct place *p, const struct change *c, bool first)
{
	struct timespec pause = { 0, PAUSE_NS };
	double begun_s, told_s, seen_s;

	if (place_sees(p, c))
		errx(1, "%s %s %s is seen before it is made", c->dn, c->attribute, c->value);
	begun_s = reader_now();
	change_make(directory, c);
	told_s = reader_now();
	while (!place_sees(p, c))
		if (reader_now() - begun_s > PATIENCE_S)
			errx(1, "%s %s %s: not seen within %d s", c->dn, c->attribute, c->value,
			    PATIENCE_S);
	seen_s = reader_now();
	(void)printf("%s[%.4f, %.4f]", first ? "" : ", ", (told_s - begun_s) * 1e3,
	    (seen_s - begun_s) * 1e3);
	(void)nanosleep(&pause, NULL);
}

int
main(int argc, char **argv)
{
	struct place place = { .body = MU_BUF_INIT, .claims = MU_BUF_INIT };
	char line[LINE_MAX_BYTES];
	LDAP *directory;
	bool first = true;

	if (argc == 6 && strcmp(argv[1], "consumer") == 0)
		place.consumer = reader_open(argv[5], NULL, argv[3], argv[4]);
	else if (argc == 9 && strcmp(argv[1], "token") == 0)
		place.token = tls_connect(tls_client(argv[6], argv[7], argv[8]), atoi(argv[5]));
	else
		errx(2, "use: measure_seen consumer LDAPI BIND_DN PASSWORD_FILE URI\n"
		    "     measure_seen token LDAPI BIND_DN PASSWORD_FILE PORT CA CERTIFICATE KEY");
	directory = reader_open(argv[2], NULL, argv[3], argv[4]);
	(void)printf("[");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct change change;

		change_parse(line, &change);
		change_time(directory, &place, &change, first);
		first = false;
	}
	(void)printf("]\n");
	return 0;
}
