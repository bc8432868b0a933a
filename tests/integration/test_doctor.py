"""plimsoll admin doctor: real servers in good and in bad states. Each bad state is a row: what is done to a host that
was fine, which check tells it, how, and the exit code."""
import glob
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from helpers.bus import new_key, write
from helpers.cloud import allow
from helpers.programs import binary, build_dir, clean_env, pl
from helpers.servers import Prometheus, Pushgateway, Redis, free_port

CONFIG = """\
accounts:
  web: {provider: http, allow: [127.0.0.1]}
functions:
  web/hello: {url: "http://127.0.0.1:9/", payload: '{}'}
"""
CLOUD = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: "%s"}
functions:
  prod/hello: {payload: '{}'}
"""
BUS = """\
bus:
  redis: %(redis)s
  secret: credential:redis
  work: ['ipc://%(run)s/work.sock']
  results: ['ipc://%(run)s/results.sock']
  key: credential:curve
  server_key: '%(server_key)s'
  loaders: %(folder)s/loaders
"""
NO_KEYS = {"AWS_EC2_METADATA_DISABLED": "true"}


class Host:
    """A monitoring host that is fine: secrets, users, library, keys, somebody who listens on the endpoints."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.secrets, self.state = self.path("secrets"), self.path("state")
        self.config, self.extra, self.env, self.args = CONFIG, "", {}, []
        os.mkdir(self.secrets, 0o700)
        os.mkdir(self.state, 0o755)
        acl = pl("plimsoll", "admin", "acl", "--create", "--secrets", self.secrets)
        assert acl.code == 0
        self.server_key, secret = new_key()
        self.loader_key, loader_secret = new_key()
        write(self.secrets + "/curve", secret + "\n")
        write(self.secrets + "/loader-1", loader_secret + "\n")
        write(self.path("loaders"), f"1 {self.loader_key}\n", 0o644)
        self.redis = Redis(self.path("redis"), users=acl.text + "user test on nopass ~* &* +@all\n", admin=("test", "x")).start()
        self.run_dir = os.path.dirname(self.redis.socket)
        self.redis_socket = self.redis.socket
        self.listening = []
        for name in ("work.sock", "results.sock"):
            s = socket.socket(socket.AF_UNIX)
            s.bind(f"{self.run_dir}/{name}")
            s.listen(8)
            self.listening.append(s)
        self.write_config()
        assert pl("plimsoll", "admin", "install", "--config", self.path("plimsoll.yaml"),
                  "--secret", f"file:{self.secrets}/pl-admin").code == 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_config(self):
        write(self.path("plimsoll.yaml"), self.config + BUS % {
            "redis": self.redis_socket, "run": self.run_dir, "folder": self.folder, "server_key": self.server_key} + self.extra)

    def doctor(self, *args, prefix=()):
        """(exit code, {check: [(state, found, todo)]})"""
        command = [*prefix, binary("plimsoll"), "admin", "doctor", "--config", self.path("plimsoll.yaml"), "--secrets",
                   self.secrets, "--state", self.state, "--wait", "2s", *self.args, *args]
        p = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, env=clean_env(self.env))
        assert p.stderr == "" and p.returncode in (0, 100, 111), p.stderr
        answer, found = json.loads(p.stdout), {}
        for f in answer["checks"]:
            found.setdefault(f["check"], []).append((f["state"], f["found"], f.get("todo")))
        states = [f["state"] for f in answer["checks"]]
        assert all(answer[s] == states.count(s) for s in ("ok", "warning", "wrong"))
        assert all(f.get("todo") for f in answer["checks"] if f["state"] == "warning"), answer
        return p.returncode, found

    def config_set(self, *pairs):
        self.redis.call("CONFIG", "SET", *pairs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.listening:
            s.close()
        self.redis.stop()
        self.redis.remove()


@pytest.fixture
def host(tmp_path):
    with Host(tmp_path) as h:
        yield h


def states(found, check):
    return [state for state, _, _ in found.get(check, [])]


def test_a_good_host(host):
    code, found = host.doctor()
    wrong = [(c, f) for c, list_ in found.items() for f in list_ if f[0] != "ok" and c != "services"]
    assert (code, wrong) == (0, [])
    for check in ("settings", "programs", "secrets", "folders", "redis", "redis settings", "redis version", "redis memory",
                  "redis users", "library", "disk", "clock", "keys", "loaders", "endpoints", "cloud"):
        assert "ok" in states(found, check), check


def test_it_changes_nothing(host):
    """Two times the same, and no key of Redis, no file is another."""
    def picture():
        files = {p: (os.stat(p).st_mtime_ns, os.stat(p).st_size) for p in glob.glob(host.folder + "/**", recursive=True)
                 if "redis" not in p}
        return files, host.redis.call("DBSIZE"), host.redis.call("FUNCTION", "DUMP")
    before = picture()
    assert host.doctor()[1]["keys"] == host.doctor()[1]["keys"]
    assert picture() == before


def test_table_for_people(host):
    p = pl("plimsoll", "admin", "doctor", "--config", host.path("plimsoll.yaml"), "--secrets", host.secrets, "--state", host.state)
    assert p.code == 0 and "appendfsync always" in p.text
    assert p.text.splitlines()[-1].endswith("0 wrong")
    host.config_set("appendfsync", "everysec")
    p = pl("plimsoll", "admin", "doctor", "--config", host.path("plimsoll.yaml"), "--secrets", host.secrets, "--state", host.state)
    assert p.code == 100
    line = next(i for i, t in enumerate(p.text.splitlines()) if "appendfsync is everysec" in t)
    assert "-> appendfsync always in its configuration" in p.text.splitlines()[line + 1]


def no_settings(h):
    os.remove(h.path("plimsoll.yaml"))


def bad_settings(h):
    h.config = CONFIG.replace("provider: http", "provider: htpp")
    h.write_config()


def no_bus(h):
    write(h.path("plimsoll.yaml"), CONFIG)


def open_secret(h):
    os.chmod(h.secrets + "/pl-sink", 0o644)


def open_secrets(h):
    os.chmod(h.secrets, 0o755)


def no_secret(h):
    os.remove(h.secrets + "/pl-sink")


def empty_secret(h):
    write(h.secrets + "/pl-planner", "")


def wrong_password(h):
    write(h.secrets + "/pl-admin", "not this one")


def wrong_user_password(h):
    write(h.secrets + "/pl-watcher", "not this one")


def redis_down(h):
    h.redis.stop()


def no_appendonly(h):
    h.config_set("appendonly", "no")


def everysec(h):
    h.config_set("appendfsync", "everysec")


def evicting(h):
    h.config_set("maxmemory-policy", "allkeys-lru")


def rewrite_unsafe(h):
    h.config_set("no-appendfsync-on-rewrite", "yes")


def no_maxmemory(h):
    h.config_set("maxmemory", "0")


def nearly_full(h):
    h.config_set("maxmemory", str(int(int(h.redis.call("INFO", "memory")["used_memory"]) * 1.1)))


def default_user(h):
    h.redis.call("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*")


def no_user(h):
    h.redis.call("ACL", "DELUSER", "pl-sink")


def user_without_rights(h):
    h.redis.call("ACL", "SETUSER", "pl-collector", "-fcall")


def no_library(h):
    h.redis.call("FUNCTION", "FLUSH")


def other_library(h):
    h.redis.call("FUNCTION", "LOAD", "REPLACE", "#!lua name=plimsoll\nredis.register_function{function_name='pl_version', "
                 "callback=function() return {'OK', '0'} end, flags={'no-writes'}}")


def other_server_key(h):
    h.server_key = new_key()[0]
    h.write_config()


def bad_curve(h):
    write(h.secrets + "/curve", "no key")


def no_list(h):
    os.remove(h.path("loaders"))


def broken_list(h):
    write(h.path("loaders"), "1\n", 0o644)


def open_list(h):
    os.chmod(h.path("loaders"), 0o666)


def closed_list(h):
    os.chmod(h.path("loaders"), 0o600)


def empty_list(h):
    write(h.path("loaders"), "# nobody\n", 0o644)
    os.remove(h.secrets + "/loader-1")


def not_listed(h):
    write(h.path("loaders"), f"2 {new_key()[0]}\n", 0o644)


def listed_otherwise(h):
    write(h.path("loaders"), f"1 {new_key()[0]}\n", 0o644)


def nobody_listens(h):
    h.listening.pop().close()


def no_state(h):
    os.rmdir(h.state)


def open_state(h):
    os.chmod(h.state, 0o777)


def gateway_down(h):
    h.extra = "sinks:\n  pushgateway: {url: 'http://127.0.0.1:%d'}\n" % free_port()
    h.write_config()


def cloud_away(h):
    h.config = CLOUD % ("http://127.0.0.1:%d" % free_port())
    h.env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    h.write_config()


def cloud_without_keys(h):
    h.config = CLOUD % ("http://127.0.0.1:%d" % free_port())
    h.env = NO_KEYS
    h.write_config()


def prometheus_down(h):
    h.args = ["--prometheus", "http://127.0.0.1:%d" % free_port()]


BAD = [
    # what was done, check, state, exit code, words
    (no_settings, "settings", "wrong", 100, "plimsoll.yaml has"),
    (bad_settings, "settings", "wrong", 100, "htpp"),
    (no_bus, "settings", "wrong", 100, "no section bus:"),
    (open_secret, "secrets", "wrong", 100, "pl-sink can be read or written by others"),
    (open_secrets, "secrets", "wrong", 100, "can be read or written by others"),
    (no_secret, "secrets", "wrong", 100, "pl-sink is missing"),
    (empty_secret, "secrets", "wrong", 100, "pl-planner is empty"),
    (wrong_password, "redis", "wrong", 100, "does not let pl-admin in"),
    (wrong_user_password, "redis users", "wrong", 100, "user pl-watcher"),
    (redis_down, "redis", "wrong", 111, "does not answer"),
    (no_appendonly, "redis settings", "wrong", 100, "appendonly is no"),
    (everysec, "redis settings", "wrong", 100, "appendfsync is everysec"),
    (evicting, "redis settings", "wrong", 100, "maxmemory-policy is allkeys-lru"),
    (rewrite_unsafe, "redis settings", "wrong", 100, "no-appendfsync-on-rewrite is yes"),
    (no_maxmemory, "redis memory", "warning", 0, "maxmemory is not set"),
    (nearly_full, "redis memory", "warning", 0, "MB used (9"),
    (default_user, "redis users", "wrong", 100, "the default user is on"),
    (no_user, "redis users", "wrong", 100, "user pl-sink"),
    (user_without_rights, "redis users", "wrong", 100, "user pl-collector: NOPERM"),
    (no_library, "library", "wrong", 100, "not in Redis"),
    (other_library, "library", "wrong", 100, "another version"),
    (other_server_key, "keys", "wrong", 100, "not the key of planner and collector"),
    (bad_curve, "keys", "wrong", 100, "no CURVE key"),
    (no_list, "loaders", "wrong", 100, "loaders"),
    (broken_list, "loaders", "wrong", 100, "loaders:1: expected"),
    (open_list, "loaders", "wrong", 100, "others may write"),
    (closed_list, "loaders", "warning", 0, "unreadable"),
    (empty_list, "loaders", "warning", 0, "0 loaders"),
    (not_listed, "loaders", "wrong", 100, "loader 1 of this host is not in the list"),
    (listed_otherwise, "loaders", "wrong", 100, "another key for loader 1"),
    (nobody_listens, "endpoints", "wrong", 111, "results.sock of the collector"),
    (no_state, "folders", "wrong", 100, "No such file"),
    (open_state, "folders", "wrong", 100, "nobody else may write"),
    (gateway_down, "pushgateway", "wrong", 111, "127.0.0.1"),
    (cloud_away, "cloud", "wrong", 111, "account prod"),
    (cloud_without_keys, "cloud", "wrong", 100, "account prod"),
    (prometheus_down, "prometheus", "wrong", 111, "127.0.0.1"),
]


@pytest.mark.parametrize("spoil, check, state, want, words", BAD, ids=[row[0].__name__ for row in BAD])
def test_a_bad_host(host, spoil, check, state, want, words):
    spoil(host)
    code, found = host.doctor()
    told = [text for s, text, _ in found.get(check, []) if s == state]
    assert code == want, found
    assert any(words in text for text in told), found.get(check)


def test_gateway(host, tmp_path):
    """Ready is fine; with its own check of every push it is a warning."""
    with Pushgateway(tmp_path / "pushgateway") as gateway:
        host.extra = f"sinks:\n  pushgateway: {{url: '{gateway.url}'}}\n"
        host.write_config()
        code, found = host.doctor()
        assert code == 0 and "ok" in states(found, "pushgateway")
        is_checked = "--push.disable-consistency-check" not in gateway.command()
        assert ("warning" in states(found, "pushgateway")) == is_checked


def test_prometheus(host, tmp_path):
    """It scrapes nothing of ours; then the alerts are there and a target that is down is named."""
    rules = os.path.join(os.path.dirname(build_dir()), "..", "grafana", "rules.yml")
    with Prometheus(tmp_path / "p1") as prometheus:
        code, found = host.doctor("--prometheus", prometheus.url)
        assert code == 0 and states(found, "prometheus") == ["warning", "warning"]
    port = free_port()
    with Prometheus(tmp_path / "p2", [f"127.0.0.1:{port}"], rules=[rules], job="plimsoll-planner") as prometheus:
        prometheus.wait_for_query("up == 0")
        code, found = host.doctor("--prometheus", prometheus.url)
        assert code == 0 and states(found, "prometheus") == ["warning", "ok", "ok"]
        assert f"plimsoll-planner at 127.0.0.1:{port}" in found["prometheus"][0][1]


def test_cloud(host, cloud_auth):
    """A cloud that lets us in; with a wrong secret it is ours to mend; the file of the services is found by itself."""
    host.config = CLOUD % cloud_auth.server.url
    host.write_config()
    keys = cloud_auth.user("doctor", allow("lambda:ListFunctions")).env()
    host.env = dict(keys)
    assert "ok" in states(host.doctor()[1], "cloud")
    host.env = dict(keys, AWS_SECRET_ACCESS_KEY="wrong")
    code, found = host.doctor()
    assert code == 100 and states(found, "cloud") == ["wrong"]
    host.env = NO_KEYS
    write(host.secrets + "/aws", "[default]\naws_access_key_id = {AWS_ACCESS_KEY_ID}\naws_secret_access_key = {AWS_SECRET_ACCESS_KEY}\n"
          .format(**keys))
    assert "ok" in states(host.doctor()[1], "cloud")


@pytest.mark.parametrize("date, state", [("Sun, 22 Nov 2015 15:04:05 GMT", "wrong")])
def test_clock_of_the_cloud(host, date, state):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(403)
            self.send_header("Date", date)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.config = CLOUD % f"http://127.0.0.1:{server.server_address[1]}"
        host.env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        host.write_config()
        code, found = host.doctor()
        server.shutdown()
    assert code == 100
    assert any(s == state and "our clock is" in text for s, text, _ in found["cloud"])


def relay(upstream, listener, seconds_off):
    """Passes everything on, but answers TIME itself."""
    def serve(client):
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(upstream)
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            while data := client.recv(65536):
                if b"$4\r\nTIME\r\n" in data:
                    import time
                    client.sendall(b"*2\r\n$10\r\n%d\r\n$1\r\n0\r\n" % (time.time() + seconds_off))
                    data = data.replace(b"*1\r\n$4\r\nTIME\r\n", b"")
                if data:
                    server.sendall(data)

    def pump(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


@pytest.mark.parametrize("off, state", [(0, "ok"), (60, "wrong"), (-60, "wrong")])
def test_clock_of_redis(host, off, state):
    host.redis_socket = host.run_dir + "/relay.sock"
    host.write_config()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(host.redis_socket)
        listener.listen(16)
        relay(host.redis.socket, listener, off)
        code, found = host.doctor()
    assert states(found, "clock") == [state]
    assert code == (0 if state == "ok" else 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_full_disk(host):
    """A disk of 1 MB where the state lies, in a mount namespace of its own."""
    mount = f"mount -t tmpfs -o size=1m,mode=755 none {host.state} && \"$@\"; rc=$?; umount {host.state}; exit $rc"
    in_chroot = subprocess.run(["unshare", "-m", "true"], capture_output=True, timeout=20).returncode
    unshare = ["unshare", "-m", *(["--propagation=unchanged"] if in_chroot else [])]
    code, found = host.doctor(prefix=(*unshare, "sh", "-c", mount, "sh"))
    assert code == 100 and "wrong" in states(found, "disk")


def test_other_programs(host, tmp_path):
    """One program of another version, one that is missing: told by name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("plimsoll", "plimsoll-watcher", "plimsoll-planner", "plimsoll-collector", "plimsoll-loader"):
        shutil.copy(os.path.join(build_dir(), name), folder)
    (folder / "plimsoll-planner").write_text("#!/bin/sh\necho plimsoll-planner 0.0.9\n")
    p = subprocess.run([str(folder / "plimsoll"), "admin", "doctor", "--config", host.path("plimsoll.yaml"), "--secrets",
                        host.secrets, "--state", host.state, "--json"], capture_output=True, text=True, timeout=60,
                       env=dict(clean_env(), PATH="/usr/bin:/bin"))
    told = {f["found"].split("/")[-1]: f["state"] for f in json.loads(p.stdout)["checks"] if f["check"] == "programs"}
    assert p.returncode == 100
    assert told["plimsoll-planner is not of version 0.1.0"] == "wrong"
    assert told["plimsoll-sink does not start"] == "wrong"


def test_a_host_of_loaders(host):
    """No Redis, no other secrets: only its key, the key of its planner, the way to it."""
    host.redis.stop()
    for name in os.listdir(host.secrets):
        if not name.startswith("loader-"):
            os.remove(os.path.join(host.secrets, name))
    host.args = ["--loader"]
    code, found = host.doctor()
    assert code == 0 and not [c for c in found if "redis" in c or c == "library"], found
    assert host.loader_key in found["keys"][0][1]
    os.remove(host.secrets + "/loader-1")
    assert host.doctor()[0] == 100


def test_a_server_that_never_answers(host):
    """Somebody accepts and says nothing: the doctor waits --wait for it, not for ever."""
    import time
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        host.extra = "sinks:\n  pushgateway: {url: 'http://127.0.0.1:%d'}\n" % s.getsockname()[1]
        host.write_config()
        began = time.monotonic()
        code, found = host.doctor("--wait", "1s")
        assert code == 111 and states(found, "pushgateway") == ["wrong"]
        assert time.monotonic() - began < 15


def test_secrets_are_not_told(host):
    """Passwords and secret keys stand in no output, good or bad."""
    told = ""
    for spoil in (lambda h: None, wrong_user_password, bad_curve, redis_down):
        spoil(host)
        told += json.dumps(host.doctor()[1])
    for name in os.listdir(host.secrets):
        with open(os.path.join(host.secrets, name), encoding="utf-8") as f:
            assert f.read().strip() not in told, name
