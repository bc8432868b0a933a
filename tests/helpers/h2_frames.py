"""HTTP/2 servers that misbehave, frame by frame; behaviours for Awkward (awkward.py), for test_http2.py.

	with Awkward(H2_CASES["goaway-at-once"].behave) as server: ...

A behaviour gets a Peer: requests() gives the streams of requests as they come; what it sends is bytes made by frame().
"""
import dataclasses
import struct
import time

from helpers.awkward import RESET, SILENCE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4
STATUS_200 = b"\x88"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload) << 8 | kind) + struct.pack(">BI", flags, stream) + payload


def settings(**values):
    keys = {"streams": MAX_CONCURRENT_STREAMS, "window": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", keys[k], v) for k, v in values.items()))


def field(name, value):
    assert len(name) < 127 and len(value) < 127
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def hello(stream, *fields, status=STATUS_200, body=b"hello"):
    return (frame(HEADERS, END_HEADERS, stream, status + b"".join(fields)) +
            frame(DATA, END_STREAM, stream, body))


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=0):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


class Peer:
    """The server's end of one connection. open: streams that were begun and not yet answered by say_hello."""

    def __init__(self, s, server=None):
        self.s, self.server, self.data = s, server, b""
        self.open, self.most, self.count = [], 0, 0

    def send(self, *parts):
        self.s.sendall(b"".join(parts))

    def take(self, n):
        while len(self.data) < n:
            piece = self.s.recv(65536)
            if not piece:
                raise ConnectionError("the client left")
            self.data += piece
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def begin(self, first=None):
        assert self.take(len(PREFACE)) == PREFACE
        self.send(settings() if first is None else first)

    def frames(self):
        """All that come, SETTINGS and PING answered."""
        while True:
            head = self.take(9)
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = self.take(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK))
            elif kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            elif kind == RST_STREAM and stream in self.open:
                self.open.remove(stream)
            yield kind, flags, stream, payload

    def requests(self):
        """Each request when it is whole."""
        for kind, flags, stream, _ in self.frames():
            if kind == HEADERS:
                self.open.append(stream)
                self.count += 1
                self.most = max(self.most, len(self.open))
            if kind in (HEADERS, DATA) and flags & END_STREAM and stream in self.open:
                yield stream

    def say_hello(self, stream):
        self.open.remove(stream)
        self.send(hello(stream))


def behaves(first=None):
    """A behaviour from a function of a peer that has said its SETTINGS."""
    def wrap(act):
        def behave(s, server):
            peer = Peer(s, server)
            peer.begin(first)
            return act(peer)
        return behave
    return wrap


def says(answer, first=None):
    """Each request is answered by the bytes that answer(stream) gives."""
    @behaves(first)
    def act(peer):
        for stream in peer.requests():
            peer.send(answer(stream))
    return act


def says_at_once(*parts, then_s=SILENCE_S):
    """At the first request, whatever it is."""
    @behaves()
    def act(peer):
        next(peer.requests())
        peer.send(*parts)
        end = time.monotonic() + then_s
        while time.monotonic() < end and peer.s.recv(65536):
            pass
    return act


# ---- behaviours ----

@behaves()
def dripped(peer):
    for stream in peer.requests():
        for byte in hello(stream, field(b"server", b"x")):
            peer.send(bytes([byte]))


@behaves()
def backwards(peer):
    """Up to four are kept, the last one is answered first."""
    for _ in peer.requests():
        if len(peer.open) == 4 or peer.count in (1, 20):
            for stream in reversed(list(peer.open)):
                peer.say_hello(stream)


@behaves(settings(streams=2))
def two_at_once(peer):
    for stream in peer.requests():
        time.sleep(0.01)
        assert peer.most <= 2
        peer.say_hello(stream)


@behaves(settings(streams=100))
def lowered(peer):
    """After the fifth request only one at a time; another beside it is refused."""
    for stream in peer.requests():
        if peer.count == 5:
            peer.send(settings(streams=1))
        peer.say_hello(stream)


@behaves()
def goaway_after_ten(peer):
    """Says so with the tenth answer, and stays open."""
    for stream in peer.requests():
        if peer.count == 10:
            peer.send(goaway(stream))
        if peer.count <= 10:
            peer.say_hello(stream)


