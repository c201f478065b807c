"""The servers that are measured: a big directory, musterd as it comes, a slapd that follows the same directory."""

import re
import shutil
import signal
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import ldap
import psycopg2

from measure import machine, people
from rig.authority import Authority, new_request
from rig.directory import ADMIN_DN, SCHEMAS, USER, Directory, organisation
from rig.musterd import CLIENT, TOP, Musterd, process_name
from rig.process import Server, TimedOut, Workdir, free_port, run, wait_until, write_file

BUILD = TOP / "build" / "release"
READ_S = 3600
LOOK_S = 0.003          # between two looks at a log
PLATFORMS = ["chat", "voice"]
ATTRIBUTES = {"uid": "uid", "name": "cn", "mail": "mail", "department": "departmentNumber",
              "employeeType": "employeeType", "employeeStatus": "employeeStatus",
              "identityChecked": "identityChecked", "identityCheckRef": "identityCheckRef",
              "startDate": "startDate", "endDate": "endDate"}
SEARCHES = {     # what musterd asks the directory for, and so do the other sides
    "people": [organisation.PEOPLE_BASE, "(objectClass=inetOrgPerson)",
               ",".join(["entryUUID", *ATTRIBUTES.values()])],
    "groups": [organisation.GROUPS_BASE, "(objectClass=groupOfNames)", "entryUUID,cn,member"],
}
CONFIGURED = ("StartTLS, refreshAndPersist; embedded store; two scim platforms that cannot be reached, so that"
              " nothing is provisioned meanwhile; two token processes; roles by department and group")
CONFIG = """\
state: {state}
policies: {policies}
store: embedded
sources:
  - name: main
    uri: {uri}
    starttls: true
    ca: {ca}
    bind_dn: {bind_dn}
    bind_password_file: {bind_password_file}
    people:
      base: {people_base}
      filter: (objectClass=inetOrgPerson)
      attributes: {{{attributes}}}
    groups:
      base: {groups_base}
      filter: (objectClass=groupOfNames)
      name: cn
      member: member
platforms:
{platforms}
clients:
  - {{name: {client}, platform: {platform}, csr: {csr}}}
token: {{listen: "127.0.0.1:{token_port}", processes: 2, names: [localhost, 127.0.0.1]}}
claim: {{listen: "127.0.0.1:{claim_port}", names: [localhost, 127.0.0.1]}}
admin: {{listen: "127.0.0.1:{admin_port}", names: [localhost, 127.0.0.1]}}
"""
PLATFORM_CONFIG = """\
  - name: {name}
    adapter: scim
    url: https://127.0.0.1:{port}/scim/v2
    ca: {ca}
    token_file: {token_file}
    account: uid
"""
ROLES = """\
- role: staff
  gives:
    - {platform: chat, account: true, groups: [all-staff]}
    - {platform: voice, account: true}
  birthright: (employeeType=staff)
  identified: hr-verified
- role: contractor
  gives:
    - {platform: chat, account: true, groups: [contractors]}
  birthright: (employeeType=contractor)
  identified: hr-verified
- role: project-0
  gives:
    - {platform: chat, groups: [project-0]}
  birthright: (group=project-0)
- role: all-sites
  gives:
    - {platform: chat, groups: [all-sites]}
  birthright: (group=all-sites)
- role: duty-managers
  gives:
    - {platform: chat, groups: [duty]}
    - {platform: voice, groups: [duty]}
  birthright: (&(employeeType=staff)(group=duty-managers))
  identified: hr-verified
"""
DEPARTMENT_ROLE = """\
- role: {name}
  gives:
    - {{platform: chat, groups: [{name}]}}
  birthright: (&(employeeType=staff)(department={department}))
  identified: hr-verified
"""


