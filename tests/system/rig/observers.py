"""Runs the client programs in tests/system/clients and listens to what they report.

They are independent of muster: they get an address, a CA and a person's own secret, nothing else.
"""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from rig.process import LIBC, PR_SET_PDEATHSIG, TimedOut

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
PYTHON = "/usr/bin/python3"


def argv_of(program, options):
    return [PYTHON, "-B", str(CLIENTS / program), *options]


def bind_life():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Observer:
    """A running client program. Its reports are kept in order; waiting never loses one."""

    def __init__(self, program, options, *stdin_lines, name=None):
        self.name = name or program
        self.reports = []
        self.ended = False
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            argv_of(program, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=bind_life, env={"PATH": os.environ["PATH"]})
        for line in stdin_lines:
            self.say(line)
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        for line in self.process.stdout:
            with self.news:
                self.reports.append(json.loads(line))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def mark(self):
        """A point in the stream of reports: pass it as `since` to look only at what comes later."""
        with self.news:
            return len(self.reports)

    def find(self, since=0, **wanted):
        """The first report since a mark whose fields are as wanted, or None. A wanted value may
        be a function that is given the field's value."""
        def fits(report):
            return all(v(report.get(k)) if callable(v) else report.get(k) == v
                       for k, v in wanted.items())
        with self.news:
            return next((r for r in self.reports[since:] if fits(r)), None)

    def wait(self, what, timeout_s, since=0, **wanted):
        """The first such report, waiting for it if need be."""
        end = time.monotonic() + timeout_s
        while True:
            with self.news:
                known, ended = len(self.reports), self.ended
            found = self.find(since, **wanted)
            if found is not None:
                return found
            if ended:
                raise AssertionError(f"{what}: {self.name} ended; {self.told()}")
            with self.news:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimedOut(f"{what}: {self.name} saw nothing of it within {timeout_s:g} s;"
                                   f" {self.told()}")
                if len(self.reports) == known and not self.ended:
                    self.news.wait(left)

    def ask(self, command, event, timeout_s=20, **wanted):
        """Gives a command and waits for its answer."""
        since = self.mark()
        self.say(command)
        return self.wait(command, timeout_s, since, event=event, **wanted)

    def told(self):
        with self.news:
            last = [{k: v for k, v in r.items() if k != "items"} for r in self.reports[-4:]]
        return f"last reports {last}"

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdout.close()


def xmpp_watch(ejabberd, host, account, secret, name=None):
    return Observer("xmpp-watch", ["--jid", f"{account}@{host}", "--ca", str(ejabberd.ca),
                                   "--connect", f"127.0.0.1:{ejabberd.c2s_port}"],
                    secret, name=name or f"xmpp-watch of {account}")


def token_watch(port, ca, certificate, key, account, audience):
    return Observer("token-watch", ["--connect", f"127.0.0.1:{port}", "--ca", str(ca),
                                    "--cert", str(certificate), "--key", str(key),
                                    "--account", account, "--audience", audience],
                    name=f"token-watch of {account}")


def claim(port, ca, user, password):
    """One visit to the claim page: the client's report."""
    done = subprocess.run(argv_of("claim", ["--connect", f"127.0.0.1:{port}", "--ca", str(ca),
                                            "--user", user]),
                          input=password + "\n", capture_output=True, text=True, timeout=60)
    if not done.stdout:
        raise AssertionError(f"claim gave no answer: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
