#!/usr/bin/python3
"""Access reviews: who holds a reviewed role is confirmed by somebody else in time, or loses it."""

import calendar
import time

from rig import ejabberd as xmpp
from rig import proof
from rig.musterd import PLATFORM
from rig.office import Office
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import jid, people_of

IN_TIME_S = 60
AT_ONCE_S = 3           # the clock looks once a second
DAY_S = 86400
ADMINISTRATORS = people_of("People")[:2]
ASKER, CONFIRMER = ADMINISTRATORS
KEPT, DROPPED, ALSO_DROPPED, FORGOTTEN = people_of("Operations")[:4]
EDITOR, WATCH, READER = "news-editor", "short-watch", "news-reader"
EVERY_S = 20
ROLES = f"""
- role: {EDITOR}
  gives: [{{platform: {PLATFORM}, groups: [editors]}}]
  requestable: (|(department=Operations)(department=People))
  longest: 180d
  review: {{every: 90d, by: [administrator]}}
- role: {WATCH}
  gives: [{{platform: {PLATFORM}, groups: [watch]}}]
  requestable: (department=Operations)
  longest: 30d
  review: {{every: {EVERY_S}s, by: [administrator]}}
- role: {READER}
  gives: [{{platform: {PLATFORM}, groups: [readers]}}]
  requestable: (department=Operations)
  longest: 30d
"""


def prepare(stage):
    with open(stage.musterd.folder / "policies" / "roles.yaml", "a") as roles:
        roles.write(ROLES)
    stage.start()
    stage.office = Office(stage, ADMINISTRATORS)
    stage.asker, stage.confirmer = stage.office.staff


