#!/usr/bin/python3
"""What tests/quickstart shows: somebody joins, moves, leaves; administrators revoke and grant.

Each clock starts when slapd has acknowledged the change and stops at what an independent client,
started and logged in before, saw: a stanza, a closed stream, a refusal over TLS. A step fails if
the same could be seen before the change, or is not seen in time.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from rig.administrator import Administrator
from rig.directory import ADMIN_DN, organisation
from rig.musterd import Hold
from rig.process import end_on_signals, now_ns, wait_until, write_file
from rig.stage import FIRST_READ_S, Stage, groups_shown, jid, people_of, wait_all_shown

IN_TIME_S = 30
BROKEN_IN_TIME_S = 10
BREAKABLE = ("adapter", "cycle", "token")
JOINER = organisation.Person("marama.reid", "Mārama", "Reid", "Operations", number=20001)
UNKNOWN_JOINER = organisation.Person("tomas.lindqvist", "Tomás", "Lindqvist", "Sales",
                                     number=20002, identified=False)


def say(text):
    print(text, flush=True)


def milliseconds(begun_ns, seen_ns):
    return max(0, round((seen_ns - begun_ns) / 1e6))


class Walk:
    def __init__(self, stage, in_time_s):
        self.stage = stage
        self.in_time_s = in_time_s
        self.figures = {}
        operations, sales = people_of("Operations"), people_of("Sales")
        self.old_colleague, self.mover, self.leaver, self.granted_person = operations[:4]
        self.new_colleague, self.visitor = sales[:2]
        self.watches = {}
        self.leaver_token = None
        self.fifths = 0
        self.administrators_there = ()

    def prepare(self):
        say("starting a directory with %d people, a chat server and musterd"
            % len(organisation.PEOPLE))
        self.stage.start()
        for person in (self.old_colleague, self.mover, self.leaver, self.new_colleague):
            self.watches[person] = self.stage.meet(person)
            say(f"  {person.name} ({person.department}) collected a credential and is online")
        wait_all_shown(self.watches[self.old_colleague], self.progress)
        wait_until(f"{self.mover.name} shows in operations",
                   lambda: "operations" in groups_shown(self.watches[self.old_colleague], self.mover),
                   FIRST_READ_S)
        self.leaver_token = self.stage.granted(self.leaver)

    def progress(self, shown, count):
        if shown * 5 // count > self.fifths:
            self.fifths = shown * 5 // count
            say(f"  {shown} of {count} identified staff have their account and group")

    def joiner(self):
        """a joiner appears in the directory, collects a credential once and logs in"""
        colleague = self.watches[self.old_colleague]
        token = self.stage.token_watch(JOINER.uid)
        token.wait("the token API does not know the joiner yet", self.in_time_s,
                   event="answer", status=404)
        before = colleague.mark()
        assert not groups_shown(colleague, JOINER), "the joiner is already in a contact list"

        begun = self.stage.directory.add_person(JOINER)
        push = colleague.wait("a colleague online in all-staff sees the joiner", self.in_time_s,
                              before, event="push", jid=jid(JOINER),
                              subscription=lambda s: s in ("both", "from", "to"))
        self.figures["joiner_ms"] = milliseconds(begun, push["t"])
        say(f"  {self.old_colleague.name} saw {JOINER.name} appear after"
            f" {self.figures['joiner_ms']} ms")

        self.stage.collect(JOINER, self.in_time_s)
        again = self.stage.claim(JOINER)
        assert again["status"] == 410 and not again["credentials"], \
            f"a second claim was answered {again['status']}"
        say("  the claim page gave the credential once; the second visit was refused")
        self.watches[JOINER] = self.stage.online(JOINER, self.in_time_s)
        granted = token.wait("the token API grants the joiner's roles", self.in_time_s,
                             event="answer", status=200)
        say(f"  {JOINER.name} logged in; the token API grants {', '.join(granted['roles'])}")

    def unidentified(self):
        """another joiner, whom nobody has identified, is refused a credential"""
        colleague = self.watches[self.old_colleague]
        before = colleague.mark()
        self.stage.directory.add_person(UNKNOWN_JOINER)

        def refused():
            answer = self.stage.claim(UNKNOWN_JOINER)
            assert not answer["credentials"], "a credential was given without identification"
            return answer if answer["status"] == 403 and answer["refusal"] else None

        answer = wait_until("the claim page refuses the unidentified joiner", refused,
                            self.in_time_s)
        token = self.stage.token_watch(UNKNOWN_JOINER.uid)
        token.wait("the token API refuses the unidentified joiner", self.in_time_s,
                   event="answer", status=403)
        assert colleague.find(before, event="push", jid=jid(UNKNOWN_JOINER)) is None, \
            "the unidentified joiner shows in a contact list"
        say(f"  {UNKNOWN_JOINER.name} was refused: “{answer['refusal'].strip()}”")

    def move(self):
        """a mover changes department and the groups swap"""
        old, new = self.watches[self.old_colleague], self.watches[self.new_colleague]
        assert "operations" in groups_shown(old, self.mover), "the mover is not in operations"
        assert "sales" not in groups_shown(new, self.mover), "the mover is already in sales"
        before_old, before_new = old.mark(), new.mark()

        begun = self.stage.directory.set(self.mover, "departmentNumber", "Sales")
        lost = old.wait("the old colleagues lose the mover", self.in_time_s, before_old,
                        event="push", jid=jid(self.mover),
                        subscription="remove", groups=lambda g: "operations" in g)
        gained = new.wait("the new colleagues gain the mover", self.in_time_s, before_new,
                          event="push", jid=jid(self.mover), groups=lambda g: "sales" in g,
                          subscription=lambda s: s != "remove")
        self.figures["mover_ms"] = milliseconds(begun, max(lost["t"], gained["t"]))
        shown = groups_shown(old, self.mover)
        assert "operations" not in shown, f"the mover still shows in {shown}"
        own = self.watches[self.mover].ask("roster", "roster")["items"]
        assert "sales" in own[jid(self.new_colleague)]["groups"], "the mover misses the new group"
        assert "operations" not in own[jid(self.old_colleague)]["groups"], \
            "the mover still sees the old group"
        say(f"  {self.mover.name} left operations and joined sales for all to see after"
            f" {self.figures['mover_ms']} ms")

    def leave(self):
        """a leaver is deleted from the directory; live session, login and token API all end"""
        session, token = self.watches[self.leaver], self.leaver_token
        before_session, before_token = session.mark(), token.mark()
        session.ask("ping", "pong")
        assert session.find(event="closed") is None, "the leaver's session had ended before"
        token.ask("ping", "answer", self.in_time_s, status=200)

        begun = self.stage.directory.delete(self.leaver.dn)
        refused = token.wait("the token API refuses the leaver", self.in_time_s, before_token,
                             event="answer", status=403)
        closed = session.wait("the leaver's live session ends", self.in_time_s, before_session,
                              event="closed")
        self.figures["leaver_token_ms"] = milliseconds(begun, refused["t"])
        self.figures["leaver_session_ms"] = milliseconds(begun, closed["t"])
        self.stage.log_in(self.leaver).wait("the leaver's login is refused", self.in_time_s,
                                            event="refused", stage=lambda s: s in ("auth", "bind"))
        token.ask("ping", "answer", self.in_time_s, status=403)
        say(f"  {self.leaver.name}: token API refused after {self.figures['leaver_token_ms']} ms,"
            f" session ended after {self.figures['leaver_session_ms']} ms, login refused")


    def administrators(self):
        """two administrators are bootstrapped on the console, one enrols a third, the other approves"""
        console, second, third = (Administrator(self.stage, p) for p in people_of("People")[:3])
        console.bootstrap()
        second.bootstrap()
        late = Administrator(self.stage, people_of("Finance")[0])
        assert late.bootstrap(expect=1).status == 1, "a third one was bootstrapped"
        say(f"  {console.person.name} and {second.person.name} were; then the console's door was closed")
        console.log_in()
        second.log_in()
        say("  both logged in; each code opens once, so the next ones are waited for")
        asked = console.act("admin", "enrol", third.person.uid, "administrator", "--reason", "a third pair of hands",
                            expect=3).json
        granted = second.act("approve", asked["digest"]).json
        third.log_in_first(granted["shown"]["enrolment_code"])
        say(f"  {console.person.name} enrolled {third.person.name}, {second.person.name} approved, and"
            f" {third.person.name} collected a seed with the one-time code and logged in")
        self.administrators_there = console, second, third

    def revoke(self):
        """an administrator revokes somebody who is online: session, login and token API all end"""
        victim, (_, _, third) = self.old_colleague, self.administrators_there
        session, token = self.watches[victim], self.stage.granted(victim)
        before, before_token = session.mark(), token.mark()
        code = third.authenticator.code()
        begun = now_ns()
        third.muster("revoke", victim.uid, "--reason", "the phone was stolen", "--wait", secrets=[code])
        closed = session.wait("the live session ends", self.in_time_s, before, event="closed")
        refused = token.wait("the token API refuses", self.in_time_s, before_token, event="answer", status=403)
        assert refused["t"] > begun and closed["t"] > begun
        self.figures["revoke_ms"] = milliseconds(begun, closed["t"])
        self.stage.log_in(victim).wait("the login is refused", self.in_time_s, event="refused",
                                       stage=lambda s: s in ("auth", "bind"))
        say(f"  {victim.name}'s session ended {self.figures['revoke_ms']} ms after muster revoke was typed; login and"
            " token API refuse")

    def approval(self):
        """a role that needs approval is granted for an hour, and the second administrator approves"""
        person, (first, second, third) = self.granted_person, self.administrators_there
        first.act("identify", person.uid, "--level", "in-person", "--method", "passport", "--evidence", "HR-1",
                  "--reason", "before the shift")
        asked = third.act("grant", person.uid, "ops-moderator", "--until", "1h", "--reason", "night shift",
                          expect=3).json
        token = self.stage.token_watch(person.uid)
        before = token.wait("the token API answers", self.in_time_s, event="answer", status=200)
        assert "ops-moderator" not in before["roles"], "the role was there before anybody approved"
        mark = token.mark()
        second.act("approve", asked["digest"])
        granted = token.wait("the token API grants the role", self.in_time_s, mark, event="answer", status=200,
                             roles=lambda roles: "ops-moderator" in roles)
        say(f"  {person.name} has {', '.join(granted['roles'])}")


def invitation(walk):
    """What to type while everything is up."""
    stage, visitor, mover = walk.stage, walk.visitor, walk.granted_person
    third = walk.administrators_there[-1]
    directory, musterd = stage.directory, stage.musterd
    clients = Path(__file__).resolve().parent / "clients"
    password = write_file(stage.workdir.path / "admin-password", directory.admin_password,
                          mode=0o600)
    write = f"-x -H {directory.uri} -D {ADMIN_DN} -y {password}"
    return f"""