def policies_write(folder):
    """The shipped policies, with roles for two platforms: administrators exclude none of these."""
    shutil.copytree(TOP / "policies", folder, ignore=shutil.ignore_patterns("cases"))
    administrators = folder / "administrators.yaml"
    write_file(administrators, "".join(
        line for line in administrators.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("  conflicts:")))
    departments = [DEPARTMENT_ROLE.format(name=d.lower(), department=d) for d in organisation.DEPARTMENTS]
    write_file(folder / "roles.yaml", ROLES + "".join(departments))
    return folder


class BigDirectory(Directory):
    """A provider with `count` people."""

    def __init__(self, workdir, authority, count):
        self.count = count
        super().__init__(workdir, authority, workdir.path / "base.ldif", sessionlog=100000,
                         maxsize=(256 << 20) + count * 8192)
        self.password_file = write_file(workdir.path / "muster-password", self.muster_password + "\n", mode=0o600)
        self.admin_password_file = write_file(workdir.path / "admin-password", self.admin_password + "\n",
                                              mode=0o600)

    def load(self, entries):
        people.write(entries, self.count, self.muster_password)
        super().load(entries)
        entries.unlink()

    def context(self, connection=None):
        """The contextCSN: how far a server is."""
        (_, entry), = (connection or self.connection).search_s(
            organisation.SUFFIX, 0, attrlist=["contextCSN"])
        return sorted(entry.get("contextCSN", []))

    def link(self):
        """How the measuring programs reach it."""
        return [self.uri, self.ca, organisation.MUSTER_DN, self.password_file]


class Consumer:
    """A slapd that follows the provider by syncrepl into an mdb of its own."""

    def __init__(self, workdir, provider, durable):
        self.folder = workdir.make(f"consumer-{time.monotonic_ns()}", USER)
        self.provider = provider
        self.port = free_port()
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.connection = None
        self.database = workdir.make(f"{self.folder.name}/db", USER, 0o700)
        self.conf = self.folder / "slapd.conf"
        self.configure(durable)
        self.server = Server("consumer", ["/usr/sbin/slapd", "-d", "0", "-f", self.conf, "-h", self.uri],
                             self.folder / "slapd.log", USER)

    def configure(self, durable):
        provider = self.provider
        lines = [f"include {SCHEMAS / s}.schema" for s in ("core", "cosine", "inetorgperson")] + [
            f"include {provider.folder}/muster.schema", "modulepath /usr/lib/ldap", "moduleload back_mdb",
            f"pidfile {self.folder}/slapd.pid", "sizelimit unlimited", "database mdb",
            f"suffix {organisation.SUFFIX}", f"rootdn {ADMIN_DN}", f"rootpw {provider.admin_password}",
            f"directory {self.database}", f"maxsize {provider.maxsize}", *([] if durable else ["dbnosync"]),
            "index objectClass,entryUUID,entryCSN eq", "index uid,cn,mail,member eq",
            f"syncrepl rid=001 provider={provider.uri} starttls=critical tls_cacert={provider.ca}"
            f" tls_reqcert=demand bindmethod=simple binddn={ADMIN_DN} credentials={provider.admin_password}"
            f" searchbase={organisation.SUFFIX} type=refreshAndPersist retry=\"1 +\""]
        write_file(self.conf, "\n".join(lines) + "\n", USER, 0o600)

    def connect(self):
        connection = ldap.initialize(self.uri)
        try:
            connection.simple_bind_s(ADMIN_DN, self.provider.admin_password)
        except (ldap.SERVER_DOWN, ldap.BUSY, ldap.UNAVAILABLE):
            return None
        return connection

    def follow(self):
        """Starts it and waits until it has all that the provider has: the seconds that took."""
        want = self.provider.context()
        self.server.start()
        self.connection = wait_until("the consumer listens", self.connect, 60, 0.005)
        begun = time.monotonic()
        wait_until("the consumer has everything", lambda: self.is_at(want), READ_S, 0.01)
        return time.monotonic() - begun

    def is_at(self, want):
        try:
            return self.provider.context(self.connection) == want
        except ldap.NO_SUCH_OBJECT:
            return False

    def become_durable(self):
        """From here on it syncs what it writes, as it does by default."""
        self.server.stop()
        self.configure(True)
        self.follow()

    def remove(self):
        self.server.stop()
        shutil.rmtree(self.folder)


