"""What the services need on one host: Redis with our functions, CURVE keys, the list of loaders, passwords and a
plimsoll.yaml with `bus:`.

	with Bus(tmp_path / "bus") as bus:
		bus.configure(CONFIG_WITHOUT_BUS)
		planner = bus.start("planner")				# a Process: .pid, .log(), .signal(), .wait_log("...")
		loader = bus.start("loader", as_name="l1")		# key and allow-list line of l1
		bus.ingest(event)					# as the watcher would
		bus.drained(60)						# waits until nothing is under way

Every process has a folder of credentials of its own (CREDENTIALS_DIRECTORY, as systemd's LoadCredential makes it):
`redis` is its password, `curve` its secret key; the one plimsoll.yaml names them as credential:redis and credential:curve.
"""
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile

from .programs import binary, clean_env, dying_with_us, lines, pl
from .servers import Redis, adopt_orphans, free_port, wait_for

STAGES = ("watcher", "planner", "collector", "sink", "admin")
PATH_MAX_BYTES = 90  # of the folder: sockets stand in it
BUS = """\
bus:
  redis: {redis}
  secret: credential:redis
  work: {work}
  results: {results}
  key: credential:curve
  server_key: '{server_key}'
  loaders: {loaders}
  lease: {lease}
"""


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as f:
        f.write(text)


def new_key():
    """(public, secret) in Z85. Without quotes and backslashes, which would only be in the way in YAML."""
    import zmq
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


class Process:
    """A running stage. What it says is in a file."""

    def __init__(self, name, command, env, folder):
        self.name, self.log_path = name, os.path.join(folder, name + ".log")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def is_alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait_log(self, text, timeout_s=20):
        return wait_for(f"{self.name} says {text!r}", lambda: text in self.log(), timeout_s)

    def stop(self, timeout_s=10):
        """SIGTERM; the exit code."""
        adopt_orphans(True)
        if self.is_alive():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                pass
        return self.kill()

    def kill(self):
        if self.is_alive():
            self.popen.kill()
        self.popen.wait()
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.popen.returncode


