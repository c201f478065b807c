"""The whole set: directory, chat server, musterd, and what a person or a platform does with them."""

import itertools
from dataclasses import replace

from rig import ejabberd as xmpp
from rig.authority import Authority
from rig.directory import Directory, organisation
from rig.ejabberd import Ejabberd
from rig.musterd import BUILD, PLATFORM, Musterd
from rig.observers import claim, token_watch, xmpp_watch
from rig.process import Workdir, wait_until

ALL_STAFF = "all-staff"
VISIT_S = 0.2           # between two visits to the claim page, two looks at a contact list
IN_TIME_S = 60
FIRST_READ_S = 180      # 200 people on a busy machine, sanitizers included
NEWCOMER = organisation.Person("new.comer", "New", "Comer", "Operations")


class Stage:
    """Use as a context: everything runs inside and nothing is left afterwards."""

    def __init__(self, build=BUILD, entries=None, sessionlog=500):
        self.workdir = Workdir()
        self.secrets = {}
        self.observers = []
        self.numbers = itertools.count(30000)
        self.witness = None
        try:
            self.authority = Authority(self.workdir.make("ca"))
            self.directory = Directory(self.workdir, self.authority, entries, sessionlog)
            self.ejabberd = Ejabberd(self.workdir, self.authority)
            self.musterd = Musterd(self.workdir, self.directory, self.ejabberd, build)
        except BaseException:
            self.workdir.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        try:
            for observer in self.observers:
                observer.close()
            self.stop()
        finally:
            for server in (self.musterd, self.ejabberd, self.directory):
                server.server.stop()
            self.workdir.remove()

    def start(self):
        self.directory.start()
        self.ejabberd.start()
        self.musterd.start()

    def settle(self, witness):
        """Starts everything and waits for the end of the first read, as the witness sees it, who
        stays online."""
        self.start()
        self.witness = self.meet(witness)
        wait_all_shown(self.witness)

    def stop(self):
        self.musterd.stop()
        self.ejabberd.stop()
        self.directory.stop()

    # What HR does, and how the witness gets to see it

    def join(self, department, **facts):
        """Somebody nobody knew appears in the directory: staff and identified, unless facts differ."""
        number = next(self.numbers)
        person = replace(NEWCOMER, uid=f"new.comer{number}", department=department, number=number,
                         **facts)
        self.directory.add_person(person)
        return person

    def wait_shown(self, person, *groups, timeout_s=IN_TIME_S):
        """Waits until the witness sees a person in exactly these groups."""
        wait_until(f"{person.uid} shows in {sorted(groups)}",
                   lambda: groups_shown(self.witness, person) == sorted(groups), timeout_s)

    def catch_up(self, timeout_s=IN_TIME_S):
        """Has one more person join: all that was decided before has its effect when they show."""
        person = self.join("People")
        wait_until(f"{person.uid} shows", lambda: ALL_STAFF in groups_shown(self.witness, person),
                   timeout_s)

    # What a person does

    def claim(self, person, password=None):
        return claim(self.musterd.claim_port, self.musterd.ca, person.uid,
                     person.password if password is None else password)

    def collect(self, person, timeout_s=FIRST_READ_S):
        """Claims as soon as there is something to claim; keeps and returns the XMPP secret."""
        def collected():
            answer = self.claim(person)
            assert answer["status"] != 410, f"{person.uid} had collected before"
            return answer if answer["status"] == 200 else None

        answer = wait_until(f"{person.uid} can collect a credential", collected, timeout_s, VISIT_S)
        found = [c for c in answer["credentials"] if c["platform"] == PLATFORM]
        assert len(found) == 1, f"one credential for {PLATFORM} expected, got {len(found)}"
        assert found[0]["account"] == person.uid
        self.secrets[person.uid] = found[0]["secret"]
        return found[0]["secret"]

    def log_in(self, person, name=None):
        """An XMPP client for this person, not yet known to be online."""
        watch = xmpp_watch(self.ejabberd, xmpp.HOST, person.uid, self.secrets[person.uid], name)
        watch.jid = jid(person)
        self.observers.append(watch)
        return watch

    def online(self, person, timeout_s=30):
        watch = self.log_in(person)
        watch.wait(f"{person.uid} logs in", timeout_s, event="online")
        return watch

    def meet(self, person, timeout_s=FIRST_READ_S):
        """Collects this person's credential and logs in with it."""
        self.collect(person, timeout_s)
        return self.online(person)

    # What a platform does

    def token_watch(self, account):
        musterd = self.musterd
        watch = token_watch(musterd.token_port, musterd.ca, musterd.client_certificate,
                            musterd.client_key, account, PLATFORM)
        self.observers.append(watch)
        return watch

    def granted(self, person, timeout_s=FIRST_READ_S):
        """A platform that keeps asking for this person's grants and has been given some."""
        watch = self.token_watch(person.uid)
        watch.wait(f"the token API grants something to {person.uid}", timeout_s, event="answer",
                   status=200)
        return watch


def jid(person):
    return f"{person.uid}@{xmpp.HOST}"


def groups_shown(watch, person):
    """The groups in which somebody's contact list shows a person, as the server has it now."""
    return watch.ask("roster", "roster")["items"].get(jid(person), {"groups": []})["groups"]


def shown_in(watch, group):
    """The addresses that somebody's contact list shows in a group, as the server has it now."""
    items = watch.ask("roster", "roster")["items"].items()
    return {address for address, item in items if group in item["groups"]}


def wait_all_shown(watch, progress=lambda shown, count: None, timeout_s=FIRST_READ_S):
    """Waits until a colleague sees all staff, which ends the first read; returns how many."""
    others = {jid(p) for d in organisation.DEPARTMENTS for p in people_of(d)} - {watch.jid}

    def all_shown():
        shown = others & shown_in(watch, ALL_STAFF)
        progress(len(shown) + 1, len(others) + 1)
        return shown == others

    wait_until("all staff show in each other's contact lists", all_shown, timeout_s, VISIT_S)
    return len(others) + 1


def people_of(department):
    """The sample's people who work there like anybody: staff, active, identified, started."""
    return [p for p in organisation.PEOPLE if p.department == department and p.identified
            and (p.employee_type, p.status) == ("staff", "active") and p.start_date < "2030"]
