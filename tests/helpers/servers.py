"""Real servers on free ports, each in a folder of its own.

Every server is a child in a session of its own that dies with us (PR_SET_PDEATHSIG), is waited for by
polling its own health page, and is stopped by its process id. Nothing is left behind, also after a failure.

	with Ministack(folder) as cloud:
		print(cloud.url)
"""
import ctypes
import json
import os
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from . import noise

PR_SET_CHILD_SUBREAPER = 36
READY_S = 60.0
STOP_S = 8.0
PATIENCE = 4


def adopt_orphans(yes):
    """While a server is stopped its children become ours, so that we can wait for them too."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, timeout_s=READY_S, every_s=0.05):
    """Polls check() until it returns something true; that is returned. On a machine that others keep it may take longer."""
    began = time.monotonic()
    while True:
        got = check()
        if got:
            return got
        waited_s = time.monotonic() - began
        if waited_s > timeout_s and not (waited_s < timeout_s * PATIENCE and noise.is_busy()):
            raise TimeoutError(f"{what}: not within {waited_s:.0f} s")
        time.sleep(every_s)


def http(url, data=None, method=None, headers=None, timeout_s=60):
    """One HTTP exchange: (status, text). Never raises on a status."""
    req = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(req, timeout=timeout_s) as r:
            return r.status, r.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode("utf-8", "replace")


def is_up(url):
    try:
        return http(url, timeout_s=2)[0] == 200
    except OSError:
        return False


class Server:
    """A process, its port and its folder. A subclass gives command() and health()."""

    name = "server"
    attempts = 3
    outlives_us = False  # a demo that is kept; nothing in a test

    def __init__(self, folder, port=None):
        self.folder = os.path.abspath(folder)
        self.fixed_port = port
        self.port = port
        self.process = None
        os.makedirs(self.folder, exist_ok=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def command(self):
        raise NotImplementedError

    def health(self):
        raise NotImplementedError

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": self.folder, "LANG": "C.UTF-8", "TMPDIR": self.folder}

    def log(self):
        with open(os.path.join(self.folder, self.name + ".log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def start(self):
        """Starts and waits until it is ready. A port lost to somebody else is tried again."""
        for attempt in range(self.attempts):
            self.port = self.fixed_port or free_port()
            self._spawn()
            try:
                wait_for(f"{self.name} on {self.url}", self._ready_or_dead)
            except BaseException:
                self.stop()
                raise
            if self.process.poll() is None:
                return self
            self.stop()
        raise RuntimeError(f"{self.name} does not start:\n{self.log()[-2000:]}")

    def _ready_or_dead(self):
        return self.process.poll() is not None or is_up(self.health())

    def _spawn(self):
        wrap = [] if self.outlives_us else ["setpriv", "--pdeathsig", "KILL", "--"]
        with open(os.path.join(self.folder, self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen(
                wrap + self.command(), env=self.environment(),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def signal(self, number):
        """To the server and its children (SIGSTOP, SIGCONT, SIGKILL)."""
        os.killpg(self.process.pid, number)

    def stop(self):
        if self.process is None:
            return
        adopt_orphans(True)
        try:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        except ProcessLookupError:
            pass
        self.kill()

    def kill(self):
        """The hard way, with whatever children are left."""
        if self.process is None:
            return
        adopt_orphans(True)
        try:
            self.signal(signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        try:
            while True:
                os.waitpid(-self.process.pid, 0)
        except ChildProcessError:
            adopt_orphans(False)
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Ministack(Server):
    """The AWS side: Lambda that runs code, STS, IAM, CloudWatch. auth=True checks signatures and policies."""

    name = "ministack"

    def __init__(self, folder, auth=False, concurrency=1000, port=None, account="123456789012", **env):
        super().__init__(folder, port)
        self.auth, self.concurrency, self.account, self.env = auth, concurrency, account, env
        self.region = "us-east-1"

    def command(self):
        return [os.path.join(os.path.dirname(sys.executable), "ministack")]

    def health(self):
        return self.url + "/_ministack/health"

    def environment(self):
        env = super().environment()
        for sub in ("tmp", "state", "s3"):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        # Functions run with our own interpreter; the emulator looks for python3 on the path.
        env["PATH"] = os.path.dirname(sys.executable) + ":" + env["PATH"]
        env.update(GATEWAY_PORT=str(self.port), BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1",
                   MINISTACK_REGION=self.region, MINISTACK_ACCOUNT_ID=self.account, LOG_LEVEL="WARNING",
                   IOT_MTLS_ENABLED="0", LAMBDA_ACCOUNT_CONCURRENCY=str(self.concurrency),
                   TMPDIR=os.path.join(self.folder, "tmp"), STATE_DIR=os.path.join(self.folder, "state"),
                   S3_DATA_DIR=os.path.join(self.folder, "s3"))
        if self.auth:
            env["AUTH"] = "true"
        env.update(self.env)
        return env

    def reset(self):
        http(self.url + "/_ministack/reset", data=b"", method="POST", timeout_s=30)


class Redis(Server):
    """Redis on a unix socket, with the settings that the services ask for (RUNBOOK). users: the text of an ACL file;
    without it everybody may do everything. Settings by name: appendfsync="no", maxmemory="16mb".

    redis.call("FCALL", "pl_version", 0)    # one command, as redis-py answers it
    redis.client()                          # redis-py
    """

    name = "redis"
    SOCKET_PATH_MAX = 100
    LIBRARY = os.path.join(os.path.dirname(__file__), "..", "..", "common", "jobs", "pl.lua")

    def __init__(self, folder, users=None, admin=None, **settings):
        super().__init__(folder, port=0)
        self.users, self.admin, self.short = users, admin, None
        self.settings = {"appendonly": "yes", "appendfsync": "always", "save": '""', "maxmemory": "512mb",
                         "maxmemory-policy": "noeviction", "port": "0", "unixsocketperm": "770", "daemonize": "no",
                         "aof-load-truncated": "yes", "aof-use-rdb-preamble": "yes"}
        self.settings.update({k.replace("_", "-"): v for k, v in settings.items()})
        self.socket = os.path.join(self.folder, "redis.sock")
        if len(self.socket) > self.SOCKET_PATH_MAX:
            self.short = tempfile.mkdtemp(prefix="pl-redis-")
            self.socket = os.path.join(self.short, "redis.sock")
        self._clients = {}

    @property
    def url(self):
        return "unix://" + self.socket

    @property
    def aof(self):
        return os.path.join(self.folder, "appendonlydir")

    def command(self):
        settings = dict(self.settings, unixsocket=self.socket, dir=self.folder)
        if self.users is not None:
            settings["aclfile"] = os.path.join(self.folder, "users.acl")
            with open(settings["aclfile"], "w", encoding="utf-8") as f:
                f.write(self.users)
        path = os.path.join(self.folder, "redis.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(f"{k} {v}\n" for k, v in settings.items())
        return ["redis-server", path]

    def _ready_or_dead(self):
        return self.process.poll() is not None or self.answers()

    def answers(self):
        import redis
        try:
            return self.client().ping()
        except (redis.exceptions.BusyLoadingError, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False

    def client(self, user=None, password=None, **kw):
        """redis-py; without a user the one that may do everything."""
        import redis.backoff
        import redis.retry
        if user is None and self.admin:
            user, password = self.admin
        if user in self._clients and not kw:
            return self._clients[user]
        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        made = redis.Redis(unix_socket_path=self.socket, username=user, password=password, decode_responses=True,
                           socket_timeout=10, encoding_errors="backslashreplace", retry=once, **kw)
        return made if kw else self._clients.setdefault(user, made)

    def call(self, *words):
        return self.client().execute_command(*words)

    cli = call

    def load_library(self, path=None):
        """The functions of common/jobs/pl.lua, as `plimsoll admin install` loads them."""
        with open(path or self.LIBRARY, encoding="utf-8") as f:
            return self.call("FUNCTION", "LOAD", "REPLACE", f.read())

    def restart(self, hard=False):
        self.kill() if hard else self.stop()
        return self.start()

    def kill(self):
        super().kill()
        for client in self._clients.values():
            client.connection_pool.disconnect()

    def remove(self):
        """After stop(): the folder that a short socket path needed."""
        if self.short:
            shutil.rmtree(self.short, ignore_errors=True)

    def __exit__(self, *_):
        self.stop()
        self.remove()


class Pushgateway(Server):
    """more: options, such as --push.disable-consistency-check, which our own unit has."""

    name = "pushgateway"

    def __init__(self, folder, port=None, more=()):
        super().__init__(folder, port)
        self.more = list(more)

    def command(self):
        # Debian's default keeps metrics in /var/lib, shared by all: keep them in memory.
        return ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{self.port}", "--persistence.file=", *self.more]

    def health(self):
        return self.url + "/-/ready"

    def metrics(self):
        return http(self.url + "/metrics")[1]

    def groups(self):
        """The label sets of all groups."""
        return [g["labels"] for g in json.loads(http(self.url + "/api/v1/metrics")[1])["data"]]

    def restart_empty(self):
        """Same port, nothing remembered (it keeps nothing on disk)."""
        self.stop()
        self.fixed_port = self.port
        return self.start()


class Prometheus(Server):
    """Scrapes the given host:port targets once a second. rules: paths of rule files; job: the label of what is scraped."""

    name = "prometheus"

    def __init__(self, folder, targets=(), rules=(), port=None, job="pushgateway"):
        super().__init__(folder, port)
        self.job, self.targets, self.rules = job, list(targets), [os.path.abspath(r) for r in rules]

    def command(self):
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": self.rules,
                       "scrape_configs": [{"job_name": self.job, "honor_labels": True,
                                           "static_configs": [{"targets": self.targets}]}]}, f)
        return ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{self.port}",
                f"--storage.tsdb.path={os.path.join(self.folder, 'data')}", "--log.level=warn"]

    def health(self):
        return self.url + "/-/ready"

    def query(self, expression):
        """An instant query: list of (labels, value)."""
        import urllib.parse
        status, text = http(self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(text)
        if status != 200 or answer["status"] != "success":
            raise RuntimeError(f"{expression}: {text}")
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def wait_for_query(self, expression, timeout_s=30):
        return wait_for(expression, lambda: self.query(expression), timeout_s, 0.2)


class Nginx(Server):
    """A plain HTTP target. locations: text that stands in its one server block. http2: instead of HTTP/1.1, or besides by ALPN."""

    name = "nginx"
    DEFAULT = """
        location = /ok { default_type text/plain; return 200 "ok\\n"; }
        location = /json { default_type application/json; return 200 '{"ok":true}'; }
        location = /bad { return 503 "bad\\n"; }
    """

    def __init__(self, folder, locations=DEFAULT, tls=None, port=None, http2=False):
        super().__init__(folder, port)
        self.locations, self.tls, self.http2 = locations, tls, http2

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def command(self):
        for sub in ("html", "nginx-tmp"):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        tls = ""
        if self.tls:
            tls = f"ssl_certificate {self.tls[0]}; ssl_certificate_key {self.tls[1]};"
        conf = f"""
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000; keepalive_timeout 75;
    client_body_temp_path {self.folder}/nginx-tmp/b; proxy_temp_path {self.folder}/nginx-tmp/p;
    fastcgi_temp_path {self.folder}/nginx-tmp/f; uwsgi_temp_path {self.folder}/nginx-tmp/u;
    scgi_temp_path {self.folder}/nginx-tmp/s;
    server {{ listen 127.0.0.1:{self.port}{' ssl' if self.tls else ''}{' http2' if self.http2 else ''}; root {self.folder}/html; {tls}
        location = /_health {{ return 200 "up\\n"; }}
        {self.locations}
    }}
}}
"""
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(conf)
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", self.folder, "-c", path]

    def health(self):
        return self.url + "/_health"

    def _ready_or_dead(self):
        if not self.tls and not self.http2:
            return super()._ready_or_dead()
        with socket.socket() as s:
            return self.process.poll() is not None or s.connect_ex(("127.0.0.1", self.port)) == 0


class Witness(Server):
    """An HTTP target that writes down who called (witness.c). calls(): its journal so far."""

    name = "witness"

    def __init__(self, folder, port=None, host="127.0.0.1"):
        super().__init__(folder, port)
        self.host = host

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def command(self):
        from .programs import build_dir
        return [os.path.join(build_dir(), "tests", "witness"), self.journal, str(self.port), self.host]

    @property
    def journal(self):
        return os.path.join(self.folder, "calls")

    def health(self):
        return self.url + "/_health"

    def stall(self, ms):
        http(f"{self.url}/_stall/{ms}", timeout_s=ms / 1000 + 10)

    def calls(self):
        """(wall clock in ns, path, Plimsoll-Run, Plimsoll-Attempt, port) of each request; "-" where one is missing."""
        with open(self.journal, encoding="latin-1") as f:
            for line in f:
                if line.endswith("\n"):
                    at, path, run, attempt, port = line.split(" ")
                    yield int(at), path, run, attempt, int(port)


def make_certificate(folder, names=("localhost",), addresses=("127.0.0.1",)):
    """A self-signed certificate: (certificate path, key path)."""
    os.makedirs(folder, exist_ok=True)
    crt, key = os.path.join(folder, "server.crt"), os.path.join(folder, "server.key")
    san = ",".join([f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses])
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=" + san,
                    "-keyout", key, "-out", crt], check=True, capture_output=True, timeout=30)
    return crt, key
