#!/usr/bin/python3
"""Who may have what, as administrators change it and see it: identification to policies and clients."""

import json
import shutil
import time

from rig import proof, wire
from rig import ejabberd as xmpp
from rig.authority import new_request
from rig.musterd import PLATFORM
from rig.office import Office
from rig.process import now_ns, wait_until, write_file
from rig.proof import sentence
from rig.stage import ALL_STAFF, jid, people_of, shown_in, wait_all_shown

IN_TIME_S = 60
WITNESS, *SALES = people_of("Sales")
OPERATIONS = people_of("Operations")
ADMINISTRATORS = people_of("People")[:6]
GRANTED, DENIED, UNGRANTED, MOVER, WAITING, ISSUED = OPERATIONS[:6]
MODERATOR, AUDITOR = "ops-moderator", "ops-auditor"
LARGE = "# more than fits into one message between processes\n" * 4000
# A role that is granted with one code, to set beside the shipped one that needs approval.
ROLES = f"""
- role: {AUDITOR}
  gives: [{{platform: xmpp, groups: [auditors]}}]
  requestable: (department=Operations)
  longest: 8h
  conflicts: [{MODERATOR}]
"""


def prepare(stage):
    with open(stage.musterd.folder / "policies" / "roles.yaml", "a") as roles:
        roles.write(ROLES)
    stage.start()
    stage.witness = stage.meet(WITNESS)
    stage.office = Office(stage, ADMINISTRATORS)
    wait_all_shown(stage.witness)


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def affiliation(stage, person, room="ops"):
    return stage.ejabberd.call("get_room_affiliation", name=room, service=xmpp.ROOMS_HOST,
                               jid=jid(person))["affiliation"]


def is_member(stage, person, group="auditors"):
    return jid(person) in stage.ejabberd.call("srg_get_members", group=group, host=xmpp.HOST)


def identify(stage, person, level="in-person", **options):
    return stage.office.act("identify", person.uid, "--level", level, "--method", "passport", "--evidence",
                            f"HR-{person.number}", **options)


def grant(person, role, until="1h"):
    return "grant", person.uid, role, "--until", until, "--reason", "night shift"


def has_role(role):
    return lambda roles: role in (roles or [])


def has_not(role):
    return lambda roles: role not in (roles or [])


# --- Identification before credentials ---


@sentence
def P5_15_P5_16_no_credential_before_identification_and_one_after(stage):
    person = stage.join("Operations", identified=False)
    refused = wait_until("the claim page refuses", lambda: next(
        (a for a in [stage.claim(person)] if a["status"] == 403), None), IN_TIME_S)
    assert refused["refusal"] and not refused["credentials"], refused
    token = stage.token_watch(person.uid)
    token.wait("no grant without identification", IN_TIME_S, event="answer", status=403)
    shown = stage.office.show(person)
    assert shown["identification"] is None and shown["accounts"][0]["credential"] == "none", shown

    verifier, _ = identify(stage, person, "hr-verified")
    stage.meet(person, IN_TIME_S)
    token.wait("the token API grants", IN_TIME_S, event="answer", status=200)
    assert stage.claim(person)["status"] == 410, "a second credential was given"
    shown = stage.office.show(person)
    assert shown["identified"] == "hr-verified", shown
    proofing = shown["identification"]
    assert proofing["verifier"]["uid"] == verifier.person.uid and proofing["method"] == "passport", proofing
    assert proofing["evidence"] == f"HR-{person.number}", proofing
    identified, = stage.office.records("person.identified", person=shown["id"], method="passport")
    made, = stage.office.records("credential.made", person=shown["id"])
    assert identified["at"] <= made["at"], (identified, made)