class Marks:
    """When lines stood in a log, to a few milliseconds."""

    def __init__(self, path, alive):
        self.path, self.alive = path, alive
        self.lines = []
        self.news = threading.Condition()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        rest = ""
        wait_until("the log begins", lambda: self.path.exists() or self.over.is_set(), 60, LOOK_S)
        with open(self.path, encoding="utf-8", errors="replace") as log:
            while not self.over.wait(LOOK_S):
                text = log.read()
                if text:
                    now = time.monotonic()
                    *whole, rest = (rest + text).split("\n")
                    with self.news:
                        self.lines += [(now, line) for line in whole]
                        self.news.notify_all()

    def wait(self, pattern, after=0.0, timeout_s=READ_S):
        """The moment of the first line after a moment that matches."""
        end, at = time.monotonic() + timeout_s, 0
        while time.monotonic() < end:
            with self.news:
                if at == len(self.lines):
                    self.news.wait(1)
                fresh, at = self.lines[at:], len(self.lines)
            for seen_at, line in fresh:
                if seen_at > after and re.search(pattern, line):
                    return seen_at
            assert fresh or self.alive(), f"musterd ended before it logged {pattern}"
        raise TimedOut(f"musterd did not log {pattern} within {timeout_s} s")

    def close(self):
        self.over.set()
        self.thread.join()


