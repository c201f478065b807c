"""One adapter in a process of its own, driven step by step."""

import subprocess

from rig.musterd import BUILD

CONFORMANCE = BUILD / "bin" / "unit_adapters_conformance_test"
PATIENCE_S = 20


class Adapter:
    """Takes steps as lines. settings: the adapter's name, then KEY=VALUE each."""

    def __init__(self, settings, credential):
        self.process = subprocess.Popen([CONFORMANCE, "--obey", *settings], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.write(credential)

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        """The whole answer: outcome, state and rights, sessions, text."""
        self.write(line)
        return self.process.stdout.readline().rstrip("\n")

    def do(self, name, step, wanted="done", text=None):
        """text: the password or the display name that goes with the step."""
        answer = self.ask(f"{name} {step}" + (f" {text}" if text else ""))
        assert answer.split(" ")[0] in wanted.split("|"), f"{name} {step}: {answer}"
        return answer

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        assert status == 0, f"the adapter ended with status {status}"


def account(adapter, name, password, *rights):
    """Makes an account with a password and these rights, and opens it."""
    adapter.do(name, "create")
    for right in rights:
        adapter.do(name, f"join/{right}")
    adapter.do(name, "set-credential", text=password)
    adapter.do(name, "enable")


def conform(settings, credential):
    """What every adapter keeps, against this platform."""
    done = subprocess.run([CONFORMANCE, *settings], text=True, timeout=300,
                          input=credential + "\n", capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ]" in done.stdout + done.stderr
