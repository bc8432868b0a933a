"""Servers that misbehave, one behaviour each, on a port of their own; for holding clients against each other.

	with Awkward(BEHAVIOURS["body-cut"]) as server:
		... server.port ...

A behaviour is a function of the connected socket; it runs once per connection in a thread and the socket is closed
after it, with a reset when it returns RESET.
"""
import socket
import ssl
import struct
import threading
import time

RESET = "reset"
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
SILENCE_S = 3.0


def request(s):
    """Reads a request's head; true unless the peer left."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return False
        data += piece
    return True


def drip(s, data, gap_s=0.05):
    for i in range(len(data)):
        s.sendall(data[i:i + 1])
        time.sleep(gap_s)


def says(*parts, then=None, rest_s=0.0):
    """Answers each request with these bytes."""
    def behave(s):
        while request(s):
            for part in parts:
                s.sendall(part)
                time.sleep(rest_s)
            if then:
                return then if then == RESET else None
        return None
    return behave


def forever(first, again):
    def behave(s):
        request(s)
        s.sendall(first)
        while True:
            s.sendall(again)
    return behave


def silent(s):
    request(s)
    time.sleep(SILENCE_S)


def drips(first, data):
    def behave(s):
        request(s)
        s.sendall(first)
        drip(s, data)
    return behave


def half_closed(data):
    def behave(s):
        request(s)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
    return behave


def in_one_segment(*parts):
    """Over TLS each part is a record of its own; all arrive at once."""
    def behave(s):
        while request(s):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            for part in parts:
                s.sendall(part)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    return behave


CLOSE = "close"
BEHAVIOURS = {
    "good": says(HELLO),
    "good-closed": says(OK + b"\r\nhello", then=CLOSE),
    "half-closed-after": half_closed(HELLO),
    "half-closed-until": half_closed(OK + b"\r\nhello"),
    "chunked": says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"),
    "chunked-and-length": says(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "interim": says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO),
    "equal-lengths": says(OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "204": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304": says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    "429": says(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
    "503": says(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"),
    "redirect": says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "no-reason": says(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    "bare-lf": says(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    "http10": says(b"HTTP/1.0 200 OK\r\n\r\nhello", then=CLOSE),
    "dripped": drips(b"", HELLO[:30] + b"\r\nContent-Length: 1\r\n\r\nx"),
    "in-parts": in_one_segment(HELLO[:20], HELLO[20:-4], HELLO[-4:]),
    "garbage-after": says(HELLO + b"garbage"),
    "silent": silent,
    "drips-status": drips(b"", b"HTTP/1.1 200 " + b"x" * 1000),
    "drips-headers": drips(OK + b"a: ", b"x" * 1000),
    "drips-body": drips(OK + b"Content-Length: 1000\r\n\r\n", b"x" * 1000),
    "endless-body": forever(OK + b"\r\n", b"x" * 1000),
    "endless-header": forever(OK + b"a: ", b"x" * 1000),
    "many-headers": forever(OK, b"".join(b"h%d: v\r\n" % i for i in range(100000))),
    "closes": says(b"", then=CLOSE),
    "resets": says(b"", then=RESET),
    "head-cut": says(OK, then=CLOSE),
    "head-reset": says(OK, then=RESET),
    "body-cut": says(OK + b"Content-Length: 50\r\n\r\nhello", then=CLOSE),
    "body-reset": says(OK + b"Content-Length: 50\r\n\r\nhello", then=RESET),
    "chunk-cut": says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", then=CLOSE),
    "no-last-chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", then=CLOSE),
    "bad-chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    "long-chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"),
    "ssh": says(b"SSH-2.0-OpenSSH_9.2p1\r\n", then=CLOSE),
    "http09": says(b"<html>hello</html>", then=CLOSE),
    "http3-status": says(b"HTTP/3 200 OK\r\n\r\n", then=CLOSE),
    "status-letters": says(b"HTTP/1.1 abc OK\r\n\r\n", then=CLOSE),
    "negative-length": says(OK + b"Content-Length: -5\r\n\r\nhello"),
    "nul-in-header": says(OK + b"a: b\0c\r\nContent-Length: 5\r\n\r\nhello"),
    "lengths-differ": says(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
}


class Awkward:
    """Serves one behaviour on 127.0.0.1, with TLS when a certificate is given."""

    def __init__(self, behave, certificate=None, handshake=True):
        self.behave, self.handshake, self.context = behave, handshake, None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def _serve(self, s):
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            if self.behave(s) == RESET:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        finally:
            s.close()

    def _accept(self):
        while True:
            try:
                s = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
