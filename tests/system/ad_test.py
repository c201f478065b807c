#!/usr/bin/python3
"""Active Directory, a real one (Samba), by DirSync and by uSNChanged at once: who joins, moves and
leaves; groups of thousands; and whatever happens to the domain controller, nobody goes by mistake."""

import base64
import os
import secrets
import signal
import time
from contextlib import contextmanager
from types import SimpleNamespace

from rig import proof
from rig.administrator import Administrator
from rig.authority import Authority
from rig.process import TimedOut, wait_until
from rig.proof import sentence
from rig.samba import DISABLED, ENABLED, MUSTER_DN, SUFFIX, Samba, own_network
from rig.sources import IN_TIME_S, SourcesStage, namespace, suffix

MEMBERS = 3500
CREW, INTERNS = "crew", "interns"
AFTERWARDS = 12         # more USNs than the server's start uses
FILETIME_1970_S = 11644473600
NONE = ["x"] * 7        # of a cookie, the parts
OBJECT_SECURITY = 5
OTHERS = f"OU=others,{SUFFIX}"
ROLES = """\
- role: staff-chat
  gives: [{platform: xmpp, account: true}]
  birthright: (department=*)
- role: sales
  gives: [{platform: xmpp, groups: [sales]}]
  birthright: (department=Sales)
- role: finance
  gives: [{platform: xmpp, groups: [finance]}]
  birthright: (department=Finance)
- role: crew
  gives: [{platform: xmpp, groups: [crew]}]
  birthright: (group=crew)
- role: interns
  gives: [{platform: xmpp, groups: [interns]}]
  birthright: (group=interns)
- role: outsiders
  gives: [{platform: xmpp, groups: [outsiders]}]
  birthright: (!(group=crew))
"""
POLICIES = {
    "roles.yaml": ROLES,
    "administrators.yaml": "- role: administrator\n  may: [sync.run, read.status]\n",
    "states.yaml": "suspended: (disabled=TRUE)\nends: endDate\n",
    "brake.yaml": "- per: source\n  removals: {at_least: 5, share: 2%, within: 1h}\n",
    "identification.yaml": "- {level: in-person}\n",
}
SOURCE = """\
  - name: {name}
    {names}
    {transport}
    ca: {ca}
    bind_dn: {bind_dn}
    bind_password_file: {bind_password_file}
    follow: {follow}
    every: 5s
    people:
      base: {people}
      attributes:
        uid: sAMAccountName
        name: displayName
        department: department
        disabled: userAccountControl:2
        endDate: accountExpires:time
    groups: {{base: "{groups}"}}
"""


class Branch:
    """One source, and the part of the domain that it reads. What happens, happens in all of them."""

    def __init__(self, name):
        self.name = name
        self.base = f"OU={name},{SUFFIX}"
        self.people, self.groups = f"OU=people,{self.base}", f"OU=groups,{self.base}"
        self.away, self.team = f"OU=away,{self.base}", f"OU=team,{self.people}"
        self.crew, self.interns = f"CN={CREW},{self.groups}", f"CN={INTERNS},{self.groups}"

    def uid(self, name):
        return f"{name}-{self.name}"

    def dn(self, name, parent=None):
        return f"CN={self.uid(name)},{parent or self.people}"


BRANCHES = DIRSYNC, USN = [Branch("dirsync"), Branch("usn")]
PLAIN, STRANGER = "plain", "stranger"       # two more sources, which may read nothing
STAFF = ["ana", "ben", "cem", "dora", "eva", "fay", "gil", "hal", "ida", "jon"]
INTERN = "lea"
OTHER_STAFF = [f"staff{i}" for i in range(480)]     # so that those who leave, or join, are few


