"""A small world for tests that kill: the services under their supervisor, a target that witnesses, changes fed as the
watcher feeds them, and the invariants at the end.

	with World(folder, functions=8, seed=1) as w:
		w.start()
		w.change("f1"); w.remove("f2")
		w.wait_idle(60)
		assert not w.wrong()
"""
import os
import random
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
from fault.invariants import Evidence, Journal, check  # noqa: E402
from helpers import servers  # noqa: E402
from helpers.programs import lines  # noqa: E402
from helpers.site import now  # noqa: E402
from pipelines.services.services import Services  # noqa: E402

ACCOUNT = "web"
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
CONFIG = """\
accounts:
  web: {{provider: http, allow: ['{host}'], quiet_time: 0s}}
functions:
{rules}tests:
  tiny:                          # a few calls, as fast as they are answered
    workload: {{executor: shared-iterations, vus: 1, iterations: 3, duration: 5s}}
    warmup: 0s
    when: [added, code]
  second:                        # long enough to die in
    workload: {{executor: constant-arrival-rate, rate: 20/s, duration: {long}, spread: off}}
    warmup: 0s
    when: [added, code]
  halves:                        # carried by two loaders
    workload: {{executor: constant-arrival-rate, rate: 20/s, duration: 1s, spread: off, shards: 2}}
    warmup: 0s
    when: [added, code]
metrics: {{gate: {{error_ratio: {{tolerance: 1pp}}}}, report: [response_p50]}}
limits: {{cost_per_run: 1 USD, cost_per_day: 1000000 USD, rate: 100000/s, concurrency: 100000, abort_error_ratio: 100%}}
sinks:
  pushgateway: {{url: '{{push}}'}}
  archive: {{path: '{folder}/archive.sqlite'}}
  file: {{path: '{folder}/results.ndjson'}}
"""


def test_of(name):
    """Functions are called f0, f1, ...; each tenth lasts, each tenth is carried by two."""
    return {"7": "second", "8": "halves"}.get(name[-1], "tiny")


class World(Services):
    def __init__(self, folder, functions=10, seed=1, long="1s", host="127.0.0.1", **kw):
        super().__init__(folder, **kw)
        self.bus.host = host
        self.random = random.Random(seed)
        self.functions = [f"f{i}" for i in range(functions)]
        self.witness = servers.Witness(os.path.join(self.folder, "witness"), host=host)
        self.long, self.accepted, self.duplicates, self.fed = long, {}, 0, 0
        self.journal = Journal(self.redis)
        self.late_calls = 0

    def start(self):
        self.witness.start()
        rules = "".join(f"  {ACCOUNT}/{f}: {{url: '{self.witness.url}/{f}', payload: '{{{{}}}}', tests: [{test_of(f)}]}}\n"
                        for f in self.functions).replace("{{}}", "{}")
        self.configure(CONFIG.format(rules=rules, long=self.long, folder=self.folder, host=self.bus.host))
        return super().start()

    # -- feeding --

    def new_id(self):
        return "c" + "".join(self.random.choice(LETTERS) for _ in range(20))

    def event(self, function, kind):
        change = {"id": self.new_id(), "kind": "code", "causes": ["code"], "revision": f"r{self.fed}"}
        data = {"change": change}
        if kind == "removed":
            change.update(kind="removed", causes=["removed"])
        else:
            data["target"] = {"provider": "http", "is_immutable": False}
        self.fed += 1
        return {"specversion": "1.0", "type": f"plimsoll.function.{'removed' if kind == 'removed' else 'changed'}.v1",
                "id": change["id"], "source": "plimsoll/watcher@test", "subject": f"{ACCOUNT}/{function}", "time": now(),
                "datacontenttype": "application/json", "data": data}

    def feed(self, event, kind, patience_s=60):
        """Until it is accepted, as the watcher does: the reply's first word."""
        import redis
        end = time.monotonic() + patience_s
        client = self.redis.client("pl-watcher", self.bus.passwords["watcher"])
        while True:
            try:
                reply = client.execute_command("FCALL", "pl_ingest", 0, event["id"], event["subject"], kind,
                                               lines(event).decode().rstrip("\n"))
                break
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.accepted[event["id"]] = (event["subject"], kind)
        self.duplicates += reply[0] == "DUP"
        return reply[0]

    def change(self, function):
        event = self.event(function, "change")
        self.feed(event, "change")
        return event["id"]

    def remove(self, function):
        event = self.event(function, "removed")
        self.feed(event, "removed")
        return event["id"]

    # -- looking --

    def runs_of(self, change):
        client = self.redis.client()
        return [k.rpartition(":")[2] for k in client.scan_iter("{pl}:r:*", count=1000) if client.hget(k, "chg") == change]

    def secrets(self):
        out = {f"password of pl-{stage}": p for stage, p in self.bus.passwords.items()}
        out["server key"] = self.bus.server[1]
        for name in self.bus.loaders:
            with open(os.path.join(self.bus.credentials("loader-" + name), "curve"), encoding="utf-8") as f:
                out[f"key of {name}"] = f.read()
        return out

    def evidence(self):
        return Evidence(redis=self.redis, journal=self.journal.read(), accepted=self.accepted, calls=list(self.witness.calls()),
                        gateway=self.push.metrics(), told=os.path.join(self.folder, "results.ndjson"),
                        secrets=self.secrets(), late_calls=self.late_calls,
                        folders=[self.supervisor.folder, self.bus.state, self.redis.aof],
                        pids=[p for p in map(self.supervisor.pid, self.names()) if p])

    def gateway_settled(self, timeout_s=60):
        """Waits until the Pushgateway says what the state says; it is pushed to after Redis knows. What is wrong still."""
        from fault.invariants import State, gateway_is_state
        found = []

        def look():
            found[:] = list(gateway_is_state(self.evidence(), State(self.redis)))
            return not found
        try:
            servers.wait_for("the gateway to equal the state", look, timeout_s, 0.5)
        except (TimeoutError, OSError) as e:
            found.append(f"I8 {e}")
        return found

    def wrong(self, timeout_s=30):
        self.gateway_settled(timeout_s)
        return check(self.evidence())

    def stop(self):
        for p in self.bus.processes:
            p.stop(2)
        codes = super().stop()
        self.witness.stop()
        return codes
