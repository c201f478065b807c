#!/usr/bin/python3
"""The supervisor: what it refuses to start, how its processes stand apart, and how they end."""

import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

from rig import proof
from rig.bench import Bench
from rig.musterd import BUILD, TOP, process_name
from rig.process import wait_until
from rig.proof import sentence

KINDS = ("keys", "cycle", "login", "provision", "adapter", "audit", "token", "claim", "admin")
NAMES = {f"mu-{kind}" for kind in KINDS}
RELEASE = TOP / "build" / "release"


def release_bench():
    """What sanitizers need is open in the test build: separation is proved on the other, if built."""
    return Bench(RELEASE if (RELEASE / "bin" / "musterd").exists() else BUILD)


def ends_with(bench, status, *words):
    """Starts musterd, which must give up by itself, say why and leave nobody behind."""
    mark = bench.musterd.log_mark()
    server = bench.musterd.server
    server.start()
    wait_until("musterd gives up", lambda: not server.running(), 60)
    said = bench.musterd.log_since(mark)
    assert server.process.returncode == status, f"status {server.process.returncode}: {said}"
    assert "event=ready" not in said, said
    for word in words:
        assert word in said, f"{word} is not in: {said}"
    for pid in re.findall(r"event=process.started name=\S+ pid=(\d+)", said):
        assert process_name(int(pid)) not in NAMES, f"{pid} was left behind"


def prepare(_):
    pass


@sentence
def C_7_a_password_file_that_is_gone_is_named_and_nothing_starts(bench):
    path = bench.musterd.folder / "bind-password"
    path.rename(path.with_suffix(".away"))
    ends_with(bench, 1, str(path), "No such file")
    path.with_suffix(".away").rename(path)


@sentence
def C_7_a_password_file_open_to_others_is_refused(bench):
    path = bench.musterd.folder / "ejabberd-password"
    path.chmod(0o644)
    ends_with(bench, 1, str(path), "chmod 600")
    path.chmod(0o600)


@sentence
def C_7_a_port_that_is_taken_is_named(bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", bench.musterd.claim_port))
        taken.listen()
        ends_with(bench, 1, str(bench.musterd.claim_port), "Address already in use")


@sentence
def C_7_a_first_policy_with_faults_is_not_put_in_force(bench):
    roles = bench.musterd.folder / "policies" / "roles.yaml"
    good = roles.read_text()
    roles.write_text(good + "\n- rolle: nonsense\n")
    ends_with(bench, 1, "roles.yaml", "rolle")
    roles.write_text(good)


@sentence
def C_7_a_missing_user_is_named_with_the_command_that_helps(bench):
    if os.geteuid() != 0:
        return
    config = bench.musterd.config
    good = config.read_text()
    config.write_text("users: nobody-has-this-\n" + good)
    ends_with(bench, 1, "nobody-has-this-keys", "useradd --system")
    config.write_text(good)


@sentence
def R_KILL_one_state_folder_has_one_musterd(bench):
    bench.start()
    second = subprocess.run([bench.musterd.binary, "-c", bench.musterd.config, "run"],
                            capture_output=True, text=True, timeout=30)
    assert second.returncode == 1 and "another musterd" in second.stderr, second.stderr
    assert set(map(process_name, bench.musterd.children())) >= NAMES


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def processes(bench):
    found = {pid: process_name(pid) for pid in bench.musterd.children()
             if process_name(pid) in NAMES}
    assert set(found.values()) == NAMES, found
    return found


@sentence
def P2_1_each_process_stands_alone(bench):
    for pid, name in processes(bench).items():
        status = status_of(pid)
        assert status["NoNewPrivs"] == "1", name
        assert status["Seccomp"] == "2", name
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, name
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{name} can be dumped"
        if os.geteuid() == 0:
            user = pwd.getpwnam(f"muster-{name[3:]}")
            assert set(status["Uid"].split()) == {str(user.pw_uid)}, name
            assert set(status["Gid"].split()) == {str(user.pw_gid)}, name
            assert status["Groups"].strip() == "", name


@sentence
def P2_6_no_secret_in_arguments_or_environment(bench):
    for pid, name in processes(bench).items():
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert argv == [b"musterd", b"--process", name[3:].encode(), b""], argv
        if os.geteuid() == 0:
            keys = {e.split(b"=")[0] for e in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
            assert keys <= {b"", b"PATH", b"LANG", b"TZ", b"ASAN_OPTIONS", b"LSAN_OPTIONS",
                            b"UBSAN_OPTIONS"}, f"{name}: {keys}"


@sentence
def P2_6_keys_holds_no_file_and_no_core(bench):
    if os.geteuid() != 0:
        return
    for pid in bench.musterd.children("mu-keys"):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits), limits
        unix = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(fd)
            if int(fd.name) < 3 or target.startswith("anon_inode:"):
                continue
            inode = re.fullmatch(r"socket:\[(\d+)\]", target)
            assert inode and inode[1] in unix, f"keys holds {target}"


@sentence
def P2_6_the_keys_folder_is_shut(bench):
    state = bench.musterd.state
    keys = (state / "keys").stat()
    assert stat.S_IMODE(keys.st_mode) == 0o700
    if os.geteuid() == 0:
        assert keys.st_uid == pwd.getpwnam("muster-keys").pw_uid
    console = (state / "run" / "console.sock").stat()
    assert stat.S_IMODE(console.st_mode) == 0o600
    assert stat.S_IMODE((state / "ca.crt").stat().st_mode) == 0o644


@sentence
def R_KILL_a_process_that_fails_again_and_again_is_started_ever_more_slowly(bench):
    mark = bench.musterd.log_mark()
    for _ in range(4):
        pids = wait_until("login is back", lambda: bench.musterd.children("mu-login"), 20)
        os.kill(pids[0], signal.SIGKILL)
        wait_until("login is gone", lambda p=pids: p[0] not in bench.musterd.children(), 20)
    said = wait_until("the fourth pause is in the log", lambda: (
        text if len(re.findall(r"event=process.waits name=login", text)) >= 4 else None)
        if (text := bench.musterd.log_since(mark)) else None, 20)
    pauses = [int(ms) for ms in re.findall(r"event=process.waits name=login ms=(\d+)", said)]
    assert pauses[-1] > pauses[0] and all(ms <= 10000 for ms in pauses), pauses
    wait_until("login is back", lambda: bench.musterd.children("mu-login"), 20)


@sentence
def R_KILL_a_process_that_hangs_does_not_keep_musterd_from_stopping(bench):
    family = bench.musterd.children()
    os.kill(bench.musterd.children("mu-audit")[0], signal.SIGSTOP)
    begun = time.monotonic()
    bench.musterd.stop()
    assert time.monotonic() - begun < 20
    assert not [pid for pid in family if process_name(pid) in NAMES | {"postgres"}]


@sentence
def R_KILL_it_starts_again_where_it_stopped(bench):
    bench.start()
    bench.musterd.stop()


if __name__ == "__main__":
    proof.main(prepare, release_bench)
