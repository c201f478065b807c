#!/usr/bin/python3
"""Reads that are worth less than they seem, of a directory with 1,700 people: a bad entry, a renamed base,
most people hidden, half of them gone for good, another filter, another map."""

from contextlib import contextmanager
from dataclasses import replace

from rig import proof
from rig.directory import PASSWORD_RULE, READ_RULES, organisation
from rig.office import Office
from rig.process import wait_until, write_file
from rig.proof import sentence
from rig.stage import ALL_STAFF, NEWCOMER, people_of, shown_in
from rig.store import Store

IN_TIME_S = 60
FIRST_READ_S = 180
GUESTS = [replace(NEWCOMER, uid=f"guest{n:04}", department="Guests", number=40000 + n, employee_type="guest",
                  identified=False) for n in range(1500)]
GONE = GUESTS[:1000]    # of 1,700
BAD_DN = f"cn=No Uid,{organisation.PEOPLE_BASE}"
WITNESS, SENTINEL, FIRST, SECOND = people_of("Operations")[:4]
ACCOUNTS = """SELECT md5(string_agg(a.name || a.wanted_state || a.roles || p.state, '' ORDER BY a.name))
    FROM account a JOIN person p USING (person_id) WHERE a.name NOT LIKE 'new.comer%%'"""
ACTIVE = "SELECT count(*) FROM person WHERE state = 'active' AND uid LIKE 'guest%%'"


def prepare(stage):
    directory = stage.directory
    bad = {a: v for a, v in organisation.person_entry(GUESTS[0]).items() if a not in ("uid", "mail")}
    directory.load([*organisation.entries(directory.muster_password),
                    *[(p.dn, organisation.person_entry(p)) for p in GUESTS],
                    (BAD_DN, bad | {"cn": ["No Uid"]})])
    gates = stage.musterd.folder / "policies" / "gates.yaml"
    write_file(gates, gates.read_text().replace("targets_over: 50", "targets_over: 5000"))  # two agree on many
    stage.settle(WITNESS)
    stage.office = Office(stage, [FIRST, SECOND])   # first, so that codes are there again when they are needed
    stage.musterd.wait_verdict("complete", timeout_s=FIRST_READ_S)
    stage.session = stage.meet(SENTINEL)
    stage.store = Store(stage.musterd)


@contextmanager
def nobody_removed(stage):
    """Inside, the read goes wrong and is mended. Afterwards a joiner shows, everybody has what they had, and
    nobody is held."""
    before, accounts = shown_in(stage.witness, ALL_STAFF), stage.store.value(ACCOUNTS)
    guests, session = stage.store.value(ACTIVE), stage.session.mark()
    yield
    stage.musterd.wait_verdict("complete", timeout_s=IN_TIME_S)
    wait_until("nobody is held", lambda: stage.musterd.source()["held"] == 0, IN_TIME_S)
    stage.catch_up(IN_TIME_S)
    assert before <= shown_in(stage.witness, ALL_STAFF)
    assert (stage.store.value(ACCOUNTS), stage.store.value(ACTIVE)) == (accounts, guests)
    assert stage.session.find(session, event="closed") is None


@contextmanager
def stopped(stage, text=None):
    """What happens inside, muster learns from its next read alone; then it runs with that configuration."""
    stage.musterd.stop()
    yield
    write_file(stage.musterd.config, text or stage.musterd.text)
    stage.musterd.start()
    stage.store = Store(stage.musterd)


def changed(stage, old, new):
    text = stage.musterd.text.replace(old, new, 1)
    assert text != stage.musterd.text, old
    return text


@sentence
def T6_one_bad_entry_keeps_none_of_1700_waiting(stage):
    assert stage.store.value("SELECT count(*) FROM person") == 1700
    assert stage.store.rows("SELECT source, reason FROM quarantine") == [("main", "no uid")]
    assert stage.musterd.source()["quarantined"] == 1
    stage.directory.connection.modify_s(BAD_DN, [(0, "uid", [b"had.no.uid"])])
    wait_until("it is healed", lambda: stage.musterd.source()["quarantined"] == 0, IN_TIME_S)
    assert stage.store.value("SELECT state FROM person WHERE uid = 'had.no.uid'") == "active"


@sentence
def P5_10_a_renamed_base_removes_nobody(stage):
    with nobody_removed(stage):
        stage.directory.connection.rename_s(organisation.PEOPLE_BASE, "ou=staff")
        stage.directory.restart()
        stage.musterd.wait_verdict("unreachable", timeout_s=IN_TIME_S)
        stage.directory.connection.rename_s(f"ou=staff,{organisation.SUFFIX}", "ou=people")


@sentence
def P5_10_most_people_hidden_are_held_until_they_are_seen_again(stage):
    hidden = f'to dn.subtree="{organisation.PEOPLE_BASE}" filter=(employeeType=guest) by * none'
    with nobody_removed(stage):
        with stopped(stage):
            stage.directory.set(WITNESS, "title", "Harbour Master")
            stage.directory.stop()      # which forgets what it would have told
            stage.directory.write_conf([PASSWORD_RULE, hidden, *READ_RULES[1:]])
            stage.directory.start()
        said = stage.musterd.wait_verdict("narrowed", timeout_s=IN_TIME_S)
        assert f"where {stage.store.value('SELECT count(*) FROM person')} people were" in said["text"], said
        assert said["held"] >= len(GUESTS), said
        # nothing tells muster that the rule is gone, and slapd goes on
        stage.directory.set_rules(READ_RULES)


@sentence
def P5_10_another_filter_removes_nobody(stage):
    with nobody_removed(stage):
        with stopped(stage, changed(stage, "filter: (objectClass=inetOrgPerson)",
                                    "filter: (&(objectClass=inetOrgPerson)(!(departmentNumber=Sales)))")):
            pass
        wait_until("who is not asked for is held", lambda: stage.musterd.source()["held"] >= 40, IN_TIME_S)
        stage.catch_up(IN_TIME_S)
        with stopped(stage):
            pass


@sentence
def P5_10_another_map_removes_nobody(stage):
    with nobody_removed(stage):
        with stopped(stage, changed(stage, "department: departmentNumber", "department: employeeType")):
            pass
        wait_until("who would lose is held", lambda: stage.musterd.source()["held"] >= 100, IN_TIME_S)
        with stopped(stage):
            pass


@sentence
def two_people_let_an_organisation_be_as_small_as_it_is(stage):
    office = stage.office
    with stopped(stage):
        for person in GONE:
            stage.directory.delete(person.dn)
        stage.directory.restart()
    stage.musterd.wait_verdict("narrowed", timeout_s=IN_TIME_S)
    stage.catch_up(IN_TIME_S)
    held = office.look("brake", "list")["held"]
    assert {p.uid for p in GONE} == {h["person"]["uid"] for h in held}, len(held)
    assert all("more than half" in h["reason"] for h in held), held[0]
    asker, asked = office.act("brake", "release", "main", "--reason", "they were merged away", expect=3)
    assert len(asked["targets"]) == len(GONE), len(asked["targets"])
    assert stage.store.value(ACTIVE) == len(GUESTS), "one person let somebody go"
    office.approve(asked["digest"], asker)
    wait_until("they have left", lambda: stage.store.value(ACTIVE) == len(GUESTS) - len(GONE), IN_TIME_S)
    stage.musterd.wait_verdict("complete", timeout_s=IN_TIME_S)
    assert stage.musterd.source()["held"] == 0
    stage.catch_up(IN_TIME_S)


proof.main(prepare)
