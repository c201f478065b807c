#!/usr/bin/python3
"""Administrators: who becomes one, what a code opens and what it does not, and what ends a session.

Codes are scarce, one in thirty seconds for each, so sentences share their administrators.
"""

import fcntl
import os
import pwd
import random
import re
import shutil
import stat
import struct
import subprocess
import termios
import threading
import time
import uuid
from contextlib import contextmanager
from http.client import HTTPException
from itertools import count

from rig import proof, wire
from rig.administrator import STEP_S, Administrator, Authenticator, Line
from rig.authority import EC_KEY, Authority, new_request
from rig.directory import organisation
from rig.musterd import TOP, process_name
from rig.process import free_port, run, wait_until
from rig.proof import sentence
from rig.stage import Stage, people_of
from rig.store import Store

LONG = bool(os.environ.get("MUSTER_LONG"))
IN_TIME_S = 30
GONE_S = 2                      # from the directory's word to the last refusal
NAMESAKE, OTHER_NAMESAKE = people_of("Sales")[:2]
SUSPENDED = next(p for p in organisation.PEOPLE if p.status == "suspended")
STAGED = next(p for p in organisation.PEOPLE if p.start_date > "2030")
OUTSIDER = people_of("Sales")[2]
SUBJECT = people_of("Operations")[0]           # somebody to do things about
FILES = count(1)


class Office(Stage):
    """Directory and musterd; the chat server is away, which hinders no administrator."""

    def start(self):
        self.directory.start()
        self.directory.set(NAMESAKE, "mail", f"{OTHER_NAMESAKE.uid}@example.org")
        self.musterd.start()
        self.musterd.wait_verdict("complete")
        self.store = Store(self.musterd)
        self.crew = Crew(self)


class Crew:
    """The administrators, each made when a sentence first needs them."""

    def __init__(self, stage):
        self.stage = stage
        self.made = {}
        self.candidates = iter(people_of("People") + people_of("Finance"))

    def candidate(self):
        return Administrator(self.stage, next(self.candidates))

    @property
    def two(self):
        if "first" not in self.made:
            first, second = self.candidate(), self.candidate()
            self.waiting = self.candidate()
            self.waiting.said = self.waiting.bootstrap(expect=1, types_code=False)
            for one in (first, second):
                one.said = one.bootstrap()
                one.role = "administrator"
            self.made.update(first=first, second=second)
            first.log_in()
            second.log_in()
        return self.made["first"], self.made["second"]

    @property
    def first(self):
        return self.two[0]

    @property
    def second(self):
        return self.two[1]

    def enrol(self, one, role):
        """Two administrators, those whose next codes come soonest, enrol somebody; the one-time code."""
        self.two
        able = sorted((a for a in self.made.values() if a.role == "administrator"),
                      key=lambda a: a.authenticator.next_step())
        digest = able[0].act("admin", "enrol", one.person.uid, role, "--reason", "help is needed",
                             expect=3).json["digest"]
        one.role = role
        return able[1].act("approve", digest).json["shown"]["enrolment_code"]

    def get(self, name, role="administrator"):
        if name not in self.made:
            one = self.candidate()
            one.log_in_first(self.enrol(one, role))
            self.made[name] = one
        return self.made[name]

    @property
    def third(self):
        return self.get("third")

    @property
    def auditor(self):
        return self.get("auditor", "auditor")

    @property
    def helpdesk(self):
        return self.get("helpdesk", "helpdesk")

    @property
    def keeper(self):
        return self.get("keeper", "user-admin")


@contextmanager
def recorded(reader, *kinds):
    """The records that are written within, in no order, once it is over."""
    def now():
        return {r["record"]: r for kind in kinds for r in reader.records(kind)}

    before, new = now(), []
    yield new
    new += [r for name, r in now().items() if name not in before]


def identify(one, whom=SUBJECT, **more):
    """Prepares something that a code alone executes, and that shows when it has been."""
    evidence = f"HR-{next(FILES)}"
    return one.propose("identify", whom.uid, level="in-person", method="passport", evidence=evidence,
                       **more), evidence


def state(one, digest):
    return one.call("GET", f"/v1/actions/{digest}").json["state"]


def log_in_body(one, password=None, code=None, user=None):
    """A login as the command sends it, with a request for a fresh key."""
    folder = one.stage.workdir.path
    new_request("muster", folder / "login.key", folder / "login.csr")
    return {"code": code, "csr": (folder / "login.csr").read_text(), "user": user or one.person.uid,
            "password": one.person.password if password is None else password}


