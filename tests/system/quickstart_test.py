#!/usr/bin/python3
"""tests/quickstart: exits 0 only if every step was seen, and 1 naming the step if one was not."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from rig.musterd import TOP

FIGURES = {"joiner_ms", "mover_ms", "leaver_token_ms", "leaver_session_ms", "revoke_ms"}


def quickstart(*options):
    """Runs it with its files in a folder of ours; it must leave nothing there."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run([TOP / "tests" / "quickstart", *options], capture_output=True,
                              text=True, env={**os.environ, "TMPDIR": folder})
        left = os.listdir(folder)
    print(done.stdout + done.stderr, flush=True)
    assert not left, f"{left} was left behind"
    return done.returncode, done.stdout.splitlines()


def walks_to_the_end():
    status, lines = quickstart("--exit")
    assert status == 0, f"status {status}"
    figures = json.loads(lines[-1])
    assert set(figures) == FIGURES, figures
    assert all(isinstance(figure, int) for figure in figures.values()), figures


def fails_when_broken(process):
    status, lines = quickstart("--break", process)
    assert status == 1, f"with {process} held still it exited {status}"
    assert any(line.startswith("quickstart: step ") and " failed: " in line for line in lines)


walks_to_the_end()
print("holds: quickstart_walks_to_the_end", flush=True)
for broken in ("adapter", "cycle", "token"):
    fails_when_broken(broken)
    print(f"holds: quickstart_fails_with_{broken}_held_still", flush=True)
