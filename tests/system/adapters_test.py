#!/usr/bin/python3
"""The ejabberd adapter against a real ejabberd, watched by real clients."""

import os
import signal
import threading

from rig import ejabberd as xmpp
from rig.adapter import PATIENCE_S, Adapter, account, conform
from rig.observers import xmpp_watch
from rig.process import wait_until
from rig.proof import main, sentence
from rig.stage import Stage


class Alone(Stage):
    """ejabberd without the rest."""

    def start(self):
        self.ejabberd.start()

    def stop(self):
        self.ejabberd.stop()


def settings(ejabberd):
    return ["ejabberd", f"url={ejabberd.url}", f"ca={ejabberd.ca}", f"host={xmpp.HOST}",
            f"rooms_host={xmpp.ROOMS_HOST}", f"user={xmpp.ADMIN}"]


def watch(stage, name, password):
    observer = xmpp_watch(stage.ejabberd, xmpp.HOST, name, password)
    stage.observers.append(observer)
    return observer


def online(stage, name, password):
    observer = watch(stage, name, password)
    observer.wait(f"{name} logs in", PATIENCE_S, event="online")
    return observer


def refused(stage, name, password, at, condition):
    watch(stage, name, password).wait(f"{name} is refused", PATIENCE_S, event="refused", stage=at,
                                      condition=condition)


def with_adapter(proof):
    def proven(stage):
        adapter = Adapter(settings(stage.ejabberd), stage.ejabberd.admin_password)
        try:
            proof(stage, adapter)
        finally:
            adapter.close()
    proven.__name__ = proof.__name__
    return sentence(proven)


@sentence
def it_conforms_like_every_adapter(stage):
    conform(settings(stage.ejabberd), stage.ejabberd.admin_password)


@sentence
def it_conforms_by_its_password_where_there_is_no_oauth(stage):
    stage.ejabberd.restart_without(", /oauth: ejabberd_oauth")
    try:
        conform(settings(stage.ejabberd), stage.ejabberd.admin_password)
    finally:
        stage.ejabberd.restart_without("")


@sentence
def its_password_serves_where_a_token_is_refused_or_permits_nothing(stage):
    try:
        for missing in ("oauth_access: provisioner\n",
                        ', oauth: {scope: "ejabberd:admin", access: [{allow: {acl: admin}}]}'):
            stage.ejabberd.restart_without(missing)
            adapter = Adapter(settings(stage.ejabberd), stage.ejabberd.admin_password)
            adapter.do("basic", "create")
            adapter.do("basic", "remove")
            adapter.close()
    finally:
        stage.ejabberd.restart_without("")


def tokens(stage):
    return {row["token"] for row in stage.ejabberd.call("oauth_list_tokens")}


@with_adapter
def one_token_serves_many_calls_and_is_renewed_when_it_is_revoked(stage, adapter):
    before = tokens(stage)
    adapter.do("bearer", "create")
    adapter.do("bearer", "enable")
    [first] = tokens(stage) - before
    stage.ejabberd.call("oauth_revoke_token", token=first)
    assert adapter.do("bearer", "get").startswith("done enabled")
    [second] = tokens(stage) - before - {first}
    adapter.do("bearer", "disable")
    assert tokens(stage) - before - {first} == {second}


@with_adapter
def nobody_logs_in_before_a_credential_is_set_and_the_account_opened(stage, adapter):
    adapter.do("early", "create")
    adapter.do("early", "set-credential", text="early-secret")
    refused(stage, "early", "early-secret", "bind", "not-allowed")
    adapter.do("early", "enable")
    online(stage, "early", "early-secret")


@with_adapter
def a_credential_replaces_the_one_before(stage, adapter):
    account(adapter, "changing", "first-secret")
    adapter.do("changing", "set-credential", text="second-secret")
    refused(stage, "changing", "first-secret", "auth", "not-authorized")
    online(stage, "changing", "second-secret")


@with_adapter
def closing_ends_every_live_session_and_the_next_login_is_refused(stage, adapter):
    account(adapter, "leaver", "leaver-secret")
    live = [online(stage, "leaver", "leaver-secret") for _ in range(2)]
    assert "left=2" in adapter.do("leaver", "get")
    adapter.do("leaver", "disable")
    assert "ended=2 left=0" in adapter.do("leaver", "kill")
    for observer in live:
        observer.wait("the session is ended", PATIENCE_S, event="closed")
        assert observer.find(event="stream-error") is not None
    refused(stage, "leaver", "leaver-secret", "bind", "not-allowed")
    assert adapter.do("leaver", "get").startswith("done disabled ")
    adapter.do("leaver", "enable")
    online(stage, "leaver", "leaver-secret")    # the password was kept


@with_adapter
def closing_holds_even_where_the_group_was_deleted(stage, adapter):
    account(adapter, "locked", "locked-secret")
    stage.ejabberd.call("srg_delete", group="muster-disabled", host=xmpp.HOST)
    adapter.do("locked", "disable")
    refused(stage, "locked", "locked-secret", "bind", "not-allowed")
    adapter.do("locked", "remove")
    account(adapter, "locked", "another-secret")
    online(stage, "locked", "another-secret")


