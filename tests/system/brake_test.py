#!/usr/bin/python3
"""The brake: more removals than are plausible are held, not carried out."""

from contextlib import contextmanager

from rig import proof
from rig.administrator import Administrator
from rig.directory import organisation
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in
from rig.store import Store

IN_TIME_S = 60
LIMIT = 5               # max(5, 2 % of 200) within the hour, as in policies/brake.yaml
WITNESS = people_of("Sales")[0]
CROWD = [p for p in organisation.PEOPLE if p != WITNESS][:120]  # more than half of all
FIRST_BATCH = people_of("Engineering")[:12]     # plausible, yet more than the limit
SECOND_BATCH = people_of("Finance")[:15]
LONER = people_of("People")[0]
PENDING = 3             # the command's exit status
FEW = 3                 # held people whom the brake would let go if it forgot about them


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
    stage.flood = delete(stage, SECOND_BATCH)
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


def time_passes(stage, hours):
    """What the brake has let pass until now was so much earlier."""
    Store(stage.musterd).rows("""UPDATE brake_effect SET happened_at = happened_at - make_interval(hours => %s)
                              RETURNING 1""", hours)


def held_people(stage):
    """The jids of those whose removal is held: gone from the directory, and still shown."""
    return {jid(p) for p in stage.few} & shown_in(stage.witness, ALL_STAFF)


@sentence
def P5_10_held_people_stay_held_when_another_leaves_alone(stage):
    shown = shown_in(stage.witness, ALL_STAFF)
    held = [p for p in SECOND_BATCH if jid(p) in shown]
    stage.few = held[:FEW]
    bring_back(stage, {p: stage.flood[p] for p in held[FEW:]})
    wait_held(stage, FEW)
    time_passes(stage, 25)
    stage.directory.delete(LONER.dn)
    wait_until(f"{LONER.uid} is gone", lambda: jid(LONER) not in shown_in(stage.witness, ALL_STAFF),
               IN_TIME_S)
    stage.catch_up()
    assert held_people(stage) == {jid(p) for p in stage.few}, "another's leaving let somebody go"
    assert stage.musterd.source()["held"] == FEW


@sentence
def P5_10_held_people_stay_held_across_a_restart_after_the_window(stage):
    with behind_its_back(stage):    # it reads everything; only the loner counts by now
        stage.directory.set(WITNESS, "title", "Auctioneer")
    stage.catch_up()
    stage.musterd.wait_verdict("complete")
    assert held_people(stage) == {jid(p) for p in stage.few}, "the restart let somebody go"
    assert stage.musterd.source()["held"] == FEW


@sentence
def P5_10_two_people_let_go_who_has_not_come_back(stage):
    back, *gone = stage.few
    asker, approver = (Administrator(stage, p) for p in people_of("Operations")[:2])
    for administrator in (asker, approver):
        administrator.bootstrap()
        administrator.log_in()
    asked = asker.act("brake", "release", "main", "--reason", "they have left", expect=PENDING)
    assert held_people(stage) == {jid(p) for p in stage.few}, "one person let somebody go"
    with behind_its_back(stage):
        bring_back(stage, {back: stage.flood[back]})
    wait_held(stage, len(gone))
    approver.act("approve", asked.json["digest"])
    wait_held(stage, 0)
    wait_until("who was released is gone", lambda: held_people(stage) == {jid(back)}, IN_TIME_S)
    stage.catch_up()
    assert held_people(stage) == {jid(back)}


def prepare(stage):
    stage.settle(WITNESS)


proof.main(prepare)
