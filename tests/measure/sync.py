"""tests/bench sync: the first read, the read that finds nothing new, and what each costs."""

import json
import shutil
import statistics
import threading
import time
from contextlib import closing

from measure import latency, machine
from measure.hall import CONFIGURED, SEARCHES, Consumer, Hall
from measure.profile import Profile
from measure.report import Row
from rig.process import wait_until

MIB = 1 << 20
SAMPLE_S = 0.25
SETTLED_S = 3600
STATISTICS_S = 30       # idle sessions of PostgreSQL tell within ten seconds what they counted
# What a first read leaves behind, and the order in which a loader may write it: how many entries of its
# search must have come before a row, and the row.
RANKED = "(SELECT person_id, row_number() OVER (ORDER BY person_id) AS rank FROM person) AS r"
LOADED = {
    "people": {
        "person": f"SELECT r.rank, t.* FROM person t JOIN {RANKED} USING (person_id) ORDER BY 1",
        "account": f"SELECT r.rank, t.* FROM account t JOIN {RANKED} USING (person_id) ORDER BY 1",
        "audit_record": "SELECT row_number() OVER (ORDER BY record_id), t.* FROM audit_record t"
                        " WHERE record_id > %(last)s ORDER BY 1",
        "audit_pending": "SELECT row_number() OVER (ORDER BY record_id), record_id FROM audit_record t"
                         " WHERE record_id > %(last)s ORDER BY 1",
    },
    "groups": {
        "directory_group": "SELECT row_number() OVER (ORDER BY entry_uuid), t.* FROM directory_group t ORDER BY 1",
        "directory_member": "SELECT g.rank, t.* FROM directory_member t JOIN (SELECT entry_uuid,"
                            " row_number() OVER (ORDER BY entry_uuid) AS rank FROM directory_group) AS g"
                            " USING (entry_uuid) ORDER BY 1",
    },
}
MEMORY_MIB = {10000: 64, 100000: 128, 1000000: 384}


def memory_reach(people):
    """What DESIGN promises for the next size that it names."""
    return next((f"<= {mib} MiB" for size, mib in MEMORY_MIB.items() if people <= size), "-")


class Memory:
    """Samples the memory of musterd's processes while something runs."""

    def __init__(self, house):
        self.house = house
        self.peaks = {}
        self.sum_peak = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.sample_all, daemon=True)
        self.thread.start()

    def sample(self):
        """Bytes by the names of processes; None when we may not know."""
        used = {}
        for name, pid in self.house.processes():
            pss = machine.pss_bytes(pid)
            if pss is None:
                return None
            used[name] = used.get(name, 0) + pss
        return used

    def sample_all(self):
        while not self.over.wait(SAMPLE_S):
            used = self.sample()
            if used is None:
                return
            self.sum_peak = max(self.sum_peak, sum(used.values()))
            for name, size in used.items():
                self.peaks[name] = max(self.peaks.get(name, 0), size)

    def close(self):
        self.over.set()
        self.thread.join()


class Survey:
    """A first read that is looked at instead of timed: memory, rows, bytes, and the rows themselves."""

    def __init__(self, hall, profiles):
        self.hall, self.house = hall, hall.house
        self.profile = None
        self.folder = hall.workdir.make("rows", "muster-store", 0o700)
        self.house.empty_take()
        begun = self.house.begin()
        memory = Memory(self.house)
        if profiles:
            self.profile = Profile(hall, *self.working())
        self.house.refreshed(begun)
        if profiles:
            self.profile.close()
        with closing(self.house.store()) as store, store.cursor() as sql:
            self.numbered_s = self.wait_numbered(sql)
            self.after = memory.sample()
            memory.close()
            self.memory = memory
            self.counts(sql)
            self.dump(sql)
        self.house.end()

    def working(self):
        """The process that follows the directory, and the session of PostgreSQL that works for it."""
        cycle = next(pid for name, pid in self.house.processes() if name == "cycle")
        with closing(self.house.store()) as store, store.cursor() as sql:
            sql.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'muster_cycle' ORDER BY query_start DESC")
            return cycle, sql.fetchone()[0]

    @staticmethod
    def wait_numbered(sql):
        """How long after the read the audit process has numbered every record."""
        begun = time.monotonic()

        def none_left():
            sql.execute("SELECT NOT EXISTS (SELECT FROM audit_pending)")
            return sql.fetchone()[0]
        wait_until("every record has its place in the tree", none_left, SETTLED_S, 0.05)
        return time.monotonic() - begun

    @staticmethod
    def all_counted(sql):
        sql.execute("SELECT bool_and(n_tup_ins - n_tup_del >= n) FROM pg_stat_user_tables JOIN (VALUES"
                    " ('person', (SELECT count(*) FROM person)), ('account', (SELECT count(*) FROM account)),"
                    " ('audit_leaf', (SELECT count(*) FROM audit_leaf))) AS t (relname, n) USING (relname)")
        return sql.fetchone()[0]

    def counts(self, sql):
        """What was written: rows by statistics, bytes of relations and of the log."""
        wait_until("PostgreSQL's statistics arrive", lambda: self.all_counted(sql), STATISTICS_S, 0.1)
        sql.execute("SELECT wal_bytes FROM pg_stat_wal")
        self.wal_bytes = int(sql.fetchone()[0]) - self.house.empty_wal_bytes
        sql.execute("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, pg_total_relation_size(relid),"
                    " pg_relation_size(relid) FROM pg_stat_user_tables"
                    " WHERE n_tup_ins + n_tup_upd + n_tup_del >= %s ORDER BY 5 DESC", (self.hall.count / 100,))
        self.tables = sql.fetchall()
        sql.execute("SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM account)")
        people, self.accounts = sql.fetchone()
        assert people == self.hall.count, f"{people} of {self.hall.count} people were stored"

    def dump(self, sql):
        """Writes the rows where the loader finds them."""
        self.files = {}
        for search, tables in LOADED.items():
            for table, query in tables.items():
                path = self.folder / table
                sql.execute(f"COPY ({query}) TO %(path)s (FORMAT binary)",
                            {"path": str(path), "last": self.house.last_record})
                self.files.setdefault(search, []).extend([table, path])


