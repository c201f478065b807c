#!/usr/bin/python3
"""A dry run says what a real run then does, person by person, down to accounts; and changes nothing."""

import ldap

from rig import proof
from rig.directory import READ_RULES, organisation
from rig.musterd import Hold
from rig.process import wait_until
from rig.proof import sentence
from rig.stage import people_of
from rig.store import Store

IN_TIME_S = 60
JOB_S = 60
LIMIT = 5               # max(5, 2 % of 200), as in policies/brake.yaml
LEAVER, *FLOOD = people_of("Finance")
SUSPENDED, MOVER, WRONG = people_of("Engineering")[:3]
MEMBER = people_of("Sales")[0]
GROUP = f"cn=duty-managers,{organisation.GROUPS_BASE}"
# Written by the jobs' own records, by whoever is at work, and by nobody's decision.
NOT_COMPARED = ("audit_record", "audit_pending", "audit_leaf", "audit_checkpoint", "lease", "pull_count")


def contents(store):
    """A digest of each table's rows."""
    names = [name for name, in store.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: store.value(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} AS t")
            for name in names if name not in NOT_COMPARED}


def people(store):
    """What everybody is and has: {login: (state, roles, {platform: (state, rights)})}."""
    found = {}
    for uid, state, roles, platform, wanted, rights in store.rows(
            "SELECT uid, state, person.roles, platform, wanted_state, entitlements FROM person"
            " LEFT JOIN account USING (person_id)"):
        accounts = found.setdefault(uid, (state, set(roles.split()), {}))[2]
        if platform is not None:
            accounts[platform] = (wanted, set(rights.splitlines()))
    return found


def account_words(platform, before, after):
    """One account's change as plans tell it."""
    if before[0] != after[0]:
        yield f"{platform}: {before[0]} -> {after[0]}"
    if after[0] == "enabled":
        yield from (f"{platform}: loses {right}" for right in before[1] - after[1])
        yield from (f"{platform}: gains {right}" for right in after[1] - before[1])


def differences(before, after):
    """Who is otherwise than before, as the objects of a dry run tell it."""
    nobody, nothing = ("staged", set(), {}), ("absent", set())
    for uid, (state, roles, accounts) in after.items():
        was_state, was_roles, was_accounts = before.get(uid, nobody)
        words = {w for p in accounts for w in account_words(p, was_accounts.get(p, nothing), accounts[p])}
        if (state, roles) != (was_state, was_roles) or words:
            yield uid, (was_state, state, sorted(was_roles - roles), sorted(roles - was_roles), sorted(words))


def told(answer, held=False):
    return {one["person"]["uid"]: (one["from"], one["to"], one["lost"], one["gained"], sorted(one["accounts"]))
            for one in answer["people"] if one["held"] == held}


def dry_run(stage):
    """What it answers, in words and as objects; the store is seen to be as it was."""
    settle(stage)
    before = contents(stage.store)
    status, answer = stage.musterd.console_ask("POST", "/v1/jobs", {"form": "json", "kind": "dry-run"}, JOB_S)
    assert status == 200 and answer["status"] == 0 and answer["job"] == "dry-run", answer
    status, words = stage.musterd.console_ask("POST", "/v1/jobs", {"kind": "dry-run", "source": "main"}, JOB_S)
    assert status == 200 and words["output"].endswith("nothing was changed\n"), words
    assert words["result"] == answer["result"], "twice is not the same"
    for one in answer["people"]:
        assert any(line.startswith(f"{one['person']['uid']} ") for line in words["output"].splitlines()), one
    assert contents(stage.store) == before, "the dry run changed the store"
    return answer


def hidden(filter_):
    """An access rule under which nobody sees those people."""
    return f'to dn.subtree="{organisation.PEOPLE_BASE}" filter="{filter_}" by * none'


class Behind:
    """Inside, nobody follows the directory: what happens there waits for the end, and for dry runs."""

    def __init__(self, stage):
        self.stage = stage

    def __enter__(self):
        self.hold = Hold(self.stage.musterd, "mu-cycle")
        return self

    def __exit__(self, kind, value, traceback):
        self.hold.release()


def settle(stage):
    """Waits until the store has been the same for a while and the platforms have followed."""
    seen = {}

    def still():
        seen["before"], seen["after"] = seen.get("after"), contents(stage.store)
        return seen["before"] == seen["after"] and stage.store.value(
            "SELECT count(*) FROM account WHERE version > settled_version AND NOT parked") == 0
    wait_until("the store is at rest", still, IN_TIME_S, 1)


