/*
 * tests/unit/directory/slapd.h - a private slapd with syncprov, in a folder and on a port of its own
 */
#ifndef TESTS_DIRECTORY_SLAPD_H
#define TESTS_DIRECTORY_SLAPD_H

#include "model.h"

#include <arpa/inet.h>
#include <ldap.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX		"dc=example,dc=org"
#define PEOPLE		"ou=people," SUFFIX
#define GROUPS		"ou=groups," SUFFIX
#define ADMIN		"cn=admin," SUFFIX
#define READER		"cn=muster," SUFFIX
#define PASSWORD	"reader-password"
#define OPEN_RULES \
	"access to attrs=userPassword by anonymous auth by * none\n" \
	"access to * by dn.exact=\"" READER "\" read by * none\n"

struct slapd {
	char folder[64], uri[64], ldaps_uri[64], command[8000];
	pid_t pid;
	LDAP *admin;
	const char *extra;		/* lines of the database: limits, ... */
	const char *rules;
	int sessionlog;
	bool tls;
};

static inline void
shell(struct slapd *s, const char *fmt, ...) MU_PRINTF(2, 3);

/* Runs a command line; the test fails when it does. */
static inline void
shell(struct slapd *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->command, sizeof(s->command), fmt, ap);
	va_end(ap);
	if (system(s->command) != 0)	/* our own words and a folder that we made */
		fail_msg("failed: %s", s->command);
}

static inline uint16_t
free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &length));
	(void)close(fd);
	return ntohs(address.sin_port);
}

static inline FILE *
slapd_file(struct slapd *s, const char *name)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

static inline void
slapd_conf_write(struct slapd *s)
{
	FILE *f = slapd_file(s, "slapd.conf");

	for (const char *const *name = (const char *const[]){ "core", "cosine", "inetorgperson", NULL };
	    *name != NULL; name++)
		fprintf(f, "include /etc/ldap/schema/%s.schema\n", *name);
	fprintf(f, "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload syncprov\nsizelimit unlimited\n");
	if (s->tls)
		fprintf(f, "TLSCACertificateFile %s/ca.crt\nTLSCertificateFile %s/srv.crt\n"
		    "TLSCertificateKeyFile %s/srv.key\nTLSVerifyClient never\n", s->folder, s->folder, s->folder);
	fprintf(f, "database config\nrootpw %s\n", PASSWORD);
	fprintf(f, "database mdb\nsuffix %s\nrootdn %s\nrootpw %s\ndirectory %s/db\nmaxsize 1073741824\n"
	    "dbnosync\nindex objectClass,entryUUID,entryCSN,uid eq\n", SUFFIX, ADMIN, PASSWORD, s->folder);
	fprintf(f, "%s%s", s->extra == NULL ? "" : s->extra, s->rules == NULL ? OPEN_RULES : s->rules);
	fprintf(f, "overlay syncprov\nsyncprov-checkpoint 1000 10\n");
	if (s->sessionlog > 0)
		fprintf(f, "syncprov-sessionlog %d\n", s->sessionlog);
	(void)fclose(f);
}

static inline void
person_ldif(FILE *f, const char *uid, const char *department)
{
	fprintf(f, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: Person %s\nsn: %s\n"
	    "mail: %s@example.org\ndepartmentNumber: %s\nuserPassword: pw-%s\n\n", uid, PEOPLE, uid, uid, uid,
	    uid, department, uid);
}

static inline void
base_ldif(FILE *f)
{
	fprintf(f, "dn: %s\nobjectClass: domain\ndc: example\n\n", SUFFIX);
	fprintf(f, "dn: %s\nobjectClass: organizationalUnit\nou: people\n\n", PEOPLE);
	fprintf(f, "dn: ou=elsewhere,%s\nobjectClass: organizationalUnit\nou: elsewhere\n\n", SUFFIX);
	fprintf(f, "dn: %s\nobjectClass: organizationalUnit\nou: groups\n\n", GROUPS);
	fprintf(f, "dn: %s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: muster\n"
	    "userPassword: %s\n\n", READER, PASSWORD);
}