@sentence
def P5_15_the_verifier_is_somebody_else_and_the_level_is_one_there_is(stage):
    administrator = stage.office.free()
    own = administrator.refused("identify", administrator.person.uid, "--level", "in-person", "--method", "mirror",
                                "--evidence", "me")
    assert own.json["status"] == 403 and "own rights" in own.err, own
    none = administrator.refused("identify", WAITING.uid, "--level", "dna", "--method", "passport",
                                 "--evidence", "HR-1")
    assert none.json["status"] == 404 and "identification.yaml" in none.err, none
    assert stage.office.show(WAITING)["identification"] is None


@sentence
def P5_15_a_granted_role_waits_for_the_level_it_needs(stage):
    token = stage.granted(WAITING)
    mark = token.mark()
    stage.office.agree(*grant(WAITING, MODERATOR))
    stage.catch_up()
    assert token.find(mark, event="answer", roles=has_role(MODERATOR)) is None, "granted without identification"
    assert affiliation(stage, WAITING) == "member"
    why = stage.office.look("person", "explain", WAITING.uid, MODERATOR)["lines"]
    assert any("in-person" in line for line in why), why
    identify(stage, WAITING)
    token.wait("the token API grants the role", IN_TIME_S, mark, event="answer", roles=has_role(MODERATOR))
    wait_until("the room has its moderator", lambda: affiliation(stage, WAITING) == "admin", IN_TIME_S)


# --- Grants ---


@sentence
def P5_4_a_grant_is_approved_by_another_and_ends_by_the_clock_everywhere(stage):
    identify(stage, GRANTED)
    token = stage.granted(GRANTED)
    asker = stage.office.free()
    approver = stage.office.free(asker)
    wait_until("both have a code", lambda: not asker.authenticator.wait_s() and not approver.authenticator.wait_s(),
               IN_TIME_S)
    mark, until = token.mark(), int(time.time()) + 20
    asked = asker.act(*grant(GRANTED, MODERATOR, rfc3339(until)), expect=3).json
    text, waiting = looks(stage, "pending")
    assert [a["digest"] for a in waiting["pending"]] == [asked["digest"]], waiting
    assert all(word in text for word in ("grant", GRANTED.name, asker.person.name, "night shift")), text
    stage.catch_up()
    assert token.ask("ping", "answer", roles=has_not(MODERATOR)) and affiliation(stage, GRANTED) == "member"

    approver.act("approve", asked["digest"])
    begun = token.wait("the token API grants the role", IN_TIME_S, mark, event="answer",
                       roles=has_role(MODERATOR))
    wait_until("the room has its moderator", lambda: affiliation(stage, GRANTED) == "admin", IN_TIME_S)
    held, = stage.office.show(GRANTED)["grants"]
    assert (held["role"], held["ends_at"], held["granted_by"]["uid"]) == \
        (MODERATOR, rfc3339(until), asker.person.uid), held
    ended = token.wait("the grant ends", IN_TIME_S, mark, event="answer", roles=has_not(MODERATOR),
                       t=lambda t: t > begun["t"])
    lead_s = until - time.time() + (now_ns() - ended["t"]) / 1e9
    assert lead_s < 1.0 and "operations" in ended["roles"], f"ended {lead_s:.1f} s early: {ended}"
    wait_until("the room's moderator is a member again", lambda: affiliation(stage, GRANTED) == "member", IN_TIME_S)
    shown = stage.office.show(GRANTED)
    assert shown["grants"] == [] and MODERATOR not in shown["accounts"][0]["roles"], shown
    assert stage.office.records("grant.ended", person=shown["id"], role=MODERATOR)


@sentence
def P5_11_a_denied_grant_gives_nothing(stage):
    token = stage.granted(DENIED)
    mark = token.mark()
    asker, asked = stage.office.act(*grant(DENIED, MODERATOR), expect=3)
    own = asker.refused("approve", asked["digest"])
    assert own.json["status"] == 403 and "asked for themselves" in own.err, own
    denier = stage.office.free(asker)
    done = denier.act("deny", asked["digest"], "--reason", "not on the roster").json
    assert done["state"] == "denied" and done["approvals"][0]["person"]["uid"] == denier.person.uid, done
    late = stage.office.free(asker, denier).refused("approve", asked["digest"])
    assert late.json["status"] == 409 and "denied already" in late.err, late
    stage.catch_up()
    assert token.find(mark, event="answer", roles=has_role(MODERATOR)) is None
    assert stage.office.show(DENIED)["grants"] == []


