"""An administrator at a terminal: the muster command, an authenticator, and the clock both go by."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import struct
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from rig import wire
from rig.musterd import BUILD
from rig.process import wait_until

STEP_S = 30
SPARE_S = 5             # a code that ends sooner may have ended when it arrives
COMMAND_S = 120


class Authenticator:
    """RFC 6238 as a phone does it: SHA-1, six digits, thirty seconds, and never a code ahead of time."""

    def __init__(self, uri):
        self.uri = uri
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp"), uri
        fields = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert (fields["algorithm"], fields["digits"], fields["period"]) == ("SHA1", "6", "30"), uri
        secret = fields["secret"]
        self.seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
        assert len(self.seed) >= 20, "the seed is shorter than 160 bits"
        self.last = 0

    def at(self, step):
        digest = hmac.new(self.seed, struct.pack(">Q", step), hashlib.sha1).digest()
        start = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[start:start + 4])[0] & 0x7fffffff) % 10**6:06}"

    @staticmethod
    def now():
        return int(time.time()) // STEP_S

    def next_step(self):
        """The step of the next code: the first that has not been used and will be good for a while."""
        return max(self.last + 1, int((time.time() + SPARE_S) // STEP_S) - 1)

    def wait_s(self):
        """How long it is until there is a code that has not been used."""
        return max(0, self.next_step() * STEP_S - time.time())

    def code(self):
        """A code that has not been used: the one before the present one where that is still good,
        else the present one, else the next as soon as its time has come."""
        wait_until("the next code's time comes", lambda: self.wait_s() == 0, 2 * STEP_S, 0.1)
        self.last = self.next_step()
        return self.at(self.last)

    def wrong(self):
        """Six digits that are no code of any step near now."""
        near = {self.at(self.now() + d) for d in range(-3, 4)}
        return next(c for c in ("000000", "111111", "222222", "333333", "444444", "555555",
                                "666666", "777777") if c not in near)


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def seed_taken(process, secrets=()):
    """Has a command that shows a seed read secrets, then its first code: (authenticator, Done)."""
    authenticator, said = None, []
    for secret in secrets:
        process.stdin.write(f"{secret}\n")
    process.stdin.flush()
    for line in process.stdout:
        said.append(line)
        if "otpauth://" in line:
            authenticator = Authenticator(line[line.index("otpauth://"):].strip())
            process.stdin.write(f"{authenticator.code()}\n")
            break
    out, err = process.communicate(timeout=COMMAND_S)
    return authenticator, Done(process.returncode, "".join(said) + out, err)


class Administrator:
    """A person with a terminal of their own: their sessions and pins are in a folder nobody shares."""

    def __init__(self, stage, person, build=BUILD):
        self.stage, self.person = stage, person
        self.home = stage.workdir.make(f"terminal-{person.uid}", mode=0o700)
        self.binary = build / "bin" / "muster"
        self.authenticator = None

    def start(self, *arguments):
        return subprocess.Popen(
            [self.binary, "--secrets-stdin", *map(str, arguments)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "MUSTER_HOME": str(self.home), "LANG": "C.UTF-8"})

    def muster(self, *arguments, secrets=(), expect=0):
        """Runs the command; secrets go in by standard input, a line each."""
        process = self.start(*arguments)
        out, err = process.communicate("".join(f"{s}\n" for s in secrets), timeout=COMMAND_S)
        done = Done(process.returncode, out, err)
        assert expect is None or done.status == expect, \
            f"muster {' '.join(map(str, arguments))}: status {done.status}, not {expect}\n{out}{err}"
        return done

    def act(self, *arguments, expect=0):
        """Runs a command that asks for a code, and gives it one."""
        return self.muster("--json", *arguments, secrets=[self.authenticator.code()], expect=expect)

    def refused(self, *arguments, expect=1):
        """Runs a command that is to be refused for another reason than its code, which may have been used."""
        return self.muster("--json", *arguments, secrets=[self.authenticator.at(Authenticator.now())], expect=expect)

    def ask(self, method, path, body=None):
        """The API itself, with the session's certificate: (status, JSON)."""
        session = self.home / "session.pem"
        connection = http.client.HTTPSConnection(
            "localhost", self.stage.musterd.admin_port, timeout=COMMAND_S,
            context=wire.context(self.stage.musterd.ca, session, session))
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {} if body is None else {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    @property
    def server(self):
        musterd = self.stage.musterd
        return ["--server", f"https://127.0.0.1:{musterd.admin_port}",
                "--ca-fingerprint", musterd.ca_fingerprint()]

    def bootstrap(self, role="administrator", expect=0):
        """On the console: reads the seed from its terminal, types the first code."""
        return self.enrol_with("--console", self.stage.musterd.console, "bootstrap", self.person.uid, role,
                               "--no-qr", expect=expect)

    def log_in_first(self, enrolment_code):
        """The first login of somebody who was enrolled: the one-time code brings the seed."""
        return self.enrol_with(*self.server, "login", "--user", self.person.uid, "--no-qr",
                               secrets=[self.person.password, enrolment_code])

    def enrol_with(self, *arguments, secrets=(), expect=0):
        self.authenticator, done = seed_taken(self.start(*arguments), secrets)
        assert expect is None or done.status == expect, \
            f"muster {arguments}: status {done.status}, not {expect}\n{done.out}{done.err}"
        return done

    def log_in(self, expect=0):
        return self.muster(*self.server, "login", "--user", self.person.uid,
                           secrets=[self.person.password, self.authenticator.code()], expect=expect)
