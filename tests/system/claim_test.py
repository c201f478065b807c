#!/usr/bin/python3
"""The claim page: a credential is shown once, to the person alone, and only if identified."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rig import proof, wire
from rig.directory import organisation
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import FIRST_READ_S, people_of

ONCE, TWICE, WRONG, RACER = people_of("Engineering")[:4]
UNIDENTIFIED = next(p for p in organisation.PEOPLE if not p.identified)
RACERS = 6


def prepare(stage):
    stage.start()
    stage.tls = wire.context(stage.musterd.ca)
    for person in (ONCE, TWICE, WRONG, RACER):
        stage.granted(person)
    wait_until("the unidentified is known", lambda: stage.claim(UNIDENTIFIED)["status"] == 403,
               FIRST_READ_S)


def post(stage, body, *headers):
    return wire.post_form(stage.musterd.claim_port, stage.tls, "/claim", body, *headers)


@sentence
def P3_2_the_page_is_a_form_without_script_that_nobody_may_store(stage):
    status, answer = wire.get(stage.musterd.claim_port, stage.tls, "/claim")
    assert status == 200, answer
    assert "<form" in answer and "<script" not in answer.lower()
    assert re.search(r"(?i)cache-control: *no-store", answer), answer
    assert re.search(r"(?i)content-security-policy: ", answer), answer


@sentence
def P3_2_a_credential_is_shown_once(stage):
    secret = stage.collect(TWICE)
    assert len(secret) >= 16
    again = stage.claim(TWICE)
    assert again["status"] == 410 and not again["credentials"], again
    stage.online(TWICE)


@sentence
def P3_2_of_visits_at_once_only_one_is_shown_the_credential(stage):
    # the account may still be on its way: race only once it can be collected
    with ThreadPoolExecutor(RACERS) as pool:
        def race():
            statuses = sorted(a["status"] for a in pool.map(lambda _: stage.claim(RACER), range(RACERS)))
            return statuses if 200 in statuses else None
        statuses = wait_until("somebody collects", race, FIRST_READ_S)
    assert statuses.count(200) == 1, statuses


@sentence
def P3_2_a_wrong_password_shows_nothing_and_tells_nothing(stage):
    wrong = stage.claim(WRONG, "not the password")
    nobody = stage.claim(replace(WRONG, uid="nobody.at.all"), "not the password")
    assert (wrong["status"], nobody["status"]) == (401, 401)
    assert wrong["refusal"] == nobody["refusal"] and not wrong["credentials"]


@sentence
def P3_2_an_empty_password_is_never_bound_with(stage):
    assert stage.claim(WRONG, "")["status"] in (400, 401)


@sentence
def T15_a_name_is_data_not_a_filter(stage):
    for name in ("*", f"{WRONG.uid})(uid=*", f"{WRONG.uid}*", "\\2a", WRONG.dn, "a" * 3000, "%00",
                 f"{WRONG.uid}\n", "Ünïcödé", "‮abc"):
        status = stage.claim(replace(WRONG, uid=name), WRONG.password)["status"]
        assert status in (400, 401, 413), f"{name[:40]!r}: {status}"


@sentence
def P5_15_who_is_not_identified_is_refused_with_the_reason(stage):
    answer = stage.claim(UNIDENTIFIED)
    assert answer["status"] == 403 and not answer["credentials"], answer
    assert answer["refusal"].strip(), "no reason was given"


@sentence
def T1_malformed_forms_are_refused_and_the_page_goes_on(stage):
    for body in (b"", b"user", b"user=a&user=b&password=c", b"user=%zz&password=x", b"=&=&=",
                 b"user=a&password=%00", b"user=a&password=\xff", b"user=a&password=b&more=c",
                 b"x" * 200000):
        status, answer = post(stage, body)
        assert status == wire.CLOSED or 400 <= status < 500, f"{body[:40]}: {answer[:300]}"
    status, answer = wire.say(stage.musterd.claim_port, stage.tls,
                              b"POST /claim HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                              b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert 400 <= status < 500, answer
    assert wire.get(stage.musterd.claim_port, stage.tls, "/v1/status")[0] == 404


@sentence
def P3_2_after_all_this_the_rightful_person_collects(stage):
    """Five wrong passwords may lock somebody for a while; they must not lock somebody else."""
    stage.collect(ONCE)


proof.main(prepare)
