#!/usr/bin/python3
"""The brake: more removals than are plausible are held, not carried out."""

from contextlib import contextmanager

from rig import proof
from rig.directory import organisation
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in

IN_TIME_S = 60
LIMIT = 5               # policies/brake.yaml: max(5, 2 % of 200) within the hour
WITNESS = people_of("Sales")[0]
CROWD = [p for p in organisation.PEOPLE if p != WITNESS][:120]  # more than half of all
FIRST_BATCH = people_of("Engineering")[:12]     # plausible, yet more than the limit
SECOND_BATCH = people_of("Finance")[:15]


@contextmanager
def behind_its_back(stage):
    """What happens inside, muster learns from its next read alone, which has to list everybody."""
    stage.musterd.stop()
    yield
    stage.directory.restart()       # which forgets the deletes
    stage.musterd.start()


@contextmanager
def kept(stage, people):
    """Inside, these people go missing; afterwards all of them still have what they had."""
    before = shown_in(stage.witness, ALL_STAFF)
    sentinel = stage.granted(people[0])
    mark = sentinel.mark()
    yield
    missing = before - shown_in(stage.witness, ALL_STAFF)
    assert not missing, f"{len(missing)} were removed"
    sentinel.wait("the token API still grants", IN_TIME_S, mark, event="answer", status=200)
    assert sentinel.find(mark, event="answer", status=403) is None


def wait_held(stage, count):
    wait_until(f"the console shows {count} held",
               lambda: stage.musterd.source()["held"] == count, IN_TIME_S)


def delete(stage, people):
    uuids = {p: stage.directory.entry_uuid(p) for p in people}
    for person in people:
        stage.directory.delete(person.dn)
    return uuids


def bring_back(stage, uuids):
    for person, entry_uuid in uuids.items():
        stage.directory.add_person(person, entry_uuid)


@sentence
def P5_10_more_than_half_missing_at_once_is_not_believed(stage):
    with kept(stage, CROWD):
        with behind_its_back(stage):
            uuids = delete(stage, CROWD)
        found = stage.musterd.wait_verdict("narrowed")
        assert found["since"]
        stage.catch_up()
        bring_back(stage, uuids)
        with behind_its_back(stage):
            stage.directory.set(WITNESS, "title", "Account Manager")
        stage.musterd.wait_verdict("complete")


@sentence
def P5_10_more_than_the_limit_missing_are_held_before_the_first_effect(stage):
    log = stage.musterd.log_mark()
    with kept(stage, FIRST_BATCH):
        with behind_its_back(stage):
            stage.held = delete(stage, FIRST_BATCH)
        stage.musterd.wait_log(r"event=brake\.tripped", log, IN_TIME_S)
        wait_held(stage, len(FIRST_BATCH))
        stage.catch_up()


@sentence
def P5_10_people_who_are_back_are_held_no_longer(stage):
    bring_back(stage, stage.held)
    wait_held(stage, 0)


@sentence
def P5_10_a_flood_of_deletes_stops_at_the_limit(stage):
    log = stage.musterd.log_mark()
    delete(stage, SECOND_BATCH)
    stage.musterd.wait_log(r"event=brake\.tripped", log, IN_TIME_S)
    stage.catch_up()
    left = {jid(p) for p in SECOND_BATCH} & shown_in(stage.witness, ALL_STAFF)
    assert len(left) >= len(SECOND_BATCH) - LIMIT, f"only {len(left)} were kept"
    wait_held(stage, len(left))


@sentence
def P5_10_a_restart_releases_nobody(stage):
    held = stage.musterd.source()["held"]
    left = {jid(p) for p in SECOND_BATCH} & shown_in(stage.witness, ALL_STAFF)
    stage.musterd.stop()
    stage.musterd.start()
    stage.directory.set(WITNESS, "title", "Bid Writer")
    stage.catch_up()
    assert left <= shown_in(stage.witness, ALL_STAFF), "somebody was removed by the restart"
    assert stage.musterd.source()["held"] == held


proof.main(lambda stage: stage.settle(WITNESS))
