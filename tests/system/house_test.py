#!/usr/bin/python3
"""The house: the floor plan is enforced by the build, and clang builds what gcc builds.

A wrong arrow is put into a copy of a room, which then must not build; the copy without it must.
"""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from rig import proof
from rig.proof import sentence

TOP = Path(__file__).resolve().parents[2]
WRONG = {
    "a room that is not on its line": '#include "store/store.h"\n',
    "another room's private header": '#include "policy/policy_priv.h"\n',
    "a library that is not on its line": "#include <libpq-fe.h>\n",
    "a way around the view": '#include "../store/store.h"\n',
}


def configure(source, build, *options):
    subprocess.run(["cmake", "-S", source, "-B", build, "-G", "Ninja", *options], check=True,
                   stdout=subprocess.DEVNULL)


def builds(build, target):
    return subprocess.run(["ninja", "-C", build, target], stdout=subprocess.DEVNULL).returncode == 0


@sentence
def floor_plan_refuses_a_wrong_arrow(_):
    with tempfile.TemporaryDirectory(prefix="muster-house-") as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        for part in ("svc", "sql", "CMakeLists.txt"):
            source = TOP / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / part)
        build = Path(folder) / "build"
        configure(copy, build, "-DMUSTER_BUILD=release")
        source = copy / "svc/lifecycle/lifecycle.c"
        right = source.read_text()
        assert builds(build, "room_lifecycle"), "the copy does not build as it is"
        for what, line in WRONG.items():
            source.write_text(line + right)
            assert not builds(build, "room_lifecycle"), f"{what} was let through"
        source.write_text(right)
        assert builds(build, "room_lifecycle"), "the copy does not build any more"


@sentence
def clang_builds_without_a_warning(_):
    build = TOP / "build/clang"
    configure(TOP, build, "-DMUSTER_BUILD=release", "-DCMAKE_C_COMPILER=clang")
    assert builds(build, "musterd"), "clang does not build musterd"


proof.main(lambda nothing: None, contextlib.nullcontext)
