"""Runs a file of proofs: functions named like the sentence they prove, in the order written."""

import signal
import sys
import time
import traceback

from rig.process import end_on_signals
from rig.stage import Stage

SENTENCES = []


def sentence(function):
    """Marks a function as a proof. It gets the file's stage and passes by returning."""
    SENTENCES.append(function)
    return function


def main(prepare=None, stage=Stage):
    """Sets the stage, has prepare(stage) start what the file needs (default: everything), proves
    every sentence and exits 1 if one did not hold. Arguments select sentences by name."""
    end_on_signals(signal.SIGTERM, signal.SIGHUP)
    wanted = [f for f in SENTENCES if not sys.argv[1:] or f.__name__ in sys.argv[1:]]
    failed = []
    with stage() as set_:
        try:
            (prepare or Stage.start)(set_)
            for function in wanted:
                prove(function, set_, failed)
        except BaseException:
            log_show(set_)
            raise
        if failed:
            log_show(set_)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} sentences hold", flush=True)
    sys.exit(1 if failed else 0)


def log_show(set_):
    if hasattr(set_, "musterd"):
        print(f"musterd's log ends:\n{set_.musterd.server.log_tail(60)}", flush=True)


def prove(function, set_, failed):
    begun = time.monotonic()
    try:
        function(set_)
        verdict = "holds"
    except Exception:
        traceback.print_exc()
        failed.append(function.__name__)
        verdict = "FAILS"
    print(f"{verdict}: {function.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