@sentence
def P5_4_an_ungranted_role_is_gone_at_once(stage):
    token = stage.granted(UNGRANTED)
    stage.office.act(*grant(UNGRANTED, AUDITOR))
    token.wait("the token API grants the role", IN_TIME_S, event="answer", roles=has_role(AUDITOR))
    wait_until("they are in the group", lambda: is_member(stage, UNGRANTED), IN_TIME_S)
    mark = token.mark()
    stage.office.act("ungrant", UNGRANTED.uid, AUDITOR, "--reason", "the shift is over")
    token.wait("the role is gone", IN_TIME_S, mark, event="answer", roles=has_not(AUDITOR))
    wait_until("they are in the group no more", lambda: not is_member(stage, UNGRANTED), IN_TIME_S)
    again = stage.office.free().refused("ungrant", UNGRANTED.uid, AUDITOR, "--reason", "again")
    assert again.json["status"] == 404 and AUDITOR in again.err, again


@sentence
def P5_4_a_mover_who_may_not_ask_for_the_role_any_more_loses_it(stage):
    token = stage.granted(MOVER)
    stage.office.act(*grant(MOVER, AUDITOR))
    token.wait("the token API grants the role", IN_TIME_S, event="answer", roles=has_role(AUDITOR))
    wait_until("they are in the group", lambda: is_member(stage, MOVER), IN_TIME_S)
    mark = token.mark()
    stage.directory.set(MOVER, "departmentNumber", "Finance")
    moved = token.wait("the mover is in finance", IN_TIME_S, mark, event="answer", roles=has_role("finance"))
    assert AUDITOR not in moved["roles"], moved
    wait_until("they are in the group no more", lambda: not is_member(stage, MOVER), IN_TIME_S)
    mark = token.mark()
    stage.directory.set(MOVER, "departmentNumber", "Operations")
    back = token.wait("the mover is back", IN_TIME_S, mark, event="answer", roles=has_role("operations"))
    stage.catch_up()
    assert AUDITOR not in back["roles"] and not is_member(stage, MOVER), "what was lost came back"
    assert stage.office.show(MOVER)["grants"] == []


@sentence
def P5_11_what_may_not_be_granted_is_refused_and_says_why(stage):
    administrator = stage.office.free()
    for person, role, until, status, why in (
            (DENIED, MODERATOR, "9h", 400, "ends by"), (DENIED, "ops-king", "1h", 404, "ops-king"),
            (DENIED, "sales", "1h", 403, "requestable"), (SALES[0], AUDITOR, "1h", 403, "department=Operations"),
            (WAITING, AUDITOR, "1h", 403, "conflict")):
        done = administrator.refused(*grant(person, role, until))
        assert done.json["status"] == status and why in done.err, (role, done)
    past = administrator.refused(*grant(DENIED, MODERATOR, "2020-01-01T00:00:00Z"), expect=2)
    assert "has passed" in past.err, past
    assert stage.office.show(DENIED)["grants"] == []
    assert [g["role"] for g in stage.office.show(WAITING)["grants"]] == [MODERATOR]


# --- Credentials ---


