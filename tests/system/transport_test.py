#!/usr/bin/python3
"""Between muster and a directory stands somebody who takes the encryption away, or is not who they
should be: muster says so, and tells them nothing, neither its password nor a question."""

import ssl

from rig import proof
from rig.authority import Authority
from rig.directory import Directory, organisation
from rig.intercept import BIND, PROTOCOL_ERROR, SEARCH, SUCCESS, UNAVAILABLE, UNBIND, Interceptor
from rig.process import wait_until
from rig.proof import sentence
from rig.sources import IN_TIME_S, SourcesStage, namespace

VISITS = 3              # it tries again, and does not become careless
SOURCE = """\
  - name: {name}
    {names}
    uri: {uri}
    starttls: {starttls}
    ca: {ca}
    bind_dn: {bind_dn}
    bind_password_file: {password_file}
    people: {{base: "{base}", filter: (uid={name}*), attributes: {{uid: uid, name: cn}}}}
"""
POLICIES = {
    "roles.yaml": "- role: staff-chat\n  gives: [{platform: xmpp, account: true}]\n  birthright: (uid=*)\n",
    "states.yaml": "suspended: (name=nobody)\n",
    "identification.yaml": "- {level: in-person}\n",
}
# what it says of each: a part of the verdict's text
REFUSED = {
    "refused": "StartTLS refused",
    "unavailable": "StartTLS refused",
    "in-the-clear": "TLS: ",
    "other-ca": "TLS: the server's certificate is refused",
    "other-ca-later": "TLS: the server's certificate is refused",
    "other-name": "TLS: the server's certificate is refused",
    "expired": "TLS: the server's certificate is refused",
    "old-tls": "must speak TLS 1.3",
    "old-tls-later": "must speak TLS 1.3",
    "no-tls": "must speak TLS 1.3",
}
GOOD = ["s", "a"]       # by ldaps:// and by StartTLS; people whose uid begins so
LATER = {"a", "refused", "unavailable", "in-the-clear", "other-ca-later", "old-tls-later"}


class Stage(SourcesStage):
    def open(self):
        directory = Directory(self.workdir, self.authority)
        self.servers.append(directory.server)
        self.directory = directory
        good = self.authority.issue("between")
        other = Authority(self.workdir.make("other-ca")).issue("between")
        old = ssl.TLSVersion.TLSv1_2

        def between(certificate=None, **how):
            self.servers.append(Interceptor(directory.port, certificate, **how))
            return self.servers[-1]

        self.between = {
            "s": between(good), "a": between(good, starttls=SUCCESS),
            "refused": between(good, starttls=PROTOCOL_ERROR),
            "unavailable": between(good, starttls=UNAVAILABLE),
            "in-the-clear": between(good, starttls=SUCCESS, goes_on=True),
            "other-ca": between(other), "other-ca-later": between(other, starttls=SUCCESS),
            "other-name": between(self.authority.issue("elsewhere", address="127.0.0.2")),
            "expired": between(self.authority.issue("expired", days="-1")),
            "old-tls": between(good, highest=old), "old-tls-later": between(good, starttls=SUCCESS, highest=old),
            "no-tls": between(),
        }
        return directory

    def sources(self, password_file):
        return "".join(SOURCE.format(
            name=name, names=namespace(name, GOOD[0]), uri=f"ldap{'' if name in LATER else 's'}://127.0.0.1:{one.port}",
            starttls=str(name in LATER).lower(), ca=self.authority.certificate,
            bind_dn=organisation.MUSTER_DN, password_file=password_file, base=organisation.PEOPLE_BASE)
            for name, one in self.between.items())

    def policies(self):
        return POLICIES


def prepare(stage):
    stage.directory.start()
    stage.start()


@sentence
def P1_1_through_verified_tls_a_directory_is_read(stage):
    for name in GOOD:
        stage.wait_verdict(name, "complete")
        assert stage.rows("SELECT 1 FROM person WHERE source = %s", name), name
        assert {BIND, SEARCH} <= set(stage.between[name].asked), stage.between[name].asked


@sentence
def P1_1_whoever_takes_tls_away_or_is_another_is_refused_and_told_nothing(stage):
    for name, text in REFUSED.items():
        one = stage.between[name]
        wait_until(f"{name} is tried again", lambda: one.met >= VISITS, IN_TIME_S)
        stage.wait_verdict(name, "unreachable", text)
        assert set(one.asked) <= {UNBIND}, f"{name} was asked {one.asked}"
        assert name not in LATER or one.starts >= VISITS, f"{name} was never asked for StartTLS"


@sentence
def P1_1_each_refusal_is_on_record(stage):
    for name, text in REFUSED.items():
        (count,), = stage.rows(
            "SELECT count(*) FROM audit_record WHERE kind = 'source.verdict' AND body::jsonb ->> 'source' = %s "
            "AND body::jsonb ->> 'verdict' = 'unreachable' AND strpos(body::jsonb ->> 'text', %s) > 0", name, text)
        assert count > 0, name
    assert not stage.rows("SELECT 1 FROM person WHERE source <> ALL(%s)", GOOD)


proof.main(prepare, Stage)
