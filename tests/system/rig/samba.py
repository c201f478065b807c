"""A private Active Directory: Samba as a domain controller, in a network of its own.

Its ports are fixed, so whoever uses it first moves into an empty network namespace, with all that it
starts. The directory is made as samba-tool makes it, but for the ACLs of its file shares, which take
root and are no part of LDAP; it is filled before the server runs, in one transaction.
"""

import ctypes
import fcntl
import logging
import multiprocessing
import os
import secrets
import shutil
import socket
import struct
from pathlib import Path

import ldap
from ldap.controls import RequestControl

from rig.process import LIBC, Server

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SUFFIX = "DC=corp,DC=test"
ADMIN_DN = f"CN=Administrator,CN=Users,{SUFFIX}"
MUSTER_DN = f"CN=muster,CN=Users,{SUFFIX}"
DELETED_DN = f"CN=Deleted Objects,{SUFFIX}"
SHOW_DELETED = "1.2.840.113556.1.4.417"
GET_CHANGES = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"    # the right Replicating Directory Changes
ENABLED, DISABLED, NO_PASSWORD, NEVER_EXPIRES = 512, 514, 32, 66048
READY_S = 60


def own_network():
    """Moves this process into a network where nothing but loopback is, and whose ports are all for us:
    as root, or as whoever may have a user namespace."""
    uid, gid = os.getuid(), os.getgid()
    space = CLONE_NEWNET if uid == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if LIBC.unshare(space) != 0:
        raise OSError(ctypes.get_errno(), "no network of our own: unshare it as root, or where user "
                      "namespaces are allowed (sysctl user.max_user_namespaces)")
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_text(text)
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags, = struct.unpack("16xh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def password_value(password):
    return f'"{password}"'.encode("utf-16le")


def provision(folder, admin_password, options):
    """What `samba-tool domain provision` does; in a process of its own, for what it leaves open."""
    from samba.auth import system_session
    from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
    from samba.param import LoadParm
    from samba.provision import provision as made
    settings = LoadParm()
    for option in options:
        settings.set(*option.split("=", 1))
    made(logging.getLogger("provision"), system_session(), targetdir=str(folder), realm="CORP.TEST",
         domain="CORP", serverrole="active directory domain controller", dns_backend="NONE",
         hostname="dc1", hostip="127.0.0.1", adminpass=admin_password, lp=settings,
         dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2)


class Samba:
    def __init__(self, workdir, authority):
        self.folder = workdir.make("samba")
        self.data = self.folder / "dc"
        self.uri, self.plain_uri = "ldaps://127.0.0.1", "ldap://127.0.0.1"
        self.ca = authority.certificate
        self.admin_password = "A1-" + secrets.token_hex(12)
        self.muster_password = "M1-" + secrets.token_hex(12)
        certificate, key = authority.issue("dc1")
        options = ["interfaces=lo", "bind interfaces only=yes", "vfs objects=",
                   f"log file={self.folder}/log.%m", f"pid directory={self.folder}",
                   f"ncalrpc dir={self.folder}/ncalrpc"]
        self.data.mkdir()
        child = multiprocessing.get_context("fork").Process(
            target=provision, args=(self.data, self.admin_password, options))
        child.start()
        child.join()
        assert child.exitcode == 0, f"no domain was made: exit status {child.exitcode}"
        self.conf = self.data / "etc" / "smb.conf"
        options += ["server services=ldap", f"tls keyfile={key}", f"tls certfile={certificate}",
                    f"tls cafile={self.ca}"]
        self.server = Server("samba", [
            "/usr/sbin/samba", "-i", "-M", "single", "-s", self.conf,
            *[f"--option={o}" for o in options]], self.folder / "samba.log")
        self.connection = None
        with self.offline() as database:
            database.add(self.user(MUSTER_DN, self.muster_password, NEVER_EXPIRES))

    def start(self):
        self.server.start()
        self.server.wait_ready(self.answers, READY_S)
        self.connection = self.connect(ADMIN_DN, self.admin_password)

    def stop(self):
        return self.server.stop()

    def connect(self, dn, password):
        connection = ldap.initialize(self.uri)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self.ca))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.simple_bind_s(dn, password)
        return connection

    def answers(self):
        try:
            self.connect(ADMIN_DN, self.admin_password).unbind_s()
            return True
        except (ldap.SERVER_DOWN, ldap.BUSY, ldap.UNAVAILABLE):
            return False

    # Beside the server, and while it is stopped

    def offline(self):
        return Offline(self.conf, self.data / "private" / "sam.ldb")

    def backup(self):
        """Puts the whole directory aside; restore() brings it back as it was."""
        shutil.rmtree(self.folder / "backup", ignore_errors=True)
        shutil.copytree(self.data, self.folder / "backup", symlinks=True,
                        ignore=shutil.ignore_patterns("ldapi", "msg.*"))

    def restore(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.folder / "backup", self.data, symlinks=True)

    # Entries, as pairs of a DN and attributes

    @staticmethod
    def user(dn, password, control=ENABLED, **attributes):
        """Of somebody who may log in, or, without a password, not."""
        name = dn.partition("=")[2].partition(",")[0]
        secret = {"unicodePwd": password_value(password)} if password is not None else {}
        control = control if secret else control | NO_PASSWORD
        return {"dn": dn, "objectClass": "user", "sAMAccountName": name, "displayName": f"Person {name}",
                "userAccountControl": str(control), **secret, **attributes}.items()

    # Writes return when the server has acknowledged them

    def add(self, entry):
        entry = dict(entry)
        dn = entry.pop("dn")
        self.connection.add_s(dn, [(name, [v if isinstance(v, bytes) else v.encode() for v in
                                           (value if isinstance(value, list) else [value])])
                                   for name, value in entry.items()])

    def set(self, dn, attribute, *values):
        self.connection.modify_s(dn, [(ldap.MOD_REPLACE, attribute,
                                       [str(v).encode() for v in values] or None)])

    def change_members(self, group, add=(), remove=()):
        self.connection.modify_s(group, [
            (operation, "member", [dn.encode() for dn in members])
            for operation, members in ((ldap.MOD_ADD, add), (ldap.MOD_DELETE, remove)) if members])

    def rename(self, dn, rdn, parent=None):
        self.connection.rename_s(dn, rdn, parent)
        return f"{rdn},{parent or dn.partition(',')[2]}"

    def delete(self, dn):
        self.connection.delete_s(dn)

    # Rights, as dsacls gives and takes them

    def show_deleted_to(self, dn, shown=True):
        """Lets an account list and read CN=Deleted Objects, or no longer."""
        with self.offline() as database:
            database.access_set(DELETED_DN, f"(A;CI;LCRP;;;{database.sid(dn)})", shown)

    def replicate_to(self, dn, may=True):
        """Gives an account the right Replicating Directory Changes, or takes it."""
        with self.offline() as database:
            database.access_set(SUFFIX, f"(OA;;CR;{GET_CHANGES};;{database.sid(dn)})", may)

    def highest_usn(self):
        (_, entry), = self.connection.search_s("", ldap.SCOPE_BASE, attrlist=["highestCommittedUSN"])
        return int(entry["highestCommittedUSN"][0])

    def tombstones(self):
        found = self.connection.search_ext_s(
            SUFFIX, ldap.SCOPE_SUBTREE, "(isDeleted=TRUE)", ["1.1"],
            serverctrls=[RequestControl(SHOW_DELETED, True, None)])
        return [dn for dn, _ in found if dn]