class Bus:
    def __init__(self, folder, lease="2s", tcp=False, users=None, **redis_settings):
        self.folder = os.path.abspath(folder)
        self.short = None
        os.makedirs(self.path("secrets"), mode=0o700, exist_ok=True)
        if len(self.folder) > PATH_MAX_BYTES:  # sockets have short names
            self.short = tempfile.mkdtemp(prefix="pl-bus-")
        self.run_dir = self.short or self.folder
        self.lease, self.tcp, self.host, self.processes = lease, tcp, "127.0.0.1", []
        self.passwords = {stage: secrets.token_hex(32) for stage in STAGES}
        self.admin_password = secrets.token_hex(32)
        self.redis = Redis(os.path.join(self.folder, "redis"), users=users or self.users(),
                           admin=("test", self.admin_password), **redis_settings)
        self.server, self.loaders = new_key(), {}
        self.config_path, self.state = self.path("plimsoll.yaml"), self.path("state")
        os.makedirs(self.state, exist_ok=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # -- what stands in files --

    def users(self):
        """Redis' ACL file as `plimsoll admin acl` prints it, and a user of the tests who may do everything."""
        for stage, password in self.passwords.items():
            write(self.path("secrets", "pl-" + stage), password)
        r = pl("plimsoll", "admin", "acl", "--secrets", self.path("secrets"))
        assert r.code == 0, r
        hashed = hashlib.sha256(self.admin_password.encode()).hexdigest()
        return f"user test on #{hashed} ~* &* +@all\n" + r.text

    def endpoints(self):
        if self.tcp:
            self.ports = getattr(self, "ports", None) or (free_port(), free_port())
            return tuple(f"tcp://{self.host}:{port}" for port in self.ports)
        return tuple(f"ipc://{self.run_dir}/{name}.sock" for name in ("work", "results"))

    def configure(self, text):
        """plimsoll.yaml: the text and the bus: section."""
        work, results = self.endpoints()
        write(self.config_path, text + "\n" + BUS.format(
            redis=self.redis.socket, work=f"['{work}']", results=f"['{results}']", server_key=self.server[0],
            loaders=self.path("loaders"), lease=self.lease))
        return self

    def credentials(self, name):
        """The folder that process `name` finds its secrets in; made when it is first asked for."""
        folder = self.path("credentials", name)
        if os.path.isdir(folder):
            return folder
        os.makedirs(folder, mode=0o700)
        stage = name.split("-")[0]
        if stage in self.passwords:
            write(os.path.join(folder, "redis"), self.passwords[stage])
        if stage in ("planner", "collector"):
            write(os.path.join(folder, "curve"), self.server[1])
        return folder

    def add_loader(self, name):
        """A key pair, its line in the list, its credentials."""
        if name in self.loaders:
            return
        public, secret = new_key()
        self.loaders[name] = public
        write(os.path.join(self.credentials("loader-" + name), "curve"), secret)
        self.write_loaders()

    def write_loaders(self):
        write(self.path("loaders"), "".join(f"{name} {public}\n" for name, public in self.loaders.items()))

    # -- processes --

    def environment(self, name, env=None):
        return clean_env(dict(env or {}, CREDENTIALS_DIRECTORY=self.credentials(name)), home=self.folder)

    def arguments(self, stage, name, *more):
        return [binary(stage), "--bus", "--config", self.config_path, "--state", os.path.join(self.state, name), *map(str, more)]

    def start(self, stage, *args, as_name=None, env=None):
        """Starts a stage; a loader needs as_name. The collector and the sink share a folder of results."""
        name = f"{stage}-{as_name}" if as_name else stage
        if stage == "loader":
            self.add_loader(as_name)
        state = "collector" if stage == "sink" else name
        os.makedirs(os.path.join(self.state, state), exist_ok=True)
        p = Process(name, dying_with_us(self.arguments(stage, state, *args)), self.environment(name, env), self.folder)
        self.processes.append(p)
        return p

    # -- as somebody else would --

    def fcall(self, function, *args):
        return self.redis.call("FCALL", function, 0, *args)

    def ingest(self, event):
        """A change as the watcher puts it into Redis. The reply."""
        kind = "removed" if "function.removed" in event["type"] else "change"
        return self.fcall("pl_ingest", event["id"], event["subject"], kind, lines(event).decode().rstrip("\n"))

    def counts(self):
        """pl_status as a dict."""
        reply = self.fcall("pl_status")
        return {k: v for k, v in zip(reply[1::2], reply[2::2])}

    def idle(self):
        """Nothing queued, planned, active, measured or unpublished."""
        r = self.redis.client()
        return all(r.zcard("{pl}:" + q) == 0 for q in ("q:new", "q:run", "q:lease", "q:meas", "q:out")) and \
            not any(r.scan_iter("{pl}:fq:*", count=1000))

    def drained(self, timeout_s=60):
        wait_for("an idle bus", self.idle, timeout_s, 0.1)

    def journal(self):
        return [dict(fields, at=at) for at, fields in self.redis.client().xrange("{pl}:aud")]

    # -- life --

    def __enter__(self):
        """Only Redis is started."""
        self.redis.start()
        if os.path.exists(self.redis.LIBRARY):
            self.redis.load_library()
        self.write_loaders()
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            p.stop(5)
        self.redis.stop()
        self.remove()

    def remove(self):
        """What short socket paths needed."""
        self.redis.remove()
        if self.short:
            shutil.rmtree(self.short, ignore_errors=True)


def http_config(witness, functions, rate="20/s", duration="1s", more="", limits=None):
    """plimsoll.yaml without bus: for http functions web/<name> on a witness (helpers/witness.c)."""
    rules = "".join(f"  web/{name}: {{url: '{witness.url}/{name}', payload: '{{}}', tests: [tiny]}}\n" for name in functions)
    return f"""\
accounts:
  web: {{provider: http, allow: [127.0.0.1], quiet_time: 0s}}
functions:
{rules}tests:
  tiny:
    workload: {{executor: constant-arrival-rate, rate: {rate}, duration: {duration}, spread: off}}
    warmup: 0s
    when: [added, code]
metrics: {{gate: {{response_p50: {{tolerance: 10%}}}}}}
limits: {limits or '{cost_per_run: 1 USD, cost_per_day: 1000000 USD, rate: 10000/s, concurrency: 100000, abort_error_ratio: 100%}'}
{more}
"""
