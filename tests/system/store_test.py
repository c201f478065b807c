#!/usr/bin/python3
"""The store's doors: a role per process, least grants, and no way in without its password."""

import json
import os
import subprocess

import psycopg2

from rig import proof
from rig.musterd import TOP
from rig.process import account
from rig.proof import sentence
from rig.stage import Stage

ROLES = ("cycle", "provision", "audit", "token", "claim", "admin", "work")
PROCESSES = ("keys", "cycle", "login", "provision", "adapter", "audit", "token", "claim", "admin", "work")
PULLS = {("audit_record", "INSERT"), ("audit_pending", "INSERT"), ("pull_count", "INSERT"),
         ("pull_count", "UPDATE")}
CONNECT = """
import json, sys, psycopg2
for role, password in json.load(sys.stdin):
    try:
        psycopg2.connect(host=sys.argv[1], dbname="muster", user=role, password=password,
                         connect_timeout=10)
        print(f"{role} with password {password!r} got in")
    except psycopg2.OperationalError:
        print("refused")
"""


def prepare(stage):
    stage.start()
    stage.socket_dir = next(p.parent for p in stage.musterd.folder.rglob(".s.PGSQL.5432"))
    stage.password_file = next(stage.musterd.state.rglob("store.password"))
    stage.superuser = psycopg2.connect(host=str(stage.socket_dir), dbname="muster", user="muster",
                                       password=stage.password_file.read_text().strip())


def rows(stage, query, *arguments):
    with stage.superuser.cursor() as cursor:
        cursor.execute(query, arguments)
        return cursor.fetchall()


def tries(user, socket_dir, doors):
    """Tries to connect with each (role, password), as a process of a system user (None: as
    ourselves); returns what came of each."""
    entry = account(user)
    identity = {} if entry is None else {"user": entry.pw_uid, "group": entry.pw_gid,
                                         "extra_groups": []}
    done = subprocess.run(["/usr/bin/python3", "-c", CONNECT, str(socket_dir)], text=True, cwd="/",
                          input=json.dumps(doors), capture_output=True, **identity)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@sentence
def P2_1_no_process_gets_in_as_any_role_without_its_password(stage):
    users = [f"muster-{name}" for name in PROCESSES] if os.geteuid() == 0 else [None]
    doors = [(role, password) for role in ("muster", "postgres", *(f"muster_{r}" for r in ROLES))
             for password in ("", "muster", role)]
    for user in users:
        assert tries(user, stage.socket_dir, doors) == ["refused"] * len(doors), user


@sentence
def P2_1_the_store_listens_on_no_network(stage):
    (addresses,), = rows(stage, "SELECT current_setting('listen_addresses')")
    assert addresses == "", addresses
    methods = {method for method, in rows(stage, "SELECT auth_method FROM pg_hba_file_rules")}
    assert methods <= {"scram-sha-256", "reject"}, methods


@sentence
def P2_1_no_role_is_more_than_a_login(stage):
    for name, *powers in rows(stage, """SELECT rolname, rolsuper, rolcreaterole, rolcreatedb,
            rolreplication, rolbypassrls FROM pg_roles WHERE rolname LIKE 'muster\\_%%'"""):
        assert not any(powers), f"{name}: {powers}"
    members = rows(stage, """SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE r.rolname LIKE 'muster\\_%%'""")
    assert members == [(0,)], "a role is a member of another"


def privileges(stage, role):
    return {(table, privilege) for table, privilege in rows(
        stage, """SELECT table_name, privilege_type FROM information_schema.role_table_grants
        WHERE grantee = %s UNION SELECT table_name, privilege_type
        FROM information_schema.column_privileges WHERE grantee = %s""", role, role)}


@sentence
def P4_12_what_has_happened_can_be_changed_by_no_role(stage):
    for name in ROLES:
        held = privileges(stage, f"muster_{name}")
        for table in ("audit_record", "audit_leaf"):
            for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                assert (table, privilege) not in held, f"muster_{name} may {privilege} {table}"


@sentence
def P2_2_who_talks_to_strangers_writes_next_to_nothing(stage):
    token = {(t, p) for t, p in privileges(stage, "muster_token") if p != "SELECT"}
    assert token == PULLS, token
    work = {p for _, p in privileges(stage, "muster_work")}
    assert work <= {"SELECT"}, work
    assert not [g for g in rows(stage, """SELECT table_name, privilege_type
        FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC'
        AND table_schema NOT IN ('pg_catalog', 'information_schema')""")]


@sentence
def P2_1_the_superusers_password_is_the_supervisors_alone(stage):
    status = stage.password_file.stat()
    assert status.st_mode & 0o777 == 0o600 and status.st_uid == os.geteuid(), oct(status.st_mode)


@sentence
def P4_12_invariants_of_the_store_hold(stage):
    for check in sorted((TOP / "sql" / "check").glob("*.sql")):
        with stage.superuser.cursor() as cursor:
            cursor.execute(check.read_text())
            found = cursor.fetchmany(3)
        stage.superuser.rollback()
        assert not found, f"{check.name}: {found}"


proof.main(prepare, lambda: Stage(build=TOP / "build" / "release"))
