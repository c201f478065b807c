#!/usr/bin/python3
"""A random walk through everything that changes people: after each step the store is as the reference
reckons it. MUSTER_SEED and MUSTER_STEPS run a walk again, or a part of it."""

import os
import random
import re
import subprocess
import time
from pathlib import Path

from rig import proof
from rig.musterd import BUILD
from rig.process import Workdir, write_file
from rig.reference import Give, Grant, Policy, Reference, Role, States

TOP = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("MUSTER_SEED") or random.SystemRandom().randrange(10**9))
STEPS = int(os.environ.get("MUSTER_STEPS", 10000))
HISTORIES = 1000 if os.environ.get("MUSTER_LONG") else 0
HISTORY_STEPS = 200
CROWD = 40
NOON = 1798804800                       # 2027-01-01T12:00:00Z
DAY_S = 86400
GROUPS = ("ops", "night", "lead")
DATES = ("startDate", "endDate", "backDate")

# --- Policies: what differs from one to the next is what each step of the code reads

LEVELS = [("known", "(checked=TRUE)"), ("seen", None)]
CHAT = Role("chat", [Give("mem", True, ("all",))], "(|(type=staff)(type=guest))", level="known")
SALES = Role("sales", [Give("mem", groups=("sales",)), Give("two", True)], "(department=Sales)",
             conflicts=("audit",))
OPS = Role("ops", [Give("mem", groups=("ops",), rooms=("ops", "hall"))], "(&(group=ops)(!(type=guest)))")
LEAD = Role("lead", [Give("mem", rooms=("ops",), level="moderator")], "(group=lead)", level="seen")
HELP = Role("help", [Give("mem", groups=("help",), rooms=("hall",), level="moderator")],
            requestable="(!(title=junior))", longest_s=8 * 3600)
AUDIT = Role("audit", [Give("mem", groups=("audit",)), Give("two", groups=("books",))],
             requestable="(type=staff)", longest_s=30 * DAY_S, level="seen")
NIGHT = Role("night", [Give("mem", groups=("night",))], "(group=night)", "(department=Ops)", 3600)
STATES = States("(status=left)", "(status=away)", "backDate", "startDate", "endDate", 30 * DAY_S)
POLICIES = [
    Policy(LEVELS, [CHAT, SALES, OPS, LEAD, HELP._replace(conflicts=("ops", "audit")), AUDIT, NIGHT], STATES),
    Policy(LEVELS, [CHAT._replace(level=None), SALES._replace(conflicts=()), OPS, LEAD, HELP, NIGHT],
           STATES._replace(returns=None, grace_s=3600)),
    Policy(LEVELS[:1], [CHAT._replace(birthright="(type=staff)"), SALES, OPS, AUDIT._replace(level=None)],
           STATES._replace(left=None, starts=None)),
    Policy(LEVELS, [CHAT, OPS._replace(gives=[Give("two", True, ("ops",))]), LEAD, NIGHT, AUDIT,
                    HELP._replace(requestable="(group=night)", conflicts=("ops",))],
           STATES._replace(suspended="(group=night)", left="(|(status=left)(group=lead))", grace_s=0)),
    Policy(LEVELS, [CHAT, SALES, LEAD, HELP], States(None, None, None, "startDate", None, 7 * DAY_S)),
]


def give_text(give):
    parts = [f"platform: {give.platform}"] + ["account: true"] * give.account
    parts += [f"{key}: [{', '.join(names)}]" for key, names in
              (("groups", give.groups), ("rooms", give.rooms)) if names]
    return "{" + ", ".join(parts + [f"level: {give.level}"] * bool(give.rooms)) + "}"


def role_text(role):
    lines = [f"- role: {role.name}", f"  gives: [{', '.join(map(give_text, role.gives))}]"]
    lines += [f"  {key}: {value}" for key, value in
              (("birthright", role.birthright), ("requestable", role.requestable),
               ("longest", role.requestable and f"{role.longest_s}s"), ("identified", role.level),
               ("conflicts", role.conflicts and f"[{', '.join(role.conflicts)}]")) if value]
    return "\n".join(lines) + "\n"


