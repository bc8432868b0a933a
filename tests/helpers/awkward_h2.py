"""Awkward servers that speak HTTP/2, frame by frame (awkward.py). Without TLS: by prior knowledge."""
import struct
import time

from helpers.awkward import BAD, CLOSE, FLOOD_GAP_S, RESET, SILENCE_S, case

DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS = 4
NO_ERROR, PROTOCOL, INTERNAL, REFUSED = 0, 1, 2, 7
S200, S204, S500 = b"\x88", b"\x89", b"\x8e"  # HPACK, by index
PREFACE_BYTES = 24


def status(text):
    return b"\x08\x03" + text


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def setting(number, value):
    return struct.pack(">HI", number, value)


def answer(stream, block=S200, body=b"hello"):
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, body)


def goaway(last, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def rst(stream, code):
    return frame(RST, 0, stream, struct.pack(">I", code))


class Frames:
    """What the client says: (type, flags, stream) of each frame."""

    def __init__(self, s):
        self.s, self.data = s, b""

    def take(self, n):
        while len(self.data) < n:
            piece = self.s.recv(65536)
            if not piece:
                raise ConnectionError("the client has gone")
            self.data += piece
        out, self.data = self.data[:n], self.data[n:]
        return out

    def __iter__(self):
        self.take(PREFACE_BYTES)
        while True:
            head = self.take(9)
            self.take(int.from_bytes(head[:3], "big"))
            yield head[3], head[4], int.from_bytes(head[5:], "big")


def speaks(reply, settings=b"", first=b""):
    """reply(socket, stream) for each request; ends the connection when it returns CLOSE or RESET."""
    def behave(s):
        s.sendall(frame(SETTINGS, 0, 0, settings) + first)
        for kind, flags, stream in Frames(s):
            if kind == SETTINGS and not flags & ACK:
                s.sendall(frame(SETTINGS, ACK))
            if kind == PING and not flags & ACK:
                s.sendall(frame(PING, ACK, 0, bytes(8)))
            if kind == HEADERS:
                then = reply(s, stream)
                if then:
                    return then
        return None
    return behave


def says(make, then=None, **how):
    """Answers each request with the bytes that make(stream) gives."""
    def reply(s, stream):
        s.sendall(make(stream))
        return then
    return speaks(reply, **how)


def forever(make_first, make_again):
    """Sends again and again behind the first request."""
    def reply(s, stream):
        s.sendall(make_first(stream))
        again = make_again(stream)
        while True:
            s.sendall(again * (1 + 8192 // len(again)))
            time.sleep(FLOOD_GAP_S)
    return speaks(reply)


def drips(make_first, make_again):
    def reply(s, stream):
        s.sendall(make_first(stream))
        while True:
            s.sendall(make_again(stream))
            time.sleep(0.05)
    return speaks(reply)


def nothing(_):
    return b""


def mute(s):
    """Takes what comes and says not even SETTINGS."""
    s.settimeout(SILENCE_S)
    while s.recv(65536):
        pass


def head(stream):
    return frame(HEADERS, END_HEADERS, stream, S200)


def half(stream):
    return head(stream) + frame(DATA, 0, stream, b"hel")


def settings_for_ever(s):
    while True:
        s.sendall(frame(SETTINGS, 0, 0, setting(3, 100)) * 300)
        time.sleep(FLOOD_GAP_S)


def block(stream, *fields):
    """A header block in HEADERS and as many CONTINUATION as it takes."""
    data = b"".join(fields)
    pieces = [data[i:i + 16000] for i in range(0, len(data), 16000)]
    out = frame(HEADERS, 0, stream, pieces[0])
    for i, piece in enumerate(pieces[1:], 2):
        out += frame(CONTINUATION, END_HEADERS if i == len(pieces) else 0, stream, piece)
    return out


LONG_HEADERS = literal(b"a", b"x" * 200) * 5000
H2 = {"http2": True}
BODY = {"body": "x" * 40000, "http2": True}
SAME_CODE = "curl says 92, as of a stream that the server reset, for one that it had to reset itself"
RETRIED = "curl tries again until it says 16, framing layer; we never retry"
NO_CODE = "curl says 56, as of any broken connection, for a peer that breaks the rules"
NO_BOUND = "curl ends it when nghttp2 does, if at all"
EIGHT = "nghttp2 takes more than eight CONTINUATION for a flood unless told otherwise"
EARLY = "curl may give up the stream that takes no more of its body before it has read the answer"
UNREAD = "curl waits for a frame that it does not accept"

H2_CASES = {
    "h2-good": case(says(answer), **H2),
    "h2-204": case(says(lambda i: frame(HEADERS, END_HEADERS | END_STREAM, i, S204)), **H2),
    "h2-interim": case(says(lambda i: frame(HEADERS, END_HEADERS, i, status(b"103")) * 20 + answer(i)), **H2),
    "h2-trailers": case(says(lambda i: half(i) + frame(HEADERS, END_HEADERS | END_STREAM, i, literal(b"a", b"b"))), **H2),
    "h2-one-at-a-time": case(says(answer, settings=setting(3, 1)), **H2),
    "h2-unknown-frames": case(says(lambda i: frame(200, 255, i, b"what") + answer(i)), **H2),
    "h2-429": case(says(lambda i: answer(i, status(b"429"))), "throttled", **H2),
    "h2-500": case(says(lambda i: answer(i, S500)), BAD, **H2),
    "h2-early-answer": case(says(lambda i: answer(i, status(b"413")) + rst(i, NO_ERROR), settings=setting(4, 100)), BAD,
                            "http_error connect", EARLY, **BODY),
    # GOAWAY and RST_STREAM
    "h2-goaway-behind-answer": case(says(lambda i: answer(i) + goaway(i), then=CLOSE), "ok connect?", **H2),
    "h2-goaway-instead": case(says(lambda i: goaway(i, INTERNAL), then=CLOSE), "connect", **H2),
    "h2-goaway-refuses": case(says(lambda i: goaway(0), then=CLOSE), "connect", "http_error", RETRIED, **H2),
    "h2-reset": case(says(lambda i: rst(i, INTERNAL)), "connect", **H2),
    "h2-reset-in-body": case(says(lambda i: half(i) + rst(i, INTERNAL)), "connect", **H2),
    "h2-reset-no-error": case(says(lambda i: head(i) + rst(i, NO_ERROR)), "connect", **H2),
    "h2-refused-stream": case(says(lambda i: rst(i, REFUSED)), "connect", **H2),
    # slow, silent, endless
    "h2-mute": case(mute, "timeout not_sent?", **H2),
    "h2-silent": case(says(nothing), "timeout", **H2),
    "h2-silent-behind-head": case(says(head), "timeout", **H2),
    "h2-no-window": case(says(nothing, settings=setting(4, 0)), "timeout", **BODY),
    "h2-drips-body": case(drips(head, lambda i: frame(DATA, 0, i, b"x")), "timeout", **H2),
    "h2-drips-continuation": case(drips(lambda i: frame(HEADERS, 0, i, S200), lambda i: frame(CONTINUATION, 0, i, literal(b"a", b"b"))),
                                  "timeout", "connect", EIGHT, **H2),
    "h2-endless-body": case(forever(head, lambda i: frame(DATA, 0, i, b"x" * 1000)), "timeout", **H2),
    "h2-endless-interim": case(forever(nothing, lambda i: frame(HEADERS, END_HEADERS, i, status(b"100"))),
                               BAD, "connect timeout", NO_BOUND, **H2),
    "h2-endless-settings": case(settings_for_ever, BAD, "connect timeout", NO_BOUND, **H2),
    "h2-endless-ping": case(forever(nothing, lambda i: frame(PING, 0, 0, bytes(8))), BAD, "connect timeout", NO_BOUND, **H2),
    "h2-endless-empty-data": case(forever(head, lambda i: frame(DATA, 0, i)), BAD, "connect timeout", NO_BOUND, **H2),
    "h2-endless-continuation": case(forever(lambda i: frame(HEADERS, 0, i, S200), lambda i: frame(CONTINUATION, 0, i)),
                                    BAD, "connect timeout", NO_BOUND, **H2),
    "h2-1-MB-header": case(says(lambda i: block(i, S200, LONG_HEADERS)), BAD, "connect", NO_CODE, **H2),
    "h2-1000-headers": case(says(lambda i: block(i, S200, *(literal(b"h%d" % k, b"v") for k in range(1000))) + frame(DATA, END_STREAM, i)),
                            BAD, "connect", NO_CODE, **H2),
    # ends
    "h2-closes-at-once": case(lambda s: None, "connect", **H2),
    "h2-closes": case(says(nothing, then=CLOSE), "connect", **H2),
    "h2-closes-in-body": case(says(half, then=CLOSE), "connect", **H2),
    "h2-tcp-reset": case(says(nothing, then=RESET), "connect", **H2),
    "h2-tcp-reset-in-body": case(says(half, then=RESET), "connect", **H2),
    # what breaks the rules
    "h2-http1-answer": case(lambda s: s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                            BAD, "connect", NO_CODE, **H2),
    "h2-ssh": case(lambda s: s.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"), BAD, "connect", NO_CODE, **H2),
    "h2-no-settings-first": case(lambda s: s.sendall(frame(PING, 0, 0, bytes(8))), BAD, "connect", NO_CODE, **H2),
    "h2-body-too-long": case(says(lambda i: answer(i, S200 + literal(b"content-length", b"3"))), BAD, "connect", SAME_CODE, **H2),
    "h2-body-too-short": case(says(lambda i: answer(i, S200 + literal(b"content-length", b"9"))), BAD, "connect", SAME_CODE, **H2),
    "h2-no-status": case(says(lambda i: answer(i, literal(b"a", b"b"))), BAD, "connect", SAME_CODE, **H2),
    "h2-upper-case": case(says(lambda i: answer(i, S200 + literal(b"Aa", b"b"))), BAD, "connect", SAME_CODE, **H2),
    "h2-upgrade": case(says(lambda i: answer(i, status(b"101"))), BAD, "connect", SAME_CODE, **H2),
    "h2-data-first": case(says(lambda i: frame(DATA, END_STREAM, i, b"hello")), BAD, "connect", NO_CODE, **H2),
    "h2-frame-too-large": case(says(lambda i: head(i) + frame(DATA, END_STREAM, i, b"x" * 20000)), BAD, "timeout", UNREAD, **H2),
    "h2-bad-hpack": case(says(lambda i: answer(i, b"\xff\xff\xff\xff\xff\xff")), BAD, "connect", NO_CODE, **H2),
    "h2-push": case(says(lambda i: frame(PUSH, END_HEADERS, i, struct.pack(">I", 2) + S200)), BAD, "connect", NO_CODE, **H2),
    "h2-window-overflow": case(says(lambda i: frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2), BAD, "connect", NO_CODE, **H2),
    "h2-unknown-stream": case(says(lambda i: answer(i + 100)), BAD, "connect", NO_CODE, **H2),
}

# By ALPN within TLS; "auto" takes what the server chooses.
H2_TLS_CASES = {
    "tls-h2-good": case(says(answer), tls="h2", http2=True),
    "tls-h2-closes-in-body": case(says(half, then=CLOSE), "connect", tls="h2", http2=True),
}
