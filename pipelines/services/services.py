"""The services on one host under a supervisor instead of systemd: Redis, Pushgateway, planner, collector, sink, loaders
over TCP and CURVE, and whatever else somebody adds (watcher, Prometheus).

	with Services(folder, loaders=2) as s:
		s.configure(CONFIG_WITHOUT_BUS)
		s.start()				# ready when all have said so
		s.bus.ingest(event); s.wait_idle(60)
		s.kill("planner"); s.signal("redis", signal.SIGSTOP)
		s.restart("sink", env={"PLIMSOLL_CRASH": "sink.post-put:1:kill"})	# for one life

Secrets: each process has a folder of credentials of its own, as LoadCredential= makes it (helpers/bus.py).
"""
import os
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
from helpers import servers  # noqa: E402
from helpers.bus import Bus  # noqa: E402

from pipelines.services.supervisor import Supervisor  # noqa: E402

STAGES = ("planner", "collector", "sink")
LAST = ("pushgateway", "redis", "prometheus")


class Services:
    def __init__(self, folder, loaders=2, tcp=True, lease="2s", slots=16, stage_env=None, **redis_settings):
        self.folder, self.slots, self.stage_env = os.path.abspath(folder), slots, stage_env or {}
        self.bus = Bus(os.path.join(self.folder, "bus"), lease=lease, tcp=tcp, **redis_settings)
        self.redis = self.bus.redis
        self.push = servers.Pushgateway(os.path.join(self.folder, "pushgateway"), port=servers.free_port(),
                                        more=["--push.disable-consistency-check"])  # as systemd/ starts it
        self.push.port = self.push.fixed_port
        self.loaders = [f"l{i + 1}" for i in range(loaders)]
        self.stages, self.wraps = [], {}  # wraps: what stands before a loader's command
        self.supervisor = Supervisor(os.path.join(self.folder, "logs"))

    # -- setting up --

    def configure(self, text):
        """Settings without bus: and sinks:; {push} in them is the Pushgateway's address."""
        self.bus.configure(text.replace("{push}", self.push.url))
        return self

    def add_stage(self, stage, *args, as_name=None, env=None, wrap=()):
        """A stage under the supervisor; the collector and the sink share a folder of results. wrap stands before it."""
        name = f"{stage}-{as_name}" if as_name else stage
        if stage == "loader":
            self.bus.add_loader(as_name)
        state = "collector" if stage == "sink" else name
        os.makedirs(os.path.join(self.bus.state, state), exist_ok=True)
        self.stages.append(name)
        env = dict(self.stage_env, **(env or {}))
        self.supervisor.add(name, [*wrap, *self.bus.arguments(stage, state, *args)], self.bus.environment(name, env))
        return name

    def add_server(self, server):
        os.makedirs(server.folder, exist_ok=True)
        self.supervisor.add(server.name, server.command(), server.environment(), server.folder)

    def add_all(self):
        self.add_server(self.redis)
        self.add_server(self.push)
        for stage in STAGES:
            self.add_stage(stage)
        for name in self.loaders:
            self.add_stage("loader", "--slots", self.slots, as_name=name, wrap=self.wraps.get(name, ()))

    def start(self):
        """Redis first: the functions must be there when the stages look."""
        self.add_all()
        for name in self.stages:
            self.supervisor.services[name].is_held = True
        self.bus.write_loaders()
        self.supervisor.start()
        servers.wait_for("Redis", self.redis_answers)
        self.redis.load_library()
        servers.wait_for("Pushgateway", lambda: servers.is_up(self.push.health()))
        for name in self.stages:
            self.supervisor.release(name)
        return self

    def redis_answers(self):
        return self.supervisor.pid("redis") is not None and self.redis.answers()

    # -- trouble --

    def names(self):
        return list(self.supervisor.services)

    def signal(self, name, number):
        return self.supervisor.signal(name, number)

    def kill(self, name):
        return self.signal(name, signal.SIGKILL)

    def restart(self, name, env=None, number=None):
        """Ends it (SIGTERM), and starts it again with env added for this one life."""
        self.supervisor.hold(name, number)
        self.supervisor.release(name, self.bus.environment(name, dict(self.stage_env, **env)) if env else None)

    def wait_idle(self, timeout_s=60):
        """Nothing is under way, as Redis tells; a Redis that is just being started again is waited for."""
        import redis

        def is_idle():
            if self.supervisor.given_up():
                raise RuntimeError(f"ended with 100: {', '.join(self.supervisor.given_up())} (see {self.supervisor.folder})")
            try:
                return self.bus.idle()
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                return False
        servers.wait_for("an idle bus", is_idle, timeout_s, 0.1)

    # -- the end --

    def stop(self):
        codes = self.supervisor.stop(last=LAST)
        self.bus.remove()
        return codes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
