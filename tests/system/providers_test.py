#!/usr/bin/python3
"""Directories that are polled or read by pages: the whole service sees who joins, moves and leaves
within a few seconds, and loses nobody when the directory fails or is followed in another way."""

import re
from contextlib import contextmanager

import ldap

from rig import proof
from rig.directory import CONFIG_DN, DATABASE_DN, organisation
from rig.process import wait_until, write_file
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in

IN_TIME_S = 60
WITNESS, SENTINEL = people_of("Operations")[:2]
MOVERS = people_of("Sales")[:2]
LEAVERS = people_of("Finance")[:2]


def follow(stage, how):
    """The same configuration, but for how the source is followed."""
    stage.musterd.text = re.sub(r"(    follow: \w+\n    every: 5s\n)?    people:\n",
                                f"    follow: {how}\n    every: 5s\n    people:\n", stage.musterd.text)
    write_file(stage.musterd.config, stage.musterd.text)


def prepare(stage):
    follow(stage, "poll")
    stage.settle(WITNESS)
    stage.session = stage.meet(SENTINEL)


@contextmanager
def nobody_removed(stage):
    """Inside, something fails and recovers. Afterwards a joiner shows, so all that was decided
    before has had its effect, and everybody who was there still is, without interruption."""
    before = shown_in(stage.witness, ALL_STAFF)
    token = stage.granted(SENTINEL, IN_TIME_S)
    asked, witness, session = token.mark(), stage.witness.mark(), stage.session.mark()
    yield
    stage.catch_up(IN_TIME_S)
    missing = before - shown_in(stage.witness, ALL_STAFF)
    assert not missing, f"{len(missing)} people were removed"
    assert stage.witness.find(witness, event="push", subscription="remove",
                              jid=lambda address: address in before) is None
    assert stage.session.find(session, event="closed") is None
    assert token.find(asked, event="answer", status=lambda s: s in (403, 404)) is None


def joins(stage):
    person = stage.join("Operations")
    stage.meet(person, IN_TIME_S)
    stage.wait_shown(person, ALL_STAFF, "operations")


def moves(stage, person):
    token = stage.granted(person, IN_TIME_S)
    mark = token.mark()
    stage.directory.set(person, "departmentNumber", "Operations")
    answer = token.wait("the grant follows", IN_TIME_S, mark, event="answer", status=200,
                        roles=lambda roles: "operations" in roles)
    assert "sales" not in answer["roles"], answer
    stage.wait_shown(person, ALL_STAFF, "operations")


def leaves(stage, person):
    token = stage.granted(person, IN_TIME_S)
    before, mark = shown_in(stage.witness, ALL_STAFF), token.mark()
    stage.directory.delete(person.dn)
    token.wait("the leaver is refused", IN_TIME_S, mark, event="answer", status=403)
    wait_until("the leaver has gone from the contact lists, and only they", lambda: before - {jid(person)}
               == shown_in(stage.witness, ALL_STAFF), IN_TIME_S)


def stops_and_starts(stage):
    with nobody_removed(stage):
        stage.directory.stop()
        stage.musterd.wait_verdict("unreachable", timeout_s=IN_TIME_S)
        stage.directory.start()
        stage.musterd.wait_verdict("complete", timeout_s=IN_TIME_S)
        stage.directory.kill()
        stage.musterd.wait_verdict("unreachable", timeout_s=IN_TIME_S)
        stage.directory.start()
        # slapd may have forgotten how far it had told us, until it is written to again
        stage.musterd.wait_verdict("complete", "stale", timeout_s=IN_TIME_S)


def limit(stage, *limits):
    config = stage.directory.connect(CONFIG_DN)
    config.modify_s(DATABASE_DN, [(ldap.MOD_REPLACE, "olcLimits", [v.encode() for v in limits] or None)])
    config.unbind_s()


@sentence
def P5_2_a_polled_directory_s_joiner_collects_and_shows(stage):
    joins(stage)


@sentence
def P5_4_a_polled_directory_s_mover_loses_the_old_and_gains_the_new(stage):
    moves(stage, MOVERS[0])


@sentence
def P5_10_a_polled_directory_that_stops_removes_nobody(stage):
    stops_and_starts(stage)


@sentence
def P5_3_a_polled_directory_s_leaver_is_refused_and_gone(stage):
    leaves(stage, LEAVERS[0])


@sentence
def P5_10_a_directory_followed_in_another_way_removes_nobody(stage):
    with nobody_removed(stage):
        stage.musterd.stop()
        follow(stage, "paged")
        mark = stage.musterd.log_mark()
        stage.musterd.start()
        stage.musterd.wait_log(r"event=source\.refreshed.* search=people.* verdict=complete", mark)


@sentence
def P5_2_a_paged_directory_s_joiner_collects_and_shows(stage):
    joins(stage)


@sentence
def P5_4_a_paged_directory_s_mover_loses_the_old_and_gains_the_new(stage):
    moves(stage, MOVERS[1])


@sentence
def P5_10_a_paged_directory_that_stops_removes_nobody(stage):
    stops_and_starts(stage)


@sentence
def P5_10_a_paged_directory_s_size_limit_removes_nobody(stage):
    with nobody_removed(stage):
        limit(stage, f'dn.exact="{organisation.MUSTER_DN}" size=100')
        said = stage.musterd.wait_verdict("truncated", timeout_s=IN_TIME_S)
        assert "limit" in said["text"], said
        limit(stage)
        stage.musterd.wait_verdict("complete", timeout_s=IN_TIME_S)


@sentence
def P5_3_a_paged_directory_s_leaver_is_refused_and_gone(stage):
    leaves(stage, LEAVERS[1])


proof.main(prepare)
