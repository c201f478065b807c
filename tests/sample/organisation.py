#!/usr/bin/python3
"""The sample organisation: 200 plausible people and 12 groups, the same at every run.

Prints LDIF for slapadd when run as a program, with --muster-password-file FILE also for muster's own
account to bind with; tests import PEOPLE, GROUPS and person_entry().
"""

import argparse
import base64
import hashlib
import random
import unicodedata
from dataclasses import dataclass
from pathlib import Path

SUFFIX = "dc=example,dc=org"
PEOPLE_BASE = f"ou=people,{SUFFIX}"
GROUPS_BASE = f"ou=groups,{SUFFIX}"
MUSTER_DN = f"cn=muster,{SUFFIX}"
PEOPLE_COUNT = 200

DEPARTMENTS = {"Operations": 52, "Sales": 44, "Engineering": 58, "Finance": 24, "People": 22}
TITLES = {
    "Operations": ["Duty Manager", "Dispatcher", "Site Supervisor", "Logistics Planner"],
    "Sales": ["Account Manager", "Sales Engineer", "Regional Manager", "Bid Writer"],
    "Engineering": ["Software Engineer", "Network Engineer", "Test Engineer", "Architect"],
    "Finance": ["Accountant", "Controller", "Payroll Clerk", "Analyst"],
    "People": ["Recruiter", "HR Partner", "Trainer", "Health and Safety Officer"],
}
GIVEN_NAMES = """Ana Aroha Benedikt Chidi Clara Dáithí Eleni Émile Fatima George Hana Hēmi Ibrahim
    Inga João Jun Kiri Lars Leila Małgorzata Mateo Mere Miriam Nikhil Noor Oksana Ólafur Priya Rawiri
    Rosa Samuel Sefa Sven Tane Teodora Ulla Vera Wiremu Yusuf Zoë""".split()
SURNAMES = """Andersson Bauer Castillo Dubois Eriksen Fernando Ferreira Ghosh Haddad Ivanova Jansen
    Kovács Kowalska Larsen MacLeod Mäkinen Ngata Nguyen Novák Okafor Ōtene Patel Petrov Quirke Rāwiri
    Rossi Sato Silva Smith Takeda Tui Ünal Vasquez Walker Weber Wójcik Xu Yılmaz Zielińska""".split()


@dataclass(frozen=True)
class Person:
    """One person as HR has them; identified means HR has checked who they are."""

    uid: str
    given_name: str
    surname: str
    department: str
    title: str = "Assistant"
    number: int = 0
    employee_type: str = "staff"
    status: str = "active"
    identified: bool = True
    start_date: str = "20190401000000Z"
    end_date: str = ""

    @property
    def name(self):
        return f"{self.given_name} {self.surname}"

    @property
    def dn(self):
        return f"uid={self.uid},{PEOPLE_BASE}"

    @property
    def password(self):
        """Good enough for a directory that listens on loopback for the length of a test."""
        return "sample-" + hashlib.sha256(self.uid.encode()).hexdigest()[:12]


def ascii_fold(name):
    folded = name.translate(str.maketrans("łŁıøØ", "lLioO"))
    folded = unicodedata.normalize("NFKD", folded)
    return "".join(c for c in folded if c.isascii() and c.isalnum()).lower()


def hire_people():
    pick = random.Random("muster sample organisation")
    names = [(given, surname) for given in GIVEN_NAMES for surname in SURNAMES]
    people = []
    uids = set()
    wanted = [d for d, count in DEPARTMENTS.items() for _ in range(count)]
    for given, surname in pick.sample(names, len(names)):
        uid = f"{ascii_fold(given)}.{ascii_fold(surname)}"
        if uid in uids or len(people) == PEOPLE_COUNT:
            continue
        uids.add(uid)
        number = len(people)
        department = wanted[number]
        people.append(Person(
            uid, given, surname, department, pick.choice(TITLES[department]), 10000 + number,
            employee_type="contractor" if number % 17 == 13 else "staff",
            status="suspended" if number % 61 == 41 else "active",
            identified=number % 49 != 23,
            start_date="20380101000000Z" if number % 67 == 37 else
            f"{pick.randint(2004, 2023)}{pick.randint(1, 12):02}01000000Z"))
    return people


def form_groups(people):
    pick = random.Random("muster sample groups")
    groups = {f"dept-{name.lower()}": [p for p in people if p.department == name] for name in DEPARTMENTS}
    for name, size in {"on-call": 14, "first-aiders": 16, "fire-wardens": 12, "works-council": 7,
                       "new-depot": 31, "choir": 11}.items():
        groups[name] = sorted(pick.sample(people, size), key=lambda p: p.uid)
    groups["duty-managers"] = [p for p in people if p.title == "Duty Manager"][:6]
    return groups


def ssha(password):
    """A salted hash as slapd stores it; the salt follows from the password, so runs agree."""
    salt = hashlib.sha256(b"salt:" + password.encode()).digest()[:8]
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def person_entry(person):
    """(attribute, values) of a person, as python-ldap's add takes them but as str."""
    entry = {
        "objectClass": ["inetOrgPerson", "hrPerson"],
        "uid": [person.uid],
        "cn": [person.name],
        "givenName": [person.given_name],
        "sn": [person.surname],
        "mail": [f"{person.uid}@example.org"],
        "title": [person.title],
        "departmentNumber": [person.department],
        "employeeNumber": [str(person.number)],
        "employeeType": [person.employee_type],
        "employeeStatus": [person.status],
        "startDate": [person.start_date],
        "userPassword": [ssha(person.password)],
    }
    if person.identified:
        entry["identityChecked"] = ["TRUE"]
        entry["identityCheckRef"] = [f"HR-{person.number}"]
    if person.end_date:
        entry["endDate"] = [person.end_date]
    return entry


def group_entry(name, members):
    return {"objectClass": ["groupOfNames"], "cn": [name], "member": [p.dn for p in members]}


PEOPLE = hire_people()
GROUPS = form_groups(PEOPLE)


def entries(muster_password=None):
    """Every entry, parents first; muster's account can bind only if it is given a password."""
    muster = {"objectClass": ["applicationProcess", "simpleSecurityObject"] if muster_password
              else ["applicationProcess"], "cn": ["muster"]}
    if muster_password:
        muster["userPassword"] = [ssha(muster_password)]
    yield SUFFIX, {"objectClass": ["dcObject", "organization"], "dc": ["example"],
                   "o": ["Example Organisation"]}
    yield MUSTER_DN, muster
    yield PEOPLE_BASE, {"objectClass": ["organizationalUnit"], "ou": ["people"]}
    yield GROUPS_BASE, {"objectClass": ["organizationalUnit"], "ou": ["groups"]}
    for person in PEOPLE:
        yield person.dn, person_entry(person)
    for name, members in GROUPS.items():
        yield f"cn={name},{GROUPS_BASE}", group_entry(name, members)


def ldif(all_entries):
    """LDIF text; a value that is not plain is written in base64 (RFC 2849)."""
    def line(attribute, value):
        if value.isascii() and value.isprintable() and value[:1] not in ("", " ", ":", "<"):
            return f"{attribute}: {value}\n"
        return f"{attribute}:: {base64.b64encode(value.encode()).decode()}\n"

    return "\n".join(
        line("dn", dn) + "".join(line(a, v) for a, values in entry.items() for v in values)
        for dn, entry in all_entries)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="The sample organisation as LDIF.")
    options.add_argument("--muster-password-file", type=Path)
    given = options.parse_args().muster_password_file
    print(ldif(entries(given and given.read_text().strip())), end="")