/* people: "ana ben"; each group of those has them all. */
static inline void
slapd_base_write(FILE *f, const char *people, const char *groups)
{
	char *copy = mu_strdup(people), *more = mu_strdup(groups), *rest = NULL;

	base_ldif(f);
	for (char *uid = strtok_r(copy, " ", &rest); uid != NULL; uid = strtok_r(NULL, " ", &rest))
		person_ldif(f, uid, "Sales");
	for (char *cn = strtok_r(more, " ", &rest); cn != NULL; cn = strtok_r(NULL, " ", &rest))
		fprintf(f, "dn: cn=%s,%s\nobjectClass: groupOfNames\ncn: %s\nmember: UID=Ana,%s\nmember: %s\n\n",
		    cn, GROUPS, cn, PEOPLE, READER);
	mu_free(copy);
	mu_free(more);
}

/* Fills an empty database; slapd must not run. */
static inline void
slapd_load(struct slapd *s, const char *people, const char *groups)
{
	FILE *f = slapd_file(s, "base.ldif");

	slapd_base_write(f, people, groups);
	(void)fclose(f);
	shell(s, "rm -rf %s/db && mkdir %s/db && /usr/sbin/slapadd -q -w -f %s/slapd.conf -b %s -l %s/base.ldif 2>>%s/log",
	    s->folder, s->folder, s->folder, SUFFIX, s->folder, s->folder);
}

static inline LDAP *
slapd_bind(struct slapd *s, const char *dn)
{
	struct berval password = { strlen(PASSWORD), (char *)(uintptr_t)PASSWORD };
	int version = LDAP_VERSION3;
	LDAP *ld = NULL;

	assert_int_equal(LDAP_SUCCESS, ldap_initialize(&ld, s->uri));
	(void)ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	if (ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL) == LDAP_SUCCESS)
		return ld;
	(void)ldap_unbind_ext(ld, NULL, NULL);
	return NULL;
}

static inline void
slapd_start(struct slapd *s)
{
	char conf[128], urls[160], log[128];
	int64_t deadline_ms = mu_tick_ms() + 20000;

	(void)snprintf(conf, sizeof(conf), "%s/slapd.conf", s->folder);
	(void)snprintf(log, sizeof(log), "%s/log", s->folder);
	(void)snprintf(urls, sizeof(urls), "%s%s%s", s->uri, s->tls ? " " : "", s->tls ? s->ldaps_uri : "");
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a failed test cleans nothing up */
		if (freopen(log, "a", stderr) == NULL || freopen(log, "a", stdout) == NULL)
			_exit(126);
		execl("/usr/sbin/slapd", "slapd", "-d", "0", "-f", conf, "-h", urls, (char *)NULL);
		_exit(127);
	}
	while ((s->admin = slapd_bind(s, ADMIN)) == NULL) {
		assert_int_equal(0, waitpid(s->pid, NULL, WNOHANG));
		assert_true(mu_tick_ms() < deadline_ms);
		(void)usleep(10000);
	}
}

static inline void
slapd_end(struct slapd *s, int signal)
{
	if (s->pid == 0)
		return;
	if (s->admin != NULL)
		(void)ldap_unbind_ext(s->admin, NULL, NULL);
	s->admin = NULL;
	(void)kill(s->pid, signal);
	(void)waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static inline void
slapd_certify(struct slapd *s)
{
	shell(s, "cd %s && for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
	    "-nodes -keyout $ca.key -out $ca.crt -days 2 -subj /CN=$ca "
	    "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>>log || exit 1; done; "
	    "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout srv.key -out srv.csr "
	    "-subj /CN=srv 2>>log && echo 'subjectAltName=IP:127.0.0.1' >ext && "
	    "openssl x509 -req -in srv.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out srv.crt 2>>log",
	    s->folder);
}

/* A folder (a pattern for mkdtemp) and an address; nothing runs yet. */
static inline void
slapd_make_in(struct slapd *s, const char *folder)
{
	*s = (struct slapd){ .sessionlog = 100 };
	(void)snprintf(s->folder, sizeof(s->folder), "%s", folder);
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->uri, sizeof(s->uri), "ldap://127.0.0.1:%u", free_port());
	(void)snprintf(s->ldaps_uri, sizeof(s->ldaps_uri), "ldaps://127.0.0.1:%u", free_port());
}

static inline void
slapd_make(struct slapd *s)
{
	slapd_make_in(s, "/tmp/muster-slapd-XXXXXX");
}