def policy_write(policy, folder):
    named = {r.name for r in policy.roles}
    roles = [r._replace(conflicts=tuple(c for c in r.conflicts if c in named)) for r in policy.roles]
    states = [f"{key}: {getattr(policy.states, key)}\n" for key in policy.states._fields[:5]
              if getattr(policy.states, key)]
    write_file(folder / "roles.yaml", "".join(map(role_text, roles)), mode=0o644)
    write_file(folder / "states.yaml", "".join(states) + f"grace: {policy.states.grace_s}s\n", mode=0o644)
    write_file(folder / "identification.yaml", "".join(
        f"- {{level: {name}" + (f", when: {when}}}\n" if when else "}\n") for name, when in policy.levels),
               mode=0o644)
    return policy._replace(roles=roles)


class Driven:
    """What is under test: the cycle and its store in a program that is told what to do."""

    def __init__(self):
        self.workdir = Workdir()
        self.policies = []
        for i, policy in enumerate(POLICIES):
            folder = self.workdir.make(f"policy{i}")
            self.policies.append((folder, policy_write(policy, folder)))
        self.log = open(self.workdir.make("log") / "driven.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([BUILD / "bin" / "drive_model"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait(60)
        self.log.seek(0)
        tail = self.log.read()[-3000:]
        self.log.close()
        self.workdir.remove()
        if kind is not None:
            print(f"what was driven said last:\n{tail}", flush=True)
        else:
            assert status == 0, f"what was driven ended with {status}:\n{tail}"

    def ask(self, *commands):
        """Gives the commands at once; the answers, each its lines and how it ended."""
        self.process.stdin.write("".join("\t".join(map(str, c)) + "\n" for c in commands))
        self.process.stdin.flush()
        return [self.answer(c) for c in commands]

    def answer(self, command):
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == "ok" or line.startswith("no "):
                return lines, line == "ok"
            lines.append(line)
        raise AssertionError(f"what was driven ended at {command}")


def names(text, separator=","):
    return {n for n in text.split(separator) if n}


def shown(line):
    """A person of the dump, as the reference says the same."""
    (entry, _, state, since, due, blocked, suspended, resume, identified, roles, uid, accounts,
     grants) = line.split("\t")
    parts = [a.split("/") for a in accounts.split(";") if a]
    return bytes.fromhex(entry).rstrip(b"\0").decode(), {
        "state": state, "since": int(since), "due": int(due), "blocked": blocked == "t",
        "suspended": suspended == "t", "resume": int(resume), "identified": identified,
        "roles": names(roles), "uid": uid,
        "accounts": {p: (n, s, names(r), names(e)) for p, n, s, r, e in parts},
        "grants": {r: (int(s), int(e)) for r, s, e in (g.split("/") for g in grants.split(";") if g)}}


def reckoned(person):
    return {"state": person.state, "since": person.since, "due": person.due, "blocked": person.blocked,
            "suspended": person.suspended, "resume": person.resume, "identified": person.identified,
            "roles": person.roles, "uid": person.attrs.get("uid", ""),
            "accounts": {p: tuple(a) for p, a in person.accounts.items()},
            "grants": {r: tuple(g) for r, g in person.grants.items()}}


class Walk:
    """One history: a directory, what muster makes of it, and what the reference does."""

    def __init__(self, driven, seed):
        self.driven, self.seed, self.random = driven, seed, random.Random(seed)
        self.now, self.step, self.log = NOON, 0, []
        self.entries, self.groups = {}, {g: set() for g in GROUPS}
        self.ids, self.made, self.renamed = {}, 0, 0
        folder, policy = driven.policies[0]
        self.reference = Reference(policy)
        self.tell(("forget",), ("now", self.now), ("policy", folder))

    def tell(self, *commands):
        self.log += [(self.step, self.now, c) for c in commands]
        return self.driven.ask(*commands)

    def check(self):
        """Everybody is as the reference says, by the clock as well; nobody became another person."""
        self.reference.decide(self.now)
        while any(0 < p.due <= self.now for p in self.reference.people.values()):
            self.reference.decide(self.now)
        (lines, _) = self.driven.ask(("settle",), ("dump",))[1]
        people = dict(map(shown, lines))
        for line in lines:
            entry, identity = line.split("\t")[:2]
            assert self.ids.setdefault(entry, identity) == identity, f"{entry} is another person now"
        wanted = {tag: reckoned(p) for tag, p in self.reference.people.items()}
        if people != wanted:
            self.fail(people, wanted)

    def fail(self, people, wanted):
        tags = [t for t in sorted(people | wanted) if people.get(t) != wanted.get(t)]
        found, meant = people.get(tags[0]) or {}, wanted.get(tags[0]) or {}
        differs = [f"{k} is {found.get(k)}, not {meant.get(k)}" for k in {**found, **meant}
                   if found.get(k) != meant.get(k)]
        history = [f"{s} at {n}: {' '.join(map(str, c))}" for s, n, c in self.log
                   if tags[0] in c or c[0] == "policy"]
        raise AssertionError("\n".join(history[-30:]) + f"\nthere {self.entries.get(tags[0])}, groups "
                             f"{self.groups}\nseed {self.seed}, step {self.step} at {self.now}, {tags}: "
                             + "; ".join(differs))

    # --- What the directory does

    def attributes(self, tag):
        at = self.random
        attrs = {"type": at.choice(("staff", "staff", "staff", "guest", "other")),
                 "department": at.choice(("Sales", "Ops", "Lab")),
                 "checked": at.choice(("TRUE", "TRUE", "FALSE")),
                 "status": at.choice(("here", "here", "here", "here", "away", "left")),
                 "title": at.choice(("junior", "senior"))}
        return attrs | ({"mail": f"{tag}@example.org"} if at.random() < 0.8 else {})

    def date(self, name):
        """Near now, on either side of it, now and then what is none; the zone is anybody's. Starts are
        mostly still to come."""
        near = (3600, DAY_S, 20 * DAY_S, 60 * DAY_S)
        at = self.now + self.random.choice(near if name == "startDate" else (-DAY_S, -1, 0) + near)
        if self.random.random() < 0.1:
            return self.random.choice(("tomorrow", "20270229120000Z", "20270101120000"))
        zone, shift = self.random.choice((("Z", 0), ("Z", 0), ("+0200", 7200), ("-0530", -19800)))
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(at + shift)) + zone

    def entry_change(self):
        """Of one entry, new or there; what it was changed to, None when it is gone."""
        at = self.random
        tag = at.choice(sorted(self.entries) or [None])
        waiting = [t for t, p in self.reference.people.items() if t in self.entries and p.starts > self.now]
        if waiting and at.random() < 0.4:       # few do, and what becomes of them is to be seen, too
            tag = at.choice(sorted(waiting))
            dn, attrs = self.entries[tag]
            return tag, at.choice((None, *((dn, attrs | {"status": s}) for s in ("here", "here", "away", "left"))))
        if tag is None or (len(self.entries) < CROWD and at.random() < 0.15):
            return self.entry_come()
        dn, attrs = self.entries[tag]
        if at.random() < (0.3 if attrs["status"] == "left" else 0.1):
            return tag, None
        attrs, change = dict(attrs), at.random()
        if change < 0.1:
            dn = f"uid={tag},ou={at.choice('abc')}"
        elif change < 0.2:
            self.renamed += 1
            attrs["uid"] = f"{tag}R{self.renamed}"
        elif change < 0.45:
            name = at.choice(DATES)
            attrs.pop(name, None)
            if at.random() < 0.7:
                attrs[name] = self.date(name)
        elif change < 0.5:
            for name in DATES:
                attrs.pop(name, None)
        else:
            name = at.choice(("type", "department", "checked", "status", "status", "title", "mail"))
            value = self.attributes(tag).get(name)
            attrs = {k: v for k, v in attrs.items() if k != name} | ({name: value} if value else {})
        return tag, (dn, attrs)

    def entry_come(self):
        """Somebody new, or one who had gone."""
        at = self.random
        gone = sorted(set(self.reference.people) - set(self.entries))
        if gone and (at.random() < 0.6 or self.made >= CROWD):
            tag = at.choice(gone)
        elif self.made < CROWD:
            self.made += 1
            tag = f"p{self.made:02}"
        else:
            tag = at.choice(sorted(self.entries))
        attrs = self.attributes(tag) | {"uid": f"{tag}N{self.made}"}
        if at.random() < 0.3:
            name = at.choice(("startDate", "startDate", "endDate", "backDate"))
            attrs[name] = self.date(name)
        return tag, (f"uid={tag},ou={at.choice('abc')}", attrs)

    def entry_take(self, tag, entry):
        if entry is None:
            self.entries.pop(tag)
        else:
            self.entries[tag] = entry

    def group_change(self):
        name = self.random.choice(GROUPS)
        dns = sorted(dn for dn, _ in self.entries.values())
        for dn in self.random.sample(dns, min(len(dns), self.random.randint(1, 3))):
            self.groups[name] ^= {dn}
        if self.random.random() < 0.1:
            self.groups[name] = set()
        return name

    @staticmethod
    def entry_command(tag, entry):
        if entry is None:
            return "gone", tag
        return "entry", tag, entry[0], *(f"{k}={v}" for k, v in entry[1].items())

    def group_command(self, name):
        return "group", name, *sorted(self.groups[name])

    # --- Steps

    def directory(self):
        """One to four entries and perhaps a group change in one slice."""
        news = {}
        for _ in range(self.random.choice((1, 1, 2, 3, 4))):
            self.step += 1
            tag, entry = self.entry_change()
            self.entry_take(tag, entry)
            news[tag] = entry
        commands = [self.entry_command(tag, entry) for tag, entry in news.items()]
        if self.random.random() < 0.3:
            commands.append(self.group_command(self.group_change()))
        self.tell(*commands, ("slice",))
        self.hear(news)

    def hear(self, news):
        self.reference.groups = {name: set(dns) for name, dns in self.groups.items()}
        for tag, entry in news.items():
            self.reference.hear(tag, entry, self.now)

    def group(self):
        self.tell(self.group_command(self.group_change()), ("slice",))
        self.hear({})

    def time(self):
        """To the next thing that is due, a second before or after it; or some time."""
        dues = sorted(p.due for p in self.reference.people.values() if p.due > self.now)
        if dues and self.random.random() < 0.7:
            self.now = max(self.now, dues[0] + self.random.choice((-1, 0, 0, 0, 1)))
        else:
            self.now += self.random.choice((1, 60, 3600, DAY_S, 9 * DAY_S))
        self.tell(("now", self.now))

    def anybody(self):
        return self.reference.people[self.random.choice(sorted(self.reference.people))]

    def action(self):
        if not self.reference.people:
            return
        at = self.random
        granted = sorted(tag for tag, p in self.reference.people.items() if p.grants)
        person = self.reference.people[at.choice(granted)] if granted and at.random() < 0.5 else self.anybody()
        kind = at.choice(("block", "unblock", "unblock", "suspend", "resume", "identify", "grant", "grant",
                          "grant", "grant", "ungrant"))
        getattr(self, kind)(person)

    def block(self, person):
        person.blocked = True
        self.tell(("block", person.tag))

    def unblock(self, person):
        person.blocked = False
        self.tell(("unblock", person.tag))

    def suspend(self, person):
        person.suspended = True
        person.resume = self.random.choice((0, self.now + 60, self.now + 5 * DAY_S))
        self.tell(("suspend", person.tag, person.resume))

    def resume(self, person):
        person.suspended, person.resume = False, 0
        self.tell(("resume", person.tag))

    def identify(self, person):
        person.vouched = self.random.choice(("known", "seen"))
        self.tell(("identify", person.tag, person.vouched))

    def grant(self, person):
        role = self.random.choice(("help", "audit", "night", "sales", "emperor"))
        lasts_s = self.random.choice((60, 3600, 8 * 3600, 8 * 3600 + 1, 20 * DAY_S, 40 * DAY_S))
        (_, done), = self.tell(("grant", person.tag, role, self.now + lasts_s))
        meant = self.reference.requestable(person, role, lasts_s, self.now)
        assert done == meant, f"seed {self.seed}, step {self.step}: {role} for {person.tag}: granted {done}"
        if done:
            person.grants[role] = Grant(self.now, self.now + lasts_s)

    def ungrant(self, person):
        role = self.random.choice(sorted(person.grants) or ["help"])
        (_, done), = self.tell(("ungrant", person.tag, role))
        assert done == (role in person.grants), f"seed {self.seed}, step {self.step}: ungrant {role}"
        person.grants.pop(role, None)

    def policy(self):
        folder, policy = self.random.choice(self.driven.policies)
        self.reference.policy = policy
        self.tell(("policy", folder))

    def restart(self):
        """Ended as by a kill; what the directory did meanwhile is found by a full read."""
        news = {}
        for _ in range(self.random.randint(0, 3)):
            tag, entry = self.entry_change()
            self.entry_take(tag, entry)
            news[tag] = entry
        self.group_change()
        commands = [self.group_command(g) for g in GROUPS]
        commands += [self.entry_command(tag, entry) for tag, entry in self.entries.items()]
        self.tell(("restart",), ("begin",), *commands, ("end", len(self.entries), len(GROUPS)))
        self.hear(dict.fromkeys(self.reference.people, None) | self.entries)

    def sound(self):
        """By what the store says of itself."""
        for name in ("people", "lifecycle", "accounts"):
            lines, _ = self.driven.ask(("faults", name))[0]
            assert not lines, f"seed {self.seed}, step {self.step}: {lines}"

    def run(self, steps):
        kinds = (("directory", 50), ("group", 6), ("time", 22), ("action", 20), ("policy", 2),
                 ("restart", 1))
        while self.step < steps:
            self.step += 1
            kind, = self.random.choices([k for k, _ in kinds], [w for _, w in kinds])
            getattr(self, kind)()
            self.check()
            if self.random.random() < 0.02:
                self.sound()