def knock(stage, body, source="127.0.0.1"):
    """POST /v1/login without a certificate; (the answer, seconds)."""
    line = Line(stage.musterd.admin_port, wire.context(stage.musterd.ca), source)
    begun = time.monotonic()
    answer = line.ask("POST", "/v1/login", body)
    line.close()
    return answer, time.monotonic() - begun


def admin_restart(stage):
    """mu-admin forgets how often somebody has failed to log in; what is in the store stays."""
    stage.musterd.kill("mu-admin")


# --- Becoming an administrator ---

@sentence
def P5_12_who_is_bootstrapped_is_one_person_who_is_active(stage):
    one = stage.crew.candidate()
    for who, role, *words in (
            ("nobody.here", "administrator", "Nobody is known by that name"),
            (f"{OTHER_NAMESAKE.uid}@example.org", "administrator", "Several people", NAMESAKE.uid,
             OTHER_NAMESAKE.uid),
            (SUSPENDED.uid, "administrator", "suspended"),
            (STAGED.uid, "administrator", "staged"),
            (OUTSIDER.uid, "king", "no such role", "administrator", "auditor")):
        done = one.muster("--console", stage.musterd.console, "bootstrap", who, role, "--no-qr",
                          secrets=["123456"], expect=1)
        for word in words:
            assert word in done.err, f"{who}: {word} is not in: {done.err}"
        assert "otpauth" not in done.out, done.out
    assert stage.store.value("SELECT count(*) FROM administrator") == 0


@sentence
def P5_12_nobody_but_root_and_its_owner_comes_to_the_console(stage):
    """Not even with a process of musterd that was taken over: each runs as a user of its own."""
    if os.geteuid() != 0:
        return
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    strangers = ["nobody"] + [u.pw_name for u in pwd.getpwall() if u.pw_name.startswith("muster-")
                              and u.pw_name != "muster-admin"]
    assert len(strangers) > 5, strangers
    for user in strangers:
        done = subprocess.run(["/usr/bin/python3", "-c", connect, str(stage.musterd.console)], user=user,
                              group=pwd.getpwnam(user).pw_gid, extra_groups=[], cwd="/",
                              capture_output=True, text=True)
        assert "PermissionError" in done.stderr, f"{user}: {done.returncode} {done.stderr}"


@sentence
def P5_12_the_console_makes_two_administrators_and_no_third(stage):
    crew, late = stage.crew, stage.crew.candidate()
    first, second = crew.two
    assert "the input has ended" in crew.waiting.said.err, crew.waiting.said
    assert "bootstrap the second one" in first.said.out, first.said
    assert "this door is closed" in second.said.out, second.said
    assert "door is closed" in late.bootstrap(expect=1).err
    assert late.authenticator is None
    code = crew.waiting.authenticator.code()        # right, and came too late
    with recorded(first, "auth.failed", "admin.activated", "auth.login") as records:
        refused = crew.waiting.muster(*crew.waiting.server, "login", "--user", crew.waiting.person.uid,
                                      secrets=[crew.waiting.person.password, code], expect=1)
        assert "not right" in refused.err, refused.err
        status, answer = stage.musterd.console_ask("POST", "/v1/bootstrap/confirm", {
            "code": code, "person": person_id(stage, crew.waiting.person)})
        assert status == 403 and "door is closed" in answer["detail"], answer
    assert [r["kind"] for r in records] == ["auth.failed"] * 2, records
    for one in (first, second):
        assert one.call("GET", "/v1/whoami").json["role"] == "administrator"
    assert len(first.records("admin.activated")) == 2
    assert len(first.records("admin.bootstrapped")) == 3


def person_id(stage, person):
    return stage.store.value("SELECT person_id::text FROM person WHERE uid = %s", person.uid)


