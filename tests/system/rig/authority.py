"""A certificate authority of the rig's own, for the directory and the chat server."""

from pathlib import Path

from rig.process import run, write_file

EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
DAYS = "30"


class Authority:
    def __init__(self, folder, name="rig CA"):
        self.folder = Path(folder)
        self.certificate = self.folder / "ca.crt"
        self.key = self.folder / "ca.key"
        run(["openssl", "req", "-x509", *EC_KEY, "-keyout", self.key, "-out", self.certificate,
             "-days", DAYS, "-subj", f"/CN={name}",
             "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        self.key.chmod(0o600)

    def issue(self, name, dns=("localhost",), owner=None, address="127.0.0.1", days=DAYS):
        """(certificate, key) files of a server on loopback; the key is readable to owner alone. With
        days below zero the certificate has expired."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        csr, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        names = ",".join([f"DNS:{d}" for d in dns] + [f"IP:{address}"])
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n"
                              "extendedKeyUsage=serverAuth,clientAuth\n")
        new_request(name, key, csr)
        run(["openssl", "x509", "-req", "-in", csr, "-CA", self.certificate, "-CAkey", self.key,
             "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate])
        write_file(key, key.read_text(), owner, 0o600)
        return certificate, key


def new_request(name, key, csr):
    """Makes a key and a certificate signing request for it."""
    run(["openssl", "req", "-new", *EC_KEY, "-keyout", key, "-subj", f"/CN={name}", "-out", csr])
    key.chmod(0o600)