class Stage(SourcesStage):
    def open(self):
        self.other_authority = Authority(self.workdir.make("other-ca"))
        self.samba = Samba(self.workdir, self.authority)
        self.servers.append(self.samba)
        self.passwords = {}
        return self.samba

    def sources(self, password_file):
        tls, plain = f"uri: {self.samba.uri}", f"uri: {self.samba.plain_uri}"
        return "".join(SOURCE.format(
            name=name, names=namespace(name, DIRSYNC.name), follow=branch.name, transport=transport,
            ca=authority.certificate, bind_dn=MUSTER_DN, bind_password_file=password_file,
            people=branch.people, groups=branch.groups) for name, branch, transport, authority in [
                (DIRSYNC.name, DIRSYNC, tls, self.authority),
                (USN.name, USN, f"{plain}\n    starttls: true", self.authority),
                (PLAIN, Branch("usn"), f'{plain}\n    insecure_plain: to see it refused', self.authority),
                (STRANGER, Branch("usn"), tls, self.other_authority)])

    def policies(self):
        return POLICIES

    # The domain

    def user(self, branch, name, parent=None, **attributes):
        uid = branch.uid(name)
        self.passwords[uid] = "P1-" + secrets.token_hex(8)
        return self.samba.user(branch.dn(name, parent), self.passwords[uid],
                               **{"department": "Sales", **attributes})

    def fill(self):
        """Two branches with hundreds of people each, a group that has more members than one answer may
        hold (about half of them are of the configuration, which is there anyway), and one in it."""
        with self.samba.offline() as database:
            database.add({"dn": OTHERS, "objectClass": "organizationalUnit"})
            members = database.names_below(f"CN=Configuration,{SUFFIX}")
            while len(members) < MEMBERS:
                members.append(f"CN=other{len(members)},{OTHERS}")
                database.add({"dn": members[-1], "objectClass": "contact"})
            for b in BRANCHES:
                for unit in (b.base, b.people, b.groups, b.away, b.team):
                    database.add({"dn": unit, "objectClass": "organizationalUnit"})
                for name in [*STAFF, INTERN]:
                    database.add(self.user(b, name))
                for name in OTHER_STAFF:
                    database.add(self.samba.user(b.dn(name), None, department="Sales"))
                of_ours = [b.interns] + [b.dn(name) for name in STAFF]
                for dn, crew in ((b.interns, [b.dn(INTERN)]), (b.crew, members[len(of_ours):MEMBERS] + of_ours)):
                    name = dn.partition("=")[2].partition(",")[0]
                    database.add({"dn": dn, "objectClass": "group", "sAMAccountName": f"{name}-{b.name}",
                                  "member": crew})

    # What muster made of it

    def person(self, branch, name):
        """(state, roles, dn), or None."""
        found = self.rows("SELECT state, roles, dn FROM person WHERE source = %s AND uid = %s",
                          branch.name, branch.uid(name) + suffix(branch.name, DIRSYNC.name))
        return (found[0][0], set(found[0][1].split()), found[0][2]) if found else None

    def wait_person(self, name, state, *roles, dn=None):
        """In all branches: in that state, with exactly these roles."""
        for b in BRANCHES:
            want = (state, set(roles), dn and dn(b).lower())
            try:
                wait_until(f"{b.uid(name)} is {want}", lambda: (
                    (found := self.person(b, name)) is not None and found[:2] == want[:2]
                    and want[2] in (None, found[2])), IN_TIME_S)
            except TimedOut as late:
                raise TimedOut(f"{late}, but {self.person(b, name)}") from None

    def wait_verdicts(self, verdict, text=""):
        for b in BRANCHES:
            self.wait_verdict(b.name, verdict, text)

    def crew_count(self, branch):
        return self.rows("SELECT count(*) FROM directory_member NATURAL JOIN directory_group "
                         "WHERE source = %s AND name = %s", branch.name, CREW)[0][0]

    def mark(self):
        return self.rows("SELECT now()")[0][0]

    def losses(self, since, *kinds):
        """Who left or lost a role since then, as the audit has it."""
        return [body for body, in self.rows(
            "SELECT body FROM audit_record WHERE happened_at >= %s AND kind = ANY(%s) AND "
            "body::jsonb ->> 'lost' <> ''", since, list(kinds or ("person.left", "person.changed")))]

    def join(self):
        name = f"new{secrets.token_hex(4)}"
        for b in BRANCHES:
            self.samba.add(self.user(b, name))
        return name

    def catch_up(self):
        """One more joins everywhere: all that was to be seen before has been seen, and stored, when the
        cookies are of a read that began later."""
        name = self.join()
        usn = self.samba.highest_usn()
        for b in BRANCHES:
            wait_until(f"{b.name} has read up to {usn}", lambda: self.cookie_usn(b) >= usn, IN_TIME_S)
        self.wait_person(name, "active", "staff-chat", "sales", "outsiders")

    # Where it stands

    def cookie(self, branch):
        (cookie,), = self.rows("SELECT cookie FROM source_search WHERE source = %s AND search = 'people'", branch.name)
        return bytes(cookie).decode().split(";")

    def cookie_usn(self, branch):
        """0 when it is none, or one that is not to be used."""
        parts = self.cookie(branch)
        return int(parts[2]) if len(parts) == len(NONE) and parts[2].isdigit() else 0

    @contextmanager
    def cookies_changed(self, change):
        """Has each source's process end, and go on from changed cookies. change gets a cookie's parts;
        what happens inside, the process did not see."""
        pids = self.musterd.children("mu-cycle")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
        self.rows("SET lock_timeout = '10s'")
        for source, search, cookie in self.rows("SELECT source, search, cookie FROM source_search"):
            parts = bytes(cookie).decode().split(";")
            assert len(parts) == 7, parts
            self.rows("UPDATE source_search SET cookie = %s WHERE source = %s AND search = %s",
                      ";".join(map(str, change(*parts))).encode(), source, search)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@contextmanager
