#!/usr/bin/python3
"""What administrators do to people: what takes effect, what does not, and what is refused."""

import re
import time
from dataclasses import replace

from rig import proof
from rig.musterd import PLATFORM
from rig.office import Office
from rig.process import now_ns, wait_until, write_file
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in, wait_all_shown

IN_TIME_S = 60
WITNESS, *SALES = people_of("Sales")
OPERATIONS = people_of("Operations")
ADMINISTRATORS = people_of("People")[:6]
REVOKED, AT_ONCE, SUSPENDED, RESUMED = OPERATIONS[:4]
SEVERAL, KEPT = OPERATIONS[4:7], OPERATIONS[7:13]
CROWD = people_of("Engineering")[:51] + SALES[:9]
FLOOD, LATER = people_of("Finance")[:11], people_of("Finance")[11:17]


def prepare(stage):
    stage.start()
    stage.witness = stage.meet(WITNESS)
    stage.office = Office(stage, ADMINISTRATORS)
    wait_all_shown(stage.witness)


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def token_answers(stage, person, status):
    return stage.token_watch(person.uid).wait(f"the token API answers {status} for {person.uid}", IN_TIME_S,
                                              event="answer", status=status)


def logs_in(stage, person):
    return stage.log_in(person).wait("an answer to the login", IN_TIME_S,
                                     event=lambda e: e in ("online", "refused"))["event"] == "online"


def stays_out(stage, person):
    """Once everything decided so far has had its effect: nothing is given, anywhere."""
    stage.catch_up()
    answer = stage.token_watch(person.uid).wait("the token API answers", IN_TIME_S, event="answer")
    assert answer["status"] == 403, f"the token API answers {answer}"
    assert not logs_in(stage, person), f"{person.uid} logs in"
    shown = stage.office.show(person)
    assert shown["blocked"] and not shown["roles"], shown
    assert all(a["wanted"] == "disabled" and a["observed"] == "disabled" for a in shown["accounts"]), shown
    stage.wait_shown(person)


def named(people):
    return {p.uid for p in people}


def uids(refs):
    return {r["uid"] for r in refs}


# --- Revoke, and back ---


@sentence
def P5_19_revoke_ends_session_login_and_token_api_and_prints_the_receipts(stage):
    session, token = stage.meet(REVOKED), stage.granted(REVOKED)
    mark = token.mark()
    session.ask("ping", "pong")
    administrator = stage.office.free()
    begun = now_ns()
    done = administrator.muster("revoke", REVOKED.uid, "--reason", "the phone was stolen", "--wait",
                                secrets=[administrator.authenticator.code()])
    closed = session.wait("the live session ends", IN_TIME_S, event="closed")
    refused = token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    assert begun < closed["t"] and begun < refused["t"]
    assert not logs_in(stage, REVOKED), "the revoked logs in"
    lines = done.out.splitlines()
    assert lines[0].startswith("done: revoke"), done.out
    assert lines[-1] == "settled: every account is as wanted", done.out
    for step in "disable", "kill":
        receipt = rf"\({REVOKED.uid}\) +{PLATFORM} +{REVOKED.uid} +{step} +done "
        assert [line for line in lines if re.search(receipt, line)], done.out
    account, = stage.office.show(REVOKED)["accounts"]
    assert account["settled"] and account["observed"] == "disabled", account


@sentence
def P5_3_a_revoked_person_stays_revoked_whatever_the_directory_says(stage):
    stays_out(stage, REVOKED)
    stage.directory.set(REVOKED, "mail", "somebody@example.org")
    stays_out(stage, REVOKED)
    stage.directory.set(REVOKED, "departmentNumber", "Finance")
    stays_out(stage, REVOKED)
    entry_uuid = stage.directory.entry_uuid(REVOKED)
    stage.directory.delete(REVOKED.dn)
    wait_until("the deletion is seen", lambda: stage.office.show(REVOKED)["state"] == "leaver", IN_TIME_S)
    stage.directory.add_person(replace(REVOKED, department="Finance"), entry_uuid)
    wait_until("the return is seen", lambda: stage.office.show(REVOKED)["state"] == "active", IN_TIME_S)
    stays_out(stage, REVOKED)


