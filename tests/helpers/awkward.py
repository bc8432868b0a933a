"""Servers that misbehave, one behaviour each, on a port of their own; for holding clients against each other.

	case = CASES["body-cut"]
	with Awkward(case.behave) as server:
		... server.port ...			# calls end as case.ends says, curl's as case.curl says

A behaviour is a function of the connected socket (and, when it asks for a second argument, of the server); it runs
once per connection in a thread and the socket is closed after it, with a reset when it returns RESET.
"""
import dataclasses
import gzip
import inspect
import os
import socket
import ssl
import struct
import threading
import time

RESET = "reset"
CLOSE = "close"
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"
LONG = OK + b"Content-Length: 1000\r\n\r\n"
END_OF_BODY = b"end of body"
SILENCE_S = 4.0
FLOOD_GAP_S = 0.01  # endless is endless enough at 1 MB/s; other tests want a core too


# ---- how to behave ----

def request(s):
    """Reads a request's head; true unless the peer left."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return False
        data += piece
    return True


def drip(s, data, gap_s, step=1):
    for i in range(0, len(data), step):
        s.sendall(data[i:i + step])
        time.sleep(gap_s)


def says(*parts, then=None):
    """Answers each request with these bytes; closes or resets after the first answer when told to."""
    def behave(s):
        while request(s):
            for part in parts:
                s.sendall(part)
            if then:
                return then
        return None
    return behave


def says_and_stays(data):
    """Sends it, and then nothing: neither more bytes nor an end."""
    def behave(s):
        request(s)
        s.sendall(data)
        time.sleep(SILENCE_S)
    return behave


def forever(first, again):
    piece = again * (1 + 16384 // len(again))

    def behave(s):
        request(s)
        s.sendall(first)
        while True:
            s.sendall(piece)
            time.sleep(FLOOD_GAP_S)
    return behave


def drips(first, data, gap_s=0.05, step=1):
    def behave(s):
        request(s)
        s.sendall(first)
        drip(s, data, gap_s, step)
    return behave


def half_closed(data, before=False):
    """Says that nothing more will come from it right behind the answer, or before it read the request."""
    def behave(s):
        if not before:
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


def silent(s):
    time.sleep(SILENCE_S)


def speaks_first(s):
    s.sendall(OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello")
    request(s)


def closes_idle(s):
    """Promises a kept connection and ends it a moment later, in time before the next request."""
    request(s)
    s.sendall(HELLO)
    time.sleep(0.005)


def resets_the_second(s):
    """The race of every kept connection: the second request and the end of the connection cross."""
    request(s)
    s.sendall(HELLO)
    request(s)
    return RESET


def unasked_later(s):
    """A second answer that nobody asked for, while the connection rests."""
    while request(s):
        s.sendall(HELLO)
        time.sleep(0.01)
        s.sendall(HELLO)


def early(answer, then=None):
    """Answers when the head is there and takes no more of the body for a while."""
    def behave(s):
        s.recv(1000)
        s.sendall(answer)
        time.sleep(0.1)
        if then == RESET:
            return RESET
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
        return None
    return behave


def early_kept(s):
    """Answers at the head, then reads the body to its end and goes on."""
    data = s.recv(1000)
    while data:
        s.sendall(HELLO)
        while data and END_OF_BODY not in data:
            data = data[-20:] + s.recv(65536)
        data = data.partition(END_OF_BODY)[2] or s.recv(1000)


def bomb(size_bytes):
    body = gzip.compress(bytes(size_bytes))
    return OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


# ---- what there is ----

@dataclasses.dataclass
class Case:
    behave: object
    ends: str  # class of every call; two words where calls end differently, with ? where some may (a race of the wire)
    curl: str = None  # curl's class where it is another; two words where it may be either
    why: str = ""  # then
    tls: str = None  # the certificate (awkward_tls.py); None = plain
    url_tls: bool = None  # what the client believes, when that is something else
    body: str = ""
    http2: bool = False
    args: tuple = ()  # of helpers/bench_engine.c, for what a shard cannot ask
    options: dict = dataclasses.field(default_factory=dict)  # of Awkward

    def classes(self):
        """Those that must occur, and those that may."""
        words = self.ends.split()
        return {w for w in words if not w.endswith("?")}, {w.rstrip("?") for w in words}

    @property
    def scheme(self):
        return "https" if (self.tls is not None if self.url_tls is None else self.url_tls) else "http"


def case(behave, ends="ok", curl=None, why="", **more):
    return Case(behave, ends, curl, why, **more)


BAD = "http_error"  # the class of an answer that is not HTTP, too
MALFORMED = "curl says 56, the code of a broken connection, for a malformed or endless answer (100 in later versions)"
UPLOAD = {"body": "x" * 40000 + END_OF_BODY.decode(), "options": {"receive_bytes": 2048}}

CASES = {
    # answers as they should be
    "good": case(says(HELLO)),
    "good-closed": case(says(OK + b"\r\nhello", then=CLOSE)),
    "chunked": case(says(CHUNKS)),
    "equal-lengths": case(says(OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")),
    "interim": case(says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO)),
    "interim-many": case(says(b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + HELLO)),
    "no-reason": case(says(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")),
    "bare-lf": case(says(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello")),
    "http10": case(says(b"HTTP/1.0 200 OK\r\n\r\nhello", then=CLOSE)),
    "in-parts": case(in_one_segment(HELLO[:20], HELLO[20:-4], HELLO[-4:])),
    "dripped": case(drips(b"", OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", 0.01, 4)),
    "close-said-never-done": case(says_and_stays(OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello")),
    "gzip-bomb": case(says(bomb(50 << 20))),
    "204": case(says(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "204-with-body": case(says(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello")),
    "304": case(says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), BAD),
    "304-with-body": case(says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), BAD),
    # statuses
    "429": case(says(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"), "throttled"),
    "429-retry-after": case(says(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), "throttled"),
    "500": case(says(b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello"), BAD),
    "503-retry-after": case(says(b"HTTP/1.1 503 Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), BAD),
    "redirect-loop": case(says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), BAD),
    "redirect-to-loopback": case(lambda s, server: says(
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % server.trap_port)(s), BAD),
    # slow, silent, endless
    "silent": case(silent, "timeout"),
    "silent-after-interim": case(says_and_stays(b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    "silent-in-body": case(says_and_stays(OK + b"Content-Length: 50\r\n\r\nhello"), "timeout"),
    "never-closes": case(says_and_stays(OK + b"\r\nhello"), "timeout"),
    "drips-status": case(drips(b"", b"HTTP/1.1 200 " + b"x" * 1000), "timeout"),
    "drips-headers": case(drips(OK + b"a: ", b"x" * 1000), "timeout"),
    "drips-body": case(drips(LONG, b"x" * 1000), "timeout"),
    "drips-chunks": case(drips(CHUNKED, b"1\r\nx\r\n" * 1000), "timeout"),
    "endless-body": case(forever(OK + b"\r\n", b"x"), "timeout"),
    "endless-chunks": case(forever(CHUNKED, b"5\r\nhello\r\n"), "timeout"),
    "endless-header": case(forever(OK + b"a: ", b"x"), BAD),
    "endless-interim": case(forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), BAD, "connect", MALFORMED),
    "endless-trailers": case(forever(CHUNKED + b"0\r\n", b"a: b\r\n"), BAD, "timeout", "curl bounds one trailer, not all of them"),
    "endless-chunk-extension": case(forever(CHUNKED + b"5;", b"x"), BAD, "timeout", "curl reads over an extension of any length"),
    "100000-headers": case(says(OK + b"".join(b"h%d: v\r\n" % i for i in range(100000)) + b"\r\n"), BAD, "connect", MALFORMED),
    "10-MB-header": case(says(OK + b"a: " + b"x" * (10 << 20) + b"\r\n\r\n"), BAD),
    # ends: close, half close, reset
    "closes-at-once": case(lambda s: None, "connect"),
    "closes": case(says(b"", then=CLOSE), "connect"),
    "half-closed-after": case(half_closed(HELLO), "ok connect?"),
    "half-closed-until": case(half_closed(OK + b"\r\nhello")),
    "half-closed-without": case(half_closed(b""), "connect"),
    "half-closed-before": case(half_closed(HELLO, before=True), "ok connect?"),
    "reset-at-0": case(says(b"", then=RESET), "connect"),
    "reset-in-status": case(says(HELLO[:10], then=RESET), "connect"),
    "reset-in-headers": case(says(HELLO[:30], then=RESET), "connect"),
    "reset-before-body": case(says(HELLO[:-5], then=RESET), "connect"),
    "reset-in-body": case(says(HELLO[:-1], then=RESET), "connect"),
    "reset-in-chunk-size": case(says(CHUNKS[:len(CHUNKED) + 2], then=RESET), "connect"),
    "reset-in-chunk": case(says(CHUNKS[:len(CHUNKED) + 9], then=RESET), "connect"),
    "reset-in-trailers": case(says(CHUNKS[:-3], then=RESET), "connect"),
    "head-cut": case(says(OK, then=CLOSE), "connect", "ok", "curl takes a head that breaks off for a whole one"),
    "body-cut": case(says(OK + b"Content-Length: 50\r\n\r\nhello", then=CLOSE), "connect"),
    "chunk-cut": case(says(CHUNKED + b"5\r\nhel", then=CLOSE), "connect"),
    "no-last-chunk": case(says(CHUNKED + b"5\r\nhello\r\n", then=CLOSE), "connect"),
    # kept connections
    "garbage-after": case(says(HELLO + b"garbage")),
    "two-answers": case(says(HELLO + HELLO)),
    "speaks-first": case(speaks_first),
    "closes-idle": case(closes_idle, "ok connect?"),
    "unasked-later": case(unasked_later),
    "resets-the-second": case(resets_the_second, "ok connect", "ok", "curl sends it again on a new connection; we never retry"),
    # large requests
    "early-answer": case(early(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"), BAD, **UPLOAD),
    "early-answer-kept": case(early_kept, **UPLOAD),
    "early-reset": case(early(b"", RESET), "connect", **UPLOAD),
    # what is not HTTP/1, or contradicts itself
    "chunked-and-length": case(says(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")),
    "lengths-differ": case(says(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), BAD, "timeout",
                           "curl takes the last of two different lengths; RFC 9112 6.3 says: an error"),
    "negative-length": case(says(OK + b"Content-Length: -5\r\n\r\nhello"), BAD),
    "length-over-64-bits": case(says(OK + b"Content-Length: 18446744073709551621\r\n\r\nhello", then=CLOSE), BAD, "ok",
                                "curl takes a length that it cannot count to for none"),
    "bad-chunk": case(says(CHUNKED + b"zz\r\nhello\r\n"), BAD, "connect", MALFORMED),
    "chunk-over-64-bits": case(says(CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n"), BAD, "connect", MALFORMED),
    "long-chunk": case(says(CHUNKED + b"2\r\nhello\r\n0\r\n\r\n"), BAD, "connect", MALFORMED),
    "upgrade": case(says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"), BAD, "timeout",
                    "curl waits for an answer behind the 101; nobody asked for one"),
    "nul-in-header": case(says(OK + b"a: b\0c\r\nContent-Length: 5\r\n\r\nhello"), BAD),
    "status-letters": case(says(b"HTTP/1.1 abc OK\r\n\r\n", then=CLOSE), BAD),
    "http3-status": case(says(b"HTTP/3 200 OK\r\n\r\n", then=CLOSE), BAD),
    "http09": case(says(b"<html>hello</html>", then=CLOSE), BAD),
    "ssh": case(says(b"SSH-2.0-OpenSSH_9.2p1\r\n", then=CLOSE), BAD),
}

HUGE = {"body": "x" * 8000000, "args": ("--method", "POST", "--body", 8000000)}
# What only a client of its own can ask: HEAD, and requests that do not fit into the kernel's buffers.
BENCHED = {
    "head": case(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), args=("--method", "HEAD")),
    "head-with-body": case(says(HELLO), args=("--method", "HEAD")),
    "huge-early-answer": case(early(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"), BAD, **HUGE),
    "huge-early-closed": case(early(OK + b"\r\nhello"), **HUGE),
    "huge-early-reset": case(early(b"", RESET), "connect", **HUGE),
    "huge-never-read": case(silent, "timeout", **HUGE),
}


class Awkward:
    """Serves one behaviour on 127.0.0.1, within the TLS context if one is given. connections: how many there were;
    trapped: how many went where a redirect pointed to."""

    def __init__(self, behave, context=None, receive_bytes=None):
        self.behave, self.context = behave, context
        self.takes_server = len(inspect.signature(behave).parameters) == 2
        self.connections = self.trapped = 0
        self.listener, self.trap = socket.socket(), socket.create_server(("127.0.0.1", 0))
        if receive_bytes:  # inherited by what is accepted
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.port, self.trap_port = (s.getsockname()[1] for s in (self.listener, self.trap))

    def _within_tls(self, s):
        """A handshake that fails ends with our alert, not with a reset that overtakes it."""
        with socket.socket(fileno=os.dup(s.fileno())) as below:
            try:
                return self.context.wrap_socket(s, server_side=True)
            except ssl.SSLError:
                below.settimeout(1)
                below.shutdown(socket.SHUT_WR)
                while below.recv(65536):
                    pass
                raise

    def _serve(self, s):
        try:
            if self.context:
                s = self._within_tls(s)
            if (self.behave(s, self) if self.takes_server else self.behave(s)) == RESET:
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
            self.connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _spring(self):
        while True:
            try:
                self.trap.accept()[0].close()
            except OSError:
                return
            self.trapped += 1

    def __enter__(self):
        for loop in (self._accept, self._spring):
            threading.Thread(target=loop, daemon=True).start()
        return self

    def __exit__(self, *_):
        for s in (self.listener, self.trap):
            s.shutdown(socket.SHUT_RDWR)
            s.close()


class Full:
    """A listener whose queue is full and whose owner never accepts: connections are not made."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []

    def __enter__(self):
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)
        return self

    def __exit__(self, *_):
        for s in (*self.fillers, self.listener):
            s.close()
