#!/usr/bin/python3
"""The spine: how a change in the directory shows to people and platforms."""

import time
from dataclasses import replace

from rig import proof
from rig.directory import organisation
from rig.process import now_ns, wait_until
from rig.proof import sentence
from rig.stage import groups_shown, jid, people_of, shown_in

IN_TIME_S = 40
OPERATIONS = people_of("Operations")
WITNESS, MOVER, LEAVER = OPERATIONS[:3]


def generalized(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


@sentence
def P5_2_first_read_gives_every_group_its_people(stage):
    expected = {jid(p) for p in OPERATIONS} - {jid(WITNESS)}
    wait_until("operations is complete",
               lambda: expected == shown_in(stage.witness, "operations"), IN_TIME_S)
    suspended = [p for p in organisation.PEOPLE if p.status == "suspended"]
    unidentified = [p for p in organisation.PEOPLE if not p.identified]
    future = [p for p in organisation.PEOPLE if p.start_date > "2030"]
    assert suspended and unidentified and future
    for person in unidentified + future:
        assert groups_shown(stage.witness, person) == [], f"{person.uid} shows in a contact list"


@sentence
def P5_2_joiner_collects_logs_in_and_is_granted(stage):
    stage.joiner = stage.join("Operations")
    stage.meet(stage.joiner, IN_TIME_S)
    stage.wait_shown(stage.joiner, "all-staff", "operations")
    answer = stage.granted(stage.joiner, IN_TIME_S).find(event="answer", status=200)
    assert {"staff-chat", "operations"} <= set(answer["roles"]), answer


@sentence
def P5_15_nobody_unidentified_gets_a_credential_until_identified(stage):
    person = stage.join("Operations", identified=False)
    wait_until("the claim page refuses", lambda: stage.claim(person)["status"] == 403, IN_TIME_S)
    stage.token_watch(person.uid).wait("no grant without identification", IN_TIME_S,
                                       event="answer", status=403)
    stage.directory.set(person, "identityCheckRef", "HR-17")
    stage.directory.set(person, "identityChecked", "TRUE")
    stage.meet(person, IN_TIME_S)
    stage.wait_shown(person, "all-staff", "operations")


@sentence
def P5_4_mover_loses_the_old_group_and_gains_the_new(stage):
    token = stage.granted(MOVER)
    before, mark = stage.witness.mark(), token.mark()
    stage.directory.set(MOVER, "departmentNumber", "Finance")
    lost = stage.witness.wait("the old group is lost", IN_TIME_S, before, event="push",
                              jid=jid(MOVER), subscription="remove")
    stage.wait_shown(MOVER, "all-staff")
    answer = token.wait("the grant follows", IN_TIME_S, mark, event="answer", status=200,
                        roles=lambda roles: "finance" in roles)
    assert "operations" not in answer["roles"], answer
    assert lost["t"] < now_ns()


@sentence
def P5_4_a_change_that_decides_nothing_reaches_no_platform(stage):
    before = stage.witness.mark()
    stage.directory.set(MOVER, "mail", "somebody.else@example.org")
    stage.directory.set(MOVER, "title", "Controller")
    stage.catch_up()
    assert stage.witness.find(before, event="push", jid=jid(MOVER)) is None


@sentence
def P5_6_suspended_loses_the_session_and_resumes_with_the_same_password(stage):
    session = stage.online(stage.joiner)
    token = stage.granted(stage.joiner)
    mark = token.mark()
    stage.directory.set(stage.joiner, "employeeStatus", "suspended")
    token.wait("the token API refuses the suspended", IN_TIME_S, mark, event="answer", status=403)
    session.wait("the session ends", IN_TIME_S, event="closed")
    stage.log_in(stage.joiner).wait("login is refused", IN_TIME_S, event="refused")
    mark = token.mark()
    stage.directory.set(stage.joiner, "employeeStatus", "active")
    token.wait("the token API grants again", IN_TIME_S, mark, event="answer", status=200)

    def logs_in():
        watch = stage.log_in(stage.joiner)
        return watch.wait("an answer to the login", IN_TIME_S,
                          event=lambda e: e in ("online", "refused"))["event"] == "online"
    wait_until("the resumed logs in with the same password", logs_in, IN_TIME_S)


@sentence
def P5_6_staged_person_starts_by_the_clock(stage):
    starts_at = time.time() + 6
    stage.later = person = stage.join("Operations", start_date=generalized(starts_at))
    token = stage.token_watch(person.uid)
    granted = token.wait("the staged person starts", IN_TIME_S, event="answer", status=200)
    lead_s = starts_at - time.time() + (now_ns() - granted["t"]) / 1e9
    assert lead_s < 1.0, f"granted {lead_s:.1f} s before the start"
    stage.wait_shown(person, "all-staff", "operations")


@sentence
def P5_6_an_end_date_ends_by_the_clock(stage):
    token = stage.granted(stage.later)
    mark = token.mark()
    ends_at = time.time() + 3
    stage.directory.set(stage.later, "endDate", generalized(ends_at))
    refused = token.wait("the person has ended", IN_TIME_S, mark, event="answer", status=403)
    lead_s = ends_at - time.time() + (now_ns() - refused["t"]) / 1e9
    assert lead_s < 1.0, f"refused {lead_s:.1f} s before the end"


@sentence
def P5_3_leaver_loses_session_login_groups_and_grants(stage):
    session = stage.meet(LEAVER)
    token = stage.granted(LEAVER)
    mark = token.mark()
    session.ask("ping", "pong")
    stage.leaver_uuid = stage.directory.entry_uuid(LEAVER)
    stage.directory.delete(LEAVER.dn)
    token.wait("the token API refuses the leaver", IN_TIME_S, mark, event="answer", status=403)
    session.wait("the live session ends", IN_TIME_S, event="closed")
    stage.log_in(LEAVER).wait("login is refused", IN_TIME_S, event="refused")
    stage.wait_shown(LEAVER)
    assert token.ask("ping", "answer")["status"] == 403
    assert stage.claim(LEAVER)["status"] == 401, "a leaver's directory password opens the page"


@sentence
def P1_3_a_newcomer_with_a_leavers_name_inherits_nothing(stage):
    """Same uid, another person: entryUUID is who somebody is."""
    stage.directory.add_person(replace(LEAVER, given_name="Another", department="Sales"))
    stage.catch_up()
    stage.log_in(LEAVER).wait("the leaver's password opens nothing", IN_TIME_S, event="refused")


@sentence
def P5_6_rehired_is_the_same_person_and_has_what_the_new_place_gives(stage):
    stage.directory.delete(LEAVER.dn)       # the namesake
    stage.directory.add_person(replace(LEAVER, department="Finance"), stage.leaver_uuid)
    token = stage.token_watch(LEAVER.uid)
    answer = token.wait("the token API grants to the rehired", IN_TIME_S, event="answer", status=200)
    assert "finance" in answer["roles"] and "operations" not in answer["roles"], answer
    stage.wait_shown(LEAVER, "all-staff")
    stage.online(LEAVER)


@sentence
def P6_2_the_log_names_nobody(stage):
    log = stage.musterd.server.log_text()
    for person in (WITNESS, MOVER, LEAVER, stage.joiner):
        assert person.uid not in log and person.surname not in log, "the log names people"


proof.main(lambda stage: stage.settle(WITNESS))