Everything is up. In another terminal, try

  {visitor.name} collects a credential (directory password {visitor.password}), also in a browser
    {clients}/claim --connect 127.0.0.1:{musterd.claim_port} --ca {musterd.ca} --user {visitor.uid}
  and logs in with it; the program prints what it sees, first type the credential
    {clients}/xmpp-watch --connect 127.0.0.1:{stage.ejabberd.c2s_port} --ca {directory.ca} --jid {jid(visitor)}
  the token API, as the chat server would ask it
    curl -s --cacert {musterd.ca} --cert {musterd.client_certificate} --key {musterd.client_key} \\
      https://127.0.0.1:{musterd.token_port}/v1/grants/{visitor.uid}
  {mover.name} moves to Engineering
    printf 'dn: {mover.dn}\\nchangetype: modify\\nreplace: departmentNumber\\ndepartmentNumber: Engineering\\n' \\
      | ldapmodify {write}
  {third.person.name} administers with the codes of this seed (oathtool --totp -b prints them, too, and a phone)
    {third.authenticator.uri}
    export MUSTER_HOME={third.home}
    {third.binary} status
    {third.binary} person show {visitor.uid}
    {third.binary} revoke {visitor.uid} --reason 'to see it' --wait
    {third.binary} help
  {walk.granted_person.name} leaves
    ldapdelete {write} {walk.granted_person.dn}
  what muster does and what it thinks
    tail -f {musterd.server.log}
    curl -s --unix-socket {musterd.console} http://localhost/v1/status | jq .

