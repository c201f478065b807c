#!/usr/bin/python3
"""What time alone changes is done within a second of it: starts, ends, returns, the ends of grants."""

import time

from rig import proof
from rig.office import Office
from rig.proof import sentence
from rig.process import wait_until
from rig.stage import people_of
from rig.store import Store

IN_TIME_S = 60
SALES, OPERATIONS = people_of("Sales"), people_of("Operations")
ADMINISTRATORS = people_of("People")[:2]
ENDS, ENDS_ALONE, SUSPENDED, GRANTED, LEFT = SALES[1], SALES[2], SALES[3], OPERATIONS[0], SALES[4]


def in_seconds(seconds, style):
    """A whole second, as Unix time and as text."""
    at = int(time.time()) + seconds
    return at, time.strftime(style, time.gmtime(at))


def directory_time(seconds):
    return in_seconds(seconds, "%Y%m%d%H%M%SZ")


def action_time(seconds):
    return in_seconds(seconds, "%Y-%m-%dT%H:%M:%SZ")


def prepare(stage):
    stage.start()
    stage.store = Store(stage.musterd)
    wait_until("everybody has been read", lambda: stage.store.value(
        "SELECT count(*) FROM source_search WHERE complete_at IS NOT NULL") == 2, 180)
    stage.office = Office(stage, ADMINISTRATORS)
    stage.grant_ends, until = action_time(60)       # which is long after the codes for it
    stage.office.agree("grant", GRANTED.uid, "ops-moderator", "--until", until, "--reason", "the night shift")
    assert stage.store.rows("SELECT 1 FROM requested_grant")


def identity(stage, person):
    return stage.store.value("SELECT person_id::text FROM person WHERE uid = %s", person.uid)


def state(stage, person):
    found = stage.store.rows("SELECT state FROM person WHERE uid = %s", person.uid)
    return found[0][0] if found else None


def recorded_in_time(stage, person, kind, due):
    """A record of that kind about them comes, and what it tells happened within a second after due."""
    late, = wait_until(f"{kind} of {person.uid}", lambda: stage.store.rows(
        "SELECT extract(epoch FROM happened_at) - %s FROM audit_record WHERE kind = %s"
        " AND body::json->>'person' = %s AND happened_at > to_timestamp(%s)",
        due, kind, identity(stage, person), due - 5), IN_TIME_S)[-1]
    assert 0 <= late < 1, f"{kind} of {person.uid} is {late:.3f} s late"


@sentence
def P5_2_who_starts_tomorrow_has_nothing_until_the_second_it_is(stage):
    due, text = directory_time(5)
    person = stage.join("Sales", start_date=text)
    wait_until("they are staged", lambda: state(stage, person) == "staged", IN_TIME_S, 0.05)
    recorded_in_time(stage, person, "person.resumed", due)
    assert state(stage, person) == "active"
    stage.granted(person)


@sentence
def P5_2_an_end_date_is_the_end_to_the_second(stage):
    token = stage.granted(ENDS)
    mark = token.mark()
    due, text = directory_time(4)
    stage.directory.set(ENDS, "endDate", text)
    token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    assert time.time() >= due
    recorded_in_time(stage, ENDS, "person.left", due)


@sentence
def P5_2_time_does_not_wait_for_a_directory_that_is_away(stage):
    due, text = directory_time(6)
    stage.directory.set(ENDS_ALONE, "endDate", text)
    wait_until("the end is known", lambda: stage.store.value(
        "SELECT ends_at IS NOT NULL FROM person WHERE uid = %s", ENDS_ALONE.uid), IN_TIME_S, 0.05)
    stage.directory.stop()
    recorded_in_time(stage, ENDS_ALONE, "person.left", due)
    stage.directory.start()


@sentence
def P5_6_a_planned_return_is_kept_to_the_second(stage):
    administrator = stage.office.free()
    code = administrator.authenticator.code()
    due, text = action_time(8)
    administrator.muster("suspend", SUSPENDED.uid, "--until", text, "--reason", "until it is cleared up",
                         secrets=[code])
    assert state(stage, SUSPENDED) == "suspended"
    recorded_in_time(stage, SUSPENDED, "person.resumed", due)


@sentence
def P5_2_who_has_left_is_a_leaver_while_their_entry_is_there(stage):
    token, before = stage.granted(LEFT), identity(stage, LEFT)
    mark = token.mark()
    stage.directory.set(LEFT, "employeeStatus", "left")
    token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    assert state(stage, LEFT) == "leaver"
    mark = token.mark()
    stage.directory.set(LEFT, "employeeStatus", "active")
    token.wait("the token API grants again", IN_TIME_S, mark, event="answer", status=200)
    assert identity(stage, LEFT) == before


@sentence
def P5_7_a_grant_ends_to_the_second(stage):
    recorded_in_time(stage, GRANTED, "grant.ended", stage.grant_ends)
    assert not stage.store.rows("SELECT 1 FROM requested_grant")


if __name__ == "__main__":
    proof.main(prepare)
