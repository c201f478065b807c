#!/usr/bin/python3
"""A partner's directory beside the home's, and in it the home's very entries: same entryUUIDs, DNs, login
names, mail addresses and groups. It claims nobody and changes nobody, and gives what it may alone."""

from dataclasses import replace

from rig import proof
from rig.administrator import Administrator
from rig.directory import Directory, organisation
from rig.office import Office
from rig.process import wait_until, write_file
from rig.proof import sentence
from rig.stage import ALL_STAFF, FIRST_READ_S, NEWCOMER, Stage, groups_shown, jid, people_of, shown_in
from rig.store import Store

IN_TIME_S = 60
SUFFIX = ".partner"
LEVELS = "levels: [hr-verified]"
SOURCE = """\
  - name: partner
    name_suffix: {suffix}
    authority: {{roles: [ally-chat], {levels}}}
    uri: {uri}
    starttls: true
    ca: {ca}
    bind_dn: {bind_dn}
    bind_password_file: {bind_password_file}
    people:
      base: {people_base}
      attributes: {{uid: uid, name: cn, mail: mail, department: departmentNumber,
        employeeType: employeeType, employeeStatus: employeeStatus, identityChecked: identityChecked,
        identityCheckRef: identityCheckRef, startDate: startDate, endDate: endDate}}
    groups:
      base: {groups_base}
"""
ROLE = """
- role: ally-chat
  gives:
    - {platform: xmpp, account: true, groups: [partners]}
  birthright: (source=partner)
  identified: hr-verified
"""
WITNESS, FIRST, SECOND, TWIN, MOVER = people_of("Operations")[:5]
LEAVERS = people_of("Sales")[:20]
HOME_LEAVER = people_of("Finance")[0]
# What decides about the home: its people as they stand, and the accounts that they are to have.
HOME = """SELECT md5(string_agg(p::text || coalesce(a.wanted_state || a.roles || a.name, ''), ''
    ORDER BY p.person_id, a.platform)) FROM person p LEFT JOIN account a USING (person_id)
    WHERE p.source = 'main'"""


class Both(Stage):
    """A stage with one more directory, loaded from the home's backup."""

    def __init__(self):
        super().__init__()
        self.partner = Directory(self.workdir, self.authority, name="partner")
        self.partner.load(self.directory.dump())
        musterd = self.musterd
        self.source = SOURCE.format(
            suffix=SUFFIX, levels=LEVELS, uri=self.partner.uri, ca=self.partner.ca,
            bind_dn=organisation.MUSTER_DN, people_base=organisation.PEOPLE_BASE,
            groups_base=organisation.GROUPS_BASE,
            bind_password_file=musterd.secret("partner-password", self.directory.muster_password))
        self.home_alone = musterd.text
        musterd.text = musterd.text.replace("platforms:\n", self.source + "platforms:\n", 1)
        write_file(musterd.config, musterd.text)
        roles = musterd.folder / "policies" / "roles.yaml"
        write_file(roles, roles.read_text() + ROLE)

    def stop(self):
        try:
            super().stop()
        finally:
            self.partner.server.stop()


def prepare(stage):
    stage.partner.start()
    stage.settle(WITNESS)
    stage.store = Store(stage.musterd)
    stage.musterd.wait_verdict("complete", timeout_s=FIRST_READ_S, source="partner")
    stage.office = Office(stage, [FIRST, SECOND])


def of_partner(person):
    return replace(person, uid=person.uid + SUFFIX)


def home(stage):
    return stage.store.value(HOME)


def roles_of_partner(stage):
    found = stage.store.rows("SELECT DISTINCT trim(both E'\n' from roles) FROM person WHERE source = 'partner'")
    return {role for (roles,) in found for role in roles.split("\n") if role}


def wait_partner(stage, count, timeout_s=IN_TIME_S):
    wait_until(f"{count} people of the partner's are active", lambda: stage.store.value(
        "SELECT count(*) FROM person WHERE source = 'partner' AND state = 'active'") == count, timeout_s)


def partner_count(stage):
    return stage.store.value("SELECT count(*) FROM person WHERE source = 'partner' AND state = 'active'")


@sentence
def P1_3_the_same_entry_in_both_directories_is_two_people(stage):
    uuids = stage.store.rows("SELECT count(*), count(DISTINCT entry_uuid), count(DISTINCT dn),"
                             " count(DISTINCT lower(uid)) FROM person")
    assert uuids == [(400, 200, 200, 400)], uuids
    wait_until("the witness sees the partner's twin", lambda: groups_shown(
        stage.witness, of_partner(TWIN)) in ([], ["partners"]), IN_TIME_S)