static inline void
slapd_clear(struct slapd *s)
{
	slapd_end(s, SIGTERM);
	shell(s, "rm -rf %s", s->folder);
}

/* --- Writes: each returns when slapd has acknowledged it ---------------------------------------------- */

static inline void
must(struct slapd *s, int rc, const char *what)
{
	if (rc != LDAP_SUCCESS)
		fail_msg("%s: %s; %s", what, ldap_err2string(rc), s->folder);
}

static inline void
person_add(struct slapd *s, const char *uid, const char *more_name, const void *more, size_t more_bytes)
{
	char dn[160], mail[100];
	char *klass[] = { (char[]){ "inetOrgPerson" }, NULL }, *name[] = { (char *)(uintptr_t)uid, NULL },
	    *address[] = { mail, NULL };
	struct berval value = { more_bytes, (char *)(uintptr_t)more }, *values[] = { &value, NULL };
	LDAPMod mods[] = {
		{ LDAP_MOD_ADD, (char[]){ "objectClass" }, { .modv_strvals = klass } },
		{ LDAP_MOD_ADD, (char[]){ "uid" }, { .modv_strvals = name } },
		{ LDAP_MOD_ADD, (char[]){ "cn" }, { .modv_strvals = name } },
		{ LDAP_MOD_ADD, (char[]){ "sn" }, { .modv_strvals = name } },
		{ LDAP_MOD_ADD, (char[]){ "mail" }, { .modv_strvals = address } },
		{ LDAP_MOD_ADD | LDAP_MOD_BVALUES, (char *)(uintptr_t)more_name, { .modv_bvals = values } },
	};
	LDAPMod *list[] = { &mods[0], &mods[1], &mods[2], &mods[3], &mods[4], more_name == NULL ? NULL : &mods[5],
		NULL };

	(void)snprintf(dn, sizeof(dn), "uid=%s,%s", uid, PEOPLE);
	(void)snprintf(mail, sizeof(mail), "%s@example.org", uid);
	must(s, ldap_add_ext_s(s->admin, dn, list, NULL, NULL), "add");
}

/* value NULL: removes the attribute. */
static inline void
attribute_set_on(struct slapd *s, LDAP *ld, const char *dn, const char *name, const char *value, int op)
{
	char *values[] = { (char *)(uintptr_t)value, NULL };
	LDAPMod mod = { op, (char *)(uintptr_t)name, { .modv_strvals = value == NULL ? NULL : values } };
	LDAPMod *list[] = { &mod, NULL };

	must(s, ldap_modify_ext_s(ld, dn, list, NULL, NULL), "modify");
}

static inline void
person_set(struct slapd *s, const char *uid, const char *name, const char *value)
{
	char dn[160];

	(void)snprintf(dn, sizeof(dn), "uid=%s,%s", uid, PEOPLE);
	attribute_set_on(s, s->admin, dn, name, value, LDAP_MOD_REPLACE);
}

static inline void
person_delete(struct slapd *s, const char *uid)
{
	char dn[160];

	(void)snprintf(dn, sizeof(dn), "uid=%s,%s", uid, PEOPLE);
	must(s, ldap_delete_ext_s(s->admin, dn, NULL, NULL), "delete");
}

/* Renames, and moves if parent is not NULL. */
static inline void
person_rename(struct slapd *s, const char *dn, const char *rdn, const char *parent)
{
	must(s, ldap_rename_s(s->admin, dn, rdn, parent, 1, NULL, NULL), "rename");
}

/* Adds an access rule to the running server. */
static inline void
rules_add(struct slapd *s, const char *rule)
{
	LDAP *ld = slapd_bind(s, "cn=config");

	assert_non_null(ld);
	attribute_set_on(s, ld, "olcDatabase={1}mdb,cn=config", "olcAccess", rule, LDAP_MOD_ADD);
	(void)ldap_unbind_ext(ld, NULL, NULL);
}

/* Puts one in the place of all. */
static inline void
rules_set(struct slapd *s, const char *rule)
{
	LDAP *ld = slapd_bind(s, "cn=config");

	assert_non_null(ld);
	attribute_set_on(s, ld, "olcDatabase={1}mdb,cn=config", "olcAccess", NULL, LDAP_MOD_DELETE);
	(void)ldap_unbind_ext(ld, NULL, NULL);
	rules_add(s, rule);
}

#endif