@sentence
def P5_20_who_was_enrolled_can_do_nothing_before_their_first_code(stage):
    crew = stage.crew
    one, first = crew.candidate(), crew.first
    once = crew.enrol(one, "administrator")
    wrong = once[:-1] + ("a" if once[-1] != "a" else "b")
    with recorded(first, "auth.") as records:
        answer, _ = knock(stage, log_in_body(one, code=wrong))
        assert answer.status == 401, answer
        answer, _ = knock(stage, log_in_body(one, code=once, password=first.person.password))
        assert answer.status == 401, "another's password opened an enrolment"
        answer, _ = knock(stage, log_in_body(first, code=once))
        assert answer.status == 401, "another's one-time code opened an enrolment"
    assert sorted(r["reason"] for r in records) == ["enrolment code", "no enrolment waits", "password"]
    said = one.log_in_first(once.upper(), expect=1, types_code=False)    # as somebody might type it
    assert one.authenticator is not None, said
    answer, _ = knock(stage, log_in_body(one, code=once))
    assert answer.status == 401, "a one-time code worked twice"
    code = one.authenticator.code()
    with recorded(first, "auth.", "action.") as records:
        body = log_in_body(one, code=code)
        del body["csr"]
        body["action"] = {"action": "revoke", "args": {}, "reason": "a test", "targets": [SUBJECT.uid]}
        answer, _ = knock(stage, body)
        assert answer.status == 401, answer
    assert [r["kind"] for r in records] == ["auth.failed"], records
    one.muster(*one.server, "login", "--user", one.person.uid, secrets=[one.person.password, code])
    assert one.call("GET", "/v1/whoami").json["role"] == "administrator"
    crew.made["third"] = one


@sentence
def P5_20_five_wrong_one_time_codes_spend_the_right_one(stage):
    crew = stage.crew
    one = crew.candidate()
    once = crew.enrol(one, "helpdesk")
    with recorded(crew.first, "auth.failed") as records:
        for digit in "23456":
            answer, _ = knock(stage, log_in_body(one, code=once[:-1] + digit if once[-1] != digit
                                                 else once[:-1] + "7"))
            assert answer.status == 401, answer
    assert sorted(r["failures"] for r in records) == [1, 2, 3, 4, 5], records
    answer, _ = knock(stage, log_in_body(one, code=once))
    assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 600, answer
    admin_restart(stage)
    with recorded(crew.first, "auth.failed") as records:
        answer, _ = knock(stage, log_in_body(one, code=once))
        assert answer.status == 401, "a spent one-time code was taken"
    assert [r["reason"] for r in records] == ["no enrolment waits"], records


# --- Logging in ---

@sentence
def P5_13_failed_logins_look_alike(stage):
    crew, second = stage.crew, stage.crew.second
    wrong = second.authenticator.wrong()
    tries = {"password": log_in_body(second, password="wrong", code=wrong),
             "code": log_in_body(second, code=wrong),
             "no administrator": log_in_body(second, user=SUBJECT.uid, code=wrong),
             "nobody": log_in_body(second, user="nobody.here", code=wrong)}
    seen = []
    for what, body in tries.items():
        with recorded(crew.first, "auth.failed") as records:
            answer, took_s = knock(stage, body)
        assert answer.status == 401 and took_s >= 0.4, f"{what}: {answer.status} after {took_s:.3f} s"
        assert len(records) == 1, f"{what}: {records}"
        assert what in ("nobody", records[0]["reason"]), f"{what}: {records}"
        seen.append((answer.body, sorted(n for n in answer.headers), answer.headers["www-authenticate"]))
    assert len(set(map(repr, seen))) == 1, seen


@sentence
def a_stranger_who_fails_in_their_name_keeps_no_administrator_out(stage):
    second = stage.crew.second
    body = log_in_body(second, password="wrong", code=second.authenticator.wrong())
    for _ in range(5):
        assert knock(stage, body, "127.0.0.9")[0].status == 401
    assert knock(stage, body, "127.0.0.9")[0].status == 429, "a sixth guess was tried"
    second.log_in()


@sentence
def a_server_of_another_authority_is_told_nothing(stage):
    one = Administrator(stage, OUTSIDER)
    login = ["login", "--user", OUTSIDER.uid]
    secrets = [OUTSIDER.password, "123456"]
    stranger = Authority(stage.workdir.make("impostor"), "muster")
    impostor = wire.Impostor(*stranger.issue("muster"))
    there = ["--server", f"https://127.0.0.1:{impostor.port}"]
    server, fingerprint = one.server[:2], one.server[2:]

    said = one.muster(*server, "--ca-fingerprint", "0" * 64, *login, secrets=secrets, expect=1).err
    assert "0" * 64 in said and stage.musterd.ca_fingerprint() in said, said
    said = one.muster(*there, *fingerprint, *login, secrets=secrets, expect=1).err
    assert "not the one that was pinned" in said, said
    assert not list(one.home.iterdir()), "something was kept of a server that is not trusted"

    said = one.muster(*server, *fingerprint, *login, secrets=secrets, expect=1).err
    assert "not right" in said, said                # from here on the right authority is pinned
    one.muster(*there, *login, secrets=secrets, expect=1)
    assert impostor.met >= 2 and impostor.heard == b"", impostor.heard
    impostor.close()


