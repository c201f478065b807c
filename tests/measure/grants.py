"""tests/bench token: fresh grants for platforms that keep asking."""

import json
import statistics
from contextlib import closing
from dataclasses import dataclass

from measure import machine, people
from measure.hall import CONFIGURED, Hall
from measure.report import Row
from measure.sync import Survey
from rig import wire
from rig.process import Server, free_port, wait_until, write_file

CONNECTIONS = 64
NGINX = """\
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {certificate};
		ssl_certificate_key {key};
		ssl_protocols TLSv1.3;
		ssl_client_certificate {ca};
		ssl_verify_client on;
		root {folder}/www;
	}}
}}
"""


@dataclass
class Client:
    """Where a platform asks, and who it is."""

    port: int
    ca: object
    certificate: object
    key: object

    def tls(self):
        return wire.context(self.ca, self.certificate, self.key)

    def ask(self, path):
        status, answer = wire.get(self.port, self.tls(), path)
        assert status == 200, answer
        return answer.partition("\r\n\r\n")[2]


class Nginx:
    """A web server with one file, on mutual TLS."""

    def __init__(self, hall, content):
        folder = hall.workdir.make("nginx")
        write_file(hall.workdir.make("nginx/www") / "grant", content)
        certificate, key = hall.authority.issue("nginx")
        ours, our_key = hall.authority.issue("platform")
        self.client = Client(free_port(), hall.authority.certificate, ours, our_key)
        conf = write_file(folder / "nginx.conf", NGINX.format(
            folder=folder, port=self.client.port, certificate=certificate, key=key, ca=hall.authority.certificate))
        self.server = Server("nginx", ["/usr/sbin/nginx", "-c", conf, "-p", folder], folder / "nginx.log")
        self.server.start()
        self.server.wait_ready(self.answers)

    def answers(self):
        try:
            return wire.get(self.client.port, self.client.tls(), "/grant")[0] == 200
        except ConnectionRefusedError:
            return False

    def cpu(self):
        return {"nginx": machine.family_cpu_s(self.server.pid)}


class Token:
    def __init__(self, hall, seconds, say):
        self.hall, self.house, self.seconds, self.say = hall, hall.house, seconds, say
        house = self.house
        self.client = Client(house.token_port, house.ca, house.client_certificate, house.client_key)
        self.paths = [f"/v1/grants/{people.uid(i)}" for i in range(hall.count) if people.is_usual(i)]
        self.grant = wait_until("grants are given", lambda: self.client.ask(self.paths[0]), 60)
        self.nginx = Nginx(hall, self.grant)
        self.ours, self.other, self.lines, self.used = [], [], {"muster": [], "nginx": []}, []

    def pull(self, name, client, paths, cpu):
        """Requests made, and processor seconds by the names of processes."""
        machine.wait_idle()
        before = cpu()
        said = json.loads(self.hall.program(
            "pull", client.port, client.ca, client.certificate, client.key, CONNECTIONS, self.seconds,
            input="".join(f"{p}\n" for p in paths)))
        used = {process: after - before.get(process, 0.0) for process, after in cpu().items()}
        self.lines[name].append(said)
        self.say(f"  {name}: {machine.short(said['requests'] / said['seconds'])} a second,"
                 f" p50 {said['p50_ms']:.2f} ms, p99 {said['p99_ms']:.2f} ms")
        return said["requests"], used

    def round(self):
        machine.round_begin()
        requests, used = self.pull("nginx", self.nginx.client, ["/grant"], self.nginx.cpu)
        signed = json.loads(self.hall.program("sign", len(self.grant), min(1, self.seconds)))
        each = used["nginx"] / requests + signed["cpu_seconds"] / signed["signatures"]
        self.other.append(1 / each)
        requests, used = self.pull("muster", self.client, self.paths, self.house.cpu)
        self.used.append({name: seconds / requests for name, seconds in used.items()})
        self.ours.append(requests / sum(seconds for name, seconds in used.items() if name != "postgres"))

    def rows(self):
        yield Row(f"fresh ES256 grants of {len(self.paths):,} accounts over {CONNECTIONS} mutual-TLS connections,"
                  " against nginx with a file and one bare signature", "per CPU-second", self.ours, self.other,
                  ">= 0.5")

    def notes(self):
        yield f"configured: {CONFIGURED}"
        for name, said in self.lines.items():
            middle = [statistics.median(s[key] for s in said) for key in ("p50_ms", "p99_ms")]
            rate = statistics.median(s["requests"] / s["seconds"] for s in said)
            yield f"{name}: {machine.short(rate)} a second, p50 {middle[0]:.2f} ms, p99 {middle[1]:.2f} ms"
        yield "processor time of a grant, microseconds (PostgreSQL is not counted above):"
        for name in sorted({name for used in self.used for name in used}):
            spent = statistics.median(used.get(name, 0.0) for used in self.used)
            if spent > 1e-7:
                yield f"  {name}: {spent * 1e6:.1f}"


def measure(options, say):
    say(f"a directory of {options.people:,} people, and a store that has them")
    with Hall(options.people) as hall:
        hall.house.empty_take()
        hall.house.refreshed(hall.house.begin())
        with closing(hall.house.store()) as store, store.cursor() as sql:
            Survey.wait_numbered(sql)
        token = Token(hall, options.seconds, say)
        try:
            for number in range(options.rounds):
                say(f"round {number + 1} of {options.rounds}")
                token.round()
        finally:
            token.nginx.server.stop()
        hall.house.end()
        return list(token.rows()), list(token.notes())