@sentence
def P5_16_a_new_credential_ends_the_old_and_is_collected_once(stage):
    session = stage.meet(ISSUED)
    old = stage.secrets[ISSUED.uid]
    stage.office.agree("credential", "issue", ISSUED.uid, PLATFORM, "--reason", "lost it")
    session.wait("the session with the old password ends", IN_TIME_S, event="closed")
    stage.log_in(ISSUED).wait("the old password is refused", IN_TIME_S, event="refused")
    anybody = stage.office.staff[-1]
    claim = ["--json", "--server", f"https://127.0.0.1:{stage.musterd.claim_port}", "--ca-fingerprint",
             stage.musterd.ca_fingerprint(), "credential", "claim", ISSUED.uid, PLATFORM]
    wrong = anybody.muster(*claim, secrets=["no password of theirs"], expect=1)
    assert "credentials" not in wrong.out, wrong.out
    given = wait_until("the new one can be collected", lambda: next((d for d in [anybody.muster(
        *claim, secrets=[ISSUED.password], expect=None)] if d.status == 0), None), IN_TIME_S, 0.2)
    credential, = given.json["credentials"]
    assert credential["platform"] == PLATFORM and credential["password"] != old, "the old one was given again"
    again = anybody.muster(*claim, secrets=[ISSUED.password], expect=1)
    assert credential["password"] not in again.out + again.err
    stage.secrets[ISSUED.uid] = credential["password"]
    stage.online(ISSUED)


# --- Policies ---


def policies(stage, name, **files):
    """A folder with the policy in force now, some of its files changed: {"roles.yaml": text -> text}."""
    folder = stage.workdir.make(name)
    for file, content in stage.office.staff[0].ask("GET", "/v1/policy")[1]["files"].items():
        change = files.get(file.removesuffix(".yaml"))
        write_file(folder / file, content if change is None else change(content))
    shutil.copytree(stage.musterd.folder / "policies" / "cases", folder / "cases")
    return folder


def version(stage):
    return stage.office.staff[0].ask("GET", "/v1/policy")[1]["version"]


@sentence
def P5_2_a_policys_faults_are_named_by_place_and_change_nothing(stage):
    before = version(stage)
    broken = policies(stage, "broken", roles=lambda t: t.replace("platform: xmpp", "platfrom: xmpp", 1),
                      brake=lambda t: "- per: moon\n")
    administrator = stage.office.free()
    checked = administrator.muster("policy", "check", broken, expect=1)
    for line in (f"{broken}/roles.yaml:5:8: ", f"{broken}/brake.yaml:1:3: "):
        assert line in checked.out + checked.err, checked
    for command in (["policy", "plan"], ["policy", "apply"]):
        faults = {(f["file"], f["line"], f["column"]) for f in administrator.refused(*command, broken).json["faults"]}
        assert {("roles.yaml", 5, 8), ("brake.yaml", 1, 3)} <= faults, faults
    # what the directory has is known to the server alone
    odd = policies(stage, "odd", roles=lambda t: t.replace("(department=Sales)", "(shoeSize=44)", 1))
    administrator.muster("policy", "check", odd)
    for command in (["policy", "plan"], ["policy", "apply"]):
        done = administrator.refused(*command, odd)
        assert "roles.yaml:" in done.out + done.err and "shoeSize" in done.out + done.err, done
    assert version(stage) == before and stage.office.look("pending")["pending"] == []


@sentence
def P5_2_a_policys_cases_are_run(stage):
    administrator = stage.office.free()
    shipped = stage.musterd.folder / "policies"
    assert "0 failed" in administrator.muster("policy", "test", shipped).out
    wrong = policies(stage, "wrong", roles=lambda t: t.replace("groups: [sales]", "groups: [sails]", 1))
    done = administrator.muster("policy", "test", wrong, expect=1)
    assert "not ok sales: " in done.out and "sails" in done.out, done.out


