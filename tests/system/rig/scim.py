"""A private SCIM 2.0 service, and the people who log in to it."""

import http.client
import json
import secrets
import shutil
import ssl
from pathlib import Path

from rig.process import Server, free_port, write_file

SOURCE = Path(__file__).resolve().parents[1] / "scim" / "server.mjs"
# where tests/packages puts what it needs
MODULES = Path(__file__).resolve().parents[3] / "build" / "test" / "scim" / "node_modules"
ROOT = "/scim/v2"
CORE = "urn:ietf:params:scim:schemas:core:2.0:"


class Scim:
    def __init__(self, workdir, authority):
        self.folder = workdir.make("scim")
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}{ROOT}"
        self.ca = authority.certificate
        self.token = secrets.token_hex(16)
        self.token_file = write_file(self.folder / "token", self.token + "\n", mode=0o600)
        certificate, key = authority.issue("scim")
        program = shutil.copy(SOURCE, self.folder)
        (self.folder / "node_modules").symlink_to(MODULES)  # modules are looked for beside it
        self.server = Server("scim", ["/usr/bin/node", program, self.port, key, certificate,
                                      self.token_file], self.folder / "scim.log", cwd=self.folder)

    def start(self):
        self.server.start()
        self.server.wait_ready(self.answers)

    def stop(self):
        return self.server.stop()

    def answers(self):
        try:
            return self.me("nobody") == 401
        except OSError:
            return False

    def send(self, method, path, body=None, bearer=None):
        """(status, body)"""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20,
            context=ssl.create_default_context(cafile=self.ca))
        headers = {"Content-Type": "application/json"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    # What people do

    def login(self, name, password):
        """(status, session)"""
        status, body = self.send("POST", "/login", {"userName": name, "password": password})
        return status, json.loads(body)["session"] if status == 200 else None

    def me(self, session):
        """200 as long as the session lasts, then 401."""
        return self.send("GET", "/me", bearer=session)[0]

    # What its administrators do

    def call(self, method, path, body=None):
        status, answer = self.send(method, ROOT + path, body, self.token)
        assert 200 <= status < 300, f"SCIM {method} {path}: {status} {answer}"
        return json.loads(answer) if answer else None

    def odd(self, **settings):
        status, answer = self.send("POST", "/odd", settings, self.token)
        assert status == 200, f"odd: {status} {answer}"
        return json.loads(answer)

    def all(self, kind):
        return self.call("GET", f"/{kind}?count=100000")["Resources"]

    def user(self, name):
        found = [u for u in self.all("Users") if u["userName"] == name]
        assert len(found) <= 1
        return found[0] if found else None

    def groups(self, name):
        return [g for g in self.all("Groups") if g["displayName"] == name]

    def user_add(self, name, **more):
        return self.call("POST", "/Users", {"schemas": [CORE + "User"], "userName": name, **more})

    def rename(self, user, name):
        self.call("PATCH", f"/Users/{user}", {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "userName", "value": name}]})

    def group_add(self, name, *members):
        return self.call("POST", "/Groups", {
            "schemas": [CORE + "Group"], "displayName": name,
            "members": [{"value": m} for m in members]})