@with_adapter
def removing_ends_the_session_too(stage, adapter):
    account(adapter, "removed", "removed-secret")
    live = online(stage, "removed", "removed-secret")
    adapter.do("removed", "remove")
    live.wait("the session is ended", PATIENCE_S, event="closed")
    refused(stage, "removed", "removed-secret", "auth", "not-authorized")


@with_adapter
def members_of_a_group_see_each_other_come_and_go(stage, adapter):
    account(adapter, "stays", "stays-secret", "group/crew")
    stays = online(stage, "stays", "stays-secret")
    account(adapter, "comes", "comes-secret", "group/crew")
    comes = f"comes@{xmpp.HOST}"
    stays.wait("the newcomer is pushed", PATIENCE_S, event="push", jid=comes, groups=["crew"])
    since = stays.mark()
    adapter.do("comes", "leave/group/crew")
    stays.wait("who left is taken away", PATIENCE_S, since, event="push", jid=comes)
    assert comes not in stays.ask("roster", "roster")["items"]


@with_adapter
def leaving_a_room_ends_being_in_it(stage, adapter):
    account(adapter, "talker", "talker-secret", "room/den/member")
    talker = online(stage, "talker", "talker-secret")
    talker.say(f"join den@{xmpp.ROOMS_HOST}")
    own = f"den@{xmpp.ROOMS_HOST}/talker"
    talker.wait("is in the room", PATIENCE_S, event="presence", sender=own, type="available")
    since = talker.mark()
    adapter.do("talker", "leave/room/den/member")
    talker.wait("is out of it", PATIENCE_S, since, event="presence", sender=own,
                codes=lambda codes: "321" in codes)
    since = talker.mark()
    talker.say(f"join den@{xmpp.ROOMS_HOST}")
    talker.wait("may not come back", PATIENCE_S, since, event="presence", type="error")


@with_adapter
def who_left_a_moderated_room_of_somebody_else_may_not_come_back_either(stage, adapter):
    stage.ejabberd.call("create_room_with_opts", name="court", service=xmpp.ROOMS_HOST,
                        host=xmpp.HOST, options=[
                            {"name": name, "value": "true"}
                            for name in ("persistent", "members_only", "moderated")])
    account(adapter, "witness", "witness-secret", "room/court/moderator")
    adapter.do("witness", "leave/room/court/moderator")
    witness = online(stage, "witness", "witness-secret")
    witness.say(f"join court@{xmpp.ROOMS_HOST}")
    witness.wait("may not come back", PATIENCE_S, event="presence", type="error")


@with_adapter
def an_account_of_somebody_else_is_not_touched(stage, adapter):
    stage.ejabberd.call("register", user="foreign", host=xmpp.HOST, password="foreign-secret")
    live = online(stage, "foreign", "foreign-secret")
    adapter.do("foreign", "create", "conflict")
    live.ask("ping", "pong")
    online(stage, "foreign", "foreign-secret")


@with_adapter
def the_account_that_muster_acts_with_is_never_acted_upon(stage, adapter):
    for step in ("disable", "kill", "remove", "set-credential", "leave/group/crew"):
        adapter.do("admin", step, "refused")
    adapter.do("still-works", "create")
    assert "admin" in stage.ejabberd.call("registered_users", host=xmpp.HOST)


@with_adapter
def a_listing_that_does_not_add_up_is_not_called_complete(stage, adapter):
    assert adapter.ask("list").startswith("complete ")
    # ejabberd counts one account less whenever one is unregistered that does not exist
    stage.ejabberd.call("unregister", user="never-was", host=xmpp.HOST)
    assert adapter.ask("list").startswith("incomplete ")
    stage.ejabberd.stop()
    stage.ejabberd.start()
    assert adapter.ask("list").startswith("complete ")


@with_adapter
def a_server_that_is_away_is_asked_again_and_found_when_it_is_back(stage, adapter):
    account(adapter, "patient", "patient-secret")
    stage.ejabberd.stop()
    adapter.do("patient", "get", "retry")
    adapter.do("patient", "disable", "retry|unknown")
    stage.ejabberd.start()
    assert adapter.do("patient", "get").startswith("done enabled")
    adapter.do("patient", "disable")


@with_adapter
def a_server_that_stops_answering_is_given_up_in_time(stage, adapter):
    adapter.do("held", "create")
    os.kill(stage.ejabberd.server.pid, signal.SIGSTOP)
    timer = threading.Timer(60, os.kill, (stage.ejabberd.server.pid, signal.SIGCONT))
    timer.start()
    try:
        adapter.do("held", "enable", "retry|unknown")
        assert timer.is_alive(), "it waited until the server went on"
    finally:
        timer.cancel()
        os.kill(stage.ejabberd.server.pid, signal.SIGCONT)
    wait_until("it answers again", lambda: adapter.ask("held get").startswith("done "))
    adapter.do("held", "enable")


if __name__ == "__main__":
    main(prepare=Alone.start, stage=Alone)