@sentence
def P5_3_a_revoked_person_stays_revoked_whoever_restarts(stage):
    stage.musterd.stop()
    stage.musterd.start()
    stays_out(stage, REVOKED)
    stage.directory.restart()
    stays_out(stage, REVOKED)
    stage.office.act("sync", "run")
    stays_out(stage, REVOKED)


@sentence
def P5_3_reinstated_by_two_they_have_what_the_directory_gives_now(stage):
    asker, asked = stage.office.act("reinstate", REVOKED.uid, "--reason", "the phone is back", expect=3)
    assert asked["state"] == "pending" and asked["needs"]["approvals"] == 1, asked
    stays_out(stage, REVOKED)
    token = stage.token_watch(REVOKED.uid)
    stage.office.approve(asked["digest"], asker)
    answer = token.wait("the token API grants again", IN_TIME_S, event="answer", status=200)
    assert "finance" in answer["roles"] and "operations" not in answer["roles"], answer
    stage.wait_shown(REVOKED, ALL_STAFF)
    wait_until("the reinstated logs in", lambda: logs_in(stage, REVOKED), IN_TIME_S)


@sentence
def P5_19_revoke_without_a_session_asks_for_password_and_code_once(stage):
    session, token = stage.meet(AT_ONCE), stage.granted(AT_ONCE)
    mark = token.mark()
    administrator = stage.office.free()
    administrator.muster("logout")
    done = administrator.muster(
        "--json", "revoke", AT_ONCE.uid, "--reason", "no time to lose", "--user", administrator.person.uid,
        secrets=[administrator.person.password, administrator.authenticator.code()])
    assert done.json["state"] == "executed", done.json
    session.wait("the live session ends", IN_TIME_S, event="closed")
    token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    no_session = administrator.muster("whoami", expect=1)
    assert "login" in no_session.err, no_session.err
    administrator.log_in()


@sentence
def P5_3_several_are_revoked_by_one_action(stage):
    tokens = [stage.granted(p) for p in SEVERAL]
    marks = [t.mark() for t in tokens]
    _, done = stage.office.act("revoke", *[p.uid for p in SEVERAL], "--reason", "the flat was burgled")
    assert uids(e["person"] for e in done["result"]["people"]) == named(SEVERAL), done["result"]
    for token, mark in zip(tokens, marks):
        token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)


# --- Who is meant ---


def refusals(stage, administrator):
    """The records of what they were refused."""
    own = stage.office.show(administrator.person)["id"]
    return len(stage.office.records("action.refused", actor=own))


def unchanged(stage, *people):
    """Nothing of this happened to them, and no action waits."""
    for person in people:
        assert not stage.office.show(person)["blocked"], f"{person.uid} is revoked"
    assert stage.office.look("pending")["pending"] == []


@sentence
def P1_3_an_ambiguous_name_lists_candidates_and_changes_nothing(stage):
    one = stage.join("Sales", given_name="Kim", surname="Doe")
    other = stage.join("Finance", given_name="Kim", surname="Doe")
    wait_until("both are known", lambda: len(stage.office.look("person", "list", "--match", "(name=Kim Doe)")
                                             ["people"]) == 2, IN_TIME_S)
    administrator = stage.office.free()
    recorded = refusals(stage, administrator)
    done = administrator.refused("revoke", "Kim Doe", KEPT[0].uid, "--reason", "which one?")
    assert refusals(stage, administrator) == recorded + 1
    problem = done.json
    target, = problem["targets"]
    assert problem["status"] == 400 and target["given"] == "Kim Doe", problem
    assert uids(target["candidates"]) == {one.uid, other.uid}, target
    assert one.uid in done.err and other.uid in done.err and KEPT[0].uid not in done.err, done.err
    unchanged(stage, one, other, KEPT[0])
    done = administrator.muster("person", "show", "Kim Doe", expect=1)
    assert one.uid in done.err and other.uid in done.err and done.out == "", done
    assert administrator.muster("--json", "person", "show", target["candidates"][0]["id"]).json["name"] == "Kim Doe"


