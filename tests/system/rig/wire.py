"""Raw HTTP over TLS, to say what no proper client would say."""

import socket
import ssl
import threading
from contextlib import suppress

TIMEOUT_S = 20
CLOSED, LEFT_OPEN = 0, -1       # instead of a status: closed without an answer, or not even that


def context(ca, certificate=None, key=None, maximum=None):
    made = ssl.create_default_context(cafile=ca)
    if maximum is not None:
        made.maximum_version = maximum
    if certificate is not None:
        made.load_cert_chain(certificate, key)
    return made


def say(port, tls, request, timeout_s=TIMEOUT_S):
    """Sends bytes on a connection of their own; returns (status, headers and body as text)."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as plain:
        try:
            with tls.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(request)
                return read_answer(stream)
        except TimeoutError:
            return LEFT_OPEN, f"no answer within {timeout_s} s"
        except (ssl.SSLError, ConnectionError) as why:
            return CLOSED, str(why)


def read_answer(stream):
    """Reads to the end of one answer, or until the other side closes."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")]
            if lengths and len(body) >= lengths[0]:
                break
        more = stream.recv(65536)
        if not more:
            break
        data += more
    return (int(data.split()[1]) if data.startswith(b"HTTP/1.1 ") else CLOSED), data.decode(errors="replace")


def get(port, tls, path, *headers):
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    return say(port, tls, "\r\n".join(lines).encode())


def post_form(port, tls, path, body, *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close",
             "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}",
             *headers, "", ""]
    return say(port, tls, "\r\n".join(lines).encode() + body)


class Impostor:
    """A TLS server that shows somebody else's certificate, and keeps what it is told."""

    def __init__(self, certificate, key):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.met = 0
        self.heard = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            plain.settimeout(TIMEOUT_S)
            with plain, suppress(OSError):      # SSLError is one: whoever does not like us hangs up
                with self.tls.wrap_socket(plain, server_side=True) as stream:
                    while more := stream.recv(65536):
                        self.heard += more

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