class House(Musterd):
    """musterd as a user would configure it, but for platforms that are away."""

    def __init__(self, workdir, directory):
        self.folder = workdir.make("musterd")
        self.workdir = workdir
        self.state = self.folder / "state"
        self.binary = BUILD / "bin" / "musterd"
        self.token_port, self.claim_port, self.admin_port = free_port(), free_port(), free_port()
        self.ca = self.state / "ca.crt"
        self.console = self.state / "run" / "console.sock"
        self.client_key = self.folder / "client.key"
        self.client_certificate = self.state / "clients" / f"{CLIENT}.crt"
        self.csr = self.folder / "client.csr"
        new_request(CLIENT, self.client_key, self.csr)
        self.policies = policies_write(self.folder / "policies")
        self.directory = directory
        self.platforms = "".join(PLATFORM_CONFIG.format(
            name=p, port=free_port(), ca=directory.ca, token_file=self.secret(f"{p}-token", "x" * 32))
            for p in PLATFORMS)
        self.bind_password_file = self.secret("bind-password", directory.muster_password)
        self.config = self.configure("musterd.yaml", directory.uri)
        self.away = self.configure("away.yaml", f"ldap://127.0.0.1:{free_port()}")
        self.empty = self.folder / "empty"
        self.marks = None
        self.postgres_argv = self.last_record = self.empty_wal_bytes = None
        self.serve(self.config)

    def configure(self, name, uri):
        return write_file(self.folder / name, CONFIG.format(
            state=self.state, policies=self.policies, uri=uri, ca=self.directory.ca,
            bind_dn=organisation.MUSTER_DN, bind_password_file=self.bind_password_file,
            people_base=organisation.PEOPLE_BASE, groups_base=organisation.GROUPS_BASE,
            attributes=", ".join(f"{ours}: {theirs}" for ours, theirs in ATTRIBUTES.items()),
            platforms=self.platforms, client=CLIENT, platform=PLATFORMS[0], csr=self.csr,
            token_port=self.token_port, claim_port=self.claim_port, admin_port=self.admin_port))

    def serve(self, config):
        self.server = Server("musterd", [self.binary, "-c", config, "run"], self.folder / "musterd.log")

    def empty_make(self):
        """An empty store, as musterd leaves it that never reached its directory."""
        self.serve(self.away)
        self.start()
        postmaster, = self.children("postgres")
        self.postgres_argv = Path(f"/proc/{postmaster}/cmdline").read_bytes().decode().split("\0")[:-1]
        with closing(self.store()) as store, store.cursor() as sql:
            sql.execute("SELECT max(record_id::text), (SELECT wal_bytes FROM pg_stat_wal) FROM audit_record")
            self.last_record, self.empty_wal_bytes = sql.fetchone()
        self.stop()
        self.state.rename(self.empty)
        self.serve(self.config)

    def empty_take(self):
        """Begins with that empty store."""
        shutil.rmtree(self.state, ignore_errors=True)
        run(["cp", "-a", self.empty, self.state])

    def begin(self):
        """Starts musterd and waits for the moment its first connection to the directory is made."""
        self.server.log.unlink(missing_ok=True)
        self.marks = Marks(self.server.log, self.server.running)
        self.server.start()
        return self.opened(0.0)

    def opened(self, after):
        return self.marks.wait(r"event=source\.opened", after)

    def refreshed(self, after):
        """The moment both searches have been read to their end, decided and committed."""
        return max(self.marks.wait(rf"event=source\.refreshed .*search={search} verdict=complete", after)
                   for search in SEARCHES)

    def end(self):
        self.stop()
        self.marks.close()

    def processes(self):
        """(name, pid) of musterd's processes, the supervisor among them, PostgreSQL not."""
        named = [(process_name(pid), pid) for pid in self.children()]
        return [("supervisor", self.server.pid)] + [
            (n.removeprefix("mu-"), p) for n, p in named if n not in (None, "postgres")]

    def cpu(self):
        """Processor seconds so far by the names of processes; PostgreSQL's are "postgres"."""
        used = {}
        for name, pid in self.processes():
            used[name] = used.get(name, 0.0) + machine.cpu_s(pid)
        used["postgres"] = sum(machine.family_cpu_s(pid) for pid in self.children("postgres"))
        return used

    @contextmanager
    def store_alone(self):
        """The empty store's PostgreSQL as musterd runs it, without musterd: its pid."""
        self.empty_take()
        server = Server("postgres", self.postgres_argv, self.folder / "postgres.log", "muster-store",
                        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}, cwd=self.state / "store",
                        stop_signal=signal.SIGINT)
        server.start()
        try:
            wait_until("PostgreSQL answers", self.store_answers, 60)
            yield server.pid
        finally:
            server.stop()

    def store_answers(self):
        try:
            self.store().close()
            return True
        except psycopg2.OperationalError:
            return False

    def store_where(self):
        """How libpq reaches the store as the superuser, as its environment."""
        prefix = "unix_socket_directories="
        folder = next(a.removeprefix(prefix).strip('"') for a in self.postgres_argv if a.startswith(prefix))
        password = next(self.state.rglob("store.password")).read_text().strip()
        return {"PGHOST": folder, "PGDATABASE": "muster", "PGUSER": "muster", "PGPASSWORD": password}

    def store(self):
        where = self.store_where()
        connection = psycopg2.connect(host=where["PGHOST"], dbname="muster", user="muster",
                                      password=where["PGPASSWORD"])
        connection.autocommit = True
        return connection


class Hall:
    """Use as a context: a directory of `count` people that runs, and musterd that does not yet."""

    def __init__(self, count):
        self.workdir = Workdir()
        self.count = count
        try:
            self.authority = Authority(self.workdir.make("ca"))
            self.directory = BigDirectory(self.workdir, self.authority, count)
            self.house = House(self.workdir, self.directory)
        except BaseException:
            self.workdir.remove()
            raise

    def __enter__(self):
        try:
            self.directory.start()
            self.house.empty_make()
        except BaseException as why:
            self.__exit__(type(why), why, None)
            raise
        return self

    def __exit__(self, *_):
        try:
            self.house.server.stop()
            self.directory.server.stop()
        finally:
            self.workdir.remove()

    @staticmethod
    def program(name, *arguments, **options):
        """Runs one of tests/measure's programs: what it printed."""
        return run([BUILD / "measure" / f"measure_{name}", *arguments], **options)
