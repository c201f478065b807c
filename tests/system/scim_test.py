#!/usr/bin/python3
"""The SCIM adapter against a real SCIM service, its defects, and people who log in there."""

import os
import signal
import threading

from rig.adapter import Adapter, account, conform
from rig.process import wait_until
from rig.proof import main, sentence
from rig.scim import Scim
from rig.stage import Stage


class Alone(Stage):
    """The SCIM service without the rest."""

    def __init__(self):
        super().__init__()
        self.scim = Scim(self.workdir, self.authority)

    def start(self):
        self.scim.start()

    def stop(self):
        self.scim.stop()


def settings(scim):
    return ["scim", f"url={scim.url}", f"ca={scim.ca}"]


def with_adapter(proof):
    """proof(scim, adapter); what it made odd is as it was afterwards."""
    def proven(stage):
        adapter = Adapter(settings(stage.scim), stage.scim.token)
        before = stage.scim.odd()
        try:
            proof(stage.scim, adapter)
        finally:
            adapter.close()
            stage.scim.odd(**before)
    proven.__name__ = proof.__name__
    return sentence(proven)


def login(scim, name, password, wanted=200):
    status, session = scim.login(name, password)
    assert status == wanted, f"{name} logs in: {status}, not {wanted}"
    return session


def members(scim, group):
    return [m["value"] for g in scim.groups(group) for m in g.get("members", [])]


@sentence
def it_conforms_like_every_adapter(stage):
    conform(settings(stage.scim), stage.scim.token)


@sentence
def it_conforms_where_filters_find_everything(stage):
    stage.scim.odd(unfiltered=True)
    conform(settings(stage.scim), stage.scim.token)
    stage.scim.odd(unfiltered=False)


@with_adapter
def nobody_logs_in_before_a_credential_is_set_and_the_account_opened(scim, adapter):
    adapter.do("early", "create")
    adapter.do("early", "set-credential", text="early-secret")
    login(scim, "early", "early-secret", 403)
    adapter.do("early", "enable")
    login(scim, "early", "early-secret")


@with_adapter
def a_credential_replaces_the_one_before(scim, adapter):
    account(adapter, "changing", "first-secret")
    session = login(scim, "changing", "first-secret")
    adapter.do("changing", "set-credential", text='second "\\ secret')
    login(scim, "changing", "first-secret", 401)
    login(scim, "changing", 'second "\\ secret')
    assert scim.me(session) == 401


@with_adapter
def closing_ends_every_session_and_the_next_login_is_refused(scim, adapter):
    account(adapter, "leaver", "leaver-secret")
    sessions = [login(scim, "leaver", "leaver-secret") for _ in range(2)]
    assert [scim.me(s) for s in sessions] == [200, 200]
    adapter.do("leaver", "disable")
    assert [scim.me(s) for s in sessions] == [401, 401]
    login(scim, "leaver", "leaver-secret", 403)
    assert adapter.do("leaver", "get").startswith("done disabled ")
    adapter.do("leaver", "enable")
    login(scim, "leaver", "leaver-secret")      # the password was kept


@with_adapter
def removing_ends_the_session_too(scim, adapter):
    account(adapter, "removed", "removed-secret", "group/crew")
    session = login(scim, "removed", "removed-secret")
    gone = scim.user("removed")["id"]
    adapter.do("removed", "remove")
    assert scim.me(session) == 401
    login(scim, "removed", "removed-secret", 401)
    assert gone not in members(scim, "crew")


@with_adapter
def removing_takes_groups_that_nobody_asked_about(scim, adapter):
    account(adapter, "joiner", "joiner-secret")
    own = scim.user("joiner")["id"]
    for group in ("aside", "apart"):
        scim.group_add(group, "somebody", own)
    scim.odd(unfilterable=True)
    adapter.do("joiner", "remove")
    assert members(scim, "aside") == members(scim, "apart") == ["somebody"]


@with_adapter
def an_account_made_open_is_closed_at_once(scim, adapter):
    scim.odd(opens=True)
    adapter.do("opened", "create")
    assert adapter.do("opened", "get").startswith("done disabled ")
    assert scim.user("opened")["active"] is False


@with_adapter
def an_account_of_somebody_else_is_not_touched(scim, adapter):
    theirs = scim.user_add("foreign", externalId="somebody-elses", active=True,
                           password="foreign-secret")
    session = login(scim, "foreign", "foreign-secret")
    for step in ("create", "update", "disable", "enable", "join/group/crew", "leave/group/crew",
                 "remove"):
        adapter.do("foreign", step, "conflict")
    adapter.do("foreign", "set-credential", "conflict", "our-secret")
    assert scim.me(session) == 200
    assert scim.user("foreign") == scim.call("GET", f"/Users/{theirs['id']}") == theirs


@with_adapter
def a_name_taken_in_other_letters_is_taken(scim, adapter):
    scim.user_add("CamelCase", active=True)
    adapter.do("camelcase", "create", "conflict")   # a filter by name finds nobody, and create does
    assert scim.user("CamelCase")["active"] is True


@with_adapter
def an_account_is_known_by_its_id_whatever_it_is_called(scim, adapter):
    account(adapter, "before", "before-secret", "group/crew")
    own = scim.user("before")["id"]
    scim.rename(own, "After")
    adapter.do("before", "create", "already")
    assert adapter.do("before", "get").startswith("done enabled ")
    adapter.do("before", "disable")
    login(scim, "after", "before-secret", 403)
    adapter.do("before", "update", text="Before And After")
    shown = scim.user("before")
    assert (shown["id"], shown["displayName"]) == (own, "Before And After")
    assert shown["name"]["formatted"] == "Before And After"
    adapter.do("before", "update", "already", "Before And After")
    adapter.do("before", "update", "already")


