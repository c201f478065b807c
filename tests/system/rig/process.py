"""Processes, directories, ports and waiting: what every server of the rig is made of."""

import ctypes
import os
import pwd
import random
import signal
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POLL_S = 0.02
PR_SET_PDEATHSIG = 1
PORTS = range(17000, 32000)     # below what the kernel hands out to outgoing connections
LIBC = ctypes.CDLL(None, use_errno=True)


class TimedOut(AssertionError):
    """Something that had to happen did not happen in time."""


def now_ns():
    """The clock that every program of the rig stamps with; the same for all on one machine."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_until(what, condition, timeout_s=20.0, pause_s=POLL_S):
    """Calls condition() until it is true and returns its value; `what` names it if it never is.
    A condition that costs the servers something deserves a longer pause."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimedOut(f"{what}: not within {timeout_s:g} s")
        time.sleep(pause_s)


def free_port():
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def reachable_by_all(path):
    return all(p.stat().st_mode & stat.S_IXOTH for p in [path, *path.parents])


def end_on_signals(*numbers):
    """Has these signals end us the ordinary way, so that everything is stopped and removed; later
    ones do not disturb that. Ctrl-C is a wish, not a failure."""
    def end(number, _frame):
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(0 if number == signal.SIGINT else 128 + number)

    for each in numbers:
        signal.signal(each, end)


class Workdir:
    """A new directory that every server's own user can reach; gone with everything in it on exit."""

    def __init__(self):
        base = Path(os.environ.get("TMPDIR") or "/tmp").resolve()
        if os.geteuid() == 0 and not reachable_by_all(base):
            base = Path("/tmp")
        self.path = Path(tempfile.mkdtemp(prefix="muster-", dir=base))
        self.path.chmod(0o755)

    def make(self, name, owner=None, mode=0o755):
        """A directory below this one, owned by a system user if we may give it away."""
        path = self.path / name
        path.mkdir(mode=mode)
        path.chmod(mode)
        give_away(path, owner)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def account(user):
    """The system user a server runs as: None unless we are root and it exists."""
    if user is None or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def give_away(path, user):
    entry = account(user)
    if entry is not None:
        os.chown(path, entry.pw_uid, entry.pw_gid)


def write_file(path, text, owner=None, mode=0o644):
    """Writes a file that has its final mode and owner before it has content."""
    path.touch(mode=mode)
    path.chmod(mode)
    give_away(path, owner)
    path.write_text(text)
    return path


class Server:
    """A program that runs until told otherwise, and does not outlive us.

    It has its own session, so that Ctrl-C at a terminal reaches the rig alone, which then stops
    its servers in order. Start from the main thread: the death signal is bound to the thread.
    """

    def __init__(self, name, argv, log, user=None, env=None, cwd="/",
                 stop_signal=signal.SIGTERM):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = Path(log)
        self.user = user
        self.env = env
        self.cwd = cwd
        self.stop_signal = stop_signal
        self.process = None

    def start(self):
        def bind_life():
            LIBC.prctl(PR_SET_PDEATHSIG, self.stop_signal)

        entry = account(self.user)
        identity = {} if entry is None else {
            "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.cwd,
                env=self.env, start_new_session=True, preexec_fn=bind_life, **identity)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout_s=30):
        """Asks it to end, insists after timeout_s; returns its exit status."""
        if self.process is None:
            return None
        if self.running():
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wait_ready(self, ready, timeout_s=60):
        """Waits for ready(); fails at once, with the end of its log, if the program ends instead."""
        def ready_or_dead():
            if not self.running():
                raise AssertionError(f"{self.name} ended with status {self.process.returncode}:\n"
                                     + self.log_tail())
            return ready()

        try:
            wait_until(f"{self.name} becomes ready", ready_or_dead, timeout_s)
        except TimedOut as late:
            raise TimedOut(f"{late}:\n{self.log_tail()}") from None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.log_text().splitlines()[-lines:])


def run(argv, **options):
    """Runs a program to its end; its output is part of the complaint if it fails."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: status {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout


def children_of(pid):
    """The pids of a process's direct children."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(c) for t in tasks for c in (t / "children").read_text().split()]
    except FileNotFoundError:
        return []
