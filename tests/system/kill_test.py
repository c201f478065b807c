#!/usr/bin/python3
"""SIGKILL of any process at any time is survived and repaired."""

import os
import random

from rig import proof
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in

IN_TIME_S = 90
ROUNDS = 20 if os.environ.get("MUSTER_LONG") else 2
WITNESS = people_of("People")[0]
MOVER = people_of("Finance")[0]
PROCESSES = ("keys", "cycle", "login", "provision", "adapter", "audit", "token", "claim", "admin")


def joins_while_killed(stage, name):
    """Kills a process while a joiner and a mover are on their way; all must come true, the process
    must be back, and nobody may have been told that nothing is granted."""
    department = random.choice(["Sales", "Engineering", "Operations"])
    token = stage.granted(WITNESS)
    mark = token.mark()
    stage.directory.set(MOVER, "departmentNumber", "Finance")
    joiner = stage.join("People")
    killed = stage.musterd.kill(name)
    stage.directory.set(MOVER, "departmentNumber", department)
    stage.wait_shown(joiner, ALL_STAFF, "people", timeout_s=IN_TIME_S)
    wait_until(f"{name} is back", lambda: len(
        set(stage.musterd.children(name)) - set(killed)) == len(killed), IN_TIME_S)
    stage.meet(joiner, IN_TIME_S)
    granted = stage.granted(MOVER, IN_TIME_S)
    granted.wait("the mover's last department counts", IN_TIME_S, event="answer", status=200,
                 roles=lambda roles: department.lower() in roles and "finance" not in roles)
    assert token.ask("ping", "answer", IN_TIME_S, status=200)
    assert token.find(mark, event="answer", status=lambda s: s in (403, 404)) is None
    for watch in (token, granted):
        watch.close()
        stage.observers.remove(watch)


def survives(name):
    def survived(stage):
        joins_while_killed(stage, f"mu-{name}" if name != "postgres" else name)
    survived.__name__ = f"R_KILL_{name}_killed_is_survived_and_repaired"
    return sentence(survived)


for process in (*PROCESSES, "postgres"):
    survives(process)


@sentence
def R_KILL_everything_at_once_is_survived(stage):
    for name in PROCESSES:
        stage.musterd.kill(f"mu-{name}")
    joins_while_killed(stage, "postgres")


@sentence
def R_KILL_random_kills_in_a_row_are_survived(stage):
    for _ in range(ROUNDS):
        joins_while_killed(stage, f"mu-{random.choice(PROCESSES)}")


@sentence
def R_KILL_the_supervisor_killed_leaves_nothing_behind_and_starts_again(stage):
    family = stage.musterd.children()
    before = shown_in(stage.witness, ALL_STAFF)
    stage.musterd.server.kill()
    wait_until("its processes end with it",
               lambda: not any(stage.musterd.alive(pid) for pid in family), IN_TIME_S)
    stage.musterd.start()
    joiner = stage.join("People")
    wait_until("a joiner shows", lambda: before | {jid(joiner)}
               == shown_in(stage.witness, ALL_STAFF), IN_TIME_S)


proof.main(lambda stage: stage.settle(WITNESS))
