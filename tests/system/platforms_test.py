#!/usr/bin/python3
"""Two platforms, chat and a SCIM service: each goes its own way, and neither holds up the other."""

import os
import signal

from rig import proof
from rig.musterd import PLATFORM
from rig.process import wait_until, write_file
from rig.proof import sentence
from rig.scim import Scim
from rig.stage import FIRST_READ_S, Stage, people_of

IN_TIME_S = 60
AT_ONCE_S = 15          # sooner than a step on another platform is given up
DESK = "desk"
PERSON, LEAVER, HELD, FOREIGN = people_of("Operations")[:4]
PLATFORM_CONFIG = """\
  - name: {name}
    adapter: scim
    url: {url}
    ca: {ca}
    token_file: {token_file}
    account: uid
clients:
"""
ROLE = """
- role: operations-desk
  gives:
    - {{platform: {name}, account: true, groups: [operations]}}
  birthright: (&(employeeType=staff)(department=Operations))
  identified: hr-verified
"""


class Both(Stage):
    """The whole set, with a SCIM service for those of Operations."""

    def __init__(self):
        super().__init__()
        self.scim = Scim(self.workdir, self.authority)
        text = self.musterd.text.replace("clients:\n", PLATFORM_CONFIG.format(
            name=DESK, token_file=self.musterd.secret("scim-token", self.scim.token),
            url=self.scim.url, ca=self.scim.ca))
        write_file(self.musterd.config, text)
        with open(self.musterd.folder / "policies" / "roles.yaml", "a", encoding="utf-8") as roles:
            roles.write(ROLE.format(name=DESK))

    def start(self):
        self.scim.start()
        self.foreign = self.scim.user_add(FOREIGN.uid, externalId="somebody-elses", active=True)
        super().start()

    def stop(self):
        super().stop()
        self.scim.stop()

    def collect_both(self, person):
        """Claims until a credential of each platform was collected: {platform: secret}."""
        secrets = {}

        def collected():
            secrets.update((c["platform"], c["secret"]) for c in self.claim(person)["credentials"])
            return {PLATFORM, DESK} <= secrets.keys()

        wait_until(f"{person.uid} collects both credentials", collected, FIRST_READ_S)
        self.secrets[person.uid] = secrets[PLATFORM]
        return secrets

    def desk(self, person, secret):
        """A session at the SCIM service."""
        status, session = self.scim.login(person.uid, secret)
        assert status == 200, f"{person.uid} logs in to {DESK}: {status}"
        return session


def desk_members(stage):
    return {m["value"] for g in stage.scim.groups("operations") for m in g.get("members", [])}


@sentence
def a_person_has_an_account_on_each_and_a_credential_for_each(stage):
    secrets = stage.collect_both(PERSON)
    stage.online(PERSON)
    assert stage.scim.me(stage.desk(PERSON, secrets[DESK])) == 200
    assert secrets[DESK] != secrets[PLATFORM]
    shown = stage.scim.user(PERSON.uid)
    assert shown["displayName"] == PERSON.name
    assert shown["id"] in desk_members(stage)


@sentence
def all_of_operations_are_there_and_nobody_else(stage):
    expected = {p.uid for p in people_of("Operations")} - {FOREIGN.uid}
    wait_until("all of Operations are at the desk", lambda: expected <= {
        u["userName"] for u in stage.scim.all("Users") if u["active"]}, FIRST_READ_S)
    outside = {p.uid for d in ("Sales", "Finance") for p in people_of(d)}
    assert not outside & {u["userName"] for u in stage.scim.all("Users")}


@sentence
def a_leaver_loses_both(stage):
    secrets = stage.collect_both(LEAVER)
    chat, desk = stage.online(LEAVER), stage.desk(LEAVER, secrets[DESK])
    own = stage.scim.user(LEAVER.uid)["id"]
    stage.directory.delete(LEAVER.dn)
    chat.wait("the live session ends", IN_TIME_S, event="closed")
    wait_until("the session at the desk ends", lambda: stage.scim.me(desk) == 401, IN_TIME_S)
    assert stage.scim.login(LEAVER.uid, secrets[DESK])[0] in (401, 403)
    wait_until("the group loses them", lambda: own not in desk_members(stage), IN_TIME_S)


@sentence
def a_platform_that_does_not_answer_holds_up_no_other(stage):
    secrets = stage.collect_both(HELD)
    chat, desk = stage.online(HELD), stage.desk(HELD, secrets[DESK])
    os.kill(stage.scim.server.pid, signal.SIGSTOP)
    try:
        stage.directory.delete(HELD.dn)
        chat.wait("the live session ends", AT_ONCE_S, event="closed")
    finally:
        os.kill(stage.scim.server.pid, signal.SIGCONT)
    wait_until("the session at the desk ends too", lambda: stage.scim.me(desk) == 401, IN_TIME_S)


@sentence
def an_account_of_somebody_else_is_left_alone(stage):
    stage.musterd.wait_log(rf"event=provision\.park platform={DESK} \S+ outcome=conflict",
                           timeout_s=IN_TIME_S)
    assert stage.scim.user(FOREIGN.uid) == stage.foreign
    stage.meet(FOREIGN)     # who has the chat all the same


@sentence
def the_log_names_nobody(stage):
    log = stage.musterd.server.log_text()
    for person in (PERSON, LEAVER, HELD, FOREIGN):
        assert person.uid not in log and person.surname not in log, "the log names people"


if __name__ == "__main__":
    proof.main(stage=Both, prepare=Both.start)
