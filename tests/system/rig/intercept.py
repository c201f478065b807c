"""Who stands between muster and a directory: relays as an LDAP server would speak, or as an attacker
would have it, and counts the LDAP requests that it can read."""

import socket
import ssl
import threading
from contextlib import suppress

TIMEOUT_S = 20
SEQUENCE, MESSAGE_ID = 0x30, 0x02
BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77
EXTENDED_RESPONSE, BIND_RESPONSE = 0x78, 0x61
SUCCESS, PROTOCOL_ERROR, UNAVAILABLE = 0, 2, 52


class Interceptor:
    """starttls: how it answers StartTLS; None: it speaks TLS from the first byte, or none if it has
    no certificate. goes_on: after its "success" it speaks on in the clear."""

    def __init__(self, to_port, certificate=None, starttls=None, goes_on=False, highest=None):
        self.to_port, self.starttls, self.goes_on = to_port, starttls, goes_on
        self.tls = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
            self.tls.maximum_version = highest or ssl.TLSVersion.MAXIMUM_SUPPORTED
        self.met, self.starts, self.asked = 0, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            threading.Thread(target=self.meet, args=(stream,), daemon=True).start()

    def meet(self, stream):
        with suppress(OSError), stream:         # SSLError is one: whoever does not like us hangs up
            if self.starttls is None and self.tls is not None:
                stream = self.tls.wrap_socket(stream, server_side=True)
            with stream, socket.create_connection(("127.0.0.1", self.to_port)) as server:
                answers = threading.Thread(target=self.answer, args=(server, stream), daemon=True)
                while message := read_message(stream):
                    number, kind = request(message)
                    if kind == EXTENDED and self.starttls is not None:
                        self.starts += 1
                        stream = self.start_tls(stream, number)
                        continue
                    self.asked.append(kind)
                    if not answers.is_alive():
                        answers = threading.Thread(target=self.answer, args=(server, stream), daemon=True)
                        answers.start()
                    server.sendall(message)

    def start_tls(self, stream, number):
        stream.sendall(response(number, EXTENDED_RESPONSE, self.starttls))
        if self.starttls != SUCCESS:
            return stream
        if self.goes_on:        # and has the bind succeed before anybody could check who we are
            stream.sendall(response(number + 1, BIND_RESPONSE, SUCCESS))
            return stream
        return self.tls.wrap_socket(stream, server_side=True)

    @staticmethod
    def answer(server, stream):
        with suppress(OSError):
            while more := server.recv(65536):
                stream.sendall(more)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            return b""
        data += more
    return data


def read_message(stream):
    """One LDAPMessage; nothing at the end, or of what is none (a TLS record begins with 0x16)."""
    head = read_exactly(stream, 2)
    if not head or head[0] != SEQUENCE:
        return b""
    length = head[1]
    if length > 0x80:
        more = read_exactly(stream, length - 0x80)
        head, length = head + more, int.from_bytes(more, "big")
    return head + read_exactly(stream, length)


def request(message):
    """(message id, what is asked)."""
    at = 2 if message[1] < 0x80 else 2 + message[1] - 0x80
    assert message[at] == MESSAGE_ID, message
    end = at + 2 + message[at + 1]
    return int.from_bytes(message[at + 2:end], "big"), message[end]


def response(number, kind, code):
    result = bytes([0x0a, 1, code, 0x04, 0, 0x04, 0])
    body = bytes([MESSAGE_ID, 1, number, kind, len(result)]) + result
    return bytes([SEQUENCE, len(body)]) + body