class Sync:
    def __init__(self, hall, durable, profiles, say):
        self.hall, self.house, self.directory = hall, hall.house, hall.directory
        self.durable, self.say = durable, say
        self.suspensions = latency.suspensions(hall.count)
        self.rates = {name: [] for name in ("first", "consumer", "durable", "loader", "again", "walk")}
        self.cpu, self.loader_cpu = [], []      # seconds by process, a dict a round
        self.acknowledged = []
        self.seen = {"token": [], "consumer": []}       # milliseconds, a list a round
        self.walk()         # the directory's pages are in memory from here on
        say("a first read that is looked at, not timed")
        self.survey = Survey(hall, profiles)

    def note(self, name, seconds):
        self.rates[name].append(self.hall.count / seconds)
        self.say(f"  {name}: {machine.short(seconds)} s, {machine.short(self.rates[name][-1])} people/s")

    def searches(self):
        return [word for search in SEARCHES.values() for word in search]

    def walk(self):
        said = json.loads(self.hall.program("walk", *self.directory.link(), *self.searches()))
        return said["seconds"]

    def load(self):
        """The loader's seconds, into an empty store that nobody else uses."""
        arguments = []
        for name, search in SEARCHES.items():
            arguments += [*search, *self.survey.files[name], "--"]
        with self.house.store_alone() as postgres:
            with closing(self.house.store()) as store, store.cursor() as sql:
                sql.execute("CHECKPOINT")
            machine.wait_idle()
            before = machine.family_cpu_s(postgres)
            said = json.loads(self.hall.program("load", *self.directory.link(), *arguments,
                                                env=self.house.store_where()))
            self.loader_cpu.append({"postgres": machine.family_cpu_s(postgres) - before,
                                    "loader": said["cpu_seconds"]})
            with closing(self.house.store()) as store, store.cursor() as sql:
                sql.execute("SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM account)")
                assert sql.fetchone() == (self.hall.count, self.survey.accounts), "the loader lost rows"
        return said["seconds"]

    def consume(self):
        """A consumer without sync, which is then made durable to see how soon it shows a change."""
        consumer = Consumer(self.hall.workdir, self.directory, False)
        try:
            machine.wait_idle()
            self.note("consumer", consumer.follow())
            consumer.become_durable()
            machine.wait_idle()
            self.note_seen("consumer", latency.at_consumer(self.hall, consumer, self.suspensions))
            latency.undo(self.hall, self.suspensions)
        finally:
            consumer.remove()

    def consume_durably(self):
        consumer = Consumer(self.hall.workdir, self.directory, True)
        try:
            machine.wait_idle()
            self.note("durable", consumer.follow())
        finally:
            consumer.remove()

    def note_seen(self, place, found):
        acknowledged, seen = found
        self.acknowledged += acknowledged
        self.seen[place].append(seen)
        self.say(f"  seen at the {place}: p50 {machine.short(machine.quantile(seen, 0.5))} ms,"
                 f" p99 {machine.short(machine.quantile(seen, 0.99))} ms")

    def round(self):
        machine.round_begin()
        self.consume()
        if self.durable:
            self.consume_durably()
        self.note("loader", self.load())
        self.house.empty_take()
        machine.wait_idle()
        slapd = machine.cpu_s(self.directory.server.pid)
        begun = self.house.begin()
        before = self.house.cpu()
        ended = self.house.refreshed(begun)
        self.note("first", ended - begun)
        after = self.house.cpu()
        used = {name: after[name] - before.get(name, 0.0) for name in after}
        used["slapd"] = machine.cpu_s(self.directory.server.pid) - slapd
        self.cpu.append(used)
        self.read_again()
        machine.wait_idle()
        self.note_seen("token", latency.at_token_api(self.hall, self.suspensions))
        self.house.end()
        latency.undo(self.hall, self.suspensions)

    def read_again(self):
        """A full read that is asked for, as by `muster sync run`, when nothing has changed."""
        with closing(self.house.store()) as store, store.cursor() as sql:
            Survey.wait_numbered(sql)
            machine.wait_idle()
            self.note("walk", self.walk())
            asked = time.monotonic()
            sql.execute("INSERT INTO sync_request (source, asked_at) VALUES ('main', clock_timestamp())"
                        " ON CONFLICT (source) DO UPDATE SET asked_at = excluded.asked_at")
            sql.execute("NOTIFY muster_sync")
        begun = self.house.opened(asked)
        self.note("again", self.house.refreshed(begun) - begun)

    # What came of it

    def quantiles(self, place, share):
        return [machine.quantile(seen, share) for seen in self.seen[place]]

    def shares(self, rounds):
        """The medians by process, most first."""
        spent = {name: statistics.median(used.get(name, 0.0) for used in rounds)
                 for name in {name for used in rounds for name in used}}
        return ", ".join(f"{name} {seconds * 1e6 / self.hall.count:.1f}"
                         for name, seconds in sorted(spent.items(), key=lambda s: -s[1]) if seconds > 0)

    def rows(self):
        rates, people = self.rates, f"{self.hall.count:,} people"
        first = f"first read of {people}, decided, stored, audited"
        yield Row(f"{first}, against a slapd consumer without sync", "people/s", rates["first"],
                  rates["consumer"], ">= 6")
        if self.durable:
            yield Row(f"{first}, against a slapd consumer as it comes", "people/s", rates["first"],
                      rates["durable"], "-")
        yield Row(f"{first}, against a loader in C of the same rows", "people/s", rates["first"],
                  rates["loader"], ">= 0.6")
        yield Row(f"full read of {people}, nothing changed, against a libldap walk", "people/s",
                  rates["again"], rates["walk"], ">= 1.0")
        for share, name, reach in ((0.5, "p50", "<= 2"), (0.99, "p99", "<= 3")):
            yield Row(f"change in a directory of {people} until the token API refuses, {name}, against a durable"
                      " slapd consumer that shows it", "ms", self.quantiles("token", share),
                      self.quantiles("consumer", share), reach)
        if self.survey.after is not None:
            reach = memory_reach(self.hall.count)
            yield Row(f"memory after the first read of {people}", "MiB",
                      [sum(self.survey.after.values()) / MIB], None, reach)
            yield Row(f"memory during the first read of {people}", "MiB",
                      [self.survey.memory.sum_peak / MIB], None, reach)

    def notes(self):
        n, survey = self.hall.count, self.survey
        yield f"configured: {CONFIGURED}"
        yield (f"written by the first read: {machine.short(survey.wal_bytes / n)} bytes of log a person; every"
               f" record numbered {machine.short(survey.numbered_s)} s after the read")
        for table, inserted, updated, deleted, total, heap in survey.tables:
            yield (f"  {table}: {inserted / n:.2f} rows a person inserted, {updated / n:.2f} updated,"
                   f" {deleted / n:.2f} deleted; {total / n:.0f} bytes, {heap / n:.0f} of them without indexes")
        yield f"processor time of the first read, microseconds a person: {self.shares(self.cpu)}"
        yield f"processor time of the loader, microseconds a person: {self.shares(self.loader_cpu)}"
        if survey.profile is not None:
            yield from survey.profile.lines()
        told = [machine.short(machine.quantile(self.acknowledged, share)) for share in (0.5, 0.99)]
        yield (f"the directory itself acknowledged a change after {told[0]} ms (p50), {told[1]} ms (p99);"
               f" {len(self.suspensions)} suspensions a round and side")
        if survey.after is None:
            yield "memory: only root may read it; run tests/bench as root"
            return
        yield "memory by process, MiB: at the peak of the first read, after it"
        for name in sorted(survey.after):
            yield f"  {name}: {survey.memory.peaks.get(name, 0) / MIB:.1f}, {survey.after[name] / MIB:.1f}"


def measure(options, say):
    """Yields rows, then notes."""
    say(f"a directory of {options.people:,} people, and an empty store")
    with Hall(options.people) as hall:
        sync = Sync(hall, options.durable, options.profile, say)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            sync.round()
        shutil.rmtree(hall.house.state)
        return list(sync.rows()), list(sync.notes())
