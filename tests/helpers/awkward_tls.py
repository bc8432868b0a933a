"""Awkward servers within TLS (awkward.py), and the certificates for them: good, expired, of another host, of nobody.

	certificates = Certificates(folder)
	with Awkward(case.behave, certificates.server(case.tls)) as server:
		... certificates.ca ...			# what the client is to trust
"""
import os
import socket
import ssl
import subprocess
import warnings

from helpers.awkward import BAD, CHUNKED, CHUNKS, HELLO, OK, RESET, SILENCE_S, CLOSE, case, drip, in_one_segment, request, says, silent

CA = """
[ca]
default_ca = own
[own]
dir = {folder}
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""
# name: subject alternative names, not before, not after, issuer (None: signed by itself)
KINDS = {
    "good": ("IP:127.0.0.1,DNS:localhost", "20200101000000Z", "20490101000000Z", "ca"),
    "expired": ("IP:127.0.0.1,DNS:localhost", "20200101000000Z", "20200102000000Z", "ca"),
    "not-yet": ("IP:127.0.0.1,DNS:localhost", "20480101000000Z", "20490101000000Z", "ca"),
    "wrong-host": ("DNS:other.example", "20200101000000Z", "20490101000000Z", "ca"),
    "unknown-ca": ("IP:127.0.0.1,DNS:localhost", "20200101000000Z", "20490101000000Z", "other"),
    "self-signed": ("IP:127.0.0.1,DNS:localhost", None, None, None),
}


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)


class Certificates:
    def __init__(self, folder):
        self.folder = str(folder)
        for name in ("ca", "other"):
            self._own(name, "/CN=" + name)
        for name, row in KINDS.items():
            self._make(name, *row)
        self.ca = self.path("ca.crt")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def _own(self, name, subject, *more):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", subject,
                "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt"), *more)

    def _make(self, name, san, since, until, issuer):
        names = ("-addext", "subjectAltName=" + san)
        if not issuer:
            self._own(name, "/CN=" + name, *names)
            return
        state = self.path("ca-" + name)
        os.mkdir(state)
        with open(os.path.join(state, "index.txt"), "w", encoding="ascii"), open(os.path.join(state, "cnf"), "w", encoding="ascii") as f:
            f.write(CA.format(folder=state))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + name,
                "-keyout", self.path(name + ".key"), "-out", os.path.join(state, "csr"), *names)
        openssl("ca", "-batch", "-notext", "-config", os.path.join(state, "cnf"), "-cert", self.path(issuer + ".crt"), "-keyfile",
                self.path(issuer + ".key"), "-startdate", since, "-enddate", until, "-in", os.path.join(state, "csr"),
                "-out", self.path(name + ".crt"))

    def server(self, kind):
        """The context of a server with that certificate; of "old" one that speaks TLS 1.1, of "asks" one that wants ours, of "h2" one that
        speaks HTTP/2."""
        if kind is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = kind if kind in KINDS else "good"
        context.load_cert_chain(self.path(name + ".crt"), self.path(name + ".key"))
        if kind == "h2":
            context.set_alpn_protocols(["h2"])
        if kind == "old":
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore"):  # it is old: that is the point
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        if kind.startswith("asks"):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
            if kind == "asks-1.2":
                context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


# ---- below TLS: a plain socket, and a client that begins a handshake ----

def hello(s):
    s.recv(65536)


def resets_hello(s):
    hello(s)
    return RESET


def half_a_record(s):
    """The head of a record that promises more than comes."""
    hello(s)
    s.sendall(b"\x16\x03\x03\x40\x00\x02")
    silent(s)


def drips_hello(s):
    hello(s)
    drip(s, b"\x16\x03\x03\x3f\xff\x02" + bytes(4000), 0.05)


def alert(s):
    hello(s)
    s.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal, handshake_failure


# ---- within TLS ----

def raw(s):
    """The socket beneath, to send or end behind the back of TLS."""
    return socket.socket(fileno=os.dup(s.fileno()))


def cut(data):
    """An answer, and then an end without close_notify: as if somebody had cut the wire."""
    def behave(s):
        request(s)
        s.sendall(data)
        with raw(s) as below:
            below.shutdown(socket.SHUT_WR)
        s.settimeout(SILENCE_S)
        s.recv(1)
    return behave


def garbage(data):
    """Plain bytes in the middle of the records."""
    def behave(s):
        request(s)
        s.sendall(data)
        with raw(s) as below:
            below.sendall(b"this is no record of TLS")
        silent(s)
    return behave


CERT = {"tls": "good"}
PLAIN_BELOW = {"url_tls": True}
CUT_WORD = "an answer that only the end delimits is incomplete without close_notify: RFC 9112 8; curl takes it"
SAME_WORDS = "curl says the same of a handshake as of a connection that is not made in time"
LATE = "curl says 56, as of any broken connection, for an alert behind the handshake"
SCRAMBLED = "curl says 56, as of any broken connection, for records that cannot be read"

TLS_CASES = {
    "tls-good": case(says(HELLO), **CERT),
    "tls-in-parts": case(in_one_segment(HELLO[:20], HELLO[20:-4], HELLO[-4:]), **CERT),
    "tls-chunked": case(says(CHUNKS), **CERT),
    "tls-expired": case(says(HELLO), "tls", tls="expired"),
    "tls-not-yet": case(says(HELLO), "tls", tls="not-yet"),
    "tls-wrong-host": case(says(HELLO), "tls", tls="wrong-host"),
    "tls-unknown-ca": case(says(HELLO), "tls", tls="unknown-ca"),
    "tls-self-signed": case(says(HELLO), "tls", tls="self-signed"),
    "tls-1.1": case(says(HELLO), "tls", tls="old"),
    "tls-asks-1.2": case(says(HELLO), "tls", tls="asks-1.2"),
    "tls-asks": case(says(HELLO), "tls", "connect", LATE, tls="asks"),
    "tls-silent": case(silent, "timeout", **CERT),
    "tls-closes": case(says(b"", then=CLOSE), "connect", **CERT),
    "tls-resets": case(says(b"", then=RESET), "connect", **CERT),
    "tls-body-cut": case(says(OK + b"Content-Length: 50\r\n\r\nhello", then=CLOSE), "connect", **CERT),
    "tls-chunk-cut": case(says(CHUNKED + b"5\r\nhel", then=CLOSE), "connect", **CERT),
    "tls-ssh": case(says(b"SSH-2.0-OpenSSH_9.2p1\r\n", then=CLOSE), BAD, **CERT),
    "tls-cut-whole": case(cut(OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello"), **CERT),
    "tls-cut-until-close": case(cut(OK + b"\r\nhello"), "connect", "ok", CUT_WORD, **CERT),
    "tls-cut-in-body": case(cut(HELLO[:-2]), "connect", **CERT),
    "tls-garbage-in-body": case(garbage(HELLO[:-2]), "tls", "connect", SCRAMBLED, **CERT),
    "tls-stalls-in-handshake": case(silent, "tls", "connect", SAME_WORDS, **PLAIN_BELOW),
    "tls-stalls-in-record": case(half_a_record, "tls", "connect", SAME_WORDS, **PLAIN_BELOW),
    "tls-drips-in-handshake": case(drips_hello, "tls", "connect", SAME_WORDS, **PLAIN_BELOW),
    "tls-closes-in-handshake": case(hello, "tls", **PLAIN_BELOW),
    "tls-resets-in-handshake": case(resets_hello, "tls", **PLAIN_BELOW),
    "tls-alert": case(alert, "tls", **PLAIN_BELOW),
    "plain-on-tls-port": case(lambda s: s.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), "tls", **PLAIN_BELOW),
    "tls-on-plain-port": case(says(HELLO), "connect", tls="good", url_tls=False),
}