class Offline:
    """The directory's own files, as its administrator's tools open them; one transaction."""

    def __init__(self, conf, database):
        from samba.auth import system_session
        from samba.param import LoadParm
        from samba.samdb import SamDB
        settings = LoadParm()
        settings.load(str(conf))
        self.database = SamDB(url=str(database), session_info=system_session(), lp=settings)

    def __enter__(self):
        self.database.transaction_start()
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.database.transaction_commit()
        else:
            self.database.transaction_cancel()
        self.database = None

    def add(self, entry):
        self.database.add(dict(entry))

    def names_below(self, base):
        return [str(found.dn) for found in self.database.search(base, scope=2, attrs=["dn"])]

    def sid(self, dn):
        from samba.dcerpc import security
        from samba.ndr import ndr_unpack
        return ndr_unpack(security.dom_sid, self.database.search(
            dn, scope=0, attrs=["objectSid"])[0]["objectSid"][0])

    def access_set(self, dn, ace, given):
        """Puts an entry into an access list, or takes it out."""
        import ldb
        from samba.dcerpc import security
        from samba.ndr import ndr_pack, ndr_unpack
        controls = ["show_deleted:1", "sd_flags:1:4"]
        found, = self.database.search(dn, scope=0, attrs=["nTSecurityDescriptor"], controls=controls)
        descriptor = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0])
        one = security.descriptor.from_sddl(f"D:{ace}", security.dom_sid(
            self.database.get_domain_sid())).dacl.aces[0]
        if given:
            descriptor.dacl_add(one)
        else:
            descriptor.dacl_del_ace(one)
        change = ldb.Message(ldb.Dn(self.database, dn))
        change["descriptor"] = ldb.MessageElement(ndr_pack(descriptor), ldb.FLAG_MOD_REPLACE,
                                                  "nTSecurityDescriptor")
        self.database.modify(change, controls)
