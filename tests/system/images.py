#!/usr/bin/python3
"""Proves docker/ where no Docker engine runs: every step of the Dockerfile in a debootstrap folder, then the
services of compose.yaml as their users, without capabilities, on a read-only root, over the loopback.

Needs root. What it starts it ends; what it makes it removes.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from rig.administrator import seed_taken
from rig.process import children_of, wait_until
from rig.stage import people_of

TOP = Path(__file__).resolve().parents[2]
SUITES = {"debian:12-slim": "bookworm"}
IN_TIME_S = 180
# What a container's engine puts into every root.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def say(text):
    print(text, flush=True)


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    assert done.returncode == 0, f"{shlex.join(map(str, command))[:300]}: {done.stdout[-2000:]}"
    return done.stdout


def instructions(text):
    """(word, rest) of each instruction, with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


class Image:
    """A folder that the steps of one target have made."""

    def __init__(self, root):
        self.root = root
        self.user, self.entrypoint, self.command = "0:0", [], []
        self.stop_signal = signal.SIGTERM

    def step(self, images, word, rest):
        if word == "RUN":
            run("chroot", self.root, "/bin/sh", "-c", rest, env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"})
        elif word == "COPY":
            self.copy(images, shlex.split(rest))
        elif word == "USER":
            self.user = rest
        elif word == "STOPSIGNAL":
            self.stop_signal = signal.Signals[rest]
        elif word == "ENTRYPOINT":
            self.entrypoint = json.loads(rest)
        elif word == "CMD":
            self.command = json.loads(rest)
        else:
            raise AssertionError(f"the Dockerfile has {word}, which nothing here knows")

    def copy(self, images, words):
        origin = TOP
        if words[0].startswith("--from="):
            origin = images[words.pop(0).removeprefix("--from=")].root
        *sources, target = words
        into = self.root / target.lstrip("/")
        for source in sources:
            at = origin / source.lstrip("/")
            assert at.exists(), f"COPY {source}: {origin} has no such file"
            if at.is_dir():     # a folder's content, as Docker has it
                into.mkdir(parents=True, exist_ok=True)
                run("cp", "-rT", "--preserve=mode,links", at, into)
            else:
                to = into / at.name if target.endswith("/") else into
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(at, to)


def build(folder, text):
    images, image = {}, None
    for word, rest in instructions(text):
        if word != "FROM":
            image.step(images, word, rest)
            continue
        origin, _, name = rest.partition(" AS ")
        base = folder / "base"
        if not base.exists():
            say(f"  debootstrap {SUITES[origin]}")
            run("debootstrap", "--variant=minbase", SUITES[origin], base)
        say(f"  target {name}")
        image = images[name] = Image(folder / name)
        run("cp", "-a", "--reflink=auto", base, image.root)
    return images


class Service:
    """One service of compose.yaml, in namespaces of its own."""

    def __init__(self, folder, name, described, image, hosts):
        self.name, self.image, self.described = name, image, described
        self.log = folder / f"{name}.log"
        self.user = described.get("user", image.user)
        self.arguments = image.entrypoint + described.get("command", image.command)
        self.root = folder / f"root-{name}"
        self.root.mkdir()
        mounts = [f"mount --bind {image.root} {self.root}"]
        for volume in described.get("volumes", []):
            source, target, *mode = volume.split(":")
            (folder / "volumes" / source).mkdir(parents=True, exist_ok=True)
            (image.root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
            self.fill(folder / "volumes" / source, image.root / target.lstrip("/"))
            mounts.append(f"mount --bind {folder}/volumes/{source} {self.root}{target}")
            if mode == ["ro"]:
                mounts.append(f"mount -o remount,bind,ro {self.root}{target}")
        for tmpfs in described.get("tmpfs", []):
            target, _, options = tmpfs.partition(":")
            (image.root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount -t tmpfs -o {options} tmpfs {self.root}{target}")
        (image.root / "etc/hosts").write_text(f"127.0.0.1 localhost {hosts}\n")
        for device in DEVICES:
            (image.root / "dev" / device).touch()
            mounts.append(f"mount --bind /dev/{device} {self.root}/dev/{device}")
        mounts.append(f"mount -t proc proc {self.root}/proc")
        assert described["read_only"], f"{name} may write to its root"
        mounts.append(f"mount -o remount,bind,ro {self.root}")
        self.mounts = mounts
        self.process = None

    @staticmethod
    def fill(volume, at):
        """An empty volume takes over what the image has there, owner included."""
        if not any(volume.iterdir()):
            run("cp", "-aT", at, volume)

    def inside(self, arguments):
        described = self.described
        assert described["cap_drop"] == ["ALL"], f"{self.name} keeps capabilities"
        assert described["security_opt"] == ["no-new-privileges:true"], f"{self.name} may gain privileges"
        kept = [f"+{c.lower()}" for c in described.get("cap_add", [])]
        uid, gid = self.user.split(":")
        return ["setpriv", f"--bounding-set={','.join(['-all', *kept])}", f"--inh-caps={','.join(['-all', *kept])}",
                f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *arguments]

    def start(self):
        say(f"  starting {self.name}")
        script = "\n".join(["set -e", "mount --make-rprivate /", *self.mounts,
                            f"exec chroot {self.root} {shlex.join(self.inside(self.arguments))}"])
        network = ["--net"] if self.described.get("network_mode") == "none" else []
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", *network, "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def finish(self):
        self.start()
        status = self.process.wait(timeout=IN_TIME_S)
        assert status == 0, f"{self.name} ended with {status}: {self.log.read_text()[-2000:]}"

    def first(self):
        """The pid of its first process, seen from outside."""
        def there():
            status = self.process.poll()
            assert status is None, f"{self.name} ended with {status}: {self.log.read_text()[-2000:]}"
            return children_of(self.process.pid)

        return wait_until(f"{self.name} has a process", there)[0]

    def within(self, arguments):
        """The argv of a command run in it."""
        return ["nsenter", f"--target={self.first()}", "--mount", "--pid", "--net", "chroot", str(self.root),
                *self.inside(arguments)]

    def call(self, arguments):
        """Runs a command in it: (status, output)."""
        done = subprocess.run(self.within(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.returncode, done.stdout

    def healthy(self):
        check = self.described["healthcheck"]["test"]
        assert check[0] == "CMD"
        return self.call(check[1:])[0] == 0

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        try:
            os.kill(self.first(), self.image.stop_signal)
            self.process.wait(timeout=30)
        except (subprocess.TimeoutExpired, AssertionError, ProcessLookupError):
            self.process.kill()
            self.process.wait()


def in_order(services):
    """Names so that what a service depends on comes before it."""
    done = []
    while len(done) < len(services):
        ready = [n for n, s in services.items()
                 if n not in done and all(d in done for d in s.get("depends_on", {}))]
        assert ready, "compose.yaml: services depend on each other in a circle"
        done.append(ready[0])
    return done


def up(folder, images, described, running):
    services = described["services"]
    hosts = " ".join(services)
    for name in in_order(services):
        one = services[name]
        service = Service(folder, name, one, images[one["build"]["target"]], hosts)
        conditions = [d["condition"] for s in services.values()
                      for n, d in s.get("depends_on", {}).items() if n == name]
        if "service_completed_successfully" in conditions:
            service.finish()
            continue
        running[name] = service
        service.start()
        if "healthcheck" in one:
            wait_until(f"{name} is healthy", service.healthy, IN_TIME_S, 0.5)


def status_of(musterd):
    status, text = musterd.call(["muster", "--json", "status"])
    assert status == 0, text
    return json.loads(text)


def bootstrap(musterd, uid):
    process = subprocess.Popen(
        musterd.within(["muster", "--secrets-stdin", "bootstrap", uid, "administrator", "--no-qr"]), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, done = seed_taken(process)
    assert done.status == 0, f"bootstrap of {uid}: {done.out}{done.err}"


def prove(musterd):
    """musterd works: the sample people are in, their accounts are made, an administrator can be bootstrapped."""
    def settled():
        status = status_of(musterd)
        platform = next((p for p in status["platforms"] if p["name"] == "xmpp"), None)
        return status["people"]["active"] > 150 and platform and platform["accounts"] > 150 and \
            platform["unsettled"] == 0

    wait_until("the sample people have their accounts", settled, IN_TIME_S, 0.5)
    say("  the sample people have their accounts")
    for person in people_of("People")[:2]:
        bootstrap(musterd, person.uid)
    say("  two administrators were bootstrapped")
    for line in Path(f"/proc/{musterd.first()}/status").read_text().splitlines():
        name, _, value = line.partition(":\t")
        if name.startswith("Cap"):
            assert int(value, 16) == 0, f"musterd holds capabilities: {line}"
        if name == "NoNewPrivs":
            assert value == "1", "musterd may gain privileges"
        if name == "Uid":
            assert set(value.split()) == {"10001"}, f"musterd runs as {value}"


def main():
    described = yaml.safe_load((TOP / "docker/compose.yaml").read_text())
    folder = Path(tempfile.mkdtemp(prefix="muster-images.", dir=os.environ.get("TMPDIR", "/var/tmp")))
    folder.chmod(0o755)
    running = {}
    try:
        say("building the images of docker/Dockerfile")
        images = build(folder, (TOP / "docker/Dockerfile").read_text())
        say("starting the services of docker/compose.yaml")
        up(folder, images, described, running)
        prove(running["musterd"])
    except BaseException:
        for service in running.values():
            say(f"--- {service.name}\n{service.log.read_text()[-3000:]}")
        raise
    finally:
        for service in reversed(running.values()):
            service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    say("docker/ proven")


if __name__ == "__main__":
    sys.exit(main())