def seconds(rfc3339):
    return calendar.timegm(time.strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ"))


def is_member(stage, person, group):
    return jid(person) in stage.ejabberd.call("srg_get_members", group=group, host=xmpp.HOST)


def grant(administrator, role, *people, days=29):
    """One action for several people, as the API takes it."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * DAY_S))
    digest = administrator.propose("grant", *[p.uid for p in people], role=role, until=until)
    answer = administrator.execute(digest, administrator.authenticator.code())
    assert answer.status == 200 and answer.json["state"] == "executed", answer


def reviews(stage, *options):
    """What is listed, as {(login, role): review}."""
    listed = stage.office.look("review", "list", *options)["reviews"]
    assert [r["due_at"] or "9999" for r in listed] == sorted(r["due_at"] or "9999" for r in listed), listed
    return {(r["person"]["uid"], r["role"]): r for r in listed}


def review_of(stage, person, role=EDITOR):
    return reviews(stage)[(person.uid, role)]


@sentence
def P5_21_what_was_granted_is_listed_with_when_it_is_due_and_by_whom(stage):
    grant(stage.confirmer, EDITOR, KEPT, DROPPED, ALSO_DROPPED, ASKER, days=179)
    shown = review_of(stage, KEPT)
    assert shown["granted_by"]["uid"] == CONFIRMER.uid and shown["by"] == ["administrator"], shown
    assert shown["reviewed_at"] is None and shown["reviewed_by"] is None, shown
    assert seconds(shown["due_at"]) - seconds(shown["starts_at"]) == 90 * DAY_S, shown
    assert set(reviews(stage)) == {(p.uid, EDITOR) for p in (KEPT, DROPPED, ALSO_DROPPED, ASKER)}
    assert reviews(stage, "--due") == {}
    why = stage.office.look("person", "explain", KEPT.uid)["lines"]
    assert [line for line in why if line.startswith(f"grant {EDITOR}: ") and shown["due_at"] in line], why
    held, = stage.office.show(KEPT)["grants"]
    assert held["review_due_at"] == shown["due_at"], held
    table = stage.asker.muster("review", "list").out
    assert shown["id"] in table, table
    assert len(stage.office.look("review", "list", "--limit", "2")["reviews"]) == 2


@sentence
def P5_1_nobody_confirms_what_is_their_own_or_what_they_granted(stage):
    own = stage.asker.refused("review", "confirm", review_of(stage, ASKER)["id"], "--reason", "I am fine")
    assert own.json["status"] == 403 and "own rights" in own.err, own
    granted = stage.confirmer.refused("review", "confirm", review_of(stage, KEPT)["id"], "--reason", "as I said")
    assert granted.json["status"] == 403 and "another administrator" in granted.err, granted
    none = stage.asker.refused("review", "confirm", "01890000-0000-7000-8000-000000000000", "--reason", "who?")
    assert none.json["status"] == 404 and "review list" in none.err, none
    assert review_of(stage, KEPT)["reviewed_at"] is None and review_of(stage, ASKER)["reviewed_at"] is None


@sentence
def P5_21_overdue_review_ends_the_grant(stage):
    watch = stage.granted(FORGOTTEN)
    mark = watch.mark()
    grant(stage.asker, WATCH, FORGOTTEN)
    (first, due), *_ = reviews(stage, "--due").items()
    assert first == (FORGOTTEN.uid, WATCH), first
    had = watch.wait("the role is granted", IN_TIME_S, mark, event="answer", roles=lambda r: WATCH in (r or []))
    watch.wait("the role has gone", IN_TIME_S, watch.mark(), event="answer", roles=lambda r: WATCH not in (r or []))
    late_s = time.time() - seconds(due["due_at"])
    assert had and 0 <= late_s < AT_ONCE_S, f"gone {late_s:.1f} s after it was due"
    wait_until("the platform has taken it away", lambda: not is_member(stage, FORGOTTEN, "watch"), IN_TIME_S)
    shown = stage.office.show(FORGOTTEN)
    assert not shown["grants"] and WATCH not in shown["roles"] and "operations" in shown["roles"], shown
    ended, = stage.office.records("grant.ended", person=shown["id"])
    assert (ended["role"], ended["reason"]) == (WATCH, "not reviewed"), ended
    assert (FORGOTTEN.uid, WATCH) not in reviews(stage, "--all")
    why = stage.office.look("person", "explain", FORGOTTEN.uid, WATCH)["lines"]
    assert any(line.startswith(f"grant {WATCH}: the last one ended at ") and line.endswith("not reviewed")
               for line in why), why
    assert is_member(stage, KEPT, "editors"), "what is not due has gone, too"


@sentence
def P5_21_who_is_confirmed_by_another_is_due_again_later(stage):
    before = review_of(stage, KEPT)
    done = stage.asker.act("review", "confirm", before["id"], "--reason", "edits every week").json
    assert done["state"] == "executed" and [t["uid"] for t in done["targets"]] == [KEPT.uid], done
    after = review_of(stage, KEPT)
    assert after["id"] == before["id"] and after["reviewed_by"]["uid"] == ASKER.uid, after
    assert after["due_at"] > before["due_at"], (before, after)
    assert seconds(after["due_at"]) - seconds(after["reviewed_at"]) == 90 * DAY_S, after
    recorded, = stage.office.records("grant.reviewed", person=after["person"]["id"])
    assert recorded["actor"] == after["reviewed_by"]["id"] and recorded["due"] == after["due_at"], recorded
    assert EDITOR in stage.office.show(KEPT)["roles"] and is_member(stage, KEPT, "editors")


@sentence
def P5_19_what_a_review_drops_ends_everywhere_at_once(stage):
    both = [DROPPED, ALSO_DROPPED]
    wait_until("both are editors", lambda: all(is_member(stage, p, "editors") for p in both), IN_TIME_S)
    tokens = [stage.granted(p) for p in both]
    marks = [t.mark() for t in tokens]
    ids = [review_of(stage, p)["id"] for p in both]
    done = stage.confirmer.act("review", "drop", *ids, "--reason", "the paper has closed").json
    assert {e["person"]["uid"] for e in done["result"]["people"]} == {p.uid for p in both}, done
    for token, mark in zip(tokens, marks):
        token.wait("the token API grants it no more", IN_TIME_S, mark, event="answer",
                   roles=lambda r: EDITOR not in (r or []))
    wait_until("neither is an editor", lambda: not any(is_member(stage, p, "editors") for p in both), IN_TIME_S)
    assert is_member(stage, KEPT, "editors"), "somebody else's was dropped, too"
    for person in both:
        assert not stage.office.show(person)["grants"]
    again = stage.confirmer.refused("review", "drop", ids[0], "--reason", "once more")
    assert again.json["status"] == 404, again


proof.main(prepare)
