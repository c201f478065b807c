"""tests/bench policy: a plan over everyone, and a policy that is applied to everyone."""

import json
import shutil
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from types import SimpleNamespace

from measure import machine, people
from measure.hall import CONFIGURED, Hall
from measure.report import Row
from measure.sync import Survey
from rig import administrator
from rig.office import Office
from rig.process import wait_until, write_file

JOB_S = 3600
# What a plan reads of everyone; a copy of it is the other side.
READ = ["person", "account", "directory_group", "directory_member"]
# Given to the people of one department, a tenth of all.
ROLE = """\
- role: {name}
  gives:
    - {{platform: chat, groups: [{name}]}}
  birthright: (department=People)
"""


@dataclass
class Person:
    """Somebody who administers."""

    uid: str
    password: str


def changed(policies, name):
    """The policies of a folder with one role more: the folder."""
    folder = policies.parent / name
    shutil.copytree(policies, folder)
    roles = folder / "roles.yaml"
    write_file(roles, roles.read_text() + ROLE.format(name=name))
    return folder


class Policy:
    def __init__(self, hall, say):
        self.hall, self.house, self.say = hall, hall.house, say
        self.rates = {name: [] for name in ("same", "tenth", "copy", "pass", "applied")}
        self.cpu = []
        self.office = None
        self.in_force = self.house.policies

    def note(self, name, seconds):
        self.rates[name].append(self.hall.count / seconds)
        self.say(f"  {name}: {machine.short(seconds)} s, {machine.short(self.rates[name][-1])} people/s")

    def plan(self, folder=None):
        """The seconds of a plan: by the policies in force, or by those of a folder."""
        body = {"kind": "plan"}
        if folder is not None:
            body["files"] = {f.name: f.read_text() for f in folder.iterdir() if f.suffix == ".yaml"}
        machine.wait_idle()
        before = self.job_cpu()
        begun = time.monotonic()
        status, answer = self.house.console_ask("POST", "/v1/jobs", body, JOB_S)
        took = time.monotonic() - begun
        assert status == 200 and answer["status"] == 0, answer
        self.cpu.append({name: used - before[name] for name, used in self.job_cpu().items()})
        return took

    def job_cpu(self):
        """Processor seconds so far: of jobs that have ended, and of PostgreSQL."""
        supervisor = self.house.server.pid
        return {"work": machine.cpu_s(supervisor, True) - machine.cpu_s(supervisor),
                "postgres": self.house.cpu()["postgres"]}

    def copy(self):
        """The seconds it takes to copy out what a plan reads."""
        machine.wait_idle()
        said = json.loads(self.hall.program("copy", *READ, env=self.house.store_where()))
        assert said["rows"] > self.hall.count, said
        return said["seconds"]

    def pass_over_everyone(self, sql):
        """The seconds in which everybody is decided on again, and nothing changes."""
        machine.wait_idle()
        asked = time.monotonic()
        sql.execute("DELETE FROM policy_decided")
        sql.execute("NOTIFY muster_policy")
        return self.passed(sql, asked)

    def passed(self, sql, asked):
        """The seconds of the pass that begins after a moment."""
        begun = self.house.marks.wait("event=policy.pass ", asked)

        def decided():
            sql.execute("SELECT (SELECT max(version) FROM policy_version) = (SELECT version FROM policy_decided)")
            return sql.fetchone()[0]
        wait_until("everybody is decided on", decided, JOB_S, 0.02)
        return time.monotonic() - begun

    def apply(self, sql, folder):
        """The seconds of the pass that follows when two administrators put a policy in force."""
        if self.office is None:
            self.say("  two administrators are bootstrapped; they wait for the clock")
            administrators = [Person(people.uid(i), people.password(i)) for i in people.ADMINISTRATORS]
            self.office = Office(SimpleNamespace(workdir=self.hall.workdir, musterd=self.house), administrators)
        machine.wait_idle()
        asked = time.monotonic()
        self.office.agree("policy", "apply", folder)
        return self.passed(sql, asked)

    def round(self, number, applies):
        machine.round_begin()
        candidate = changed(self.in_force, f"handbook{number}")
        self.note("copy", self.copy())
        self.note("same", self.plan())
        self.note("tenth", self.plan(candidate))
        with closing(self.house.store()) as store, store.cursor() as sql:
            self.note("pass", self.pass_over_everyone(sql))
            if applies:
                self.note("applied", self.apply(sql, candidate))
                self.in_force = candidate

    def rows(self):
        rates, everyone = self.rates, f"{self.hall.count:,} people"
        yield Row(f"policy plan over {everyone}, nothing changes, against COPY of the same rows", "people/s",
                  rates["same"], rates["copy"], ">= 0.5")
        yield Row(f"policy plan over {everyone}, a tenth changes, against COPY of the same rows", "people/s",
                  rates["tenth"], rates["copy"], ">= 0.5")
        yield Row(f"everybody of {everyone} decided again, nothing changes", "people/s", rates["pass"], None, "-")
        if rates["applied"]:
            yield Row(f"policy applied to {everyone}, a tenth changes", "people/s", rates["applied"], None, "-")

    def notes(self):
        yield f"configured: {CONFIGURED}"
        spent = {name: statistics.median(used[name] for used in self.cpu) * 1e6 / self.hall.count
                 for name in ("work", "postgres")}
        yield "processor time of a plan, microseconds a person: " + ", ".join(
            f"{name} {each:.1f}" for name, each in spent.items())


def measure(options, say):
    say(f"a directory of {options.people:,} people, and a store that has them")
    administrator.COMMAND_S = JOB_S
    with Hall(options.people) as hall:
        house = hall.house
        house.empty_take()
        house.refreshed(house.begin())
        with closing(house.store()) as store, store.cursor() as sql:
            Survey.wait_numbered(sql)
            sql.execute("VACUUM ANALYZE")
        policy = Policy(hall, say)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            policy.round(number, not options.plan)
        house.end()
        return list(policy.rows()), list(policy.notes())