@sentence
def a_dry_run_of_an_unchanged_directory_has_nothing_to_do(stage):
    with Behind(stage):
        answer = dry_run(stage)
    assert answer["people"] == [] and answer["result"]["changed"] == 0, answer
    assert answer["result"]["read"]["verdict"] == "complete", answer
    assert answer["result"]["read"]["people"] == len(organisation.PEOPLE), answer
    assert answer["result"]["read"]["missing"] == 0, answer


@sentence
def a_dry_run_prints_what_a_real_run_then_does(stage):
    hold = Behind(stage)
    before = people(stage.store)
    with hold:
        newcomer = stage.join("Sales")
        stage.directory.delete(LEAVER.dn)
        stage.directory.set(MOVER, "departmentNumber", "Operations")
        stage.directory.set(SUSPENDED, "employeeStatus", "suspended")
        stage.directory.set(WRONG, "startDate", "19690101000000Z")      # before our time
        stage.directory.connection.modify_s(GROUP, [(ldap.MOD_ADD, "member", [MEMBER.dn.encode()])])
        answer = dry_run(stage)
    expected = told(answer)
    assert expected.keys() == {p.uid for p in (newcomer, LEAVER, MOVER, SUSPENDED, MEMBER)}, expected
    assert [n for n in answer["result"]["notes"] if WRONG.uid in n], answer["result"]
    assert answer["result"]["read"]["missing"] == 1 and answer["result"]["severities"]["shut out"] == 2, answer
    wait_until("the real run has done all of it",
               lambda: dict(differences(before, people(stage.store))).keys() >= expected.keys(), IN_TIME_S)
    settle(stage)
    assert dict(differences(before, people(stage.store))) == expected


@sentence
def P5_10_a_dry_run_shows_whom_the_brake_would_hold(stage):
    before = people(stage.store)
    with Behind(stage):
        for person in FLOOD:
            stage.directory.delete(person.dn)
        answer = dry_run(stage)
    assert told(answer) == {} and told(answer, held=True).keys() == {p.uid for p in FLOOD}, answer
    assert answer["result"]["held"] == len(FLOOD), answer
    wait_until("the brake holds them", lambda: stage.musterd.source()["held"] == len(FLOOD), IN_TIME_S)
    settle(stage)
    assert people(stage.store) == before
    with Behind(stage):
        again = dry_run(stage)
    assert told(again, held=True) == told(answer, held=True), "those held are held no more"


@sentence
def P5_10_a_dry_run_of_a_directory_whose_access_was_cut_removes_nobody(stage):
    with Behind(stage):
        stage.directory.set_rules([READ_RULES[0], hidden("(uid=*)"), *READ_RULES[1:]])
        answer = dry_run(stage)
        stage.directory.set_rules(READ_RULES)
    assert told(answer) == {} and answer["result"]["changed"] == 0, answer
    assert answer["result"]["read"]["verdict"] == "empty", answer


@sentence
def P5_10_a_dry_run_of_a_narrowed_directory_holds_those_whom_a_real_run_then_holds(stage):
    before = people(stage.store)
    with Behind(stage):
        stage.directory.set_rules([READ_RULES[0], hidden("(&(uid=*)(!(departmentNumber=Sales)))"), *READ_RULES[1:]])
        answer = dry_run(stage)
        stage.directory.restart()       # so that the real run reads everybody
    assert told(answer) == {} and answer["result"]["read"]["verdict"] == "narrowed", answer
    stage.musterd.wait_verdict("narrowed")
    settle(stage)
    held = {uid for uid, in stage.store.rows("SELECT uid FROM brake_hold JOIN person USING (person_id)")}
    expected = told(answer, held=True).keys()
    assert expected <= held and answer["result"]["read"]["missing"] == len(held), (expected, held)
    assert people(stage.store) == before


@sentence
def P5_10_a_dry_run_without_a_directory_says_so(stage):
    with Behind(stage):
        stage.directory.stop()
        answer = dry_run(stage)
        stage.directory.start()
    assert answer["people"] == [] and answer["result"]["read"]["verdict"] == "unreachable", answer
    assert answer["result"]["read"]["text"], answer


@sentence
def a_dry_run_is_recorded_with_who_asked_and_for_what(stage):
    recorded = stage.store.rows("SELECT body FROM audit_record WHERE kind = 'job.run'")
    assert recorded and all('"job":"dry-run"' in body and '"source":"main"' in body for body, in recorded), recorded
    status, answer = stage.musterd.console_ask("POST", "/v1/jobs", {"kind": "dry-run", "source": "moon"}, JOB_S)
    assert status == 404 and "moon" in answer["detail"], answer


def prepare(stage):
    stage.start()
    stage.musterd.wait_verdict("complete", timeout_s=180)
    stage.store = Store(stage.musterd)
    settle(stage)


proof.main(prepare)
