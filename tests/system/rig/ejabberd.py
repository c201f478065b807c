"""A private ejabberd, with the settings muster's documentation asks of one."""

import base64
import http.client
import json
import os
import secrets
import signal
import ssl
import sysconfig
from pathlib import Path

from rig.process import Server, free_port, write_file

USER = "ejabberd"
HOST = "xmpp.test"
ROOMS_HOST = f"conference.{HOST}"
ADMIN = f"admin@{HOST}"
CONFIG = """\
hosts: [{host}]
loglevel: warning
certfiles: ["{pem}"]
auth_method: [internal]
auth_password_format: scram
auth_scram_hash: sha256
oauth_access: provisioner
oauth_expire: 3600
oauth_client_id_check: allow
listen:
  - {{port: {c2s_port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls_required: true, access: c2s}}
  - {{port: {bootstrap_port}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{/api: mod_http_api}}}}
  - {{port: {api_port}, ip: "127.0.0.1", module: ejabberd_http, tls: true,
     request_handlers: {{/api: mod_http_api, /oauth: ejabberd_oauth}}}}
acl:
  admin: {{user: [{admin}]}}
  local: {{user_regexp: ""}}
  blocked: {{shared_group: ["muster-disabled"]}}
access_rules:
  local: {{allow: local}}
  c2s: {{deny: blocked, allow: all}}
  provisioner: {{allow: admin}}
  configure: {{allow: admin}}
  muc_create: {{allow: local}}
api_permissions:
  bootstrap: {{from: [mod_http_api], who: [{{ip: 127.0.0.1/8}}], what: [register, status]}}
  provisioning:
    from: [mod_http_api]
    who: {{access: [{{allow: {{acl: admin}}}}], oauth: {{scope: "ejabberd:admin", access: [{{allow: {{acl: admin}}}}]}}}}
    what: ["*", "!stop", "!start"]
modules:
  mod_admin_extra: {{}}
  mod_adhoc: {{}}
  mod_configure: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_muc: {{access_create: muc_create, default_room_options: {{persistent: true, members_only: true}}}}
  mod_muc_admin: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_shared_roster: {{}}
  mod_vcard: {{}}
"""


class Ejabberd:
    def __init__(self, workdir, authority):
        self.folder = workdir.make("ejabberd", USER)
        self.c2s_port, self.api_port, self.bootstrap_port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.api_port}"
        self.ca = authority.certificate
        self.admin_password = secrets.token_hex(12)
        certificate, key = authority.issue("ejabberd", ("localhost", HOST, ROOMS_HOST), USER)
        pem = write_file(self.folder / "server.pem", key.read_text() + certificate.read_text(),
                         USER, 0o600)
        self.config = CONFIG.format(host=HOST, admin=ADMIN, pem=pem, **vars(self))
        conf = write_file(self.folder / "ejabberd.yml", self.config, USER, 0o600)
        inetrc = write_file(self.folder / "inetrc", '{lookup, ["file", "native"]}.\n'
                            '{host, {127,0,0,1}, ["localhost"]}.\n')
        self.server = Server(
            "ejabberd",
            ["/usr/bin/erl", "+K", "true", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
             "-mnesia", "dir", f'"{self.folder}/spool"', "-noinput", "-s", "ejabberd"],
            self.folder / "console.log", USER, cwd=self.folder, stop_signal=signal.SIGTERM,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8",
                 "EJABBERD_CONFIG_PATH": str(conf), "ERL_INETRC": str(inetrc),
                 "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
                 "EJABBERD_PID_PATH": str(self.folder / "ejabberd.pid"),
                 "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
                 "ERL_LIBS": str(Path("/usr/lib") / sysconfig.get_config_var("MULTIARCH"))})
        self.registered = False

    def start(self):
        self.server.start()
        self.server.wait_ready(self.answers)
        if not self.registered:
            name, host = ADMIN.split("@")
            self.call("register", user=name, host=host, password=self.admin_password)
            self.registered = True

    def stop(self):
        return self.server.stop()

    def kill(self):
        self.server.kill()

    def restart_without(self, text):
        """Starts anew without this part of the configuration; "" starts with the whole."""
        config = self.config.replace(text, "")
        assert config != self.config or text == "", text
        self.stop()
        write_file(self.folder / "ejabberd.yml", config, USER, 0o600)
        self.start()

    def answers(self):
        try:
            self.post(http.client.HTTPConnection("127.0.0.1", self.bootstrap_port, timeout=5),
                      "status", {}, {})
            return True
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    def call(self, command, **arguments):
        """An administrator's call, for tests that arrange or inspect the server themselves."""
        if command == "register":
            connection = http.client.HTTPConnection("127.0.0.1", self.bootstrap_port, timeout=20)
            return self.post(connection, command, arguments, {})
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.api_port, timeout=20,
                                                 context=context)
        basic = base64.b64encode(f"{ADMIN}:{self.admin_password}".encode()).decode()
        return self.post(connection, command, arguments, {"Authorization": f"Basic {basic}"})

    @staticmethod
    def post(connection, command, arguments, headers):
        try:
            connection.request("POST", f"/api/{command}", json.dumps(arguments),
                               {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        assert response.status == 200, f"ejabberd {command}: {response.status} {body}"
        return json.loads(body)
