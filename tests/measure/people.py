"""An organisation of any size, the same at every run: people like those of the sample, groups of usual sizes."""

import base64

from rig.directory import organisation

TEAM = 10               # everybody is in a team
PROJECT = 100           # half of them in a project
HUNDRED = "project-0"   # a project of full size; a role follows from it
TENTH = "all-sites"     # one in ten; a role
DUTY = "duty-managers"  # one in a hundred; a role
ADMINISTRATORS = (0, 2) # the only ones who have a password
LOCATIONS = ["Auckland", "Wellington", "Ōtautahi", "Hamilton", "Dunedin", "Nelson"]
DEPARTMENTS = [d for d, count in organisation.DEPARTMENTS.items() for _ in range(count)]
FOLDED = {n: organisation.ascii_fold(n) for n in organisation.GIVEN_NAMES + organisation.SURNAMES}


def line(attribute, value):
    if value.isascii():
        return f"{attribute}: {value}\n"
    return f"{attribute}:: {base64.b64encode(value.encode()).decode()}\n"


def name(i):
    given = organisation.GIVEN_NAMES[i * 7 % len(organisation.GIVEN_NAMES)]
    return given, organisation.SURNAMES[i * 11 % len(organisation.SURNAMES)]


def uid(i):
    given, surname = name(i)
    return f"{FOLDED[given]}.{FOLDED[surname]}{i}"


def dn(i):
    return f"uid={uid(i)},{organisation.PEOPLE_BASE}"


def password(i):
    return organisation.Person(uid(i), *name(i), "").password


def is_usual(i):
    """Staff, at work, identified and started: somebody who has accounts."""
    return i % 17 != 13 and i % 61 != 41 and i % 49 != 23 and i % 67 != 37


def person(i):
    """LDIF of one person; what sets some apart is as common as in the sample."""
    given, surname = name(i)
    department = DEPARTMENTS[i * 13 % len(DEPARTMENTS)]
    titles = organisation.TITLES[department]
    identified = "" if i % 49 == 23 else f"identityChecked: TRUE\nidentityCheckRef: HR-{10000 + i}\n"
    secret = f"userPassword: {organisation.ssha(password(i))}\n" if i in ADMINISTRATORS else ""
    started = "20380101" if i % 67 == 37 else f"{2004 + i % 20}{i % 12 + 1:02}01"
    return (f"dn: {dn(i)}\nobjectClass: inetOrgPerson\nobjectClass: hrPerson\nuid: {uid(i)}\n"
            + line("cn", f"{given} {surname}") + line("givenName", given) + line("sn", surname)
            + f"mail: {uid(i)}@example.org\ntitle: {titles[i % len(titles)]}\n"
            f"departmentNumber: {department}\nemployeeNumber: {10000 + i}\n"
            f"employeeType: {'contractor' if i % 17 == 13 else 'staff'}\n"
            f"employeeStatus: {'suspended' if i % 61 == 41 else 'active'}\n"
            f"telephoneNumber: +64 9 {1000000 + i}\n" + line("l", LOCATIONS[i % len(LOCATIONS)])
            + f"startDate: {started}000000Z\n{identified}{secret}\n")


def groups(count):
    """(name, members by number) of every group."""
    for first in range(0, count, TEAM):
        yield f"team-{first // TEAM}", range(first, min(first + TEAM, count))
    for first in range(0, count, 2 * PROJECT):
        yield f"project-{first // (2 * PROJECT)}", range(first, min(first + 2 * PROJECT, count), 2)
    yield TENTH, range(0, count, 10)
    yield DUTY, range(0, count, 100)


def group(name_, members):
    return (f"dn: cn={name_},{organisation.GROUPS_BASE}\nobjectClass: groupOfNames\ncn: {name_}\n"
            + "".join(f"member: {dn(i)}\n" for i in members) + "\n")


def write(path, count, muster_password):
    """Writes the whole directory as LDIF."""
    above = [e for e in organisation.entries(muster_password)][:4]
    with open(path, "w", encoding="utf-8") as ldif:
        ldif.write(organisation.ldif(above) + "\n")
        for i in range(count):
            ldif.write(person(i))
        for name_, members in groups(count):
            ldif.write(group(name_, members))