def nobody_removed(stage):
    since = stage.mark()
    yield
    stage.catch_up()
    losses = stage.losses(since)
    assert not losses, losses


def filetime(seconds):
    return int((seconds + FILETIME_1970_S) * 10**7)


def prepare(stage):
    stage.fill()
    stage.samba.start()
    stage.samba.show_deleted_to(MUSTER_DN)
    stage.start()
    hal = DIRSYNC.uid("hal")
    stage.office = Administrator(stage, SimpleNamespace(uid=hal, password=stage.passwords[hal]))


# --- The plain course of things ---------------------------------------------------------------------


@sentence
def R_AD_a_group_of_3500_with_another_in_it_is_read_whole(stage):
    for name in STAFF:
        stage.wait_person(name, "active", "staff-chat", "sales", "crew")
    stage.wait_person(INTERN, "active", "staff-chat", "sales", "interns", "outsiders")
    for b in BRANCHES:
        assert stage.crew_count(b) == MEMBERS, stage.crew_count(b)
    stage.wait_verdicts("complete")
    stage.office.bootstrap()


@sentence
def P1_1_what_is_not_encrypted_or_not_verified_is_refused_and_said(stage):
    """The others are: dirsync by ldaps://, usn by StartTLS."""
    stage.wait_verdict(PLAIN, "unreachable", "Transport encryption required")
    stage.wait_verdict(STRANGER, "unreachable", "certificate")
    assert not stage.rows("SELECT 1 FROM person WHERE source IN (%s, %s)", PLAIN, STRANGER)