@behaves()
def goaway_gracefully(peer):
    """Says first that it will go, and which was the last when all had time to hear it."""
    for stream in peer.requests():
        if peer.count == 10:
            peer.send(goaway(0x7fffffff))
        peer.say_hello(stream)


@behaves()
def every_fifth_silent(peer):
    for stream in peer.requests():
        if peer.count % 5 == 0:
            continue
        peer.say_hello(stream)


@behaves()
def silent(peer):
    for _ in peer.requests():
        pass


def silent_before_settings(s, _):
    Peer(s).take(len(PREFACE))
    s.settimeout(SILENCE_S)
    while s.recv(65536):
        pass


@behaves()
def closes(peer):
    next(peer.requests())


@behaves()
def resets(peer):
    next(peer.requests())
    return RESET


def leaves_at_once(s, _):
    s.recv(24)


def says_http1(s, _):
    s.recv(65536)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.05)


def says_ssh(s, _):
    s.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    s.recv(65536)
    time.sleep(0.05)


@behaves()
def endless(peer):
    stream = next(peer.requests())
    peer.send(frame(HEADERS, END_HEADERS, stream, STATUS_200))
    while True:
        peer.send(frame(DATA, 0, stream, b"x" * 10000))
        time.sleep(0.01)


@behaves()
def slow_window(peer):
    """Opens its window step by step."""
    for kind, flags, stream, payload in peer.frames():
        if kind == DATA and payload:
            more = struct.pack(">I", len(payload))
            peer.send(frame(WINDOW_UPDATE, 0, 0, more), frame(WINDOW_UPDATE, 0, stream, more))
        if kind == DATA and flags & END_STREAM:
            peer.send(hello(stream))


@behaves()
def early_answer(peer):
    """Answers at the head and wants no more of the body."""
    for kind, _, stream, _ in peer.frames():
        if kind == HEADERS:
            peer.send(hello(stream), reset(stream, 0))


def continued(stream):
    block = STATUS_200 + field(b"server", b"x")
    return (frame(HEADERS, END_STREAM, stream, block[:3]) + frame(CONTINUATION, 0, stream, block[3:8]) +
            frame(CONTINUATION, END_HEADERS, stream, block[8:]))


def many_headers(stream):
    block = field(b"x-name", b"value") * 1000
    return (frame(HEADERS, 0, stream, STATUS_200 + block) +
            b"".join(frame(CONTINUATION, 0, stream, block) for _ in range(98)) +
            frame(CONTINUATION, END_HEADERS | END_STREAM, stream, block))


def with_length(said):
    return lambda stream: hello(stream, field(b"content-length", said))


def trailers(stream):
    return (frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, 0, stream, b"hello") +
            frame(HEADERS, END_HEADERS | END_STREAM, stream, field(b"grpc-status", b"0")))


def interim(stream):
    return frame(HEADERS, END_HEADERS, stream, field(b":status", b"103") + field(b"link", b"</a>")) + hello(stream)


def push(stream):
    return frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + field(b":method", b"GET"))


@dataclasses.dataclass
class H2Case:
    behave: object
    want: dict  # of 20 calls, 4 at once on one connection: how they end (bench_engine)
    curl: str  # what curl makes of one call: ok, timeout or failed; None = not asked
    why: str = ""
    args: tuple = ()
    connects: int = None
    may: dict = dataclasses.field(default_factory=dict)  # instead of the same words in want: at most


OK = {"answered": 20}
BAD = {"bad_answer": 20}
CONNECT = {"connect": 20}
UPLOAD = ("--body", 200000, "--method", "POST")
SHORT = ("--timeout", "300ms")
TIMEOUT = {"timeout": (1, 20), "not_sent": (0, 19), "connect": (0, 19)}  # where 300 ms are not enough to connect and hear SETTINGS


def good(behave, **more):
    return H2Case(behave, OK, "ok", connects=more.pop("connects", 1), **more)


def broken(behave, want, why, **more):
    return H2Case(behave, want, more.pop("curl", "failed"), why, **more)


FLOOD = "a flood of frames that carry nothing"
RULES = "the server broke the rules of HTTP/2"
MALFORMED = "malformed headers, or a body of another length than said"