@sentence
def a_policy_that_nobody_could_change_again_is_refused(stage):
    before = version(stage)
    administrator = stage.office.free()
    for name, files in (
            ("renamed", {"administrators": lambda t: t.replace("role: administrator", "role: emperor", 1),
                         "roles": lambda t: t.replace("administrator]}", "emperor]}")}),
            ("no-approver", {"administrators": lambda t: t.replace("review.drop, approve, job", "review.drop, job", 1)}),
            ("too-many", {"gates": lambda t: t + "- {actions: [policy.apply], code: required, approvals: 9}\n"})):
        done = administrator.refused("policy", "apply", policies(stage, name, **files))
        assert done.json["status"] == 409 and "nobody could change the policy again" in done.err, done
    assert version(stage) == before and stage.office.look("pending")["pending"] == []


@sentence
def P5_2_a_policy_is_planned_and_applied_by_two_and_followed_at_once(stage):
    base, sold = version(stage), people_of("Sales")
    seen = stage.granted(SALES[1])
    mark = seen.mark()
    fresh = policies(stage, "fresh", roles=lambda t: t.replace("role: sales\n", "role: trade\n", 1)
                     .replace("groups: [sales]", "groups: [trade]", 1) + LARGE)
    stale = policies(stage, "stale", brake=lambda t: t.replace("at_least: 5", "at_least: 4", 1))
    administrator = stage.office.free()
    plan = administrator.muster("--json", "policy", "plan", fresh).json
    assert plan["result"]["base"] == base and plan["status"] == 0, plan
    changed = {one["person"]["uid"]: one for one in plan["people"]}
    assert set(changed) == {p.uid for p in sold}, "others change, too"
    for one in changed.values():
        assert one["lost"] == ["sales"] and one["gained"] == ["trade"] and one["how"] == "changes", one
    text = administrator.muster("policy", "plan", fresh).out
    for person in sold:
        line, = [one for one in text.splitlines() if one.startswith(f"{person.uid} ")]
        assert "loses sales" in line and "gains trade" in line, line
    assert f"outcome {plan['result']['outcome']}\n" in text, text

    asker, asked = stage.office.act("policy", "apply", fresh, "--base", base, expect=3)
    other, slower = stage.office.act("policy", "apply", stale, "--base", base, expect=3,
                                     by=stage.office.free(asker))
    assert version(stage) == base, "one person changed the policy"
    approver, done = stage.office.approve(asked["digest"], asker)
    assert done["result"]["version"] == base + 1 == version(stage), done
    seen.wait("the token API follows", IN_TIME_S, mark, event="answer", roles=has_role("trade"))
    others = {jid(p) for p in sold} - {jid(WITNESS)}
    wait_until("all of sales are in the new group", lambda: shown_in(stage.witness, "trade") == others, IN_TIME_S)
    assert shown_in(stage.witness, "sales") == set()
    overtaken = stage.office.free(other).refused("approve", slower["digest"])
    assert overtaken.json["status"] == 409 and "plan again" in overtaken.err, overtaken
    late = stage.office.free().refused("policy", "apply", stale, "--base", base)
    assert late.json["status"] == 409 and "plan again" in late.err, late
    assert version(stage) == base + 1
    applied, = stage.office.records("policy.applied")
    assert applied["version"] == base + 1 and applied["actor"] == stage.office.show(asker.person)["id"], applied


# --- Clients of the token API ---


def pull(stage, certificate, key, person=GRANTED):
    return wire.get(stage.musterd.token_port, wire.context(stage.musterd.ca, certificate, key),
                    f"/v1/grants/{person.uid}")[0]


def client_files(stage, name):
    key, csr = stage.workdir.path / f"{name}.key", stage.workdir.path / f"{name}.csr"
    new_request(name, key, csr)
    return key, csr


