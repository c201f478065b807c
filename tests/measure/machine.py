"""What the machine says: when it is idle, what processes used, and figures made of several rounds."""

import math
import os
import statistics
import time
from pathlib import Path

from rig.process import children_of

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_SHARE = 0.85
IDLE_WAIT_S = 10
LOOK_S = 0.5
waits = True            # for an idle machine at all
wait_left_s = IDLE_WAIT_S


def cpu_times():
    """(idle, all) ticks of the whole machine so far."""
    fields = [int(f) for f in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def round_begin():
    """A round waits ten seconds at most, however often it waits."""
    global wait_left_s
    wait_left_s = IDLE_WAIT_S if waits else 0


def wait_idle():
    """Waits until others leave the processors alone, or until this round has waited long enough."""
    global wait_left_s
    before = cpu_times()
    while wait_left_s > 0:
        time.sleep(LOOK_S)
        wait_left_s -= LOOK_S
        now = cpu_times()
        if now[0] - before[0] >= IDLE_SHARE * (now[1] - before[1]):
            return
        before = now


def cpu_s(pid, ended_children=False):
    """Processor seconds of a process so far, on demand with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(f) for f in fields[11:15 if ended_children else 13]) / TICKS


def family_cpu_s(pid):
    return cpu_s(pid, True) + sum(cpu_s(child) for child in children_of(pid))


def pss_bytes(pid):
    """The memory of a process, shared pages by their share; None when we may not know."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        pass
    return None


def spread(values):
    """min / median / max, for people."""
    shown = [short(f(values)) for f in (min, statistics.median, max)]
    return " / ".join(shown)


def short(value):
    """A figure with three digits that count."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def quantile(values, share):
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def slope(points):
    """The exponent of growth: the slope of log(y) over log(x), by least squares."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    return statistics.linear_regression(xs, ys).slope
