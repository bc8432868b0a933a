"""The bus between processes: foreign peers, silence, death, and strangers on the wire."""
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest
import zmq

from helpers.packed import pack
from helpers.programs import build_dir, dying_with_us, pl
from helpers.servers import free_port, wait_for

MAX_BYTES = 1024 * 1024 + 4096


class End:
    """A bus_tool; what it prints is in .lines."""

    def __init__(self, *args, descriptors=None):
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.process = subprocess.Popen(dying_with_us([os.path.join(build_dir(), "tests", "bus_tool"), *args]), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit)
        self.lines, self.talk = [], []
        for stream, out in ((self.process.stdout, self.lines), (self.process.stderr, self.talk)):
            threading.Thread(target=lambda s=stream, o=out: o.extend(iter(s.readline, "")), daemon=True).start()
        wait_for("bus_tool", lambda: "ready\n" in self.lines)

    def say(self, *texts):
        self.process.stdin.write("".join(t + "\n" for t in texts))
        self.process.stdin.flush()

    def count(self, beginning):
        return sum(line.startswith(beginning) for line in list(self.lines))

    def wait(self, beginning, count=1, timeout_s=15):
        wait_for(f"{count} lines of {beginning!r}; last {self.lines[-2:]}, {self.talk[-2:]}",
                 lambda: self.count(beginning) >= count, timeout_s)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(60)


class Site:
    def __init__(self, folder):
        self.folder, self.list, self.ends, self.sockets = folder, folder / "loaders", [], []
        self.context = zmq.Context()
        self.tcp = f"tcp://127.0.0.1:{free_port()}"
        self.ipc = f"ipc://{folder}/work"
        made = pl("plimsoll", "admin", "key", "new", "--server", "--out", folder / "server")
        self.server_key = made.text.split('"')[1]
        self.list.write_text("")
        self.keys = {name: self.new_key(name) for name in ("one", "two")}

    def new_key(self, name):
        r = pl("plimsoll", "admin", "key", "new", name, "--list", self.list, "--out", self.folder / name)
        assert r.code == 0, r.errors
        secret = (self.folder / name).read_text().strip()
        return zmq.curve_public(secret.encode()), secret.encode()

    def serve(self, **limits):
        self.ends.append(End("serve", self.list, self.folder / "server", self.tcp, self.ipc, **limits))
        return self.ends[-1]

    def dealer(self, name="one", endpoint=None):
        self.ends.append(End("say", self.folder / name, self.server_key, endpoint or self.tcp))
        return self.ends[-1]

    def foreign(self, name="one", kind=zmq.DEALER, endpoint=None, **options):
        """A peer with a libzmq that is not ours."""
        s = self.context.socket(kind)
        s.linger = 0
        s.rcvtimeo = s.sndtimeo = 10000
        s.curve_serverkey = self.server_key.encode()
        s.curve_publickey, s.curve_secretkey = self.keys[name]
        for key, value in options.items():
            setattr(s, key, value)
        s.connect(endpoint or self.tcp)
        self.sockets.append(s)
        return s

    def close(self):
        for s in self.sockets:
            s.close()
        self.context.term()
        for e in self.ends:
            e.kill(signal.SIGCONT)
            e.kill()


@pytest.fixture
def site(tmp_path):
    s = Site(tmp_path)
    yield s
    s.close()


def test_a_foreign_peer_is_known_by_its_key(site):
    server = site.serve()
    for name in ("one", "two"):
        s = site.foreign(name)
        s.send(pack(["hello", "", "x"]))
        assert s.recv_multipart() == [pack(["hello", "", "x"])]
        server.wait(f"heard {name} 3 5 hello")


@pytest.mark.measures
def test_ten_thousand_messages_of_a_foreign_peer_arrive_and_then_it_is_quiet(site):
    server, s = site.serve(), site.foreign(rcvhwm=100000)
    for i in range(10000):
        s.send(pack(["x"]))
    server.wait("heard one 1 1 x", 10000)
    before_s, end = server.cpu_s(), time.monotonic() + 1
    wait_for("a second", lambda: time.monotonic() > end)
    assert server.cpu_s() - before_s < 0.2


