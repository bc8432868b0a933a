#!/usr/bin/env python3
"""Records what real servers answer, byte for byte, into tests/data/answers (test_recorded.c reads them).

	build/venv/bin/python tests/helpers/record_answers.py

NAME.http1 holds one answer, NAME.head the answer to HEAD, NAME.http2 all that a server says to a client that asks on streams 1 and 3.
Programs: nginx, node, Python's http.server, hypercorn. Run it again when there is a new server to learn from.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import h2.config
import h2.connection

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from helpers.servers import Nginx, free_port, wait_for  # noqa: E402

OUT = os.path.join(os.path.dirname(HERE), "data", "answers")
PAGE = "".join(f"line {i} of a page\n" for i in range(60))
NGINX = """
    location = /ok { return 200 "ok\\n"; }
    location = /json { default_type application/json; add_header X-Request-Id $request_id; return 200 '{"ok":true}'; }
    location = /page { if_modified_since before; root FOLDER; }
    location = /gzip { gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0; alias FOLDER/page; }
    location = /chunks { ssi on; ssi_types *; alias FOLDER/page; }
    location = /moved { return 301 /ok; }
    location = /empty { return 204; }
    location = /bad { return 503; }
    location = /closed { keepalive_timeout 0; return 200 "bye\\n"; }
"""
NODE = """
const http = require("http"), http2 = require("http2");
const answers = {
  "/ok": r => r.end("ok\\n"),
  "/chunks": r => { r.write("one"); r.write("two two"); r.end("three"); },
  "/trailers": r => { r.writeHead(200, {Trailer: "X-Sum", "Content-Type": "text/plain"}); r.write("body"); r.addTrailers({"X-Sum": "9"}); r.end(); },
  "/early": r => { r.writeEarlyHints({link: "</a.css>; rel=preload"}); r.end("late"); },
  "/cookies": r => { r.setHeader("Set-Cookie", ["a=1", "b=2; Path=/"]); r.end("ok"); },
  "/latin": r => { r.writeHead(404, "Nicht da", {"X-Name": "Gr\\u00fc\\u00dfe"}); r.end(); },
};
const answer = (q, r) => answers[q.url](r);
http.createServer(answer).listen(PORT1, "127.0.0.1");
http2.createServer({}, answer).listen(PORT2, "127.0.0.1");
"""
ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
    for part in (b"one", b"two", b""):
        await send({"type": "http.response.body", "body": part, "more_body": bool(part)})
"""


def save(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)
    print(f"{name}: {len(data)} bytes")


def read_all(s, idle_s=0.4):
    s.settimeout(idle_s)
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except TimeoutError:
        pass
    return data


def over_http1(name, port, path, method="GET", more=""):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n{more}\r\n".encode())
        save(f"{name}.{'head' if method == 'HEAD' else 'http1'}", read_all(s))


def over_http2(name, port, *paths):
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    client.initiate_connection()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(client.data_to_send())
        first = read_all(s)
        for i, path in enumerate(paths):
            head = [(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", path), ("accept-encoding", "gzip")]
            client.send_headers(1 + 2 * i, head, end_stream=True)
        s.sendall(client.data_to_send())
        save(name + ".http2", first + read_all(s))


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Running:
    """A program on a port."""

    def __init__(self, command, port):
        self.command, self.port = command, port

    def __enter__(self):
        self.p = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.command], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(self.command[0], lambda: is_open(self.port))

    def __exit__(self, *_):
        os.killpg(self.p.pid, signal.SIGKILL)  # hypercorn has workers
        self.p.wait()


def nginx(folder):
    with open(os.path.join(folder, "page"), "w", encoding="ascii") as f:
        f.write(PAGE)
    with Nginx(folder, locations=NGINX.replace("FOLDER", folder)) as server:
        for name in ("ok", "json", "page", "gzip", "chunks", "moved", "empty", "bad", "closed", "absent"):
            over_http1("nginx-" + name, server.port, "/" + name)
        for name in ("page", "gzip", "chunks"):
            over_http1("nginx-" + name, server.port, "/" + name, "HEAD")
        over_http1("nginx-range", server.port, "/page", more="Range: bytes=10-99\r\n")
        over_http1("nginx-ranges", server.port, "/page", more="Range: bytes=10-19,30-39\r\n")
        over_http1("nginx-not-modified", server.port, "/page", more="If-Modified-Since: Fri, 01 Jan 2049 00:00:00 GMT\r\n")
        over_http1("nginx-refused", server.port, "/ok", more="bad header line\r\n")


def nginx_http2(folder):
    server = Nginx(folder, locations=NGINX.replace("FOLDER", folder))
    plain = server.command
    server._ready_or_dead = lambda: server.process.poll() is not None or is_open(server.port)

    def command():
        words = plain()
        path = os.path.join(folder, "nginx.conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(f":{server.port};", f":{server.port} http2;"))
        return words
    server.command = command
    with server:
        over_http2("nginx-two", server.port, "/ok", "/json")
        over_http2("nginx-pages", server.port, "/page", "/gzip")
        over_http2("nginx-none", server.port, "/empty", "/absent")


def node(folder):
    ports = free_port(), free_port()
    script = os.path.join(folder, "server.js")
    with open(script, "w", encoding="utf-8") as f:
        f.write(NODE.replace("PORT1", str(ports[0])).replace("PORT2", str(ports[1])))
    with Running(["node", script], ports[1]):
        for name in ("ok", "chunks", "trailers", "early", "cookies", "latin"):
            over_http1("node-" + name, ports[0], "/" + name)
        over_http1("node-chunks", ports[0], "/chunks", "HEAD")
        over_http1("node-continue", ports[0], "/ok", more="Expect: 100-continue\r\nContent-Length: 0\r\n")
        over_http2("node-two", ports[1], "/ok", "/cookies")
        over_http2("node-trailers", ports[1], "/trailers", "/chunks")


def others(folder):
    port = free_port()
    with open(os.path.join(folder, "page.txt"), "w", encoding="ascii") as f:
        f.write(PAGE)
    with Running([sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", folder, str(port)], port):
        over_http1("python-page", port, "/page.txt")
        over_http1("python-absent", port, "/absent")
    with open(os.path.join(folder, "asgi.py"), "w", encoding="ascii") as f:
        f.write(ASGI)
    os.chdir(folder)
    with Running([sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{port}", "asgi:app"], port):
        over_http1("hypercorn", port, "/")
        over_http2("hypercorn", port, "/a", "/b")


def main():
    os.makedirs(OUT, exist_ok=True)
    for record in (nginx, nginx_http2, node, others):
        with tempfile.TemporaryDirectory() as folder:
            record(folder)
            time.sleep(0.1)


if __name__ == "__main__":
    main()
