"""What each person is to have, reckoned from the documentation alone: everyone anew at every step.

Shares nothing with the code under test. Facts come in as muster is told them; what depends on the
past is kept as plainly as it is described: when a state began, which grants were lost for good, the
name an account was made with.
"""

import re
from calendar import timegm
from collections import Counter, namedtuple
from datetime import datetime, timedelta
from functools import lru_cache

Give = namedtuple("Give", "platform account groups rooms level", defaults=(False, (), (), "member"))
Role = namedtuple("Role", "name gives birthright requestable longest_s level conflicts",
                  defaults=(None, None, 0, None, ()))
States = namedtuple("States", "left suspended returns starts ends grace_s",
                    defaults=(None, None, None, None, None, 30 * 86400))
Policy = namedtuple("Policy", "levels roles states")        # levels: (name, filter or None), weakest first
Account = namedtuple("Account", "name state roles rights")
Grant = namedtuple("Grant", "starts ends")

PLATFORMS = {"mem": "uid", "two": "mail"}       # and the attribute that names accounts there
RANKS = ("member", "moderator", "admin", "owner")
DATE = re.compile(r"(\d{14})(Z|[+-]\d{4})")


def matches(text, facts):
    """An RFC 4515 filter of &, |, ! and equality over {attribute: value}, groups under "group"."""
    return text is not None and holds(parsed(text), facts)


@lru_cache(maxsize=None)
def parsed(text):
    def item(at):
        assert text[at] == "("
        if text[at + 1] not in "&|!":
            end = text.index(")", at)
            return ("=", *text[at + 1:end].split("=")), end + 1
        items, end = [], at + 2
        while text[end] == "(":
            one, end = item(end)
            items.append(one)
        return (text[at + 1], items), end + 1

    return item(0)[0]


def holds(test, facts):
    if test[0] == "=":
        held = facts.get(test[1], ())
        return test[2] == held if isinstance(held, str) else test[2] in held
    results = [holds(one, facts) for one in test[1]]
    return {"&": all(results), "|": any(results), "!": not results[0]}[test[0]]


