#!/usr/bin/python3
"""The brake: more removals than are plausible are held, not carried out."""

from contextlib import contextmanager

import ldap

from rig import proof
from rig.administrator import Administrator
from rig.directory import PASSWORD_RULE, READ_RULES, organisation
from rig.process import wait_until, write_file
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
GROUP = f"cn=duty-managers,{organisation.GROUPS_BASE}"
GAINERS = people_of("Sales")[1:5]       # one more than power_gained lets pass
HIDDEN = "Engineering"
PLATFORM_LIMIT = 4      # beside the shipped rows, for a few minutes: fewer than those of a source
PLATFORM_ROW = "- per: platform\n  removals: {at_least: 4, share: 0%, within: 5m}\n"
BATCH = 4


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
def P5_10_access_rules_that_hide_people_remove_nobody(stage):
    hidden = people_of(HIDDEN)
    log = stage.musterd.log_mark()
    with kept(stage, hidden):
        with behind_its_back(stage):
            stage.directory.set(WITNESS, "title", "Buyer")
            stage.directory.set_rules([PASSWORD_RULE, f'to dn.subtree="{organisation.PEOPLE_BASE}"'
                                       f" filter=(departmentNumber={HIDDEN}) by * none", *READ_RULES[1:]])
        stage.musterd.wait_log(r"event=brake\.tripped", log, IN_TIME_S)
        wait_until("they are held", lambda: stage.musterd.source()["held"] >= len(hidden), IN_TIME_S)
        stage.catch_up()
        with behind_its_back(stage):
            stage.directory.set(WITNESS, "title", "Account Manager")
            stage.directory.set_rules(READ_RULES)
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
    """What the brake has let pass until now was so much earlier, and who was there was so, too."""
    store = Store(stage.musterd)
    for table, column in (("brake_effect", "happened_at"), ("brake_people", "until")):
        for by in (hours + 24000, -24000):  # by way of another time: a row stands in no other's way
            store.rows(f"UPDATE {table} SET {column} = {column} - make_interval(hours => %s) RETURNING 1", by)


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


def moderators(stage):
    return Store(stage.musterd).value("""SELECT count(*) FROM account WHERE entitlements LIKE
                                      '%%room duty moderator%%' AND name = ANY(%s)""", [p.uid for p in GAINERS])


@sentence
def P5_10_a_group_that_makes_many_moderators_makes_none(stage):
    log = stage.musterd.log_mark()
    stage.directory.connection.modify_s(GROUP, [(ldap.MOD_ADD, "member", [p.dn.encode() for p in GAINERS])])
    stage.musterd.wait_log(r"event=brake\.tripped .*scope=platform of=xmpp effect=power", log, IN_TIME_S)
    wait_held(stage, FEW + len(GAINERS))
    with behind_its_back(stage):
        stage.directory.set(WITNESS, "title", "Buyer")
    stage.catch_up()
    assert moderators(stage) == 0, "somebody moderates by a gain that is held"
    assert {jid(p) for p in GAINERS} <= shown_in(stage.witness, ALL_STAFF), "a gain that is held took something"
    assert stage.musterd.source()["held"] == FEW + len(GAINERS)


@sentence
def P5_10_two_people_let_go_who_has_not_come_back(stage):
    """And let pass what was to be gained."""
    back, *gone = stage.few
    asker, approver = (Administrator(stage, p) for p in people_of("Operations")[:2])
    for administrator in (asker, approver):
        administrator.bootstrap()
        administrator.log_in()
    listed = {h["person"]["uid"]: h["kind"] for h in asker.muster("--json", "brake", "list").json["held"]}
    assert listed == {p.uid: "removal" for p in stage.few} | {p.uid: "power" for p in GAINERS}, listed
    asked = asker.act("brake", "release", "main", "--reason", "they have left", expect=PENDING)
    named = {line.partition(":")[0] for line in asked.json["preview"]["lines"]}
    assert named == set(listed), named
    assert held_people(stage) == {jid(p) for p in stage.few}, "one person let somebody go"
    assert moderators(stage) == 0, "one person gave power"
    with behind_its_back(stage):
        bring_back(stage, {back: stage.flood[back]})
    wait_held(stage, len(gone) + len(GAINERS))
    approver.act("approve", asked.json["digest"])
    wait_held(stage, 0)
    wait_until("who was released is gone", lambda: held_people(stage) == {jid(back)}, IN_TIME_S)
    stage.catch_up()
    assert held_people(stage) == {jid(back)}
    assert moderators(stage) == len(GAINERS)
    stage.asker = asker


def leave(stage, people):
    """They are deleted, and shown no more."""
    delete(stage, people)
    gone = {jid(p) for p in people}
    wait_until("they are gone", lambda: not gone & shown_in(stage.witness, ALL_STAFF), IN_TIME_S)


@sentence
def P5_10_a_platform_stops_at_its_own_limit(stage):
    time_passes(stage, 25)
    *first, last = people_of("Engineering")[12:12 + PLATFORM_LIMIT + 1]
    leave(stage, first)
    log = stage.musterd.log_mark()
    uuids = delete(stage, [last])
    stage.musterd.wait_log(r"event=brake\.tripped .*scope=platform of=xmpp effect=removal", log, IN_TIME_S)
    wait_held(stage, 1)
    tripped = stage.asker.records("brake.tripped")[0]
    assert (tripped["scope"], tripped["of"], tripped["limit"], tripped["wanted"]) == \
        ("platform", "xmpp", PLATFORM_LIMIT, PLATFORM_LIMIT + 1), tripped
    stage.catch_up()
    assert jid(last) in shown_in(stage.witness, ALL_STAFF)
    bring_back(stage, uuids)
    wait_held(stage, 0)


@sentence
def P5_10_many_small_batches_stop_at_the_days_limit(stage):
    time_passes(stage, 25)
    # of whom the platform has an account: fewer than the source has people
    people = Store(stage.musterd).value("SELECT sum(people)::bigint FROM brake_people WHERE scope = 'platform'")
    leavers = [p for p in [*FIRST_BATCH, *people_of("Operations")[5:]]
               if jid(p) in shown_in(stage.witness, ALL_STAFF)]
    left, log = 0, stage.musterd.log_mark()
    while left + BATCH <= people // 10 - BATCH // 2:    # fewer people are there with each batch
        leave(stage, leavers[left:left + BATCH])
        time_passes(stage, 2)
        left += BATCH
    assert not stage.musterd.source()["held"] and left > 2 * LIMIT
    last = leavers[left:left + BATCH + 2]
    delete(stage, last)
    stage.musterd.wait_log(r"event=brake\.tripped .*scope=platform of=xmpp .*within_s=86400", log, IN_TIME_S)
    stage.catch_up()
    stayed = {jid(p) for p in last} & shown_in(stage.witness, ALL_STAFF)
    assert left + len(last) - len(stayed) <= people // 10, "more left within the day than a tenth"


def prepare(stage):
    brake = stage.musterd.folder / "policies" / "brake.yaml"
    write_file(brake, brake.read_text() + PLATFORM_ROW)
    stage.settle(WITNESS)


proof.main(prepare)