@sentence
def P1_3_unknown_people_are_all_named_and_nothing_is_done(stage):
    administrator = stage.office.free()
    recorded = refusals(stage, administrator)
    done = administrator.refused("revoke", "no.body", KEPT[1].uid, "nobody@example.org", "Ann Onymous",
                                 "--reason", "who?")
    assert refusals(stage, administrator) == recorded + 1
    given = {t["given"]: t["candidates"] for t in done.json["targets"]}
    assert given == {"no.body": [], "nobody@example.org": [], "Ann Onymous": []}, given
    assert all(f'"{name}": nobody' in done.err for name in given), done.err
    unchanged(stage, KEPT[1])


@sentence
def P1_3_a_file_with_bad_lines_names_them_all_and_nothing_is_sent(stage):
    administrator = stage.office.free()
    bad = administrator.home / "leavers.txt"
    bad.write_bytes(f"# who left\n{KEPT[2].uid}\nbe\x1b[2Jll\n\n{'x' * 300}\n{SALES[-1].uid}\n".encode()
                    + b"\xff\xfe\n")
    before = refusals(stage, administrator)
    done = administrator.refused("revoke", "--file", bad, "--reason", "left")
    for line, why in (3, "control character"), (5, "longer than 256"), (7, "not UTF-8"):
        assert f"{bad}:{line}: " in done.err and why in done.err, done.err
    assert "3 bad lines; nothing was done" in done.err and f"{bad}:2:" not in done.err, done.err
    assert "\x1b" not in done.err + done.out
    assert refusals(stage, administrator) == before, "something was sent"
    unchanged(stage, KEPT[2], SALES[-1])
    missing = administrator.refused("revoke", "--file", bad.parent / "none.txt", "--reason", "left")
    assert "none.txt" in missing.err, missing.err


@sentence
def P1_3_one_action_is_about_500_people_at_most(stage):
    administrator = stage.office.free()
    many = write_file(administrator.home / "many.txt", "".join(f"who.{i}\n" for i in range(501)))
    done = administrator.refused("revoke", "--file", many, "--reason", "all", expect=2)
    assert "500" in done.err, done.err
    status, problem = administrator.ask("POST", "/v1/actions", {
        "action": "revoke", "args": {}, "reason": "all", "targets": [f"who.{i}" for i in range(501)]})
    assert status == 400 and "500" in problem["detail"], problem
    unchanged(stage, KEPT[3])


@sentence
def P1_3_an_action_without_a_proper_reason_is_refused(stage):
    administrator = stage.office.free()
    assert "--reason" in administrator.refused("revoke", KEPT[4].uid, expect=2).err
    for reason, why in (("", "reason"), ("  ", "reason"), ("stolen\x1b[2J", "reason"), ("one\ntwo", "reason"),
                        ("\u202eneddih", "reason"), ("x" * 1001, "1000")):
        done = administrator.refused("revoke", KEPT[4].uid, "--reason", reason, expect=None)
        assert done.status in (1, 2) and why in done.err, (reason, done)
        assert "\x1b" not in done.err and "\u202e" not in done.err, done.err
    unchanged(stage, KEPT[4])


# --- Suspend and resume ---


@sentence
def P5_6_a_suspension_ends_by_the_clock(stage):
    session, token = stage.meet(SUSPENDED), stage.granted(SUSPENDED)
    administrator = stage.office.free()
    code, mark = administrator.authenticator.code(), token.mark()
    until = int(time.time()) + 12
    administrator.muster("suspend", SUSPENDED.uid, "--until", rfc3339(until), "--reason", "until it is cleared up",
                         secrets=[code])
    session.wait("the live session ends", IN_TIME_S, event="closed")
    refused = token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    assert stage.office.show(SUSPENDED)["resume_at"] == rfc3339(until)
    assert not logs_in(stage, SUSPENDED), "the suspended logs in"
    back = token.wait("the suspension ends", IN_TIME_S, mark, event="answer", status=200,
                      t=lambda t: t > refused["t"])
    lead_s = until - time.time() + (now_ns() - back["t"]) / 1e9
    assert lead_s < 1.0, f"back {lead_s:.1f} s before the end"
    wait_until("the suspended is back", lambda: logs_in(stage, SUSPENDED), IN_TIME_S)


