#!/usr/bin/python3
"""The token API: who is answered, who is not, and what strangers may say without harm."""

import json
import socket
import ssl
from contextlib import suppress

from rig import proof, wire
from rig.authority import Authority
from rig.directory import organisation
from rig.proof import sentence
from rig.stage import people_of

SOMEBODY = people_of("Operations")[0]
SUSPENDED = next(p for p in organisation.PEOPLE if p.status == "suspended")
UNIDENTIFIED = next(p for p in organisation.PEOPLE if not p.identified)
GRANTS = f"/v1/grants/{SOMEBODY.uid}"


def prepare(stage):
    stage.start()
    stage.granted(SOMEBODY).close()
    stage.observers.clear()
    musterd = stage.musterd
    stage.ours = wire.context(musterd.ca, musterd.client_certificate, musterd.client_key)
    stage.anonymous = wire.context(musterd.ca)


def ask(stage, request, tls=None):
    return wire.say(stage.musterd.token_port, tls or stage.ours, request)


def get(stage, path, tls=None):
    return wire.get(stage.musterd.token_port, tls or stage.ours, path)


def still_answers(stage):
    status, answer = get(stage, GRANTS)
    assert status == 200, answer


@sentence
def P3_1_without_a_certificate_only_keys_and_health_answer(stage):
    for path in (GRANTS, "/v1/grants/nobody"):
        assert get(stage, path, stage.anonymous)[0] == 401
    for path in ("/.well-known/jwks.json", "/healthz"):
        assert get(stage, path, stage.anonymous)[0] == 200
    keys = json.loads(get(stage, "/.well-known/jwks.json", stage.anonymous)[1]
                      .partition("\r\n\r\n")[2])["keys"]
    assert keys and not any("d" in key for key in keys), keys


@sentence
def C_14_a_certificate_of_another_authority_is_refused(stage):
    stranger = Authority(stage.workdir.make("stranger"), "muster")
    foreign = wire.context(stage.musterd.ca, *stranger.issue("xmpp-server"))
    status, answer = get(stage, GRANTS, foreign)
    assert status in (wire.CLOSED, 401), answer
    still_answers(stage)


@sentence
def P1_1_nothing_below_tls_1_3_is_spoken(stage):
    old = wire.context(stage.musterd.ca, maximum=ssl.TLSVersion.TLSv1_2)
    status, answer = get(stage, "/healthz", old)
    assert status == wire.CLOSED, answer


@sentence
def P5_8_the_token_listener_has_no_administrators_route(stage):
    for path in ("/", "/v1/status", "/v1/people", "/v1/actions", "/v1/audit", "/claim", "/v1/grants",
                 "/v1/grants/", "/v1/grants/a/b"):
        status, answer = get(stage, path)
        assert status in (400, 404), f"{path}: {answer}"


@sentence
def P5_3_who_has_nothing_is_refused_and_who_is_unknown_is_not_found(stage):
    for account, wanted in ((SUSPENDED.uid, (403, 404)), (UNIDENTIFIED.uid, (403,)),
                            ("nobody", (404,))):
        status, answer = get(stage, f"/v1/grants/{account}")
        assert status in wanted, f"{account}: {answer}"
        assert "application/problem+json" in answer, answer
        assert "eyJ" not in answer


@sentence
def P6_3_the_subject_is_no_name_and_stays_the_same(stage):
    first, second = (stage.granted(SOMEBODY).find(event="answer", status=200) for _ in range(2))
    assert first["sub"] == second["sub"]
    assert SOMEBODY.uid not in first["sub"] and len(first["sub"]) >= 16


MALFORMED = {
    "CL and TE": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two different CL": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "space before the colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
    "no Host": b"GET /healthz HTTP/1.1\r\nX: a\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "signed CL": b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
    "NUL in the target": b"GET /v1/grants/a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "half an escape": b"GET /v1/grants/a%4 HTTP/1.1\r\nHost: a\r\n\r\n",
    "bad UTF-8": b"GET /v1/grants/%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
    "an absolute target": b"GET http://evil/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a body that no route takes": b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    "an unknown method": b"BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a header of 100 KB": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
    "an account of 10 KB": b"GET /v1/grants/" + b"x" * 10000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/9.9": b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
}


@sentence
def T1_malformed_requests_are_refused_and_end_nothing_else(stage):
    pids = sorted(stage.musterd.children())
    for what, request in MALFORMED.items():
        status, answer = ask(stage, request)
        assert status == wire.CLOSED or 400 <= status < 600, f"{what}: {status} {answer}"
        # libmicrohttpd may send the head of its own refusal twice; what follows is never answered
        assert "HTTP/1.1 2" not in answer, f"{what} was read as two requests: {answer}"
        still_answers(stage)
    assert sorted(stage.musterd.children()) == pids, "a process ended over a malformed request"


@sentence
def T1_what_never_becomes_a_request_is_answered_nothing(stage):
    for noise in (b"\x00\x01\x02 hello\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: y"):
        status, answer = wire.say(stage.musterd.token_port, stage.ours, noise, timeout_s=2)
        assert status in (wire.CLOSED, wire.LEFT_OPEN, 400), answer
    still_answers(stage)


@sentence
def T1_bytes_that_are_no_tls_end_nothing_else(stage):
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 400, b""):
        with socket.create_connection(("127.0.0.1", stage.musterd.token_port), timeout=20) as stream:
            stream.sendall(noise)
            with suppress(OSError):     # it may have hung up already
                stream.shutdown(socket.SHUT_WR)
                assert b"HTTP" not in stream.recv(1000)
    still_answers(stage)


proof.main(prepare)