@sentence
def P3_1_a_client_is_added_by_two_renewed_and_shut_out_at_once(stage):
    key, csr = client_files(stage, "backup")
    done = stage.office.agree("client", "add", "backup", "--platform", PLATFORM, "--csr", csr)
    first = write_file(stage.workdir.path / "backup.crt", done["result"]["certificate"])
    wait_until("the client is answered", lambda: pull(stage, first, key) == 200, IN_TIME_S)
    listed = {c["name"]: c for c in stage.office.look("client", "list")["clients"]}
    assert listed["backup"]["platform"] == PLATFORM and not listed["backup"]["configured"], listed
    twice = stage.office.free().refused("client", "add", "backup", "--platform", PLATFORM, "--csr", csr)
    assert twice.json["status"] == 409 and "backup" in twice.err, twice
    secret = stage.office.free().refused("client", "add", "leaky", "--platform", PLATFORM, "--csr", key, expect=None)
    assert secret.status in (1, 2) and "private key" in secret.err, secret

    key2, csr2 = client_files(stage, "backup-2")
    done = stage.office.agree("client", "renew", "backup", "--csr", csr2)
    second = write_file(stage.workdir.path / "backup-2.crt", done["result"]["certificate"])
    wait_until("the renewed certificate is answered", lambda: pull(stage, second, key2) == 200, IN_TIME_S)
    assert pull(stage, first, key) in (401, 403), "the certificate that was replaced still opens the door"

    stage.office.agree("client", "remove", "backup")
    assert pull(stage, second, key2) in (401, 403), "a removed client is answered"
    assert "backup" not in {c["name"] for c in stage.office.look("client", "list")["clients"]}
    configured = stage.office.free().refused("client", "remove", "xmpp-server")
    assert configured.json["status"] == 409 and "configuration" in configured.err, configured


# --- Looking ---


def looks(stage, *arguments):
    """What a command says to people, and to programs."""
    administrator = stage.office.staff[0]
    return administrator.muster(*arguments).out, administrator.muster("--json", *arguments).json


@sentence
def what_is_looked_at_is_shown_to_people_and_to_programs(stage):
    text, status = looks(stage, "status")
    assert status["store"]["up"] and status["administrators"] == len(stage.office.staff), status
    running = {p["name"].partition("/")[0] for p in status["processes"] if p["ready"]}
    assert running >= {"keys", "admin", "cycle", "adapter", "login", "token", "provision", "audit", "claim"}, status
    assert status["sources"][0]["verdict"] == "complete" and status["platforms"][0]["name"] == PLATFORM
    assert all(word in text for word in ("main", "complete", PLATFORM, "keys")), text

    text, people = looks(stage, "person", "list", "--match", "(&(department=Operations)(group=dept-operations))",
                         "--state", "active")
    uids = {p["uid"] for p in people["people"]}
    assert {p.uid for p in OPERATIONS[6:]} <= uids and not {p.uid for p in SALES} & uids, uids
    assert OPERATIONS[6].name in text and SALES[0].name not in text, text

    text, person = looks(stage, "person", "show", OPERATIONS[6].uid)
    assert person["state"] == "active" and person["accounts"][0]["observed"] == "enabled", person
    assert set(person["roles"]) == {"staff-chat", "operations"} and "dept-operations" in person["groups"], person
    assert all(word in text for word in (OPERATIONS[6].name, "staff-chat", "enabled")), text

    text, explained = looks(stage, "person", "explain", OPERATIONS[6].uid)
    rights = person["accounts"][0]["entitlements"]
    for right in rights:
        assert len([line for line in explained["lines"] if line.startswith(f"{PLATFORM} {right}")]) == 1, explained
    assert any("birthright (&(employeeType=staff)(department=Operations))" in line for line in explained["lines"])
    assert text.splitlines() == explained["lines"], text
    text, explained = looks(stage, "person", "explain", OPERATIONS[6].uid, "engineering")
    assert "no, " in text and "department=Engineering" in text, text

    text, listed = looks(stage, "platform", "list")
    assert [p["name"] for p in listed["platforms"]] == [PLATFORM] and "ejabberd" in text, text
    text, platform = looks(stage, "platform", "show", PLATFORM)
    assert stage.ejabberd.url in text and platform["adapter"] == "ejabberd", text
    assert "password" not in text + json.dumps(platform)
    assert stage.ejabberd.admin_password not in text + json.dumps(platform)

    text, sources = looks(stage, "sync", "status")
    assert sources["sources"][0]["name"] == "main" and "complete" in text, text
    text, plan = looks(stage, "sync", "run", "--dry-run")
    assert plan["status"] == 0 and plan["people"] == [] and "0 would change" in text, (plan, text)
    for nobody in (["person", "show", "no.body"], ["person", "explain", "no.body"], ["platform", "show", "moon"]):
        done = stage.office.staff[0].muster(*nobody, expect=1)
        assert done.err and not done.out, done