@with_adapter
def what_the_server_says_of_a_person_is_not_repeated(scim, adapter):
    adapter.do("quoted", "create")
    scim.rename(scim.user("quoted")["id"], "renamed")
    scim.user_add("quoted", active=True)
    answer = adapter.do("quoted", "update", "conflict")     # it says: quoted is taken
    assert answer.endswith("SCIM PATCH: [409] uniqueness"), answer


@with_adapter
def an_account_without_an_id_is_marked_when_it_is_updated(scim, adapter):
    made = scim.user_add("adopted", active=True)
    assert adapter.do("adopted", "get").startswith("done enabled ")
    adapter.do("adopted", "create", "conflict")
    adapter.do("adopted", "update")
    marked = scim.user("adopted")
    assert marked["id"] == made["id"] and marked["externalId"]
    adapter.do("adopted", "create", "already")


@with_adapter
def a_member_stands_once_and_a_group_is_made_once(scim, adapter):
    account(adapter, "member", "member-secret", "group/once")
    adapter.do("member", "join/group/once", "already")
    own = scim.user("member")["id"]
    assert members(scim, "once") == [own]
    scim.group_add("once", own, own, "ghost")   # the server takes a second one, repeats and ghosts
    adapter.do("member", "members/group/once")
    adapter.do("member", "leave/group/once")
    assert members(scim, "once") == ["ghost"]
    assert len(scim.groups("once")) == 2
    adapter.do("member", "join/group/once")
    assert members(scim, "once").count(own) == 1


@with_adapter
def a_name_cannot_end_the_filter_that_looks_for_it(scim, adapter):
    account(adapter, "o\\r", "or-secret", "group/a\\")
    account(adapter, 'o"r', "or-secret")
    adapter.do("o\\r", "disable")
    assert (scim.user("o\\r")["active"], scim.user('o"r')["active"]) == (False, True)
    assert members(scim, "a\\") == [scim.user("o\\r")["id"]]
    # scimmy reads an escaped quote as the end of the text: then it refuses, and nothing is made
    adapter.do('o"r', 'join/group/a"b', "refused")
    adapter.do('nobody"', "disable", "refused")
    assert scim.user('o"r')["active"] is True
    assert [g for g in scim.all("Groups") if '"' in g["displayName"]] == []


@with_adapter
def rights_that_scim_does_not_know_are_refused(scim, adapter):
    adapter.do("plain", "create")
    adapter.do("plain", "join/room/den/member", "refused")
    assert scim.groups("den") == []


@with_adapter
def a_listing_that_does_not_add_up_is_not_called_complete(scim, adapter):
    for i in range(130):
        scim.user_add(f"listed-{i:03}", active=True)
    everyone = len(scim.all("Users"))
    assert adapter.ask("list") == f"complete {everyone}"
    scim.odd(express5=True)             # the first page for ever, and of 20
    assert adapter.ask("list") == "incomplete 20"
    scim.odd(express5=False, repeat=1)  # one account stands in for others
    assert adapter.ask("list").startswith("incomplete ")
    scim.odd(repeat=0)
    assert adapter.ask("list") == f"complete {everyone}"


@with_adapter
def who_may_be_on_a_page_that_is_not_shown_is_not_called_absent(scim, adapter):
    scim.user_add("the-first", active=True)
    scim.odd(express5=True, unfiltered=True)
    adapter.do("hidden", "get", "retry")
    adapter.do("hidden", "create", "retry")
    adapter.do("hidden", "disable", "retry")
    scim.odd(express5=False, unfiltered=False)
    assert adapter.do("hidden", "get").startswith("done absent ")


@with_adapter
def a_change_that_is_not_answered_is_looked_for(scim, adapter):
    scim.odd(mute=True)
    adapter.do("muted", "create", "unknown")
    scim.odd(mute=False)
    assert adapter.do("muted", "get").startswith("done disabled ")
    adapter.do("muted", "create", "already")
    scim.odd(mute=True)
    adapter.do("muted", "enable", "unknown")
    scim.odd(mute=False)
    adapter.do("muted", "enable", "already")


@with_adapter
def failures_are_told_apart(scim, adapter):
    account(adapter, "told", "told-secret")
    for status, outcome in ((503, "retry"), (429, "retry"), (500, "retry"), (401, "own-credential"),
                            (403, "own-credential"), (404, "retry"), (400, "refused")):
        scim.odd(fail=[status])
        adapter.do("told", "get", outcome)
    assert adapter.do("told", "get").startswith("done enabled ")


@with_adapter
def a_server_that_is_away_is_asked_again_and_found_when_it_is_back(scim, adapter):
    scim.stop()
    adapter.do("patient", "get", "retry")
    adapter.do("patient", "disable", "retry")
    scim.start()                        # it has forgotten everything
    account(adapter, "patient", "patient-secret")
    login(scim, "patient", "patient-secret")


@with_adapter
def a_server_that_stops_answering_is_given_up_in_time(scim, adapter):
    adapter.do("held", "create")
    os.kill(scim.server.pid, signal.SIGSTOP)
    timer = threading.Timer(60, os.kill, (scim.server.pid, signal.SIGCONT))
    timer.start()
    try:
        adapter.do("held", "enable", "retry")
        assert timer.is_alive(), "it waited until the server went on"
    finally:
        timer.cancel()
        os.kill(scim.server.pid, signal.SIGCONT)
    wait_until("it answers again", lambda: adapter.ask("held get").startswith("done "))
    adapter.do("held", "enable")


if __name__ == "__main__":
    main(prepare=Alone.start, stage=Alone)