@sentence
def secrets_that_are_missing_are_asked_for_by_name(stage):
    first = stage.crew.first
    for secrets, word in (([], "Password"), ([first.person.password], "Code"), (["", "123456"], "Password")):
        said = first.muster(*first.server, "login", "--user", first.person.uid, secrets=secrets, expect=1).err
        assert word in said and first.person.password not in said, said
    said = first.muster("revoke", SUBJECT.uid, "--reason", "a test", expect=1).err
    assert "Code" in said, said
    assert first.call("GET", "/v1/whoami").status == 200


@sentence
def P3_4_no_secret_stands_in_arguments_environment_or_files(stage):
    first, directory = stage.crew.first, stage.directory
    process = first.start(*first.server, "login", "--user", first.person.uid)
    process.stdin.write(f"{first.person.password}\n")
    process.stdin.flush()
    wait_until("muster has read the password", lambda: unread(process.stdin) == 0, IN_TIME_S)
    secrets = [first.person.password.encode(), directory.muster_password.encode(),
               stage.ejabberd.admin_password.encode(), first.authenticator.seed,
               first.authenticator.base32.encode(), (first.home / "session.pem").read_bytes()[-150:-40]]
    family = [process.pid, stage.musterd.server.pid, *stage.musterd.children()]
    assert len(family) > 10, family
    for pid in family:
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                text = file.read()
            assert name != "cmdline" or text, f"process {pid} shows nothing"
            assert not [s for s in secrets if s in text], f"a secret in {name} of {process_name(pid)}"
    process.communicate(timeout=IN_TIME_S)

    assert stat.S_IMODE(first.home.stat().st_mode) == 0o700
    for path in first.home.iterdir():
        text = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert not [s for s in secrets[:-1] if s in text], f"a secret in {path}"
    log = stage.musterd.server.log.read_bytes()
    assert not [s for s in secrets if s in log], "a secret in musterd's log"