@sentence
def P5_14_audit_is_read_for_a_reason_and_reading_is_recorded(stage):
    administrator = stage.office.staff[0]
    assert "--reason" in administrator.muster("audit", "list", expect=2).err
    status, problem = administrator.ask("GET", "/v1/audit?kind=action.executed")
    assert status == 400 and "reason" in problem["detail"], problem
    status, problem = administrator.ask("GET", "/v1/audit?reason=%20")
    assert status == 400, problem
    text, read = looks(stage, "audit", "list", "--reason", "incident 12", "--kind", "action.executed",
                       "--since", "1h")
    assert read["records"] and {r["kind"] for r in read["records"]} == {"action.executed"}
    assert [r["at"] for r in read["records"]] == sorted((r["at"] for r in read["records"]), reverse=True)
    assert read["records"][0]["digest"] in text, text
    own = stage.office.show(administrator.person)["id"]
    reads = stage.office.records("admin.read", actor=own, what="audit", reason="incident 12")
    assert len(reads) == 2, reads
    of_one = stage.office.look("audit", "list", "--reason", "incident 12", "--person", ISSUED.uid)["records"]
    theirs = stage.office.show(ISSUED)["id"]
    assert of_one and all(theirs in (r.get("person"), r.get("actor")) for r in of_one), of_one


@sentence
def a_source_is_read_anew_when_asked(stage):
    before = stage.musterd.source()["complete_at"]
    wait_until("the clock has moved on", lambda: rfc3339(time.time()) > before, IN_TIME_S, 0.1)
    _, done = stage.office.act("sync", "run", "main", "--reason", "after the move")
    assert done["state"] == "executed", done
    wait_until("a whole read has ended", lambda: stage.musterd.source()["complete_at"] > before, IN_TIME_S)
    assert len(stage.office.records("sync.asked", source="main")) >= 1
    none = stage.office.free().refused("sync", "run", "moon", "--reason", "is it there?")
    assert none.json["status"] == 404 and "moon" in none.err, none


@sentence
def T15_what_the_directory_says_moves_no_terminal(stage):
    evil = "\x1b[2J\x1b]0;owned\x07", "\u202enimda\u2066\u200b\nroles  administrator\r\x9b31m"
    person = stage.join("Sales", given_name=evil[0], surname=evil[1])
    administrator = stage.office.staff[0]
    wait_until("they are known", lambda: administrator.muster("person", "show", person.uid, expect=None).status == 0,
               IN_TIME_S, 0.2)
    commands = [["person", "show", person.uid], ["person", "list", "--match", f"(uid={person.uid})"],
                ["person", "explain", person.uid], ["revoke", person.uid, "nobody.else", "--reason", "who is this?"]]
    for command in commands:
        for json_too in ([], ["--json"]):
            done = administrator.muster(*json_too, *command, expect=None)
            said = done.out + done.err
            assert said and not [c for c in said if (ord(c) < 32 and c != "\n") or ord(c) in (0x7f, 0x9b, 0x200b)
                                 or 0x202a <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069], (command, said)
            assert not any(line.startswith("roles  administrator") for line in said.splitlines()), said
    assert administrator.muster("--json", "person", "show", person.uid).json["name"] == person.name


proof.main(prepare)