@lru_cache(maxsize=None)
def moment(text):
    """Unix seconds of a GeneralizedTime with its zone; None: it is none. 0 is never a date."""
    found = DATE.fullmatch(text)
    if found is None:
        return None
    try:
        at = datetime.strptime(found[1], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    if found[2] != "Z":
        away = timedelta(hours=int(found[2][1:3]), minutes=int(found[2][3:]))
        at = at - away if found[2][0] == "+" else at + away
    return timegm(at.timetuple())


class Person:
    def __init__(self, tag, now):
        self.tag, self.state, self.since = tag, "staged", now
        self.there, self.dn, self.attrs = False, "", {}     # the entry as it was last believed
        self.starts = self.ends = 0                         # as they were last understood
        self.blocked = self.suspended = False
        self.resume = 0
        self.vouched = ""
        self.grants, self.accounts = {}, {}
        self.roles, self.identified, self.due = set(), "", 0


class Reference:
    def __init__(self, policy):
        self.policy, self.people, self.groups = policy, {}, {}
        self.visited, self.overdue = Counter(), 0

    # --- What muster is told

    def hear(self, tag, entry, now):
        """entry: (dn, attributes), or None when it is gone."""
        person = self.people.get(tag)
        if entry is None:
            if person is not None:
                person.there = False
            return
        is_new = person is None
        before = dict(vars(person or Person(tag, now)))
        person = person or Person(tag, now)
        person.there, (person.dn, person.attrs) = True, entry
        if self.dates(person) is None and not (person.blocked or self.is_paused(person, now)
                                               or self.rule(person, "left")
                                               or self.rule(person, "suspended")):
            vars(person).update(before)         # the entry is at fault: all stays as it was
            return
        if is_new and self.gone(person, now):
            return                              # nobody is stored who had left before
        self.people[tag] = person

    # --- What follows from facts

    def facts(self, person):
        held = [name for name, dns in self.groups.items() if person.dn and person.dn in dns]
        return {**person.attrs, "group": held}

    def rule(self, person, name):
        return matches(getattr(self.policy.states, name), self.facts(person))

    def dates(self, person):
        """starts, ends, returns; 0 where there is none. None: one of them is no date."""
        names = [getattr(self.policy.states, name) for name in ("starts", "ends", "returns")]
        found = [moment(person.attrs[n]) if n and n in person.attrs else 0 for n in names]
        return None if None in found else found

    def understood(self, person):
        return self.dates(person) or (person.starts, person.ends, 0)

    @staticmethod
    def is_paused(person, now):
        return person.suspended and (not person.resume or person.resume > now)

    def gone(self, person, now):
        ends = self.understood(person)[1]
        return not person.there or 0 < ends <= now or self.rule(person, "left")

    def event(self, person, now):
        if self.gone(person, now):
            over = person.state == "leaver" and now >= person.since + self.policy.states.grace_s
            return "EXPIRED" if over else "GONE"
        if self.is_paused(person, now) or self.rule(person, "suspended"):
            return "SUSPENDS"
        return "WAITS" if self.understood(person)[0] > now else "STARTS"

    def level(self, person):
        facts = self.facts(person)
        for rank in range(len(self.policy.levels), 0, -1):
            name, when = self.policy.levels[rank - 1]
            if matches(when, facts) or name == person.vouched:
                return rank, name
        return 0, ""

    def suffices(self, role, rank):
        return role.level is None or rank > [name for name, _ in self.policy.levels].index(role.level)

    def excludes(self, role, names):
        others = [r for r in self.policy.roles if r.name in names and r is not role]
        return any(role.name in other.conflicts or other.name in role.conflicts for other in others)

    def held(self, person, now):
        """Birthrights that work, those that wait, grants that work."""
        facts, (rank, _) = self.facts(person), self.level(person)
        born = [r for r in self.policy.roles if matches(r.birthright, facts)]
        works = [r for r in born if self.suffices(r, rank)]
        granted = []
        for role in sorted(self.policy.roles, key=lambda r: r.name):
            names = {r.name for r in works + granted}
            if role.name in self.running(person, now) and matches(role.requestable, facts) \
                    and self.suffices(role, rank) and role not in works \
                    and not self.excludes(role, names):
                granted.append(role)
        return works, [r for r in born if r not in works], granted

    @staticmethod
    def running(person, now):
        return {role for role, grant in person.grants.items() if grant.starts <= now}

    def requestable(self, person, name, lasts_s, now):
        role = next((r for r in self.policy.roles if r.name == name), None)
        if role is None or person.blocked or person.state != "active":
            return False
        works, waits, _ = self.held(person, now)
        theirs = {r.name for r in works + waits}
        return name not in theirs and matches(role.requestable, self.facts(person)) \
            and not self.excludes(role, theirs | self.running(person, now)) and lasts_s <= role.longest_s

    # --- Everyone is decided on

    def decide(self, now):
        for person in self.people.values():
            self.decide_one(person, now)

    def decide_one(self, person, now):
        if person.suspended and not self.is_paused(person, now):
            person.suspended, person.resume = False, 0
        event = self.event(person, now)
        self.step(person, event, now)
        person.grants = {role: g for role, g in person.grants.items()
                         if self.is_kept(person, role, g, now)}
        works, waits, granted = [], [], []
        if person.state == "active" and not person.blocked:
            works, waits, granted = self.held(person, now)
        person.roles = {r.name for r in works + granted}
        person.identified = self.level(person)[1]
        self.accounts(person, works + granted, waits)
        person.due = self.due(person, now)

    def step(self, person, event, now):
        state = {"STARTS": "active", "SUSPENDS": "suspended", "WAITS": "staged", "GONE": "leaver",
                 "EXPIRED": "erased"}[event]
        if person.state == "erased" and event == "GONE":
            state = "erased"
        self.visited[person.state, event, state] += 1
        returns = self.understood(person)[2]
        # due at the latest then, when it was looked at last: now it has come, once
        if state == person.state == "suspended" and self.rule(person, "suspended") \
                and 0 < person.due <= returns <= now:
            self.overdue += 1
        if state != person.state:
            person.state, person.since = state, now
        person.starts, person.ends, _ = self.understood(person)
        if state == "erased":
            person.there, person.dn, person.attrs, person.starts, person.ends = False, "", {}, 0, 0

    def is_kept(self, person, name, grant, now):
        role = next((r for r in self.policy.roles if r.name == name), None)
        return role is not None and person.state not in ("leaver", "erased") and not person.blocked \
            and grant.ends > now and matches(role.requestable, self.facts(person))

    def accounts(self, person, works, waits):
        opened = {}                     # platform: does anybody get in
        for role in works + waits:
            for give in role.gives:
                if give.account:
                    opened[give.platform] = opened.get(give.platform, False) or role in works
        for platform, attribute in PLATFORMS.items():
            before = person.accounts.get(platform)
            name = before.name if before else person.attrs.get(attribute, "").lower()
            if not before and (platform not in opened or not name):
                continue
            if opened.get(platform):
                roles = {r.name for r in works if any(g.platform == platform for g in r.gives)}
                person.accounts[platform] = Account(name, "enabled", roles, self.rights(platform, works))
            else:
                state = "absent" if person.state == "erased" else "disabled"
                person.accounts[platform] = Account(name, state, set(), set())

    @staticmethod
    def rights(platform, roles):
        gives = [g for r in roles for g in r.gives if g.platform == platform]
        levels = {}
        for give in gives:
            for room in give.rooms:
                levels[room] = max(levels.get(room, 0), RANKS.index(give.level))
        return {f"group {name}" for g in gives for name in g.groups} \
            | {f"room {room} {RANKS[level]}" for room, level in levels.items()}

    def due(self, person, now):
        starts, ends, returns = self.understood(person)
        times = [g.starts if g.starts > now else g.ends for g in person.grants.values()]
        if person.state == "staged":
            times.append(starts)
        if person.state in ("staged", "active", "suspended"):
            times.append(ends)
        if person.state == "suspended" and self.rule(person, "suspended"):
            times.append(returns)
        if person.suspended:
            times.append(person.resume)
        if person.state == "leaver":
            times.append(person.since + self.policy.states.grace_s)
        times = [t for t in times if t > now or (t == now and person.state == "leaver")]
        return min(times, default=0)
