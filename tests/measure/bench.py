#!/usr/bin/python3
"""What tests/bench runs: measures muster beside another program that does the same work, on this machine."""

import argparse
import os
import signal
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
os.environ["MUSTER_BUILD_DIR"] = str(TOP / "build" / "release")
sys.path[:1] = [str(TOP / "tests"), str(TOP / "tests" / "system")]
from measure import grants, growth, machine, policy, profile, report, sync  # noqa: E402 (found there)
from rig.process import end_on_signals  # noqa: E402

NAMES = {
    "sync": ("the first read of a directory, a read that finds nothing new, changes, memory",
             lambda options, say: (growth if options.growth else sync).measure(options, say)),
    "policy": ("a plan over everyone, everyone decided again, a policy applied", policy.measure),
    "token": ("fresh grants over kept connections", grants.measure),
}


def options_parse():
    parser = argparse.ArgumentParser(
        prog="tests/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures muster beside another program on this machine; nothing fails by being slow.",
        epilog="names:\n" + "\n".join(f"  {name:8} {about}" for name, (about, _) in NAMES.items()))
    parser.add_argument("name", choices=NAMES, metavar="NAME", nargs="?")
    parser.add_argument("--people", type=int, default=100000, metavar="N", help="how many (100000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="medians are of so many (3)")
    parser.add_argument("--durable", action="store_true", help="also a slapd consumer that syncs: slow")
    parser.add_argument("--growth", action="store_true",
                        help="sync: at 1,000, 10,000 and 100,000 people instead; prints exponents")
    parser.add_argument("--million", action="store_true", help="with --growth: also at 1,000,000")
    parser.add_argument("--profile", action="store_true", help="sync: also where the time goes, as perf sees it")
    parser.add_argument("--plan", action="store_true", help="policy: no policy is applied, which takes minutes")
    parser.add_argument("--seconds", type=float, default=5, metavar="S", help="token: each side's in a round (5)")
    parser.add_argument("--busy", action="store_true", help="does not wait for an idle machine")
    parser.add_argument("--json", action="store_true", help="an object a row instead of a table")
    options = parser.parse_args()
    if options.name is None:
        parser.print_help()
        sys.exit(0)
    if options.people < 100 or options.rounds < 1:
        parser.error("at least 100 people and one round")
    if options.profile and not profile.is_there():
        parser.error("--profile needs perf: install linux-perf")
    return options


def main():
    options = options_parse()
    machine.waits = not options.busy
    machine.round_begin()
    end_on_signals(signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    rows, notes = NAMES[options.name][1](options, lambda text: print(text, file=sys.stderr, flush=True))
    report.show(rows, notes, options.json)


main()