def unread(pipe):
    """How many bytes of a pipe nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


# --- Roles ---

LOOKS = {       # what is asked for: what a role needs for it
    "/v1/people": "read.people", f"/v1/people/{SUBJECT.uid}": "read.people",
    f"/v1/people/{SUBJECT.uid}/explain": "read.people", "/v1/accounts": "read.accounts",
    "/v1/platforms": "read.status", "/v1/sources": "read.status", "/v1/status": "read.status",
    "/v1/clients": "read.clients", "/v1/administrators": "read.administrators",
    "/v1/audit?reason=test": "read.audit", "/v1/reviews": "read.reviews",
}
ACTIONS = {     # an action: a request that would be prepared for whoever may
    "revoke": {}, "suspend": {}, "resume": {}, "reinstate": {},
    "identify": {"level": "in-person", "method": "passport", "evidence": "HR-0"},
    "grant": {"role": "ops-moderator", "until": "2038-01-01T00:00:00Z"}, "ungrant": {"role": "ops-moderator"},
    "credential.issue": {"platform": "xmpp"}, "brake.release": {"source": "main"},
    "policy.apply": {"base": 1, "files": {"roles.yaml": ""}},
    "client.add": {"name": "other", "platform": "xmpp", "csr": "x"},
    "client.renew": {"name": "other", "csr": "x"},
    "client.remove": {"name": "other"}, "admin.enrol": {"role": "administrator"}, "admin.unlock": {},
    "admin.remove": {}, "sync.run": {"source": "main"},
    "review.confirm": {"grants": [str(uuid.UUID(int=1))]}, "review.drop": {"grants": [str(uuid.UUID(int=1))]},
}
ABOUT_NOBODY = ("brake.release", "policy.apply", "client.add", "client.renew", "client.remove", "sync.run",
                "review.confirm", "review.drop")
ROLES = {
    "auditor": {"read.accounts", "read.administrators", "read.audit", "read.clients", "read.people",
                "read.reviews", "read.status"},
    "helpdesk": {"revoke", "suspend", "credential.issue", "read.accounts", "read.people", "read.status"},
    "administrator": {*ACTIONS, "read.accounts", "read.administrators", "read.audit", "read.clients",
                      "read.people", "read.reviews", "read.status"},
}


@sentence
def P5_7_a_role_may_what_it_lists_and_nothing_else(stage):
    crew = stage.crew
    for one in (crew.auditor, crew.helpdesk, crew.first):
        may, line = ROLES[one.role], one.line()
        wanted_refusals = 0
        with recorded(crew.second, "action.refused") as records:
            for path, permission in LOOKS.items():
                answer = line.ask("GET", path)
                assert answer.status == (200 if permission in may else 403), f"{one.role}, {path}: {answer}"
                wanted_refusals += permission not in may
            for action, args in ACTIONS.items():
                answer = line.ask("POST", "/v1/actions", {
                    "action": action, "args": args, "reason": "a test",
                    "targets": [] if action in ABOUT_NOBODY else [SUBJECT.uid]})
                assert (answer.status == 403) == (action not in may), f"{one.role}, {action}: {answer}"
                assert action in may or one.role in answer.json["detail"], answer
                wanted_refusals += answer.status >= 400
        assert len(records) == wanted_refusals, f"{one.role}: {wanted_refusals} refused, {len(records)} recorded"
        line.close()


@sentence
def P5_7_an_auditor_executes_approves_and_denies_nothing_of_others(stage):
    crew = stage.crew
    one, asker = crew.auditor, crew.helpdesk
    digest = asker.propose("credential.issue", SUBJECT.uid, platform="xmpp")
    assert asker.execute(digest, asker.authenticator.code()).status == 202
    code = one.authenticator.code()
    for verb, body, status in (("execute", {"code": code}, 404), ("approve", {"code": code}, 403),
                               ("deny", {"code": code, "reason": "no"}, 403)):
        with recorded(crew.first, "action.") as records:
            answer = one.call("POST", f"/v1/actions/{digest}/{verb}", body)
        assert answer.status == status, f"{verb}: {answer}"
        assert [r["kind"] for r in records] == ["action.refused"], f"{verb}: {records}"
    assert state(asker, digest) == "pending"


# --- Codes ---

@sentence
def P5_13_only_the_right_code_opens_and_opens_once(stage):
    crew = stage.crew
    one, reader = crew.third, crew.first
    own = person_id(stage, one.person)
    digest, _ = identify(one)
    clock, shown = Authenticator.now, one.authenticator.at
    for what, code in (("wrong", one.authenticator.wrong), ("gone by", lambda: shown(clock() - 2)),
                       ("of a step to come", lambda: shown(clock() + 2))):
        with recorded(reader, "auth.", "action.") as records:
            answer = one.execute(digest, code())
        assert answer.status == 403 and "The code was refused" in answer.json["detail"], f"{what}: {answer}"
        seen = [(r["kind"], r["reason"], r["actor"]) for r in records]
        assert seen == [("auth.failed", "code", own)], f"{what}: {records}"
    for code in ("12345", "1234567", "abcdef", "", "12 456", "-12345", "１２３４５６", "0x1234"):
        with recorded(reader, "auth.", "action.") as records:
            answer = one.execute(digest, code)
        assert answer.status == 400 and "6 digits" in answer.json["detail"], f"{code!r}: {answer}"
        assert [(r["kind"], r["reason"]) for r in records] == [("auth.failed", "malformed code")], records
    assert state(one, digest) == "prepared"

    code = one.authenticator.code()
    assert one.execute(digest, code).status == 200
    again = one.execute(digest, code)
    assert again.status == 200 and again.json["state"] == "executed", "executed once, however often sent"
    other, _ = identify(one)
    with recorded(reader, "auth.", "action.") as records:
        answer = one.execute(other, code)
    assert answer.status == 403, "a used code opened something"
    assert [r["reason"] for r in records] == ["code"], records
    assert state(one, other) == "prepared"


@sentence
def P5_13_the_command_tells_of_a_code_that_is_none(stage):
    one, reader = stage.crew.third, stage.crew.first
    done = one.muster("identify", SUBJECT.uid, "--level", "in-person", "--method", "passport",
                      "--evidence", "HR-0", secrets=["12345"], expect=1)
    assert "6 digits" in done.err, done.err
    shown = reader.muster("--json", "audit", "list", "--reason", "who tried", "--kind", "auth.failed",
                          "--limit", 1).json["records"]
    assert [r["reason"] for r in shown] == ["malformed code"], shown


@sentence
def R_KILL_code_and_action_are_never_apart(stage):
    """Whatever ends in the midst of an execution: the action, its effect, its record and its code stand
    together or not at all; and a code that opened nothing still opens."""
    crew = stage.crew
    able = [crew.first, crew.second, crew.third, crew.keeper]
    unused, stood, moment_s = {}, {True: 0, False: 0}, 0.02
    kinds = ["mu-admin", *["its store"] * 4] * (20 if LONG else 5)
    for kind in kinds:
        one = min(able, key=lambda a: unused.get(a) or a.authenticator.next_step())
        step = unused.pop(one, 0)
        if step < Authenticator.oldest():
            one.authenticator.code()
            step = one.authenticator.last
        done = cut_short(stage, one, step, kind, moment_s * random.uniform(0.7, 1.3))
        stood[done] += 1
        # codes are what is scarce: most moments are shortly before the end
        moment_s *= 0.7 if done else 1.1
        if not done:
            unused[one] = step
    assert min(stood.values()) >= len(kinds) // 10, f"the moments were ill chosen: {stood}"


def cut_short(stage, one, step, kind, after_s):
    """Has one execution cut short by a kill at some moment; was it done?"""
    code = one.authenticator.at(step)
    digest, evidence = identify(one)
    line, answers = one.line(), []

    def execute():
        try:
            answers.append(line.ask("POST", f"/v1/actions/{digest}/execute", {"code": code}).status)
        except (OSError, HTTPException) as why:
            answers.append(repr(why))

    thread = threading.Thread(target=execute)
    thread.start()
    time.sleep(after_s)         # the moment is what is tried out here
    if kind == "mu-admin":
        stage.musterd.kill(kind)
    else:
        stage.store.rows("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = 'muster_admin'""")
    thread.join()
    line.close()
    answer = wait_until("the API answers again", lambda: next(
        (a for a in [one.call("GET", f"/v1/actions/{digest}")] if a.status != 503), None), IN_TIME_S)
    assert answer.status == 200, answer
    done = answer.json["state"] == "executed"
    used = stage.store.value("SELECT last_step >= %s FROM totp_seed WHERE person_id = %s", step,
                             person_id(stage, one.person))
    effects = stage.store.value("SELECT count(*) FROM identification WHERE evidence = %s", evidence)
    records = stage.store.value("""SELECT count(*) FROM audit_record
        WHERE kind = 'action.executed' AND body LIKE %s""", f"%{digest}%")
    assert (used, effects, records) == (done, done, done), \
        f"executed: {done}, code used: {used}, {effects} effects, {records} records;" \
        f" {kind} after {after_s * 1000:.1f} ms, answered {answers}"
    assert done or answers != [200], "it was answered before it was done"
    return done


