"""What the observing programs share: one JSON line per thing seen, stamped when it was seen."""

import json
import sys
import time


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def report(event, at_ns=None, **fields):
    line = {"t": at_ns or now_ns(), "event": event, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
