"""A private slapd with the sample organisation, and the writes HR makes in it."""

import secrets
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import ldap
import ldap.modlist
from ldap.controls.simple import RelaxRulesControl

from rig.process import Server, free_port, now_ns, run, write_file

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
sys.path.insert(0, str(SAMPLE))
import organisation  # noqa: E402  (the sample lies beside the tests, not in a package)

USER = "openldap"
SCHEMAS = Path("/etc/ldap/schema")
ADMIN_DN = f"cn=admin,{organisation.SUFFIX}"
CONFIG_DN = "cn=config"
DATABASE_DN = "olcDatabase={1}mdb,cn=config"

# What the account of muster may read; nobody else reads anything, and passwords are for binding.
MAPPED = ("entry,objectClass,entryUUID,entryCSN,uid,cn,mail,departmentNumber,employeeType,"
          "employeeStatus,identityChecked,identityCheckRef,startDate,endDate,member")
PASSWORD_RULE = "to attrs=userPassword by anonymous auth by * none"
READ_RULES = [
    PASSWORD_RULE,
    f'to dn.subtree="{organisation.SUFFIX}" attrs={MAPPED} by dn.exact="{organisation.MUSTER_DN}" read',
    "to * by * none",
]


class Directory:
    def __init__(self, workdir, authority, entries=None, sessionlog=500,
                 maxsize=256 << 20, name="slapd"):
        self.folder = workdir.make(name, USER)
        self.port = free_port()
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.ldapi = f"ldapi://{quote(str(self.folder / 'ldapi'), safe='')}"
        self.ca = authority.certificate
        self.admin_password = secrets.token_hex(12)
        self.muster_password = secrets.token_hex(12)
        self.sessionlog = sessionlog
        self.maxsize = maxsize
        self.certificate = authority.issue(name, owner=USER)
        self.conf = self.folder / "slapd.conf"
        self.write_conf(READ_RULES)
        self.load(entries or organisation.entries(self.muster_password))
        self.server = Server(name, [
            "/usr/sbin/slapd", "-d", "0", "-f", self.conf, "-h", f"{self.uri} {self.ldapi}"],
            self.folder / "slapd.log", USER)
        self.connection = None

    def write_conf(self, rules):
        certificate, key = self.certificate
        schemas = [SCHEMAS / f"{s}.schema" for s in ("core", "cosine", "inetorgperson")]
        schemas.append(shutil.copy(SAMPLE / "muster.schema", self.folder))
        lines = [f"include {s}" for s in schemas] + [
            "modulepath /usr/lib/ldap", "moduleload back_mdb", "moduleload syncprov",
            f"pidfile {self.folder}/slapd.pid", "sizelimit unlimited",
            f"TLSCACertificateFile {self.ca}", f"TLSCertificateFile {certificate}",
            f"TLSCertificateKeyFile {key}", "TLSVerifyClient never",
            "database config", f"rootpw {self.admin_password}",
            "database mdb", f"suffix {organisation.SUFFIX}", f"rootdn {ADMIN_DN}",
            f"rootpw {self.admin_password}", f"directory {self.folder}/db", f"maxsize {self.maxsize}",
            "index objectClass,entryUUID,entryCSN eq", "index uid,cn,mail,member eq",
            *[f"access {rule}" for rule in rules],
            "overlay syncprov", "syncprov-checkpoint 100 1", f"syncprov-sessionlog {self.sessionlog}"]
        write_file(self.conf, "\n".join(lines) + "\n", USER, 0o600)

    def load(self, entries):
        """Replaces the database's content, as its own user; slapd must not be running. Entries may
        be pairs as organisation.entries() yields, LDIF text as dump() returns, or a file of it."""
        database = self.folder / "db"
        shutil.rmtree(database, ignore_errors=True)
        database.mkdir()
        ldif = entries
        if not isinstance(entries, Path):
            text = entries if isinstance(entries, str) else organisation.ldif(entries)
            ldif = write_file(self.folder / "base.ldif", text, USER, 0o600)
        run(["/usr/sbin/slapadd", "-q", "-w", "-f", self.conf, "-b", organisation.SUFFIX, "-l", ldif])
        for path in [database, *database.iterdir()]:
            shutil.chown(path, *owner_of(self.folder))

    def start(self):
        self.server.start()
        self.server.wait_ready(self.answers)
        self.connection = self.connect(ADMIN_DN)

    def connect(self, dn):
        connection = ldap.initialize(self.ldapi)
        connection.simple_bind_s(dn, self.admin_password)
        return connection

    def answers(self):
        try:
            self.connect(ADMIN_DN).unbind_s()
            return True
        except (ldap.SERVER_DOWN, ldap.BUSY, ldap.UNAVAILABLE):
            return False

    def stop(self):
        return self.server.stop()

    def kill(self):
        self.server.kill()

    def restart(self):
        self.stop()
        self.start()

    # Writes return when slapd has acknowledged them: the moment from which muster is timed.

    def add_person(self, person, entry_uuid=None):
        """Adds a person; with an entryUUID, as the one who was there before."""
        attributes = {a: [v.encode() for v in values]
                      for a, values in organisation.person_entry(person).items()}
        controls = []
        if entry_uuid is not None:
            attributes["entryUUID"] = [entry_uuid]
            controls.append(RelaxRulesControl(True))
        self.connection.add_ext_s(person.dn, ldap.modlist.addModlist(attributes),
                                  serverctrls=controls)
        return now_ns()

    def entry_uuid(self, person):
        (_, entry), = self.connection.search_s(person.dn, ldap.SCOPE_BASE, attrlist=["entryUUID"])
        return entry["entryUUID"][0]

    def set(self, person, attribute, *values):
        """Replaces an attribute of a person; without values, removes it."""
        self.connection.modify_s(person.dn, [
            (ldap.MOD_REPLACE, attribute, [v.encode() for v in values] or None)])
        return now_ns()

    def delete(self, dn):
        self.connection.delete_s(dn)
        return now_ns()

    def set_muster_password(self, password):
        self.connection.modify_s(organisation.MUSTER_DN, [
            (ldap.MOD_REPLACE, "userPassword", [organisation.ssha(password).encode()])])

    def set_rules(self, rules):
        """Changes the access rules of the running server, and of its next start."""
        self.write_conf(rules)
        config = self.connect(CONFIG_DN)
        config.modify_s(DATABASE_DN, [(ldap.MOD_REPLACE, "olcAccess", [
            f"{{{i}}}{rule}".encode() for i, rule in enumerate(rules)])])
        config.unbind_s()

    def dump(self):
        """The whole content as LDIF, for load() after a restart from backup; slapd may run."""
        return run(["/usr/sbin/slapcat", "-f", self.conf, "-b", organisation.SUFFIX])


def owner_of(path):
    status = Path(path).stat()
    return status.st_uid, status.st_gid
