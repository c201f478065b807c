"""tests/bench sync --growth: what a first read and single changes cost as the directory grows."""

import statistics
from contextlib import closing

from measure import latency, machine, people
from measure.hall import CONFIGURED, Hall
from measure.report import Row
from measure.sync import Survey

SIZES = [1000, 10000, 100000]
MILLION = 1000000
CHANGES = {
    "first read": ("1, linear", "s"),
    "a person's change": ("0, the same at every size", "ms"),
    "a change of a group of 100": ("0, the same at every size", "ms"),
    "a change of a group of a tenth of all": ("<= 1, its size", "ms"),
}


def read_first(house):
    house.empty_take()
    machine.wait_idle()
    begun = house.begin()
    return house.refreshed(begun) - begun


def seen(hall, changes):
    """The median of what it takes until the token API shows a change."""
    machine.wait_idle()
    return statistics.median(latency.at_token_api(hall, changes)[1])


def measure_size(count, rounds, say):
    """The medians at one size, in the order of CHANGES."""
    say(f"a directory of {count:,} people, and an empty store")
    with Hall(count) as hall:
        rows = []
        for number in range(rounds):
            machine.round_begin()
            first = read_first(hall.house)
            with closing(hall.house.store()) as store, store.cursor() as sql:
                Survey.wait_numbered(sql)
            changes = [latency.suspensions(count), latency.joins(count, people.HUNDRED),
                       latency.joins(count, people.TENTH)]
            rows.append([first, *(seen(hall, some) for some in changes)])
            hall.house.end()
            for some in changes:
                latency.undo(hall, some)
            say(f"  round {number + 1} of {rounds}: " + ", ".join(
                f"{name} {machine.short(f)} {unit}"
                for (name, (_, unit)), f in zip(CHANGES.items(), rows[-1], strict=True)))
        return [statistics.median(column) for column in zip(*rows, strict=True)]


def measure(options, say):
    sizes = SIZES + ([MILLION] if options.million else [])
    measured = {count: measure_size(count, options.rounds, say) for count in sizes}
    rows, notes = [], [f"configured: {CONFIGURED}"]
    for column, (name, (reach, unit)) in enumerate(CHANGES.items()):
        points = [(count, figures[column]) for count, figures in measured.items()]
        rows.append(Row(f"growth of {name}, the exponent from {sizes[0]:,} to {sizes[-1]:,} people", "",
                        [machine.slope(points)], None, reach))
        notes.append(f"{name}: " + ", ".join(f"{machine.short(f)} {unit} at {n:,}" for n, f in points))
    return rows, notes