@sentence
def T6_a_partner_gives_its_own_role_alone(stage):
    assert roles_of_partner(stage) == {"ally-chat"}
    asker = stage.office.staff[0]
    said = asker.muster("person", "explain", TWIN.uid + SUFFIX, "staff-chat").out
    assert "source partner may not give it" in said, said
    said = asker.muster("person", "explain", TWIN.uid, "ally-chat").out
    assert "(source=partner) does not hold" in said, said
    token = stage.granted(of_partner(TWIN), IN_TIME_S)
    assert token.find(event="answer", status=200)["roles"] == ["ally-chat"]
    refused = asker.refused("grant", TWIN.uid + SUFFIX, "ops-moderator", "--until", "1h", "--reason", "a test")
    assert "their source partner may not give it" in refused.out + refused.err, refused


@sentence
def T6_who_joins_moves_and_leaves_there_changes_nobody_at_home(stage):
    before, count = home(stage), partner_count(stage)
    stage.partner.add_person(replace(NEWCOMER, uid="zoe.new", department="Sales"))
    stage.partner.set(MOVER, "departmentNumber", "Finance")
    stage.partner.set(MOVER, "uid", MOVER.uid, WITNESS.uid)
    stage.partner.set(WITNESS, "mail", "chief@example.org")
    stage.partner.delete(LEAVERS[0].dn)
    stage.partner.connection.modify_s(f"cn=duty-managers,{organisation.GROUPS_BASE}",
                                      [(0, "member", [LEAVERS[1].dn.encode()])])
    stage.partner.connection.delete_s(f"cn=choir,{organisation.GROUPS_BASE}")
    wait_until("the partner's joiner is there", lambda: stage.store.value(
        "SELECT count(*) FROM person WHERE uid = 'zoe.new.partner'") == 1, IN_TIME_S)
    wait_until("the partner's leaver has left", lambda: stage.store.value(
        "SELECT state FROM person WHERE uid = %s", LEAVERS[0].uid + SUFFIX) == "leaver", IN_TIME_S)
    wait_partner(stage, count)
    assert home(stage) == before
    assert roles_of_partner(stage) == {"ally-chat"}


@sentence
def P1_3_what_could_mean_either_lists_both_and_changes_nothing(stage):
    before, asker = home(stage), stage.office.staff[0]
    refused = asker.muster("--json", "revoke", f"{TWIN.uid}@example.org", "--reason", "phone stolen",
                           expect=1)
    assert TWIN.uid + SUFFIX in refused.out + refused.err, refused
    assert home(stage) == before
    shown = asker.muster("--json", "person", "show", TWIN.uid).json
    assert shown["source"] == "main", shown
    assert asker.muster("--json", "person", "show", TWIN.uid + SUFFIX).json["source"] == "partner"


@sentence
def T6_a_password_opens_its_own_directory_s_person_alone(stage):
    theirs = "the partner's own password"
    stage.partner.set(TWIN, "userPassword", organisation.ssha(theirs))
    assert stage.claim(of_partner(TWIN), TWIN.password)["status"] == 401
    assert stage.claim(TWIN, theirs)["status"] == 401
    answer = wait_until("the partner's twin collects", lambda: [
        a for a in [stage.claim(of_partner(TWIN), theirs)] if a["status"] == 200], IN_TIME_S, 0.5)[0]
    assert [c["account"] for c in answer["credentials"]] == [TWIN.uid + SUFFIX], answer


@sentence
def T6_a_partner_s_people_are_no_administrators(stage):
    stranger = Administrator(stage, of_partner(TWIN))
    done = stage.office.free().muster("--json", "admin", "enrol", stranger.person.uid, "administrator",
                                      expect=1)
    assert "no administrators" in done.out + done.err, done


@sentence
def T6_a_home_entry_with_a_name_like_theirs_is_set_aside_until_it_is_mended(stage):
    person = replace(NEWCOMER, uid="eve.partner", department="People", number=29999)
    looker = stage.office.staff[0]
    stage.directory.add_person(person)
    stage.musterd.wait_log(r"event=entry\.quarantined source=main.* text=.*ends in \.partner")
    found, = looker.muster("--json", "sync", "quarantine").json["quarantine"]
    assert found["source"] == "main" and found["since"], found
    assert found["entry"] == stage.directory.entry_uuid(person).decode(), found
    assert "names of source partner" in looker.muster("sync", "quarantine").out
    assert stage.store.value("SELECT count(*) FROM person WHERE uid = 'eve.partner'") == 0
    mended = replace(person, uid="eve.home")
    stage.directory.connection.rename_s(person.dn, f"uid={mended.uid}")
    stage.wait_shown(mended, ALL_STAFF)
    assert looker.muster("--json", "sync", "quarantine").json["quarantine"] == []


