"""A stage for directories alone: musterd with a test's sources and policies, and a platform that never
answers. What muster makes of them is seen in its store and on its console."""

import re
import shutil
from types import SimpleNamespace

from rig.authority import Authority
from rig.musterd import BUILD, Musterd
from rig.process import TimedOut, Workdir, wait_until, write_file
from rig.store import Store

IN_TIME_S = 90          # a read begins every 5 s; a connection that was lost is made anew within 30 s
STARTS_S = 180
NO_PLATFORM = SimpleNamespace(url="https://127.0.0.1:1", admin_password="nobody asks")


def suffix(name, first):
    """What a source adds to its people's names; the first leaves them as they are."""
    return "" if name == first else f".{name}"


def namespace(name, first):
    """The lines by which the configuration tells one source's people from the others'."""
    return "authority: all" + (f"\n    name_suffix: {suffix(name, first)}" if name != first else "")


class SourcesStage:
    """Use as a context: everything runs inside and nothing is left afterwards. A subclass opens the
    directories and says what the configuration says of them."""

    def __init__(self):
        self.workdir = Workdir()
        self.servers = []       # with stop(), of the subclass
        self.store = None
        try:
            self.authority = Authority(self.workdir.make("ca"))
            self.musterd = Musterd(self.workdir, self.open(), SimpleNamespace(
                ca=self.authority.certificate, **vars(NO_PLATFORM)), BUILD)
            self.servers.append(self.musterd.server)
            self.configure()
        except BaseException:
            self.workdir.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        try:
            if self.store is not None:
                self.store.connection.close()
            self.musterd.stop()
        finally:
            for server in reversed(self.servers):
                server.stop()
            self.workdir.remove()

    def open(self):
        """Makes the directories; returns one of them, with uri, ca and muster_password."""
        raise NotImplementedError

    def sources(self, password_file):
        """What the configuration has below `sources:`."""
        raise NotImplementedError

    def policies(self):
        """Names and texts of the policy's files; of those that are shipped only gates.yaml is there."""
        raise NotImplementedError

    def configure(self):
        sources = self.sources(self.musterd.folder / "bind-password")
        text = re.sub(r"(?s)(\nsources:\n).*?(?=platforms:)", lambda m: m[1] + sources, self.musterd.text)
        write_file(self.musterd.config, text)
        policies = self.musterd.folder / "policies"
        files = {"gates.yaml": (policies / "gates.yaml").read_text(), **self.policies()}
        shutil.rmtree(policies)
        policies.mkdir()
        for name, content in files.items():
            write_file(policies / name, content)

    def start(self):
        self.musterd.start(STARTS_S)
        wait_until("the store listens", lambda: next(self.musterd.folder.rglob(".s.PGSQL.5432"), None), 30)
        self.store = Store(self.musterd)

    def rows(self, query, *arguments):
        return self.store.rows(query, *arguments)

    def wait_verdict(self, name, verdict, text=""):
        """The source's condition is that, and its text holds this; returns what the console says of it."""
        def said():     # nothing before its first word
            return next((s for s in self.musterd.status()["sources"] if s["name"] == name), {})

        def found():
            source = said()
            return source if source.get("verdict") == verdict and text in source["text"] else None

        try:
            return wait_until(f"{name} is {verdict}: {text}", found, IN_TIME_S)
        except TimedOut as late:
            raise TimedOut(f"{late}, but {said()}") from None
