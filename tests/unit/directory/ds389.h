/*
 * tests/unit/directory/ds389.h - a private 389 DS, in a folder and on a port of its own
 *
 * Its configuration is the package's template, with a suffix, the change log and RFC 4533 switched
 * on. dscreate is not used: it wants systemd, and folders of the system.
 */
#ifndef TESTS_DIRECTORY_DS389_H
#define TESTS_DIRECTORY_DS389_H

#include "stage.h"

#define DS389_TEMPLATE	"/usr/share/dirsrv/data/template-dse.ldif"

static inline void
ds389_conf_write(struct slapd *s)
{
	const char *f = s->folder, *port = strrchr(s->uri, ':') + 1;

	if (access("/usr/sbin/ns-slapd", X_OK) != 0 || access(DS389_TEMPLATE, R_OK) != 0)
		fail_msg("389-ds-base is not installed: run tests/packages --test");
	/* files that it wants to be there; the package's own are for its user's eyes alone */
	shell(s, "cd %s && mkdir etc etc/schema run log lock db bak ldif && : >etc/slapd-collations.conf && "
	    "echo 'certmap default default' >etc/certmap.conf && "
	    "printf 'dn: cn=schema\nobjectclass: top\nobjectclass: ldapSubentry\nobjectclass: subschema\ncn: schema\n' "
	    ">etc/schema/99user.ldif", f);
	shell(s, "sed -e 's#%%schema_dir%%#%s/etc/schema#; s#%%lock_dir%%#%s/lock#; s#%%tmp_dir%%#%s/run#; "
	    "s#%%cert_dir%%#%s/etc#; s#%%config_dir%%#%s/etc#; s#%%ldif_dir%%#%s/ldif#; s#%%bak_dir%%#%s/bak#; "
	    "s#%%run_dir%%#%s/run#; s#%%inst_dir%%#%s#; s#%%log_dir%%#%s/log#; s#%%db_dir%%#%s/db#; "
	    "s#%%db_home_dir%%#%s/db#; s#%%db_lib%%#bdb#; s#%%ldapi%%#%s/run/ldapi#; s#%%ldapi_enabled%%#off#; "
	    "s#%%ldapi_autobind%%#off#; s#%%fqdn%%#localhost#; s#%%ds_suffix%%#%s#; s#%%rootdn%%#%s#; "
	    "s#%%ds_passwd%%#{CLEAR}%s#; s#%%ds_port%%#%s#' -e \"s#%%ds_user%%#$(id -un)#\" "
	    "-e 's/^nsslapd-port: .*/&\\nnsslapd-listenhost: 127.0.0.1/' "
	    "-e '/^dn: cn=Retro Changelog/,/^$/s/^nsslapd-pluginenabled: off/nsslapd-pluginenabled: on/' "
	    "-e '/^dn: cn=Content Sync/,/^$/s/^nsslapd-pluginenabled: off/nsslapd-pluginenabled: on/' "
	    DS389_TEMPLATE " >%s/etc/dse.ldif", f, f, f, f, f, f, f, f, f, f, f, f, f, SUFFIX, ADMIN, PASSWORD, port, f);
}

static inline void
ds389_start(struct slapd *s)
{
	char etc[128], pid[128], log[128];
	int64_t deadline_ms = mu_tick_ms() + 60000;

	(void)snprintf(etc, sizeof(etc), "%s/etc", s->folder);
	(void)snprintf(pid, sizeof(pid), "%s/run/pid", s->folder);
	(void)snprintf(log, sizeof(log), "%s/log/out", s->folder);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen(log, "a", stderr) == NULL || freopen(log, "a", stdout) == NULL)
			_exit(126);
		/* -d keeps it in the foreground: the child is the server */
		execl("/usr/sbin/ns-slapd", "ns-slapd", "-D", etc, "-i", pid, "-d", "0", (char *)NULL);
		_exit(127);
	}
	while ((s->admin = slapd_bind(s, ADMIN)) == NULL) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0) {
			s->pid = 0;
			shell(s, "tail -n 5 %s/log/errors %s/log/out >&2", s->folder, s->folder);
			fail_msg("ns-slapd has ended");
		}
		assert_true(mu_tick_ms() < deadline_ms);
		(void)usleep(20000);
	}
}

/* Gives a fresh server its suffix, our access to it, and people and groups as slapd_load does. */
static inline void
ds389_fill(struct slapd *s, const char *people, const char *groups)
{
	FILE *f = slapd_file(s, "suffix.ldif");

	fprintf(f, "dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config\nobjectClass: extensibleObject\n"
	    "objectClass: nsBackendInstance\nnsslapd-suffix: %s\ncn: userRoot\n\n", SUFFIX);
	fprintf(f, "dn: cn=\"%s\",cn=mapping tree,cn=config\nobjectClass: extensibleObject\nobjectClass: nsMappingTree\n"
	    "nsslapd-state: backend\nnsslapd-backend: userRoot\ncn: %s\n\n", SUFFIX, SUFFIX);
	(void)fclose(f);
	f = slapd_file(s, "base.ldif");
	slapd_base_write(f, people, groups);
	(void)fclose(f);
	f = slapd_file(s, "aci.ldif");
	fprintf(f, "dn: %s\nchangetype: modify\nadd: aci\naci: (targetattr=\"* || nsUniqueId || entryUUID\")"
	    "(version 3.0; acl \"reader\"; allow (read, search, compare) userdn=\"ldap:///%s\";)\n", SUFFIX, READER);
	(void)fclose(f);
	shell(s, "for f in suffix base; do ldapadd -x -H %s -D '%s' -w %s -f %s/$f.ldif; done >>%s/log/out 2>&1 && "
	    "ldapmodify -x -H %s -D '%s' -w %s -f %s/aci.ldif >>%s/log/out 2>&1", s->uri, ADMIN, PASSWORD, s->folder,
	    s->folder, s->uri, ADMIN, PASSWORD, s->folder, s->folder);
}

#endif
