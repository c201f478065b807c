"""Where the processor time of a first read goes, as perf samples it: by rooms, libraries and functions."""

import re
import shutil
import signal
import subprocess
from collections import Counter

from rig.musterd import TOP
from rig.process import run

HERTZ = 499
SHOWN = 12
DEFINED = re.compile(r"^([a-z][a-z0-9_]*)\(", re.M)
KERNEL = "kernel"


def rooms():
    """The room of every function: definitions stand at the beginning of a line."""
    return {name: path.relative_to(TOP / "svc").parts[0]
            for path in (TOP / "svc").rglob("*.c") for name in DEFINED.findall(path.read_text())}


class Profile:
    """Samples the cycle process and the PostgreSQL session that works for it, until close()."""

    def __init__(self, hall, cycle, session):
        self.file = hall.workdir.path / "perf.data"
        self.of = {cycle: "cycle", session: "its session of PostgreSQL"}
        self.perf = subprocess.Popen(
            ["perf", "record", "-q", "-F", str(HERTZ), "-o", self.file, "-p", f"{cycle},{session}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()

    def lines(self):
        """What to print."""
        places = {who: Counter() for who in self.of.values()}
        functions = {who: Counter() for who in self.of.values()}
        known = rooms()
        said = run(["perf", "script", "-i", self.file, "-F", "pid,ip,sym,dso"])
        for line in said.splitlines():
            found = re.match(r"\s*(\d+)\s+[0-9a-f]+\s+(.*?)\s+\((.*)\)$", line)
            if found is None:
                continue
            pid, symbol, program = int(found[1]), found[2].split("+")[0], found[3]
            who = self.of.get(pid)
            if who is None:
                continue
            place = program.rpartition("/")[2].split(".so")[0]
            if program.startswith("["):
                place = KERNEL
            elif place == "musterd":
                place = f"{known.get(symbol, 'musterd')}/"
            places[who][place] += 1
            functions[who][f"{symbol} ({place})" if place != KERNEL else KERNEL] += 1
        for who, counted in places.items():
            yield f"where the time of {who} goes: {shares(counted)}"
            yield f"  most in {shares(functions[who])}"


def shares(counted):
    total = max(1, sum(counted.values()))
    return ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in counted.most_common(SHOWN))


def is_there():
    return shutil.which("perf") is not None