H2_CASES = {
    "good": good(says(hello)),
    "dripped": good(dripped),
    "backwards": good(backwards),
    "continued": good(says(continued)),
    "interim": good(says(interim)),
    "trailers": good(says(trailers)),
    "unknown-frames": good(says(lambda n: frame(0x77, 0xff, n, b"what") + hello(n) + frame(0x78))),
    "empty-body": good(says(lambda n: frame(HEADERS, END_HEADERS | END_STREAM, n, STATUS_200))),
    "right-length": good(says(with_length(b"5"))),
    "pings": good(says(lambda n: frame(PING, 0, 0, b"12345678") * 5 + hello(n))),
    "two-at-once": good(two_at_once),
    "lowered": good(lowered),
    "goaway-gracefully": good(goaway_gracefully, connects=None),
    "goaway-after-ten": H2Case(goaway_after_ten, {}, "ok", "refused by GOAWAY: NO_ERROR",
                               may={"answered": (14, 20), "connect": (0, 6)}),
    "slow-window": good(slow_window, args=UPLOAD),
    "early-answer": H2Case(early_answer, OK, None, connects=1, args=UPLOAD),  # curl 7.88 drops it for the RST_STREAM behind it
    "goaway-at-once": broken(says_at_once(goaway(0)), CONNECT, "refused by GOAWAY: NO_ERROR"),
    "goaway-calm": broken(says_at_once(goaway(0, 11)), CONNECT, "refused by GOAWAY: ENHANCE_YOUR_CALM"),
    "reset-internal": broken(says(lambda n: reset(n, 2)), CONNECT, "the stream was reset by the server: INTERNAL_ERROR",
                             connects=1),
    "reset-refused": broken(says(lambda n: reset(n, 7)), CONNECT, "the stream was reset by the server: REFUSED_STREAM",
                            connects=1),
    "reset-cancel": broken(says(lambda n: reset(n, 8)), CONNECT, "the stream was reset by the server: CANCEL", connects=1),
    "reset-within": broken(says(lambda n: frame(HEADERS, END_HEADERS, n, STATUS_200) + frame(DATA, 0, n, b"hel") + reset(n, 2)),
                           CONNECT, "the stream was reset by the server: INTERNAL_ERROR", connects=1),
    "closes": broken(closes, CONNECT, ""),  # or a reset, when bytes of ours were left unread
    "resets": broken(resets, CONNECT, ""),
    "leaves-at-once": broken(leaves_at_once, CONNECT, ""),
    "http1": broken(says_http1, BAD, "the server speaks HTTP/1.1, not HTTP/2"),
    "ssh": broken(says_ssh, BAD, "the server does not speak HTTP/2"),
    "wrong-length": broken(says(with_length(b"7")), BAD, MALFORMED, connects=1),
    "many-headers": broken(says(many_headers), BAD, "too many headers", connects=1),
    "push": broken(says(push), BAD, RULES),
    "header-garbage": broken(says(lambda n: frame(HEADERS, END_HEADERS, n, b"\xff" * 5)), BAD, RULES),
    "frame-too-large": broken(says(lambda n: frame(DATA, 0, n, b"x" * 20000)), BAD, RULES),
    "ping-flood": broken(says_at_once(frame(PING, 0, 0, b"12345678") * 20000), BAD, FLOOD, curl=None),
    "settings-flood": broken(says_at_once(settings() * 20000), BAD, FLOOD, curl=None),
    "empty-data-flood": broken(says(lambda n: frame(HEADERS, END_HEADERS, n, STATUS_200) + frame(DATA, 0, n) * 20000),
                               BAD, FLOOD, curl=None),
    "silent": broken(silent, {}, "", may=TIMEOUT, curl="timeout", args=SHORT),
    "silent-before-settings": broken(silent_before_settings, {}, "", curl="timeout", args=SHORT,
                                     may=TIMEOUT),
    "every-fifth-silent": broken(every_fifth_silent, {"timeout": 4, "answered": 16}, "no whole answer in time", curl="ok",
                                 args=SHORT, connects=1),
    "endless": broken(endless, {}, "", may=TIMEOUT, curl="timeout", args=SHORT),
    "no-window": broken(says(hello, settings(window=0)), {}, "", may=TIMEOUT, curl="timeout",
                        args=UPLOAD + SHORT),
}