def test_every_descriptor_closes_on_exec(site):
    server, s = site.serve(), site.foreign()
    s.send(pack(["x"]))
    server.wait("heard")
    folder = f"/proc/{server.process.pid}/fdinfo"
    flags = {fd: int(open(f"{folder}/{fd}").read().split("flags:")[1].split()[0], 8) for fd in os.listdir(folder) if int(fd) > 2}
    assert len(flags) > 5 and all(f & os.O_CLOEXEC for f in flags.values()), flags


def test_one_byte_too_many_costs_only_the_senders_connection(site):
    server, good, bad = site.serve(), site.foreign("one"), site.foreign("two")
    good.send(pack(["a" * MAX_BYTES]))
    server.wait(f"heard one 1 {MAX_BYTES} ")
    bad.send(pack(["b" * (MAX_BYTES + 200)]))
    bad.send(pack(["after"]))
    good.send(pack(["still here"]))
    server.wait("heard one 1 10 still here")
    bad.send(pack(["back"]))
    server.wait("heard two 1 4 back")
    assert server.count(f"heard two 1 {MAX_BYTES + 200}") == 0


@pytest.mark.parametrize("frames, told", [
    ([b""], "malformed"), ([b"\x02"], "malformed"), ([pack(["x"])[:-1]], "malformed"), ([pack(["x"]) + b"\0"], "malformed"),
    ([pack([""] * 17)], "malformed"), ([pack(["x" * MAX_BYTES, "x"])], "malformed"),
    ([b"READY", b"1", b"n1", b"1", b"1", b"0", b"*", b"5"], "does not speak version 2"), ([pack(["x"])] * 2, "does not speak version 2"),
    ([pack(["x"], version=3)], "does not speak version 2"), ([b"READY"], "does not speak version 2"),
    ([b""] * 9, "does not speak version 2"), ([b"x"] * 1000, "does not speak version 2"), ([b"", b"x" * MAX_BYTES], "does not speak version 2"),
])
def test_odd_messages_are_told_and_hurt_nobody(site, frames, told):
    server = site.serve()
    odd, good = site.foreign("two"), site.foreign("one")
    odd.send_multipart(frames)
    odd.send(pack(["odd lives"]))
    good.send(pack(["good lives"]))
    server.wait("heard one 1 10 good lives")
    server.wait("heard two 1 9 odd lives")
    assert server.count("heard") == 2
    wait_for(f"{told} in {server.talk}", lambda: told in "".join(server.talk))


def test_a_peer_that_goes_while_its_messages_wait(site):
    """libzmq 4.3.4 aborts when a ping of its own is due to such a peer."""
    server, gone, good = site.serve(), site.foreign("one", endpoint=site.ipc), site.foreign("two")
    for s in (gone, good):
        s.send(pack(["hello"]))
        s.recv()
    server.say("hold")
    server.wait("held")
    for i in range(300):
        gone.send(pack([f"burst {i}"]))
    gone.close(linger=2000)
    good.send(pack(["good lives"]))
    server.wait("heard two 1 10 good lives")
    assert server.count("heard one 1 ") > 50 and server.process.poll() is None


def test_a_req_and_a_router_as_peers_hurt_nobody(site):
    server, good = site.serve(), site.foreign("one")
    req = site.foreign("one", zmq.REQ)
    req.send(pack(["hello"]))  # a REQ puts an empty frame before it
    router = site.foreign("two", zmq.ROUTER)
    router.router_mandatory = 1
    with pytest.raises(zmq.ZMQError):
        router.send_multipart([b"x", b"y"])
    wait_for("the REQ's message", lambda: "dropped a message of one" in "".join(server.talk))
    good.send(pack(["good lives"]))
    server.wait("heard one 1 10 good lives")
    assert server.process.poll() is None