@sentence
def P5_6_a_suspension_without_end_ends_with_resume(stage):
    token = stage.granted(RESUMED)
    mark = token.mark()
    stage.office.act("suspend", RESUMED.uid, "--reason", "parental leave")
    token.wait("the token API refuses", IN_TIME_S, mark, event="answer", status=403)
    shown = stage.office.show(RESUMED)
    assert shown["suspended"] and shown["resume_at"] is None and not shown["blocked"], shown
    stage.directory.set(RESUMED, "mail", "elsewhere@example.org")
    stage.catch_up()
    assert token.ask("ping", "answer")["status"] == 403, "the directory ended an administrator's suspension"
    mark = token.mark()
    stage.office.act("resume", RESUMED.uid, "--reason", "is back")
    token.wait("the token API grants again", IN_TIME_S, mark, event="answer", status=200)


# --- Who may not ---


@sentence
def P5_1_nobody_acts_on_their_own_rights(stage):
    administrator = stage.office.free(stage.office.staff[0])
    own = administrator.person.uid
    commands = [["revoke", own], ["revoke", KEPT[5].uid, own], ["suspend", own], ["resume", own], ["reinstate", own],
                ["grant", own, "ops-moderator", "--until", "1h"], ["ungrant", own, "ops-moderator"],
                ["identify", own, "--level", "in-person", "--method", "passport", "--evidence", "HR-1"],
                ["credential", "issue", own, PLATFORM], ["admin", "enrol", own, "administrator"],
                ["admin", "unlock", own], ["admin", "remove", own]]
    recorded = refusals(stage, administrator)
    for command in commands:
        done = administrator.refused(*command, "--reason", "for myself")
        assert done.json["status"] == 403 and "own rights" in done.err, (command, done)
    assert refusals(stage, administrator) == recorded + len(commands)
    unchanged(stage, KEPT[5], administrator.person)


@sentence
def P5_1_nobody_approves_what_is_about_themselves(stage):
    victim = stage.office.free(stage.office.staff[0])     # who looks sees nothing of what is about themselves
    asker, asked = stage.office.act("credential", "issue", victim.person.uid, PLATFORM,
                                    by=stage.office.free(victim), expect=3)
    done = victim.refused("approve", asked["digest"])
    assert done.json["status"] == 403 and "own rights" in done.err, done
    assert [a["digest"] for a in stage.office.look("pending")["pending"]] == [asked["digest"]]
    asker.act("deny", asked["digest"], "--reason", "taken back")
    unchanged(stage, victim.person)


# --- Once, and by people who are still there ---


@sentence
def P5_13_an_action_is_executed_once_however_often_it_is_sent(stage):
    person = SALES[-2]
    asker, asked = stage.office.act("credential", "issue", person.uid, PLATFORM, expect=3)
    digest = asked["digest"]
    executing = {"code": asker.authenticator.at(asker.authenticator.last)}
    status, again = asker.ask("POST", f"/v1/actions/{digest}/execute", executing)
    assert status == 202 and again["state"] == "pending" and again["requested_at"] == asked["requested_at"], again
    approver, done = stage.office.approve(digest, asker)
    approving = {"code": approver.authenticator.at(approver.authenticator.last)}
    answers = [asker.ask("POST", f"/v1/actions/{digest}/execute", executing) for _ in range(3)]
    answers += [approver.ask("POST", f"/v1/actions/{digest}/approve", approving) for _ in range(3)]
    for status, answer in answers:
        assert status == 200 and answer == {k: v for k, v in done.items() if k != "preview"}, (status, answer)
    record, = stage.office.records("action.executed", digest=digest)
    assert len(stage.office.records("action.approved", digest=digest)) == 1
    assert stage.office.records("auth.failed", actor=record["actor"]) == [], "a code was counted as wrong"
    late = stage.office.free(asker, approver)
    assert "executed already" in late.refused("approve", digest).err
    assert late.refused("deny", digest, "--reason", "too late").json["status"] == 409


