#!/usr/bin/python3
"""musterd check: every fault at once, each with file, line and column."""

import re
import tempfile
from pathlib import Path

from rig import proof
from rig.bench import Bench
from rig.proof import sentence


class Desk(Bench):
    """A configuration to be changed and checked: check needs none of the servers."""

    def check(self, text):
        """Checks a changed configuration; returns (status, {(line, column): message})."""
        with tempfile.NamedTemporaryFile("w", dir=self.musterd.folder, suffix=".yaml") as file:
            file.write(text)
            file.flush()
            status, said = self.musterd.check(file.name)
            name = re.escape(Path(file.name).name)
        found = re.findall(rf"(?m)^\S*{name}:(\d+):(\d+): (.+)$", said)
        return status, {(int(line), int(column)): message for line, column, message in found}, said

    def place(self, text, what):
        """(line, column) of a piece of text, as an editor counts."""
        before = text[:text.index(what)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")


def refused_at(desk, old, new, at, *words):
    """Changes the good configuration at one place: the fault must be found there and named."""
    text = desk.musterd.text
    assert old in text, old
    text = text.replace(old, new, 1)
    status, faults, said = desk.check(text)
    assert status == 1, f"status {status}: {said}"
    place = desk.place(text, at)
    assert place in faults, f"no fault at {place}: {said}"
    for word in words:
        assert word in faults[place], f"{word} is not in: {faults[place]}"


@sentence
def C_7_a_good_configuration_is_accepted(desk):
    status, said = desk.musterd.check()
    assert status == 0, said


@sentence
def NT_2_an_unknown_key_is_a_fault_with_the_nearest_known(desk):
    refused_at(desk, "policies:", "polices:", "polices:", "polices")
    refused_at(desk, "starttls: true", "start_tls: true", "start_tls", "starttls")
    refused_at(desk, "rooms_host:", "room_host:", "room_host", "rooms_host")


@sentence
def C_7_a_missing_key_is_named(desk):
    text = desk.musterd.text.replace("state: ", "run: ", 1)
    status, _, said = desk.check(text)
    assert status == 1 and re.search(r":\d+:\d+: .*state", said), said


@sentence
def P1_2_weak_transport_is_refused_at_its_place(desk):
    refused_at(desk, "    starttls: true\n", "", "ldap://", "starttls")
    refused_at(desk, "url: https:", "url: http:", "http://127", "https")


@sentence
def C_7_wrong_values_are_refused_at_their_place(desk):
    refused_at(desk, "starttls: true", "starttls: maybe", "maybe")
    refused_at(desk, "processes: 2", "processes: many", "many")
    refused_at(desk, "processes: 2", "processes: 1000", "1000")
    refused_at(desk, "adapter: ejabberd", "adapter: ejaberd", "ejaberd", "ejabberd")
    refused_at(desk, f'"127.0.0.1:{desk.musterd.token_port}"', '"127.0.0.1:99999"', '"127.0.0.1:99999"')
    refused_at(desk, "platform: xmpp, csr", "platform: smtp, csr", "smtp")


@sentence
def C_7_what_is_not_our_yaml_is_refused_at_its_place(desk):
    refused_at(desk, "store: embedded", "store: &a embedded", "&a")
    refused_at(desk, "store: embedded", "store: !t embedded", "!t")
    refused_at(desk, "store: embedded", "store: embedded\nstore: embedded", "store: embedded\nsources")
    status, _, said = desk.check("state: [unclosed\n")
    assert status == 1 and re.search(r":\d+:\d+: ", said), said
    status, _, said = desk.check("")
    assert status == 1 and said, said


@sentence
def C_7_all_faults_are_reported_at_once(desk):
    text = desk.musterd.text
    for old, new in (("policies:", "polices:"), ("starttls: true", "starttls: maybe"),
                     ("processes: 2", "processes: many"), ("csr:", "cert_request:")):
        text = text.replace(old, new, 1)
    status, faults, said = desk.check(text)
    assert status == 1 and len(faults) >= 4, said


@sentence
def P5_2_faults_in_policies_are_named_like_those_in_the_configuration(desk):
    policies = desk.musterd.folder / "policies"
    for name, old, new, wanted in (
            ("roles.yaml", "(employeeType=staff)", "(employeeType=staff", "filter"),
            ("roles.yaml", "- role: sales", "- rolle: sales", "rolle"),
            ("brake.yaml", "share: 2%", "share: lots", "lots"),
            ("identification.yaml", "when:", "wenn:", "wenn")):
        file = policies / name
        good = file.read_text()
        file.write_text(good.replace(old, new, 1))
        status, said = desk.musterd.check()
        file.write_text(good)
        line, _ = desk.place(good.replace(old, new, 1), new)
        assert status == 1, f"{name} with {new} was accepted"
        assert re.search(rf"{name}:{line}:\d+: ", said), f"{name}, line {line}: {said}"


@sentence
def C_7_a_configuration_that_is_not_there_is_named(desk):
    status, said = desk.musterd.check("/nowhere/musterd.yaml")
    assert status != 0 and "/nowhere/musterd.yaml" in said, said


proof.main(lambda desk: None, Desk)