@pytest.mark.parametrize("wire", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 4096, b"\xff" * 64, os.urandom(4096),
    b"\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE" + b"\0" * 47 + b"\4\xc8\5HELLO" + b"\0" * 194,   # a HELLO that is not for us
    b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + b"\0" * 48 + b"\4\x19\5READY\x0bSocket-Type\0\0\0\6DEALER\0\3abc",
    b"\xff\0\0\0\0\0\0\0\1\x7f\3\0PLAIN" + b"\0" * 47 + b"\4\x0d\5HELLO\3one\3one",
    b"\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE" + b"\0" * 47 + b"\6\xff\xff\xff\xff\xff\xff\xff\xff",   # a length of 2^64 - 1
])
def test_bytes_that_are_no_peer_hurt_nobody(site, wire):
    server, good = site.serve(), site.foreign()
    address = site.tcp.removeprefix("tcp://").split(":")
    with socket.create_connection((address[0], int(address[1])), 5) as s:
        s.sendall(wire)
        good.send(pack(["hello"]))
        server.wait("heard one 1 5 hello")
        assert server.count("heard") == 1 and server.process.poll() is None


def open_silent(server, address, descriptors, count):
    """Connections that say nothing: until the server has so many descriptors, and at least count. A few at a time: what does
    not fit into its queue is tried again by the kernel after 1, 3, 7, ... seconds, when those already in are thrown out."""
    host, port = address.removeprefix("tcp://").split(":")
    silent = []

    def add(n):
        for _ in range(n):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, int(port)))
            silent.append(s)

    def is_full():
        missing = descriptors - len(os.listdir(f"/proc/{server.process.pid}/fd"))
        add(min(max(missing, 0), 16))
        return missing <= 0
    wait_for(f"{descriptors} descriptors", is_full)
    add(max(count - len(silent), 0))
    return silent


@pytest.mark.measures
@pytest.mark.parametrize("descriptors", [None, 256])
def test_three_hundred_silent_connections_do_not_stop_a_dealer(site, descriptors):
    server = site.serve(descriptors=descriptors)
    silent = open_silent(server, site.tcp, descriptors or 330, 300)
    began = time.monotonic()
    dealer = site.dealer()
    dealer.say("let me in")
    dealer.wait("answer let me in", timeout_s=30)
    print(f"served after {time.monotonic() - began:.1f} s with {len(silent)} silent connections")
    for s in silent:
        s.close()
    before_s, end = server.cpu_s(), time.monotonic() + 1
    wait_for("a second", lambda: time.monotonic() > end)
    assert server.cpu_s() - before_s < 0.5


def test_killed_server_and_killed_dealer_find_each_other_again(site):
    for endpoint in (site.tcp, site.ipc):
        server, dealer = site.serve(), site.dealer(endpoint=endpoint)
        dealer.say("first")
        dealer.wait("answer first")
        server.kill()
        server = site.serve()
        wait_for("the dealer again", lambda: dealer.say("again") or dealer.count("answer again"), 20, every_s=0.3)
        dealer.kill()
        dealer = site.dealer(endpoint=endpoint)
        dealer.say("another")
        dealer.wait("answer another")
        server.kill()
        dealer.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_peer_is_noticed(site, number):
    server, dealer = site.serve(), site.dealer()
    dealer.say("hello")
    dealer.wait("answer")
    server.say("ping")
    server.wait("ping OK")
    until = time.monotonic() + 1.5
    wait_for("the dealer's first ping of its own", lambda: time.monotonic() > until)
    dealer.kill(number)
    wait_for("no route", lambda: server.say("ping") or server.count("ping No route to host"), 10, every_s=0.3)


def test_revoked_in_mid_run(site):
    server, one, two = site.serve(), site.dealer("one"), site.dealer("two")
    for d in (one, two):
        d.say("hello")
        d.wait("answer hello")
    assert pl("plimsoll", "admin", "key", "revoke", "one", "--list", site.list).code == 0
    wait_for("the list to be read again", lambda: any("1 may speak" in line for line in server.talk))
    one.say("still here?")
    two.say("and I?")
    two.wait("answer and I?")
    assert server.count("heard one 1 11") == 0
    one.kill()
    one = site.dealer("one")
    one.say("new connection")
    wait_for("the refusal", lambda: any("refused a connection" in line for line in server.talk))
    assert server.count("heard one") == 1 and one.count("answer") == 0
    site.folder.joinpath("one").unlink()
    site.new_key("one")
    again = site.dealer("one")
    again.say("with a new key")
    again.wait("answer with a new key", timeout_s=15)
    assert one.count("answer") == 0