@sentence
def P5_10_the_partner_s_brake_holds_nobody_at_home(stage):
    gone = LEAVERS[1:]
    for person in gone:
        stage.partner.delete(person.dn)
    wait_until("the partner's brake holds some", lambda: stage.musterd.source("partner")["held"] > 5, IN_TIME_S)
    token = stage.granted(HOME_LEAVER, IN_TIME_S)
    mark = token.mark()
    stage.directory.delete(HOME_LEAVER.dn)
    token.wait("the home's leaver is refused", IN_TIME_S, mark, event="answer", status=403)
    assert stage.musterd.source("main")["held"] == 0
    twins = {jid(p) for p in gone}
    assert twins <= shown_in(stage.witness, ALL_STAFF), "somebody at home was removed"


@sentence
def P5_10_one_directory_down_holds_up_nobody_of_the_other(stage):
    stage.partner.stop()
    stage.musterd.wait_verdict("unreachable", source="partner")
    stage.catch_up(IN_TIME_S)
    stage.partner.start()
    stage.musterd.wait_verdict("complete", source="partner")
    before = home(stage)
    stage.directory.stop()
    stage.musterd.wait_verdict("unreachable")
    count = partner_count(stage)
    stage.partner.add_person(replace(NEWCOMER, uid="yan.new", department="Sales"))
    wait_partner(stage, count + 1)
    assert home(stage) == before
    stage.directory.start()
    stage.musterd.wait_verdict("complete", "stale")


@sentence
def P5_10_a_partner_that_empties_removes_nobody_anywhere(stage):
    before, count = home(stage), partner_count(stage)
    stage.partner.stop()
    content = stage.partner.dump()
    stage.partner.load((dn, entry) for dn, entry in organisation.entries(stage.directory.muster_password)
                       if not dn.endswith("," + organisation.PEOPLE_BASE)
                       and not dn.endswith("," + organisation.GROUPS_BASE))
    stage.partner.start()
    stage.musterd.wait_verdict("empty", source="partner")
    stage.catch_up(IN_TIME_S)
    assert partner_count(stage) == count
    stage.partner.stop()
    stage.partner.load(content)
    stage.partner.start()
    stage.musterd.wait_verdict("complete", source="partner")
    assert stage.store.value("SELECT count(*) FROM person WHERE source = 'main' AND state = 'leaver'") == 1
    assert before != home(stage), "nobody joined at home"


@sentence
def an_authority_that_names_what_there_is_not_is_a_fault(stage):
    text = stage.musterd.text.replace("roles: [ally-chat]", "roles: [ally-chatt]")
    text = text.replace(LEVELS, "levels: [hr-verifiedd]")
    status, said = stage.musterd.check(write_file(stage.musterd.folder / "wrong.yaml", text))
    assert status == 1 and "source partner: authority names the role ally-chatt" in said, said
    assert "the level hr-verifiedd" in said, said
    status, said = stage.musterd.check()
    assert status == 0, said


@sentence
def a_policy_without_a_partner_s_role_is_refused(stage):
    policies = stage.musterd.folder / "policies"
    roles = policies / "roles.yaml"
    text = roles.read_text()
    write_file(roles, text.replace("ally-chat", "allies-chat"))
    done = stage.office.free().muster("--json", "policy", "apply", policies, "--reason", "a slip", expect=1)
    write_file(roles, text)
    assert "authority names the role ally-chat" in done.out + done.err, done


@sentence
def people_of_a_source_that_is_gone_stay_as_they_are(stage):
    count, roles = partner_count(stage), roles_of_partner(stage)
    stage.musterd.stop()
    write_file(stage.musterd.config, stage.home_alone)
    stage.musterd.start()
    stage.store = Store(stage.musterd)
    stage.catch_up(IN_TIME_S)
    assert (partner_count(stage), roles_of_partner(stage)) == (count, roles)
    shown = stage.musterd.source("partner")
    present = shown["people"]
    assert shown["text"] == f"source partner is not configured any more: {present} people stay as they are", shown
    assert not shown["configured"] and present >= count, shown
    asker = stage.office.staff[0]
    assert "not configured any more" in asker.muster("sync", "status").out
    found = asker.muster("--json", "person", "list", "--match", "(source=partner)").json["people"]
    assert len(found) >= present, len(found)
    assert stage.claim(of_partner(TWIN))["status"] == 401, "nobody vouches for them"
    token = stage.granted(of_partner(TWIN), IN_TIME_S)
    mark = token.mark()
    stage.office.act("revoke", TWIN.uid + SUFFIX, "--reason", "the contract ended")
    token.wait("who was revoked is refused", IN_TIME_S, mark, event="answer", status=403)


@sentence
def a_source_that_is_back_flows_again(stage):
    count = partner_count(stage)
    stage.musterd.stop()
    write_file(stage.musterd.config, stage.musterd.text)
    stage.musterd.start()
    stage.store = Store(stage.musterd)
    stage.partner.add_person(replace(NEWCOMER, uid="xi.new", department="Sales"))
    wait_partner(stage, count + 1)


proof.main(prepare, Both)
