#!/usr/bin/python3
"""PostgreSQL or the chat server stopped and started again: muster catches up by itself."""

import os
import signal

from rig import proof
from rig.proof import sentence
from rig.stage import ALL_STAFF, people_of

IN_TIME_S = 90
WITNESS, LEAVER, MOVER = people_of("Sales")[:3]


@sentence
def R_PG_a_killed_postgres_is_started_again_and_nothing_is_lost(stage):
    postmaster, = stage.musterd.children("postgres")
    os.kill(postmaster, signal.SIGKILL)
    person = stage.join("Sales")
    stage.wait_shown(person, ALL_STAFF, "sales", timeout_s=IN_TIME_S)
    assert stage.musterd.children("postgres") != [postmaster]
    stage.granted(person, IN_TIME_S)


@sentence
def R_PG_a_postgres_shut_down_is_started_again(stage):
    postmaster, = stage.musterd.children("postgres")
    os.kill(postmaster, signal.SIGINT)
    person = stage.join("Sales")
    stage.wait_shown(person, ALL_STAFF, "sales", timeout_s=IN_TIME_S)


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
    joiner = stage.join("Sales")
    token.wait("the token API refuses the leaver at once", 20, mark, event="answer", status=403)
    stage.ejabberd.start()
    stage.witness = stage.online(WITNESS)
    stage.wait_shown(joiner, ALL_STAFF, "sales", timeout_s=IN_TIME_S)
    stage.wait_shown(MOVER, ALL_STAFF, timeout_s=IN_TIME_S)
    stage.wait_shown(LEAVER, timeout_s=IN_TIME_S)
    stage.log_in(LEAVER).wait("the leaver's login is refused", IN_TIME_S, event="refused")


@sentence
def R_HTTP_a_chat_server_that_hangs_is_waited_for_and_repaired(stage):
    os.kill(stage.ejabberd.server.pid, signal.SIGSTOP)
    try:
        joiner = stage.join("Sales")
        stage.granted(joiner, IN_TIME_S)
    finally:
        os.kill(stage.ejabberd.server.pid, signal.SIGCONT)
    stage.wait_shown(joiner, ALL_STAFF, "sales", timeout_s=IN_TIME_S)


proof.main(lambda stage: stage.settle(WITNESS))
