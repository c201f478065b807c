"""musterd under test: its configuration, its life, its log, its processes, its listeners."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from rig import ejabberd as xmpp
from rig.authority import new_request
from rig.directory import organisation
from rig.process import Server, children_of, free_port, wait_until, write_file

TOP = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("MUSTER_BUILD_DIR", TOP / "build" / "test")).resolve()
READY_S = 90
CLIENT = "xmpp-server"
PLATFORM = "xmpp"
# A process that found a bug in itself says so in the log; no test may pass with such a log.
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|SUMMARY: .*Sanitizer")
CONFIG = """\
state: {state}
policies: {policies}
store: embedded
sources:
  - name: main
    uri: {ldap_uri}
    starttls: true
    ca: {ca}
    bind_dn: {bind_dn}
    bind_password_file: {bind_password_file}
    people:
      base: {people_base}
      filter: (objectClass=inetOrgPerson)
      attributes: {{uid: uid, name: cn, mail: mail, department: departmentNumber,
        employeeType: employeeType, employeeStatus: employeeStatus, identityChecked: identityChecked,
        identityCheckRef: identityCheckRef, startDate: startDate, endDate: endDate}}
    groups:
      base: {groups_base}
      filter: (objectClass=groupOfNames)
      name: cn
      member: member
platforms:
  - name: {platform}
    adapter: ejabberd
    url: {ejabberd_url}
    ca: {ca}
    host: {xmpp_host}
    rooms_host: {rooms_host}
    user: {ejabberd_admin}
    password_file: {ejabberd_password_file}
    account: uid
clients:
  - {{name: {client}, platform: {platform}, csr: {csr}}}
token:
  listen: "127.0.0.1:{token_port}"
  processes: 2
  names: [localhost, 127.0.0.1]
claim:
  listen: "127.0.0.1:{claim_port}"
  names: [localhost, 127.0.0.1]
admin:
  listen: "127.0.0.1:{admin_port}"
  names: [localhost, 127.0.0.1]
"""


class Musterd:
    def __init__(self, workdir, directory, ejabberd, build=BUILD):
        self.folder = workdir.make("musterd")
        self.state = self.folder / "state"
        self.binary = Path(build) / "bin" / "musterd"
        self.token_port, self.claim_port, self.admin_port = free_port(), free_port(), free_port()
        self.ca = self.state / "ca.crt"
        self.console = self.state / "run" / "console.sock"
        self.client_key = self.folder / "client.key"
        self.client_certificate = self.state / "clients" / f"{CLIENT}.crt"
        csr = self.folder / "client.csr"
        new_request(CLIENT, self.client_key, csr)
        # muster's own user may be unable to reach the checkout
        policies = shutil.copytree(TOP / "policies", self.folder / "policies")
        self.text = CONFIG.format(
            state=self.state, policies=policies, ldap_uri=directory.uri, ca=directory.ca,
            bind_dn=organisation.MUSTER_DN, people_base=organisation.PEOPLE_BASE,
            groups_base=organisation.GROUPS_BASE,
            bind_password_file=self.secret("bind-password", directory.muster_password),
            platform=PLATFORM, ejabberd_url=ejabberd.url, xmpp_host=xmpp.HOST,
            rooms_host=xmpp.ROOMS_HOST, ejabberd_admin=xmpp.ADMIN,
            ejabberd_password_file=self.secret("ejabberd-password", ejabberd.admin_password),
            client=CLIENT, csr=csr, token_port=self.token_port, claim_port=self.claim_port,
            admin_port=self.admin_port)
        self.config = write_file(self.folder / "musterd.yaml", self.text)
        self.server = Server("musterd", [self.binary, "-c", self.config, "run"],
                             self.folder / "musterd.log")

    def secret(self, name, text):
        return write_file(self.folder / name, text + "\n", mode=0o600)

    def ca_fingerprint(self):
        """SHA-256 of the private CA's certificate, as the console's bootstrap prints it."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.ca.read_text())).hexdigest()

    def start(self, timeout_s=READY_S):
        seen = self.log_mark()
        self.server.start()
        self.server.wait_ready(lambda: "event=ready" in self.log_since(seen), timeout_s)

    def stop(self):
        """Stops it with all its processes; complains if it did not end well."""
        family = self.children()
        status = self.server.stop()
        left = [pid for pid in family if self.alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        faults = SANITIZER.findall(self.server.log_text())
        assert not faults, f"a sanitizer complained in {self.server.log}: {faults[:3]}"
        assert not left, f"musterd ended and left processes {left} behind"
        assert status in (0, None), f"musterd ended with status {status}"

    def check(self, config=None):
        """`musterd check`: (exit status, everything it said)."""
        done = subprocess.run([self.binary, "-c", config or self.config, "check"],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    # The log

    def log_mark(self):
        return len(self.server.log_text())

    def log_since(self, mark):
        return self.server.log_text()[mark:]

    def wait_log(self, pattern, since=0, timeout_s=30):
        """The first match of a regular expression in the log after a mark."""
        return wait_until(f"musterd logs {pattern}",
                          lambda: re.search(pattern, self.log_since(since)), timeout_s)

    # Its processes: direct children, known by their names

    def children(self, name=None):
        if self.server.process is None:
            return []
        return [pid for pid in children_of(self.server.process.pid)
                if name is None or process_name(pid) == name]

    @staticmethod
    def alive(pid):
        """Whether a process still runs; one that has ended and waits to be reaped does not."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    def kill(self, name):
        """SIGKILLs the processes of that name and returns their pids."""
        pids = self.children(name)
        assert pids, f"no process named {name}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    # The console: HTTP on a Unix socket

    def console_ask(self, method, path, body=None, timeout_s=10):
        """One request on the console: (status, answer)."""
        connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(timeout_s)
        connection.sock.connect(str(self.console))
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, json.loads(answer)

    def status(self):
        status, answer = self.console_ask("GET", "/v1/status")
        assert status == 200, f"status {status}: {answer}"
        return answer

    def source(self, name="main"):
        """What the console says of a directory source."""
        return next(s for s in self.status()["sources"] if s["name"] == name)

    def wait_verdict(self, *verdicts, timeout_s=60, source="main"):
        """Waits until the source's last read is judged so; returns what the console says of it."""
        return wait_until(f"verdict {' or '.join(verdicts)}", lambda: next(
            (s for s in self.status()["sources"] if s["name"] == source and s["verdict"] in verdicts),
            None), timeout_s)


class Hold:
    """Holds a kind of process stopped, also one that is started anew, until released."""

    def __init__(self, musterd, name):
        self.musterd = musterd
        self.name = name
        self.held = set()
        self.released = threading.Event()
        self.stop_all()
        assert self.held, f"no process named {name} to hold"
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    def stop_all(self):
        for pid in set(self.musterd.children(self.name)) - self.held:
            os.kill(pid, signal.SIGSTOP)
            self.held.add(pid)

    def keep(self):
        while not self.released.wait(0.01):
            self.stop_all()

    def release(self):
        self.released.set()
        self.keeper.join()
        for pid in self.held:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


def process_name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):  # ended, or while it was read
        return None
