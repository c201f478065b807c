#!/usr/bin/python3
"""tests/bench: it measures, and what it prints can be read. Nothing here is timed."""

import json
import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

from rig import proof
from rig.proof import sentence

BENCH = Path(__file__).resolve().parents[1] / "bench"
KEYS = ["work", "ours", "other", "ratio", "reach"]
PEOPLE = "300"
WAIT_S = 300


def bench(*arguments):
    """Its standard output; what it says meanwhile is part of this test's."""
    done = subprocess.run([BENCH, *arguments], stdout=subprocess.PIPE, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, f"tests/bench {' '.join(arguments)}: status {done.returncode}"
    return done.stdout


def rows(*arguments):
    """The rows by their work; each has the five keys and figures that can be."""
    found = [json.loads(line) for line in bench(*arguments, "--rounds", "1", "--busy", "--json").splitlines()]
    for row in found:
        assert list(row) == KEYS, row
        assert row["work"] and row["reach"] and row["ours"] > 0, row
        if row["other"] is None:
            assert row["ratio"] is None, row
        else:
            assert row["other"] > 0 and abs(row["ratio"] * row["other"] / row["ours"] - 1) < 1e-6, row
    return {row["work"]: row for row in found}


def one(found, *words):
    """The one row whose work has all of these words."""
    (row,) = [r for work, r in found.items() if all(w in work for w in words)]
    return row


@sentence
def without_a_name_it_lists_what_there_is(_):
    listed = bench()
    assert all(name in listed for name in ("sync", "policy", "token")), listed


@sentence
def sync_measures_both_sides_of_every_row(_):
    found = rows("sync", "--people", PEOPLE)
    for words in (("first read", "consumer"), ("first read", "loader"), ("nothing changed", "walk"),
                  ("refuses", "p50"), ("refuses", "p99")):
        assert one(found, *words)["ratio"] is not None
    median, late = one(found, "p50"), one(found, "p99")
    for side in ("ours", "other"):
        assert median[side] <= late[side], (median, late)
    # a read takes milliseconds and a refusal less than the seconds after which polling would find it
    assert 10 < one(found, "first read", "consumer")["ours"] < 1e6
    assert late["ours"] < 5000, late
    if os.geteuid() == 0:       # nobody else may know
        after, peak = one(found, "memory after"), one(found, "memory during")
        assert 5 < after["ours"] < 1000 and 5 < peak["ours"] < 1000, (after, peak)


@sentence
def policy_measures_a_plan_beside_a_copy(_):
    found = rows("policy", "--plan", "--people", PEOPLE)
    for words in (("plan", "nothing changes"), ("plan", "a tenth changes")):
        row = one(found, *words)
        assert 10 < row["ours"] < 1e7 and row["ratio"] is not None, row
    assert one(found, "decided again")["ours"] > 10


@sentence
def token_measures_grants_beside_a_file_and_a_signature(_):
    (row,) = rows("token", "--people", PEOPLE, "--seconds", "0.5").values()
    assert 100 < row["ours"] < 1e6 and 0.01 < row["ratio"] < 10, row


proof.main(lambda _: None, nullcontext)
