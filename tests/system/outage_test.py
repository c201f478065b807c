#!/usr/bin/python3
"""PostgreSQL or the chat server stopped and started again: muster catches up by itself."""

import os
import signal
from dataclasses import replace

from rig import proof
from rig.directory import organisation
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, groups_shown, jid, people_of, shown_in, wait_all_shown

IN_TIME_S = 90
WITNESS, LEAVER, MOVER = people_of("Sales")[:3]
MARKER = organisation.Person("outage.marker", "Outage", "Marker", "Sales")


def prepare(stage):
    stage.start()
    stage.witness = stage.meet(WITNESS)
    wait_all_shown(stage.witness)


def join(stage, number):
    person = replace(MARKER, uid=f"marker.{number}", number=number)
    stage.directory.add_person(person)
    return person


def wait_shows(stage, person):
    wait_until(f"{person.uid} shows", lambda: jid(person) in shown_in(stage.witness, ALL_STAFF),
               IN_TIME_S)


@sentence
def R_PG_a_killed_postgres_is_started_again_and_nothing_is_lost(stage):
    postmaster, = stage.musterd.children("postgres")
    os.kill(postmaster, signal.SIGKILL)
    person = join(stage, 33001)
    wait_shows(stage, person)
    assert stage.musterd.children("postgres") != [postmaster]
    stage.granted(person, IN_TIME_S)


@sentence
def R_PG_a_postgres_shut_down_is_started_again(stage):
    postmaster, = stage.musterd.children("postgres")
    os.kill(postmaster, signal.SIGINT)
    person = join(stage, 33002)
    wait_shows(stage, person)


@sentence
def R_PG_while_the_store_hangs_nobody_is_told_that_nothing_is_granted(stage):
    token = stage.granted(WITNESS)
    mark = token.mark()
    postmaster, = stage.musterd.children("postgres")
    os.kill(postmaster, signal.SIGKILL)
    token.wait("the token API grants again", IN_TIME_S, mark, event="answer", status=200)
    told = token.find(mark, event="answer", status=lambda s: s in (403, 404))
    assert told is None, f"a store failure was answered {told}"


@sentence
def P7_7_while_the_chat_server_is_down_the_token_api_refuses_and_afterwards_all_is_repaired(stage):
    stage.collect(LEAVER)
    token = stage.granted(LEAVER)
    stage.ejabberd.stop()
    mark = token.mark()
    stage.directory.delete(LEAVER.dn)
    stage.directory.set(MOVER, "departmentNumber", "Finance")
    joiner = join(stage, 33003)
    token.wait("the token API refuses the leaver at once", 20, mark, event="answer", status=403)
    stage.ejabberd.start()
    stage.witness = stage.online(WITNESS)
    wait_shows(stage, joiner)
    wait_until("the mover has swapped groups",
               lambda: groups_shown(stage.witness, MOVER) == [ALL_STAFF], IN_TIME_S)
    wait_until("the leaver has gone",
               lambda: jid(LEAVER) not in shown_in(stage.witness, ALL_STAFF), IN_TIME_S)
    stage.log_in(LEAVER).wait("the leaver's login is refused", IN_TIME_S, event="refused")


@sentence
def R_HTTP_a_chat_server_that_hangs_is_waited_for_and_repaired(stage):
    os.kill(stage.ejabberd.server.pid, signal.SIGSTOP)
    try:
        joiner = join(stage, 33004)
        stage.granted(joiner, IN_TIME_S)
    finally:
        os.kill(stage.ejabberd.server.pid, signal.SIGCONT)
    wait_shows(stage, joiner)


proof.main(prepare)
