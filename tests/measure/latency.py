"""How soon a change in the directory is seen: by who asks the token API, and at a consumer."""

import json

import ldap

from measure import people
from rig.directory import ADMIN_DN, organisation

SUSPENSIONS = 300       # a round, at most
UNBRAKED = 0.015        # of all: removals that the brake lets pass within an hour, with a margin
UNBRAKED_LEAST = 5
JOINS = 20              # to each group


class Change:
    """One change at the directory and what it shows as: a refusal, or a role that is had."""

    def __init__(self, dn, attribute, how, value, was, account, role=""):
        self.dn, self.attribute, self.value, self.was = dn, attribute, value, was
        self.line = "\t".join([dn, attribute, how, value, account, role])

    def undo(self, connection):
        if self.was is None:
            operation = (ldap.MOD_DELETE, self.attribute, [self.value.encode()])
        else:
            operation = (ldap.MOD_REPLACE, self.attribute, [self.was.encode()])
        connection.modify_s(self.dn, [operation])


def suspensions(count):
    """Of people who have accounts, spread over all."""
    usual = [i for i in range(count) if people.is_usual(i)]
    many = min(SUSPENSIONS, max(UNBRAKED_LEAST, int(count * UNBRAKED)))
    chosen = usual[::len(usual) // many][:many]
    return [Change(people.dn(i), "employeeStatus", "=", "suspended", "active", people.uid(i)) for i in chosen]


def joins(count, group):
    """People who have accounts and are not in a group join it; a role of its name follows."""
    members = set(dict(people.groups(count))[group])
    strangers = [i for i in range(count) if people.is_usual(i) and i not in members][:JOINS]
    dn = f"cn={group},{organisation.GROUPS_BASE}"
    return [Change(dn, "member", "+", people.dn(i), None, people.uid(i), group) for i in strangers]


def undo(hall, changes):
    """Takes changes back: when musterd has ended, for what it sees taken away the brake counts."""
    for change in changes:
        change.undo(hall.directory.connection)


def seen(hall, place, changes):
    """Makes the changes one after another: milliseconds until the directory had acknowledged, and until
    it was seen at the place; lists of the same order."""
    directory = hall.directory
    said = hall.program("seen", place[0], directory.ldapi, ADMIN_DN, directory.admin_password_file,
                        *place[1:], input="".join(f"{c.line}\n" for c in changes))
    acknowledged, visible = zip(*json.loads(said), strict=True)
    return acknowledged, visible


def at_consumer(hall, consumer, changes):
    return seen(hall, ["consumer", consumer.uri], changes)


def at_token_api(hall, changes):
    house = hall.house
    return seen(hall, ["token", house.token_port, house.ca, house.client_certificate, house.client_key], changes)