@sentence
def P5_2_a_day_s_changes_are_followed(stage):
    """All at once: a joiner; ana moves to Finance, ben marries, cem goes to another unit; dora is
    deleted, eva disabled, fay expired, gil moved out of the base."""
    since = stage.mark()
    for b in BRANCHES:
        stage.samba.add(stage.user(b, "kim"))
        stage.samba.change_members(b.crew, add=[b.dn("kim")])
        stage.samba.set(b.dn("ana"), "department", "Finance")
        stage.samba.rename(b.dn("ben"), f"CN={b.uid('ben')} (Meyer)")
        stage.samba.rename(b.dn("cem"), f"CN={b.uid('cem')}", b.team)
        stage.samba.delete(b.dn("dora"))
        stage.samba.set(b.dn("eva"), "userAccountControl", DISABLED)
        stage.samba.set(b.dn("fay"), "accountExpires", filetime(time.time() - 60))
        stage.samba.rename(b.dn("gil"), f"CN={b.uid('gil')}", b.away)
    stage.catch_up()
    stage.wait_person("kim", "active", "staff-chat", "sales", "crew")
    stage.wait_person("ana", "active", "staff-chat", "finance", "crew")
    stage.wait_person("ben", "active", "staff-chat", "sales", "crew",
                      dn=lambda b: f"CN={b.uid('ben')} (Meyer),{b.people}")
    stage.wait_person("cem", "active", "staff-chat", "sales", "crew",
                      dn=lambda b: b.dn("cem", b.team))
    for gone, state in (("dora", "leaver"), ("eva", "suspended"), ("fay", "leaver"), ("gil", "leaver")):
        stage.wait_person(gone, state)
    lost = stage.losses(since)
    assert len(lost) == 4 * len(BRANCHES), lost         # ana, dora, fay and gil; nobody who was renamed
    for b in BRANCHES:
        # who was deleted is in no group any more; gil is, wherever he was moved to
        assert stage.crew_count(b) == MEMBERS, stage.crew_count(b)


@sentence
def P5_2_and_so_are_their_return_and_a_member_less(stage):
    since = stage.mark()
    for b in BRANCHES:
        stage.samba.set(b.dn("eva"), "userAccountControl", ENABLED)
        stage.samba.set(b.dn("fay"), "accountExpires", 0)
        stage.samba.rename(b.dn("gil", b.away), f"CN={b.uid('gil')}", b.people)
        stage.samba.change_members(b.crew, remove=[b.dn("hal")])
    for name in ("eva", "fay", "gil"):
        stage.wait_person(name, "active", "staff-chat", "sales", "crew")
    stage.wait_person("hal", "active", "staff-chat", "sales", "outsiders")
    for b in BRANCHES:
        assert stage.crew_count(b) == MEMBERS - 1, stage.crew_count(b)
    assert len(stage.losses(since)) == len(BRANCHES), stage.losses(since)       # hal


@sentence
def P5_10_a_renamed_unit_removes_nobody_who_is_still_in_the_base(stage):
    with nobody_removed(stage):
        for b in BRANCHES:
            stage.samba.rename(b.team, "OU=squad")
    stage.wait_person("cem", "active", "staff-chat", "sales", "crew",
                      dn=lambda b: b.dn("cem", f"OU=squad,{b.people}"))


@sentence
def P5_2_a_unit_that_is_moved_away_takes_its_people_along(stage):
    for b in BRANCHES:
        stage.samba.rename(f"OU=squad,{b.people}", "OU=squad", b.away)
    stage.wait_person("cem", "leaver")


# --- Whatever happens to the domain controller ------------------------------------------------------


@sentence
def P5_10_a_stopped_domain_controller_removes_nobody(stage):
    with nobody_removed(stage):
        stage.samba.stop()
        stage.wait_verdicts("unreachable")
        stage.samba.backup()
        stage.samba.start()
        stage.wait_verdicts("complete")


@sentence
def P5_10_a_cookie_that_is_garbage_removes_nobody(stage):
    garbage = base64.urlsafe_b64encode(b"MSDS" + bytes(30)).decode().rstrip("=")
    for change in (lambda *parts: (*parts[:6], garbage), lambda *_: NONE):
        with nobody_removed(stage):
            with stage.cookies_changed(change):
                for b in BRANCHES:
                    stage.samba.set(b.dn("ida"), "displayName", f"Ida {secrets.token_hex(4)}")
            stage.wait_verdicts("complete")


