"""The functions of Redis (docs/STATE.md) as calls, for tests: what a watcher, planner, loader, collector and sink would do.

	jobs = Jobs(redis)
	run = jobs.planned("prod/hello")			# ingested and planned; mut=True, shards=3, cost=…, resources=[…]
	token = jobs.lease(run)["token"]
	jobs.shard(run, token), jobs.judge(run)			# "OK"
	jobs("pl_told", run)					# any function: the list it answers
"""
import itertools

DAY = "2026-11-22"


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Jobs:
    def __init__(self, redis):
        self.redis, self.numbers = redis, itertools.count(1)

    def __call__(self, function, *args):
        return self.redis.call("FCALL", function, 0, *args)

    def hash(self, kind, id):
        return self.redis.client().hgetall(f"{{pl}}:{kind}:{id}")

    def run(self, run):
        return self.hash("r", run)

    def function(self, fn):
        return self.hash("f", fn)

    def state(self, run):
        r = self.run(run)
        return " ".join(s for s in (r.get("st", "none"), r.get("end", "")) if s)

    def ingest(self, fn="prod/hello", kind="change", id=None):
        id = id or f"c{next(self.numbers)}"
        reply = self("pl_ingest", id, fn, kind, '{"id":"%s"}' % id)
        assert reply[0] == "OK", reply
        return id

    def plan(self, change, shards=1, mut=False, cost=0, resources=(), decision="test", day_limit=0, run=None):
        run = run or f"r{next(self.numbers):020d}"
        flat = [word for resource in resources for word in resource]
        reply = self("pl_plan", change, DAY, day_limit, 0, 1, run, decision, f"plan of {run}", cost, int(mut), "prod", shards,
                     len(resources), *flat, *(f"shard {i} of {run}" for i in range(shards)))
        assert reply == ["OK"], reply
        return run

    def planned(self, fn="prod/hello", **plan):
        return self.plan(self.ingest(fn), **plan)

    def lease(self, run, *owners, ttl_ms=30000):
        owners = owners or ("l1",)
        reply = self("pl_lease", run, "n", ttl_ms, *owners)
        return {"code": reply[0], "why": reply[1]} if reply[0] != "OK" else {"code": "OK", "token": reply[1], "attempt": int(reply[2])}

    def beat(self, run, token, owner="l1", i=0, is_running=1):
        return self("pl_beat", run, i, token, owner, 30000, is_running)

    def fail(self, run, token, owner="l1", i=0, is_retry=1, why="why", backoff_ms=0):
        return self("pl_fail", run, i, token, owner, is_retry, why, backoff_ms)

    def shard(self, run, token, owner="l1", i=0):
        return self("pl_shard", run, i, token, owner, "a" * 64, 100)

    def judge(self, run, rev=0, verdict="worse", confirm=0, cost=""):
        return self("pl_judge", run, rev, "b" * 64, 100, verdict, confirm, cost, 0)

    def publish(self, fn="prod/hello"):
        """The sink delivers all that there is to tell; the entries."""
        reply = self("pl_out", 100, 30000)
        if reply == ["OK"]:
            self.make_due("out", fn)
            reply = self("pl_out", 100, 30000)
        for name, entries in self.outbox(reply):
            if name == fn:
                names = [entry["entry"] for entry in entries]
                assert self("pl_out_done", fn, *names) == ["OK", "0"]
                return names
        return []

    @staticmethod
    def outbox(reply):
        """pl_out's reply: [(fn, [entry])]."""
        words, out = iter(reply[1:]), []
        for fn in words:
            entries = []
            for _ in range(int(next(words))):
                entry = dict(zip(("entry", "what", "ref", "sha", "bytes"), itertools.islice(words, 5)))
                entry["to"] = list(itertools.islice(words, int(next(words))))
                entries.append(entry)
            out.append((fn, entries))
        return out

    def make_due(self, queue, member=None):
        """Time goes by: what waits in this queue is due now (a lease: over)."""
        key, client = "{pl}:q:" + queue, self.redis.client()
        for name in [member] if member else client.zrange(key, 0, -1):
            client.zadd(key, {name: 1}, xx=True)

    def expire(self, run):
        """The lease of a run ends, and somebody looks."""
        for i in range(int(self.run(run)["n"])):
            self.make_due("lease", f"{run}/{i}")
        self("pl_reap", 100)
        self.make_due("run", run)

    def audit(self):
        """What a whole pass mended."""
        cursor, mended = "0", []
        while True:
            reply = self("pl_audit", cursor)
            cursor, mended = reply[1], mended + reply[2:]
            if cursor == "0":
                return mended