@sentence
def P5_13_a_code_that_was_not_used_in_time_opens_nothing(stage):
    one = stage.crew.auditor
    shown, clock = one.authenticator.at, Authenticator.now
    wait_until("a code has gone by unused", lambda: one.authenticator.last < clock() - 2, 4 * STEP_S, 0.1)
    with recorded(stage.crew.first, "auth.failed") as records:
        answer, _ = knock(stage, log_in_body(one, code=shown(clock() - 2)))
    assert answer.status == 401, "a code of two steps ago opened a session"
    assert [r["reason"] for r in records] == ["code"], records
    assert knock(stage, log_in_body(one, code=one.authenticator.code()))[0].status == 200


@sentence
def T2_a_hundred_uses_of_one_code_open_one_action(stage):
    crew = stage.crew
    one = crew.keeper
    people = [p for d in ("Operations", "Sales", "Engineering") for p in people_of(d)][:100]
    assert len(people) == 100
    line = one.line()
    digests = [line.ask("POST", "/v1/actions", {
        "action": "identify", "args": {"level": "in-person", "method": "passport", "evidence": p.uid},
        "reason": "a test", "targets": [p.uid]}).json["digest"] for p in people]
    line.close()
    code = one.authenticator.code()
    # one address has a fourth of the connections
    lines = [Line(stage.musterd.admin_port, one.tls(), f"127.0.0.{2 + i % 4}") for i in range(100)]
    answers, start = [None] * 100, threading.Barrier(100)

    def use(i):
        start.wait()
        answers[i] = lines[i].ask("POST", f"/v1/actions/{digests[i]}/execute", {"code": code})

    with recorded(crew.first, "auth.failed", "auth.locked", "action.executed") as records:
        threads = [threading.Thread(target=use, args=(i,)) for i in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for each in lines:
        each.close()
    assert sorted(a.status for a in answers) == [200] + [403] * 99, sorted(a.status for a in answers)
    states = stage.store.rows("""SELECT state, count(*) FROM action
        WHERE encode(digest, 'hex') = ANY(%s) GROUP BY 1""", digests)
    assert dict(states) == {"executed": 1, "prepared": 99}, states
    kinds = [(r["kind"], r.get("reason")) for r in records]
    assert kinds.count(("auth.failed", "code")) == 5, "more than five were evaluated"
    assert kinds.count(("auth.failed", "locked")) == 94
    assert kinds.count(("auth.locked", None)) == 1
    assert len([k for k, _ in kinds if k == "action.executed"]) == 1


@sentence
def P4_1_five_wrong_codes_lock_and_a_second_administrator_unlocks(stage):
    crew = stage.crew
    one, reader = crew.helpdesk, crew.first
    own = person_id(stage, one.person)
    digest = one.propose("revoke", SUBJECT.uid)
    mark = stage.musterd.log_mark()
    with recorded(reader, "auth.") as records:
        for left in ("Tries left: 4", "Tries left: 3", "Tries left: 2", "Tries left: 1", "locked"):
            answer = one.execute(digest, one.authenticator.wrong())
            assert answer.status == 403 and left in answer.json["detail"], answer
    assert {r["actor"] for r in records} == {own}
    assert sorted(r["failures"] for r in records if r["kind"] == "auth.failed") == [1, 2, 3, 4, 5], records
    assert [r["kind"] for r in records].count("auth.locked") == 1 and len(records) == 6, records
    stage.musterd.wait_log("event=auth.locked", mark)

    code = one.authenticator.code()
    with recorded(reader, "auth.") as records:
        answer = one.execute(digest, code)
        assert answer.status == 403 and "a second administrator unlocks" in answer.json["detail"], answer
        assert knock(stage, log_in_body(one, code=code))[0].status == 401, "somebody who is locked logged in"
    assert [r["reason"] for r in records] == ["locked", "locked"], records
    assert one.call("GET", "/v1/whoami").status == 200, "who is locked may still look"

    with recorded(reader, "admin.unlocked") as records:
        reader.act("admin", "unlock", one.person.uid, "--reason", "it was a bad night")
    assert [(r["person"], r["actor"]) for r in records] == [(own, person_id(stage, reader.person))], records
    again = reader.muster("admin", "unlock", one.person.uid, "--reason", "again", expect=1).err
    assert "not locked" in again, again
    # keys has evaluated five wrong ones and evaluates no more of this seed, locked or not
    answer = one.execute(digest, code)
    assert answer.status == 429, answer
    assert "wrong codes" in answer.json["detail"] and 0 < int(answer.headers["retry-after"]) <= 600, answer
    assert state(one, digest) == "prepared"


# --- Sessions ---

@sentence
def a_session_ends_with_the_logout(stage):
    one = stage.crew.auditor
    kept = stage.workdir.path / "kept.pem"
    shutil.copy(one.session, kept)
    line = Line(stage.musterd.admin_port, one.tls(kept))
    assert line.ask("GET", "/v1/whoami").status == 200
    with recorded(stage.crew.first, "auth.logout") as records:
        assert "logged out" in one.muster("logout").out
    assert [r["actor"] for r in records] == [person_id(stage, one.person)]
    assert not one.session.exists()
    assert line.ask("GET", "/v1/whoami").status == 401, "an open connection outlived the session"
    line.close()
    line = Line(stage.musterd.admin_port, one.tls(kept))
    assert line.ask("GET", "/v1/whoami").status == 401, "a kept copy outlived the session"
    line.close()
    assert "muster login" in one.muster("whoami", expect=1).err


def body_of(method, path):
    return {} if method == "POST" and path != "/v1/logout" else None


def admin_routes():
    """Method and path of every route of the administrators' API, with something in the places of names."""
    source = (TOP / "svc" / "api" / "admin.c").read_text()
    table = source[source.index("struct http_route routes[]"):]
    routes = re.findall(r'\b(GET|POST)(?:_JSON)?\("(/v1/[^"]*)"', table)
    assert len(routes) > 20, routes
    names = {"{digest}": "0" * 64, "{who}": SUBJECT.uid, "{name}": "xmpp"}
    return [(method, re.sub(r"\{\w+\}", lambda m: names[m[0]], path)) for method, path in routes]


@sentence
def P3_1_no_other_certificate_opens_a_route_of_administrators(stage):
    musterd, reader = stage.musterd, stage.crew.first
    stranger = Authority(stage.workdir.make("stranger"), "muster")
    folder = stage.workdir.make("self-signed")
    admin_restart(stage)                            # strangers' refusals are recorded so many times an hour
    for what, certificate in (("none", ()),
                              ("a platform's", (musterd.client_certificate, musterd.client_key)),
                              ("another authority's", stranger.issue("admin")),
                              ("self-signed", self_signed(folder, reader))):
        with recorded(reader, "auth.failed") as records:
            line = Line(musterd.admin_port, wire.context(musterd.ca, *certificate))
            for method, path in admin_routes():
                answer = line.ask(method, path, body_of(method, path))
                wanted = 400 if path == "/v1/login" else 401
                assert answer.status == wanted, f"certificate {what}, {method} {path}: {answer}"
            line.close()
        assert len(records) == len(admin_routes()), f"certificate {what}: {len(records)} records"


def self_signed(folder, one):
    """A certificate that names a session, by nobody's authority."""
    name = run(["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", "-in", one.session])
    name = re.search(r"commonName\s*= (\S+)", name)[1]
    assert name.startswith("admin."), name
    certificate, key = folder / "own.crt", folder / "own.key"
    run(["openssl", "req", "-x509", *EC_KEY, "-keyout", key, "-out", certificate, "-days", "1",
         "-subj", f"/CN={name}", "-addext", "keyUsage=digitalSignature",
         "-addext", "extendedKeyUsage=clientAuth"])
    return certificate, key


@sentence
def P5_8_the_other_listeners_have_no_administrators_route(stage):
    musterd, one = stage.musterd, stage.crew.first
    platform = wire.context(musterd.ca, musterd.client_certificate, musterd.client_key)
    for what, port, tls in (("token, a platform", musterd.token_port, platform),
                            ("token, an administrator", musterd.token_port, one.tls()),
                            ("claim", musterd.claim_port, one.tls())):
        line = Line(port, tls)
        for method, path in admin_routes():
            answer = line.ask(method, path, body_of(method, path))
            assert answer.status == 404, f"{what}: {method} {path}: {answer}"
        line.close()
    line = Line(musterd.token_port, one.tls())
    answer = line.ask("GET", f"/v1/grants/{SUBJECT.uid}")
    assert answer.status in (401, 403) and "eyJ" not in answer.body, answer
    line.close()


@sentence
def P5_12_who_is_deleted_from_the_directory_is_out_within_two_seconds(stage):
    one = stage.crew.keeper
    open_line = one.line()
    assert open_line.ask("GET", "/v1/whoami").status == 200
    stage.directory.delete(one.person.dn)
    wait_until("the session ends", lambda: one.call("GET", "/v1/whoami").status == 401, GONE_S)
    answer = open_line.ask("GET", "/v1/people")
    assert answer.status == 401 and SUBJECT.uid not in answer.body, answer
    open_line.close()
    with recorded(stage.crew.first, "auth.failed") as records:
        answer, _ = knock(stage, log_in_body(one, code=one.authenticator.wrong()))
    assert answer.status == 401
    assert [r["reason"] for r in records] == ["not active in the directory"], records


@sentence
def P5_12_who_is_revoked_is_out_at_once(stage):
    crew = stage.crew
    one = crew.third
    open_line = one.line()
    assert open_line.ask("GET", "/v1/whoami").status == 200
    crew.second.act("revoke", one.person.uid, "--reason", "the phone was stolen")
    assert open_line.ask("GET", "/v1/whoami").status == 401
    open_line.close()
    code = one.authenticator.code()
    with recorded(crew.first, "auth.failed") as records:
        answer, _ = knock(stage, log_in_body(one, code=code))
    assert answer.status == 401
    assert [r["reason"] for r in records] == ["revoked"], records
    done = one.muster("whoami", expect=1)
    assert "muster login" in done.err, done.err


@sentence
def exit_statuses_say_what_became_of_it(stage):
    """3 is what a proposal that waits for approval ends with, seen wherever somebody is enrolled here."""
    first = stage.crew.first
    first.muster("whoami", expect=0)
    first.muster("person", "show", "nobody.here", expect=1)
    for usage, word in ((["revoke", SUBJECT.uid], "--reason"), (["revok"], "revoke"), ([], "usage"),
                        (["whoami", "--yes"], "--yes"), (["grant", SUBJECT.uid], "ROLE")):
        assert word in first.muster(*usage, expect=2).err, usage
    said = first.muster("--server", f"https://127.0.0.1:{free_port()}", "whoami", expect=4).err
    assert "127.0.0.1" in said, said


@sentence
def a_service_that_is_stopped_is_said_to_be_and_sessions_outlive_it(stage):
    first = stage.crew.first
    stage.store.connection.close()
    stage.musterd.stop()
    said = first.muster("whoami", expect=4).err
    assert str(stage.musterd.admin_port) in said, said
    said = first.muster("--console", stage.musterd.console, "bootstrap", OUTSIDER.uid, "administrator",
                        expect=4).err
    assert "is musterd running" in said, said
    stage.musterd.start()
    wait_until("the API answers", lambda: first.muster("whoami", expect=None).status == 0, IN_TIME_S)


proof.main(Office.start, Office)
