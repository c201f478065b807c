"""musterd and its configuration without the servers that this names."""

from types import SimpleNamespace

from rig.authority import Authority
from rig.musterd import BUILD, Musterd
from rig.process import Workdir


class Bench:
    """Use as a context, in place of a Stage. Started, musterd waits for servers that never come."""

    def __init__(self, build=BUILD):
        self.workdir = Workdir()
        self.ca = Authority(self.workdir.make("ca")).certificate
        self.musterd = Musterd(
            self.workdir,
            SimpleNamespace(uri="ldap://127.0.0.1:1389", ca=self.ca, muster_password="x"),
            SimpleNamespace(url="https://127.0.0.1:1443", ca=self.ca, admin_password="x"), build)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.musterd.server.stop()
        self.workdir.remove()

    def start(self):
        self.musterd.start()