# --- The sentences


def rows_of_the_table():
    """(from, event, to) of each row in lifecycle.c."""
    text = (TOP / "svc/lifecycle/lifecycle.c").read_text()
    rows = re.findall(r"\{ PERSON_(\w+),\s*LIFECYCLE_(\w+),\s*PERSON_(\w+),", text)
    assert len(rows) > 15, "the table has another form now"
    return {(a.lower(), event, b.lower()) for a, event, b in rows}


@proof.sentence
def P5_6_a_random_walk_leaves_everyone_as_the_reference_says(driven):
    walk = Walk(driven, SEED)
    begun = time.monotonic()
    walk.run(STEPS)
    visited = walk.reference.visited
    print(f"{STEPS} steps in {time.monotonic() - begun:.0f} s, {len(walk.log)} commands", flush=True)
    assert set(visited) <= rows_of_the_table(), set(visited) - rows_of_the_table()
    print(f"seldom came by {visited.most_common()[:-6:-1]}", flush=True)
    left_out = rows_of_the_table() - set(visited)
    assert STEPS < 10000 or not left_out, f"seed {SEED}: the walk never came by {sorted(left_out)}"
    kinds = dict(line.split("\t") for line in driven.ask(("kinds",))[0][0])
    assert int(kinds.get("person.overdue", 0)) == walk.reference.overdue, kinds


@proof.sentence
def R_MODEL_many_histories_end_as_the_reference_says(driven):
    for i in range(HISTORIES):
        Walk(driven, SEED + i).run(HISTORY_STEPS)


if __name__ == "__main__":
    print(f"MUSTER_SEED={SEED}", flush=True)
    proof.main(lambda driven: None, Driven)
