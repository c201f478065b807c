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
from urllib.parse import parse_qs, quote, urlsplit

from rig import wire
from rig.musterd import BUILD
from rig.process import wait_until

STEP_S = 30
SPARE_S = 5             # a code that ends sooner may have ended when it arrives
COMMAND_S = 120
CALL_S = 60


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
        self.base32 = secret
        self.last = 0

    def at(self, step):
        digest = hmac.new(self.seed, struct.pack(">Q", step), hashlib.sha1).digest()
        start = digest[-1] & 15
        return f"{(struct.unpack('>I', digest[start:start + 4])[0] & 0x7fffffff) % 10**6:06}"

    @staticmethod
    def now():
        return int(time.time()) // STEP_S

    @staticmethod
    def oldest():
        """The step of the oldest code that will be good for a while."""
        return int((time.time() + SPARE_S) // STEP_S) - 1

    def next_step(self):
        """The step of the next code: the first that has not been used and will be good for a while."""
        return max(self.last + 1, self.oldest())

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


def seed_taken(process, secrets=(), types_code=True):
    """Has a command that shows a seed read secrets, then its first code or nothing: (authenticator, Done)."""
    authenticator, said = None, []
    for secret in secrets:
        process.stdin.write(f"{secret}\n")
    process.stdin.flush()
    for line in process.stdout:
        said.append(line)
        if "otpauth://" in line:
            authenticator = Authenticator(line[line.index("otpauth://"):].strip())
            if types_code:
                process.stdin.write(f"{authenticator.code()}\n")
            break
    out, err = process.communicate(timeout=COMMAND_S)
    return authenticator, Done(process.returncode, "".join(said) + out, err)


@dataclass
class Answer:
    """What the administrators' API answered."""

    status: int
    headers: dict       # names in lower case
    body: str

    @property
    def json(self):
        return json.loads(self.body)


class Line:
    """A TLS connection of its own to a listener, kept open between requests."""

    def __init__(self, port, tls, source="127.0.0.1"):
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=CALL_S, context=tls,
                                                      source_address=(source, 0))
        self.connection.connect()

    def ask(self, method, path, body=None):
        """One request; the body is sent as JSON, or as it is when it is text already."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read().decode())

    def close(self):
        self.connection.close()


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

    @property
    def server(self):
        musterd = self.stage.musterd
        return ["--server", f"https://127.0.0.1:{musterd.admin_port}",
                "--ca-fingerprint", musterd.ca_fingerprint()]

    def bootstrap(self, role="administrator", expect=0, types_code=True):
        """On the console: reads the seed from its terminal, types the first code or nothing."""
        return self.enrol_with("--console", self.stage.musterd.console, "bootstrap", self.person.uid, role,
                               "--no-qr", expect=expect, types_code=types_code)

    def log_in_first(self, enrolment_code, expect=0, types_code=True):
        """The first login of somebody who was enrolled: the one-time code brings the seed."""
        return self.enrol_with(*self.server, "login", "--user", self.person.uid, "--no-qr", expect=expect,
                               types_code=types_code, secrets=[self.person.password, enrolment_code])

    def enrol_with(self, *arguments, secrets=(), expect=0, types_code=True):
        self.authenticator, done = seed_taken(self.start(*arguments), secrets, types_code)
        assert expect is None or done.status == expect, \
            f"muster {arguments}: status {done.status}, not {expect}\n{done.out}{done.err}"
        return done

    def log_in(self, expect=0):
        return self.muster(*self.server, "login", "--user", self.person.uid,
                           secrets=[self.person.password, self.authenticator.code()], expect=expect)

    # The API itself, for what no command would say

    @property
    def session(self):
        """Certificate and key of the session, in one file."""
        return self.home / "session.pem"

    def tls(self, certificate=None):
        return wire.context(self.stage.musterd.ca, certificate or self.session)

    def line(self):
        return Line(self.stage.musterd.admin_port, self.tls())

    def call(self, method, path, body=None):
        """One request with the session's certificate, on a connection of its own."""
        line = self.line()
        try:
            return line.ask(method, path, body)
        finally:
            line.close()

    def ask(self, method, path, body=None):
        """The same: (status, JSON)."""
        answer = self.call(method, path, body)
        return answer.status, json.loads(answer.body or "null")

    def propose(self, action, *targets, reason="a test", **args):
        """Prepares an action and returns its digest; nothing happens until it is executed."""
        answer = self.call("POST", "/v1/actions", {"action": action, "args": args, "reason": reason,
                                                   "targets": targets})
        assert answer.status == 200, answer
        return answer.json["digest"]

    def execute(self, digest, code):
        return self.call("POST", f"/v1/actions/{digest}/execute", {"code": code})

    def records(self, kind, reason="a test"):
        """The newest records of a kind, or of all whose kind begins so ("auth."), newest first."""
        answer = self.call("GET", f"/v1/audit?reason={quote(reason)}&kind={kind}&limit=200")
        assert answer.status == 200, answer
        return answer.json["records"]