@sentence
def R_AD_another_invocation_id_removes_nobody(stage):
    """Even jon, who is missing from the other controller, may only be late there; what it says of
    the group counts."""
    since = stage.mark()
    with stage.cookies_changed(lambda magic, _, *rest: (magic, secrets.token_hex(16), *rest)):
        for b in BRANCHES:
            stage.samba.delete(b.dn("jon"))
    stage.wait_verdicts("stale", "another domain controller")
    stage.catch_up()
    stage.wait_verdicts("complete", "another domain controller")
    stage.wait_person("jon", "active", "staff-chat", "sales", "outsiders")
    assert not stage.losses(since, "person.left")


@sentence
def R_AD_a_tombstone_past_its_lifetime_is_found_missing(stage):
    """No change tells of jon any more: the listing does, when its time has come."""
    with stage.cookies_changed(lambda *parts: (*parts[:2], stage.samba.highest_usn(), 1, 0, *parts[5:])):
        pass
    stage.wait_person("jon", "leaver")
    stage.wait_verdicts("complete")


@sentence
def who_is_in_active_directory_logs_in_with_its_password(stage):
    stage.office.log_in()


@sentence
def R_AD_the_right_to_replicate_may_come_and_go(stage):
    """Without it DirSync is to show what searches show; a cookie from before leads on to nothing."""
    assert stage.cookie(DIRSYNC)[OBJECT_SECURITY] == "1"
    stage.samba.replicate_to(MUSTER_DN)
    with nobody_removed(stage):
        with stage.cookies_changed(lambda *_: NONE):
            pass
    wait_until("everything is shown", lambda: stage.cookie(DIRSYNC)[OBJECT_SECURITY] == "0", IN_TIME_S)
    since = stage.mark()
    stage.samba.replicate_to(MUSTER_DN, False)
    for b in BRANCHES:
        stage.samba.delete(b.dn("ida"))
    stage.catch_up()
    stage.wait_person("ida", "leaver")
    assert stage.cookie(DIRSYNC)[OBJECT_SECURITY] == "1"
    assert len(stage.losses(since)) == len(BRANCHES), stage.losses(since)


@sentence
def P5_2_who_may_not_see_deletions_misses_none(stage):
    stage.samba.show_deleted_to(MUSTER_DN, False)
    for b in BRANCHES:
        stage.samba.delete(b.dn("eva"))
    stage.wait_verdicts("complete", "CN=Deleted Objects")
    stage.wait_person("eva", "leaver")


@sentence
def R_AD_a_restored_domain_controller_removes_nobody_who_joined_since(stage):
    names = [stage.join() for _ in range(AFTERWARDS)]
    stage.catch_up()
    since = stage.mark()
    stage.samba.stop()
    stage.samba.restore()
    stage.samba.start()
    stage.wait_verdicts("stale", "USN rollback")
    stage.wait_person(names[0], "active", "staff-chat", "sales", "outsiders")
    assert not stage.losses(since), stage.losses(since)
    stage.joined = names


@sentence
def R_AD_an_administrator_says_that_what_it_holds_is_right(stage):
    """Of one source, and that one alone believes it; those who are missing there the brake holds."""
    since = stage.mark()
    stage.office.act("sync", "run", USN.name)
    stage.wait_verdict(USN.name, "complete")
    wait_until("those who joined are held",
               lambda: stage.musterd.source(USN.name)["held"] >= len(stage.joined), IN_TIME_S)
    stage.wait_verdict(DIRSYNC.name, "stale", "USN rollback")
    assert stage.musterd.source(DIRSYNC.name)["held"] == 0
    for b in BRANCHES:
        assert stage.person(b, stage.joined[0])[0] == "active"
    assert not stage.losses(since), stage.losses(since)


own_network()
proof.main(prepare, Stage)