Ctrl-C ends everything and removes {stage.workdir.path}.
"""


def walk_all(stage, broken):
    walk = Walk(stage, BROKEN_IN_TIME_S if broken else IN_TIME_S)
    steps = {"start": walk.prepare, "joiner": walk.joiner, "unidentified joiner": walk.unidentified,
             "mover": walk.move, "leaver": walk.leave, "administrators": walk.administrators,
             "revoke": walk.revoke, "approval": walk.approval}
    hold = None
    try:
        for name, step in steps.items():
            if broken and hold is None and name != "start":
                hold = Hold(stage.musterd, f"mu-{broken}")
                say(f"holding mu-{broken} still")
            if step.__doc__:
                say(f"{name}: {step.__doc__}")
            try:
                step()
            except AssertionError as why:
                say(f"quickstart: step {name} failed: {why}")
                return None
    finally:
        if hold is not None:
            hold.release()
    return walk


def stay(walk):
    say(invitation(walk))
    servers = [s.server for s in (walk.stage.directory, walk.stage.ejabberd, walk.stage.musterd)]
    while all(server.running() for server in servers):
        signal.sigtimedwait([], 1)
    dead = next(server for server in servers if not server.running())
    say(f"{dead.name} ended by itself:\n{dead.log_tail()}")
    return 1


def main():
    parser = argparse.ArgumentParser(prog="tests/quickstart", description=__doc__.splitlines()[0])
    parser.add_argument("--exit", action="store_true", help="end after the walk")
    parser.add_argument("--break", dest="broken", choices=BREAKABLE,
                        help="hold that process still and see the walk fail")
    options = parser.parse_args()
    end_on_signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with Stage() as stage:
        walk = walk_all(stage, options.broken)
        if walk is None:
            say(f"musterd's log ends:\n{stage.musterd.server.log_tail()}")
            return 1
        figures = json.dumps(walk.figures, separators=(",", ":"))
        if not (options.exit or options.broken):
            say(figures)
            return stay(walk)
    say(figures)
    return 0


sys.exit(main())