@sentence
def P5_12_the_approval_of_somebody_who_has_left_is_void(stage):
    """Of more than 50 people, so it needs two; sixty at once are revoked by four."""
    office = stage.office
    crowd = write_file(stage.workdir.path / "crowd.txt", "# everybody of the contract that ended\n\n"
                       + "".join(f"{p.uid}\n" for p in CROWD))
    asker, asked = office.act("revoke", "--file", crowd, "--reason", "the contract ended", expect=3)
    assert len(asked["targets"]) == len(CROWD) == 60 and asked["needs"]["approvals"] == 2, asked
    leaver, _ = office.approve(asked["digest"], asker, office.staff[0], expect=3)
    stage.directory.delete(leaver.person.dn)
    wait_until("the approver has left", lambda: office.show(leaver.person)["state"] == "leaver", IN_TIME_S)
    office.staff.remove(leaver)
    second = office.free(asker, leaver)
    still = second.muster("approve", asked["digest"], secrets=[second.authenticator.code()], expect=3)
    assert "1 approval missing" in still.out, still
    before = shown_in(stage.witness, ALL_STAFF)
    assert {jid(p) for p in CROWD} <= before, "some were revoked by one approval that holds"
    third, done = office.approve(asked["digest"], asker, leaver, second)
    assert uids(e["person"] for e in done["result"]["people"]) == named(CROWD)
    wait_until("the sixty are gone", lambda: not {jid(p) for p in CROWD} & shown_in(stage.witness, ALL_STAFF),
               IN_TIME_S)
    record, = office.records("action.executed", digest=asked["digest"])
    assert set(record["approvers"].split()) == {office.show(a.person)["id"] for a in (second, third)}, record


# --- The brake ---


def held(stage):
    return {h["person"]["uid"] for h in stage.office.look("brake", "list")["held"] if not h["released"]}


def states(stage, people):
    return {p: stage.office.show(p)["state"] for p in people}


def is_held_when_deleted(stage, person):
    """Whether the brake has had enough for this hour."""
    stage.directory.delete(person.dn)
    shown = wait_until(f"the deletion of {person.uid} has come to something", lambda: next(
        (s for s in [stage.office.show(person)] if s["held"] or s["state"] == "leaver"), None), IN_TIME_S)
    return shown["held"]


@sentence
def P5_10_two_people_release_whom_the_brake_holds_and_those_alone_leave(stage):
    uuids = {p: stage.directory.entry_uuid(p) for p in FLOOD}
    for person in FLOOD:
        stage.directory.delete(person.dn)
    stage.catch_up()
    caught = held(stage)
    assert len(caught) >= 6 and caught <= named(FLOOD), caught
    kept = [p for p in FLOOD if p.uid in caught]
    assert set(states(stage, kept).values()) == {"active"}
    listed = stage.office.staff[0].muster("brake", "list").out
    assert all(p.name in listed and p.uid in listed for p in kept), listed
    asker, asked = stage.office.act("brake", "release", "main", "--reason", "finance was outsourced", expect=3)
    assert uids(asked["targets"]) == caught, asked["targets"]
    assert all(any(p.uid in line for line in asked["preview"]["lines"]) for p in kept), asked["preview"]
    assert asker.refused("approve", asked["digest"]).json["status"] == 403
    assert held(stage) == caught, "one person released the brake"

    returned, *leaving = kept
    stage.directory.add_person(returned, uuids[returned])
    late = next(p for p in LATER if is_held_when_deleted(stage, p))
    wait_until("the brake holds the late one, too, and the returned no more",
               lambda: held(stage) == named(leaving) | {late.uid}, IN_TIME_S)
    _, done = stage.office.approve(asked["digest"], asker)
    assert done["state"] == "executed", done
    wait_until("the released leave", lambda: set(states(stage, leaving).values()) == {"leaver"}, IN_TIME_S)
    stage.catch_up()
    assert states(stage, [returned, late]) == {returned: "active", late: "active"}
    assert held(stage) == {late.uid}
    stage.wait_shown(returned, ALL_STAFF)
    stage.wait_shown(leaving[0])


proof.main(prepare)
