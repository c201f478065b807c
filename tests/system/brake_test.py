#!/usr/bin/python3
"""The brake: more removals than are plausible are held, not carried out."""

from dataclasses import replace

from rig import proof
from rig.directory import organisation
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in, wait_all_shown

IN_TIME_S = 60
LIMIT = 5               # policies/brake.yaml: max(5, 2 % of 200) within the hour
WITNESS = people_of("Sales")[0]
MARKER = organisation.Person("brake.marker", "Brake", "Marker", "Sales", number=31000)
FIRST_BATCH = people_of("Engineering")[:30]
SECOND_BATCH = people_of("Finance")[:15]


def prepare(stage):
    stage.start()
    stage.witness = stage.meet(WITNESS)
    stage.count = wait_all_shown(stage.witness)


def wait_caught_up(stage, number):
    """Has one more person join: whatever was decided before shows by then."""
    person = replace(MARKER, uid=f"marker.{number}", number=31000 + number)
    stage.directory.add_person(person)
    wait_until("a joiner shows", lambda: jid(person) in shown_in(stage.witness, ALL_STAFF),
               IN_TIME_S)


@sentence
def P5_10_thirty_missing_from_a_full_read_are_held_before_the_first_effect(stage):
    sentinel = stage.granted(FIRST_BATCH[0])
    stage.entry_uuids = {p: stage.directory.entry_uuid(p) for p in FIRST_BATCH}
    stage.musterd.stop()
    for person in FIRST_BATCH:
        stage.directory.delete(person.dn)
    stage.directory.restart()       # which forgets the deletes: the next read lists who is there
    mark, log = sentinel.mark(), stage.musterd.log_mark()
    stage.musterd.start()
    stage.musterd.wait_log(r"event=brake\.\w+", log, IN_TIME_S)
    held = wait_until("the console shows who is held",
                      lambda: stage.musterd.source().get("held"), IN_TIME_S)
    assert held == len(FIRST_BATCH), f"{held} held, {len(FIRST_BATCH)} expected"
    wait_caught_up(stage, 1)
    shown = shown_in(stage.witness, ALL_STAFF)
    assert {jid(p) for p in FIRST_BATCH} <= shown, "somebody was removed"
    sentinel.wait("the token API still grants", IN_TIME_S, mark, event="answer", status=200)
    assert sentinel.find(mark, event="answer", status=403) is None


@sentence
def P5_10_people_who_are_back_are_held_no_longer(stage):
    for person, entry_uuid in stage.entry_uuids.items():
        stage.directory.add_person(person, entry_uuid)
    wait_until("nobody is held", lambda: not stage.musterd.source().get("held"), IN_TIME_S)


@sentence
def P5_10_a_flood_of_deletes_stops_at_the_limit(stage):
    log = stage.musterd.log_mark()
    for person in SECOND_BATCH:
        stage.directory.delete(person.dn)
    stage.musterd.wait_log(r"event=brake\.\w+", log, IN_TIME_S)
    wait_caught_up(stage, 2)
    left = {jid(p) for p in SECOND_BATCH} & shown_in(stage.witness, ALL_STAFF)
    assert len(left) >= len(SECOND_BATCH) - LIMIT, f"only {len(left)} were kept"
    held = wait_until("the console shows who is held",
                      lambda: stage.musterd.source().get("held"), IN_TIME_S)
    assert held == len(left), f"{held} held, {len(left)} kept"


@sentence
def P5_10_a_restart_releases_nobody(stage):
    held = stage.musterd.source()["held"]
    left = {jid(p) for p in SECOND_BATCH} & shown_in(stage.witness, ALL_STAFF)
    stage.musterd.stop()
    stage.musterd.start()
    stage.directory.set(WITNESS, "title", "Bid Writer")
    wait_caught_up(stage, 3)
    assert left <= shown_in(stage.witness, ALL_STAFF), "somebody was removed by the restart"
    assert stage.musterd.source()["held"] == held


proof.main(prepare)
