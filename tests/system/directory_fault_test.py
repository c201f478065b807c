#!/usr/bin/python3
"""A failing directory removes nobody: every way it fails that we could make it fail."""

import itertools
from contextlib import contextmanager
from dataclasses import replace

from rig import proof
from rig.directory import PASSWORD_RULE, READ_RULES, organisation
from rig.musterd import Hold
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import ALL_STAFF, NEWCOMER, jid, people_of, shown_in

IN_TIME_S = 90          # a reconnect may wait long after repeated failures
WITNESS, SENTINEL = people_of("Operations")[:2]
counter = itertools.count()


def prepare(stage):
    stage.settle(WITNESS)
    stage.session = stage.meet(SENTINEL)
    stage.token = stage.granted(SENTINEL)


@contextmanager
def nobody_removed(stage):
    """Inside, the directory fails and recovers. Afterwards a joiner shows, so all that was decided
    before has had its effect, and everybody who was there still is, without interruption."""
    before = shown_in(stage.witness, ALL_STAFF)
    token, witness, session = stage.token.mark(), stage.witness.mark(), stage.session.mark()
    yield
    stage.catch_up(IN_TIME_S)
    missing = before - shown_in(stage.witness, ALL_STAFF)
    assert not missing, f"{len(missing)} people were removed"
    assert stage.witness.find(witness, event="push", subscription="remove",
                              jid=lambda address: address in before) is None
    assert stage.session.find(session, event="closed") is None
    assert stage.token.find(token, event="answer", status=lambda s: s in (403, 404)) is None
    assert stage.token.ask("ping", "answer")["status"] == 200


def verdict_recorded(stage, *verdicts):
    """The verdict stands on the console with its beginning, and in the log."""
    found = stage.musterd.wait_verdict(*verdicts, timeout_s=IN_TIME_S)
    assert found["since"], f"no since when: {found}"
    stage.musterd.wait_log(rf"event=source\.verdict.* verdict={found['verdict']}")
    return found


@contextmanager
def unseen(stage):
    """What happens inside, muster only sees at its next read, which has to list everybody."""
    hold = Hold(stage.musterd, "mu-cycle")
    try:
        stage.directory.set(WITNESS, "title", f"Dispatcher {next(counter)}")
        stage.directory.stop()
        yield
        stage.directory.start()
    finally:
        hold.release()


@sentence
def P5_10_stopped_directory_removes_nobody(stage):
    with nobody_removed(stage):
        stage.directory.stop()
        down = verdict_recorded(stage, "unreachable")
        stage.directory.start()
        up = verdict_recorded(stage, "complete")
        assert up["since"] >= down["since"]


@sentence
def P5_10_killed_directory_removes_nobody(stage):
    with nobody_removed(stage):
        stage.directory.kill()
        verdict_recorded(stage, "unreachable")
        stage.directory.start()
        # slapd may have forgotten how far it had told us, until it is written to again
        verdict_recorded(stage, "complete", "stale")
        stage.catch_up(IN_TIME_S)
        verdict_recorded(stage, "complete")


@sentence
def P5_10_changed_password_removes_nobody(stage):
    with nobody_removed(stage):
        stage.directory.set_muster_password("another password")
        try:
            stage.directory.restart()
            verdict_recorded(stage, "unreachable")
            wait_until("the console says that the credentials are refused", lambda:
                       "invalid credentials" in stage.musterd.source()["text"].lower(), IN_TIME_S)
        finally:
            stage.directory.set_muster_password(stage.directory.muster_password)
        verdict_recorded(stage, "complete")


@sentence
def P5_10_cut_access_rules_remove_nobody(stage):
    with nobody_removed(stage):
        with unseen(stage):
            stage.directory.write_conf([PASSWORD_RULE, "to * by * none"])
        verdict_recorded(stage, "unreachable", "empty", "narrowed", "truncated")
        stage.directory.set_rules(READ_RULES)
        stage.directory.restart()
        verdict_recorded(stage, "complete")


@sentence
def P5_10_access_cut_while_connected_removes_nobody(stage):
    with nobody_removed(stage):
        stage.directory.set_rules([PASSWORD_RULE, "to * by * none"])
        stage.directory.set(SENTINEL, "title", "Dispatcher")
        stage.directory.set(WITNESS, "title", "Duty Manager")
        stage.directory.set_rules(READ_RULES)
        stage.directory.restart()
        verdict_recorded(stage, "complete")


@sentence
def P5_10_half_of_the_people_hidden_removes_nobody(stage):
    hidden = ('to dn.subtree="ou=people,dc=example,dc=org" filter=(departmentNumber=Engineering)'
              " by * none")
    with nobody_removed(stage):
        with unseen(stage):
            stage.directory.write_conf([PASSWORD_RULE, hidden, *READ_RULES[1:]])
        verdict_recorded(stage, "narrowed", "complete")
        stage.catch_up(IN_TIME_S)
        stage.directory.set_rules(READ_RULES)
        stage.directory.restart()
        verdict_recorded(stage, "complete")


@sentence
def P5_10_empty_directory_removes_nobody(stage):
    with nobody_removed(stage):
        people = (organisation.PEOPLE_BASE, organisation.GROUPS_BASE)
        with unseen(stage):
            content = stage.directory.dump()
            stage.directory.load((dn, entry) for dn, entry in
                                 organisation.entries(stage.directory.muster_password)
                                 if not dn.endswith(tuple("," + base for base in people)))
        verdict_recorded(stage, "empty", "narrowed")
        stage.directory.stop()
        stage.directory.load(content)
        stage.directory.start()
        verdict_recorded(stage, "complete")


@sentence
def P5_10_directory_restored_from_an_old_backup_removes_nobody(stage):
    with nobody_removed(stage):
        backup = stage.directory.dump()
        stage.catch_up(IN_TIME_S)
        content = stage.directory.dump()
        stage.directory.stop()
        stage.directory.load(backup)
        stage.directory.start()
        verdict_recorded(stage, "stale", "complete")
        stage.directory.stop()
        stage.directory.load(content)
        stage.directory.start()
        verdict_recorded(stage, "complete")


@sentence
def P5_2_who_left_while_nobody_looked_is_removed_and_only_they(stage):
    """muster and slapd's memory of deletes both gone: the read lists who is there."""
    leaver = stage.join("Sales")
    token = stage.granted(leaver, IN_TIME_S)
    with nobody_removed(stage):
        pass
    before = shown_in(stage.witness, ALL_STAFF)
    mark = token.mark()
    with unseen(stage):
        stage.directory.start()
        stage.directory.delete(leaver.dn)
        stage.directory.stop()
    token.wait("the leaver is refused", IN_TIME_S, mark, event="answer", status=403)
    wait_until("the leaver has gone from the contact lists", lambda: before - {jid(leaver)}
               == shown_in(stage.witness, ALL_STAFF), IN_TIME_S)


@sentence
def R_MALF_a_bad_entry_is_set_aside_and_its_neighbours_go_on(stage):
    mark = stage.musterd.log_mark()
    with nobody_removed(stage):
        stage.directory.add_person(replace(NEWCOMER, uid="no/such name@here"))
    stage.musterd.wait_log(r"event=\S*(quarantine|account)\S*", mark, IN_TIME_S)


proof.main(prepare)
