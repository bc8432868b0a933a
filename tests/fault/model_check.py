#!/usr/bin/env python3
"""model_check.py - random calls of all functions of docs/STATE.md, on Redis and on tests/fault/model.py.

	model_check.py [--calls N] [--seed N] [--library FILE]

Compares each reply, and after each hundred calls every key, the journal and the kicks. Ends with 1 at the first difference; the
seed that it prints finds it again. `make check-model` runs the million of a release.

How time passes: the scores that a call set are read (they must lie where the model says), then moved by a plain ZADD, to the past
or to half a minute from now. So holds, back-offs and leases run out when chance says so, and the functions know nothing of it.
"""
import argparse
import collections
import os
import random
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from fault.model import FARTHEST, Age, Any, Model, Unordered, Until, When, Wrong  # noqa: E402
from helpers.servers import Redis  # noqa: E402

SEQUENCE, BATCH = 500, 100  # calls until Redis is emptied; calls that travel together
FUNCTIONS, LOADERS = ("a/f1", "a/f2", "b/f3"), ("l1", "l2", "l3")
DOCS = ("planner/functions/a/f1", "planner/functions/b/f3", "collector/x", "collector/y", "planner/spent")
DAYS = ("2026-11-22", "2026-11-23")
RESOURCES = (("a/calls", 1, 2), ("a/calls", 2, 3), ("b/rate", 5, 7))
RUN_STATES = ("", "planned", "active", "measured", "judged", "published")
WRONG = (  # calls that must be refused whatever the state is
    ("pl_ingest", "c1"), ("pl_ingest", "c 1", "a/f1", "change", "x"), ("pl_ingest", "c1", "a/f1", "other", "x"),
    ("pl_ingest", "c1", "a/f1", "change", "x", "r1", "more"), ("pl_ingest", "c" * 65, "a/f1", "change", "x"),
    ("pl_changes", "x", "1000"), ("pl_changes", "1", "0"), ("pl_changes", "1", "60001"), ("pl_changes", "-1", "1"),
    ("pl_plan", "c1", "2026-11-22", "0", "1", "nokey", "x", "0"), ("pl_plan", "c1", "2026-11-22", "0", "0", "1"),
    ("pl_plan", "c1", "2026-11-22", "0", "0", "1", "r1", "test", "p", "1", "0", "a", "0", "0"),
    ("pl_plan", "c1", "2026-11-22", "0", "0", "1", "r1", "perhaps", "p", "1", "0", "a", "1", "0", "s"),
    ("pl_plan", "c1", "2026-11-22", "0", "0", "1", "r1", "test", "p", "1e3", "0", "a", "1", "0", "s"),
    ("pl_plan", "c1", "2026-11-22", "0", "0", "1", "r1", "test", "p", "1", "0", "a", "1", "1", "n", "1", "x", "s"),
    ("pl_plan", "c1", "2026-11-22", "0", "0", "0", "more"), ("pl_ready",), ("pl_lease", "r1", "n", "60001", "l1"),
    ("pl_lease", "r1", "n o", "1000", "l1"), ("pl_beat", "r1", "0", "1.n", "l1", "1000"),
    ("pl_beat", "r1", "x", "1.n", "l1", "1000", "0"), ("pl_beat", "r1", "0", "1.n", "l1", "1000", "2"),
    ("pl_beat", "r1", "1024", "1.n", "l1", "1000", "0"), ("pl_fail", "r1", "0", "1.n", "l1", "3", "w", "0"),
    ("pl_fail", "r1", "0", "1.n", "l1", "1", "w"), ("pl_shard", "r1", "0", "1.n", "l1", "sha"),
    ("pl_shard", "r1", "0", "1.n", "l1", "sha", "1", "more"), ("pl_report", "r1", "id"), ("pl_measured", "1"),
    ("pl_judge", "r1", "0", "sha", "1", "worse", "2", "", "0"), ("pl_judge", "r1", "0", "sha", "1", "worse", "0", "x", "0"),
    ("pl_judge", "r1", "0", "sha", "1", "worse", "0", "", "1", "a/b"), ("pl_told", "r/1"), ("pl_told",), ("pl_told", "r1", "x"), ("pl_out", "1"),
    ("pl_out_done",), ("pl_delivered",), ("pl_put", "a/b"), ("pl_put", "nokey", "x"), ("pl_loaders", "l1"),
    ("pl_docs",), ("pl_reap",), ("pl_reap", "1", "2"), ("pl_audit", "x"), ("pl_cancel", "r1"), ("pl_list", "nothing"),
    ("pl_list", "dead", "1001"), ("pl_show",), ("pl_dead", "forget", "r1"), ("pl_dead", "retry"),
)


class Difference(Exception):
    pass


class Wire:
    """Redis' protocol, many commands at once."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb", 1 << 16)

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, commands):
        out = []
        for command in commands:
            out.append(b"*%d\r\n" % len(command))
            for word in command:
                word = str(word).encode()
                out.append(b"$%d\r\n%b\r\n" % (len(word), word))
        self.socket.sendall(b"".join(out))

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest.decode() if kind != b"-" else Exception(rest.decode())

    def ask(self, *commands):
        self.send(commands)
        return [self.read() for _ in commands]

    def do(self, *command):
        return self.ask(command)[0]


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


READ = {  # how a key is read, and made comparable
    "hash": (lambda k: ("HGETALL", k), pairs),
    "list": (lambda k: ("LRANGE", k, 0, -1), list),
    "set": (lambda k: ("SMEMBERS", k), set),
    "zset": (lambda k: ("ZRANGE", k, 0, -1, "WITHSCORES"), pairs),
    "string": (lambda k: ("GET", k), str),
}


def type_of(key):
    kind = key.partition(":")[0]
    return {"q": "zset", "st": "zset", "dead": "zset", "fq": "list", "out": "list", "rep": "list", "dv": "set",
            "seq": "string", "tok": "string"}.get(kind, "hash")


class Clock:
    """When calls were made: they travel in batches, and Redis says its time before and after each."""

    def __init__(self):
        self.batches, self.of_call = [], {}

    def fits(self, actual, when):
        first, last = self.batches[self.of_call[when.call]]
        return first + when.after_ms <= float(actual) <= last + when.after_ms

    def matches(self, actual, expected):
        if isinstance(expected, When):
            return self.fits(actual, expected)
        if isinstance(expected, Age):
            since, now = self.batches[self.of_call[expected.since.call]], self.batches[-1]
            return max(now[0] - since[1], 0) <= int(actual) <= now[1] - since[0]
        if isinstance(expected, Until):
            now = self.batches[-1]
            return max(expected.score - now[1], 0) <= int(actual) <= max(expected.score - now[0], 0)
        if isinstance(expected, Any):
            return True
        if isinstance(expected, (int, float)):
            return float(actual) == expected
        if isinstance(expected, dict):
            return set(actual) == set(expected) and all(self.matches(actual[k], v) for k, v in expected.items())
        if isinstance(expected, list):
            return len(actual) == len(expected) and all(map(self.matches, actual, expected))
        if isinstance(expected, Unordered):
            n, size = len(expected.head), expected.size
            rows = sorted(actual[i:i + size] for i in range(n, len(actual), size))
            return actual[:n] == expected.head and self.matches(rows, sorted(expected.rows, key=lambda row: row[0]))
        return actual == expected


class Check:
    def __init__(self, socket_path, seed, out=None):
        self.wire, self.kicks, self.seed, self.random = Wire(socket_path), Wire(socket_path), seed, random.Random(seed)
        self.kicks.do("SUBSCRIBE", "{pl}:kick")
        self.cells, self.calls, self.out = collections.Counter(), 0, out
        self.ops = [op for op, weight in WEIGHTS.items() for _ in range(weight)]

    def close(self):
        self.wire.close()
        self.kicks.close()

    # -- one sequence --

    def start(self):
        self.wire.do("FLUSHDB")
        self.model, self.clock, self.names, self.macro = Model(), Clock(), collections.Counter(), collections.deque()
        self.base, self.moved, self.journal_at, self.journal_seen = self.time(self.wire.do("TIME")), 0, "-", 0
        self.model.far = self.base + 5_000_000
        self.mutable, self.far_share = self.random.random(), self.random.choice((0.05, 0.3, 0.6))
        self.history = []

    @staticmethod
    def time(reply):
        return int(reply[0]) * 1000 + int(reply[1]) // 1000

    def run(self, calls):
        began = time.monotonic()
        while self.calls < calls:
            self.start()
            for _ in range(SEQUENCE // BATCH):
                self.batch()
            self.audit()
            if self.out and self.calls % 50_000 < SEQUENCE:
                print(f"{self.calls} calls, {time.monotonic() - began:.1f} s", file=self.out, flush=True)

    def batch(self):
        commands, expected = [("TIME",)], [None]
        for _ in range(BATCH):
            self.calls += 1
            self.model.call += 1
            self.clock.of_call[self.model.call] = len(self.clock.batches)
            words, reply = self.step()
            commands.append(("FCALL", words[0], 0, *words[1:]))
            expected.append((words, reply))
            for queue in FARTHEST:
                if queue in self.model.kicked:
                    self.model.kicks.append(queue)
            self.model.kicked.clear()
            self.move_scores(commands, expected)
        commands.append(("TIME",))
        replies = self.wire.ask(*commands)
        self.clock.batches.append((self.time(replies[0]), self.time(replies[-1])))
        if self.clock.batches[-1][1] > self.base + 20_000:
            raise Difference("this machine is too slow: a sequence took more than 20 s")
        for reply, want in zip(replies, expected):
            if want is not None:
                self.history.append(want[0])
                self.same(reply, want[1], f"reply of {want[0]}")
        self.compare_keys()
        self.compare_journal()
        self.compare_kicks()

    def step(self):
        """The words of a call, and what it must answer."""
        op = self.macro.popleft() if self.macro else self.random.choice(self.ops)
        return op(self)

    def move_scores(self, commands, expected):
        """Scores that this call set: looked at, then moved."""
        for queue, member in dict.fromkeys(self.model.touched):
            scores = self.model.q[queue]
            if member in scores and isinstance(scores[member], When):
                self.moved += 1
                key, kind = "{pl}:q:" + queue, self.random.random()
                to = self.moved if kind > self.far_share else self.base + 30_000 + self.moved
                if kind < 0.01:
                    to = self.base + 10_000_000 + self.moved  # the clock was put back since
                commands += [("ZSCORE", key, member), ("ZADD", key, "XX", to, member)]
                expected += [(("score of", queue, member), scores[member]), None]
                scores[member] = to
        self.model.touched.clear()

    # -- comparisons --

    def same(self, actual, expected, what):
        if expected is Wrong:
            if isinstance(actual, Exception) and str(actual).startswith("ERR wrong argument"):
                return
        elif not isinstance(actual, Exception) and actual is not None and self.clock.matches(actual, expected):
            return
        last = "\n".join("  " + " ".join(map(str, words)) for words in self.history[-25:])
        raise Difference(f"seed {self.seed}, call {self.calls}: {what}\n  Redis: {actual!r}\n  model: {expected!r}\nlast calls:\n{last}")

    def compare_keys(self):
        model = {"{pl}:" + key: content for key, content in self.model.keys().items()}
        names = [k for k in self.wire.do("KEYS", "*") if k != "{pl}:aud"]
        self.same(sorted(names), sorted(model), "keys")
        replies = self.wire.ask(*[c for k in names for c in (READ[type_of(k[5:])][0](k), ("TTL", k))])
        for i, k in enumerate(names):
            content, keep = model[k]
            self.same(READ[type_of(k[5:])][1](replies[2 * i]), content, k)
            ttl = int(replies[2 * i + 1])
            if ttl != -1 if keep is None else not keep - 30 <= ttl <= keep:
                self.same(ttl, keep, "expiry of " + k)

    def compare_journal(self):
        """Of each change and run: the same moves in the same order."""
        entries = self.wire.do("XRANGE", "{pl}:aud", self.journal_at, "+")
        if entries:
            self.journal_at = "(" + entries[-1][0]
        moves = [tuple(pairs(fields)[k] for k in ("id", "f", "t", "tok", "w", "y")) for _, fields in entries]
        fresh = self.model.journal[self.journal_seen:]
        self.journal_seen = len(self.model.journal)
        for id in sorted({m[0] for m in moves} | {m[0] for m in fresh}):
            self.same([list(m) for m in moves if m[0] == id], [list(m) for m in fresh if m[0] == id], "journal of " + id)

    def compare_kicks(self):
        self.kicks.send([("PING",)])
        heard = []
        while (message := self.kicks.read())[0] != "pong":
            heard.append(message[2])
        self.same(heard, self.model.kicks, "kicks")
        self.model.kicks = []

    def audit(self):
        """A whole pass over what a sequence left behind finds nothing to mend."""
        cursor = "0"
        while True:
            reply = self.wire.do("FCALL", "pl_audit", 0, cursor)
            self.same(reply, ["OK", Any("cursor")], "audit")
            cursor = reply[1]
            if cursor == "0":
                return

    # -- chance --

    def chance(self, p):
        return self.random.random() < p

    def fresh(self, kind):
        self.names[kind] += 1
        return f"{kind}{self.names[kind]:020d}"

    def pick(self, of, other):
        return self.random.choice(of) if of else other

    def a_run(self, *states, share=0.75):
        """The id of a run, mostly one in these states."""
        runs = self.model.runs
        wanted = [id for id in runs if runs[id].st in states]
        if wanted and self.chance(share):
            return self.random.choice(wanted)
        return self.fresh("x") if self.chance(0.1) else self.pick(list(runs), "r-none")

    def call(self, name, args, state, model_args=None):
        """Notes the cell, asks the model."""
        reply = getattr(self.model, name)(*(args if model_args is None else model_args))
        self.cells[name, state] += 1
        self.cells[name, "->", reply.head[0] if isinstance(reply, Unordered) else reply[0]] += 1
        return (name, *args), reply

    def function_state(self, fn):
        f = self.model.functions.get(fn)
        if not f:
            return "unknown"
        if f.removed:
            return "removed"
        act = ("mutable" if self.model.runs[f.act].mut else "immutable") if f.act else ""
        return " ".join(s for s in ("queued" if f.pend else "", "planned" if f.line else "", act) if s) or "idle"

    def run_state(self, id):
        return self.model.runs[id].st if id in self.model.runs else ""

    # -- the calls --

    def wrong(self):
        words = self.random.choice(WRONG)
        self.cells["wrong", words] += 1
        return words, Wrong

    def ingest(self):
        crowded = [fn for fn in FUNCTIONS if " " in self.function_state(fn)]
        fn = self.pick(crowded, FUNCTIONS[0]) if self.chance(0.3) else self.random.choice(FUNCTIONS)
        kind = self.random.choices(("change", "removed", "confirm"), (8, 2, 3))[0]
        id = self.fresh("c") if self.chance(0.85) else self.pick(list(self.model.changes), "c-none")
        args = [id, fn, kind, "line of " + id]
        if kind == "confirm" or self.chance(0.05):
            args.append(self.pick(list(self.model.runs), ""))
        known = self.model.changes.get(id)
        self.cells["pl_ingest", "id", known.st if known else ""] += 1
        return self.call("pl_ingest", args, f"{kind} of {self.function_state(fn)}")

    def changes(self):
        names = self.random.sample(("planner/functions/@", "collector/x", "nothing", "planner/spent"), self.random.randint(0, 4))
        return self.call("pl_changes", [str(self.random.randint(0, 3)), "20000", *names], "")

    def some_docs(self):
        return [(self.random.choice(DOCS), self.random.choice(("", "v1", "v2"))) for _ in range(self.random.choice((0, 0, 1, 2)))]

    def a_plan(self):
        """One run of pl_plan."""
        n, id = self.random.choice((1, 1, 1, 2, 3)), self.a_run() if self.chance(0.05) else self.fresh("r")
        decision = self.random.choices(("test", "skip", "refuse"), (10, 1, 1))[0]
        resources = self.random.sample(RESOURCES, self.random.choice((0, 0, 1, 1, 2)))
        return (id, decision, "plan of " + id, self.random.choice((0, 300, 1000)), self.chance(self.mutable),
                self.random.choice("ab"), resources, [f"shard {i} of {id}" for i in range(n)])

    def plan(self):
        queued = [c.id for c in self.model.changes.values() if c.st == "queued"]
        change = self.pick(queued, "") if self.chance(0.9) else ""
        change = change or self.pick(list(self.model.changes), "c-none")
        docs, runs = self.some_docs(), [self.a_plan() for _ in range(self.random.choice((0, 1, 1, 2, 3)))]
        day, limit = self.random.choice(DAYS), self.random.choice((0, 0, 0, 3000))
        args = [change, day, str(limit), str(len(docs)), *(s for d in docs for s in d), str(len(runs))]
        for id, decision, line, cost, mut, account, resources, lines in runs:
            args += [id, decision, line, cost, int(mut), account, len(lines), len(resources)]
            args += [s for r in resources for s in r] + lines
            self.cells["pl_plan", "run", self.run_state(id)] += 1
        known = self.model.changes.get(change)
        return self.call("pl_plan", args, known.st if known else "", (change, day, limit, docs, runs))

    def ready(self):
        accounts = self.random.choice((["*"], ["a"], ["a", "b"], ["c"], []))
        return self.call("pl_ready", [str(self.random.choice((0, 1, 5))), *accounts], "")

    def lease_of(self, id):
        run = self.model.runs.get(id)
        n = len(run.shards) if run and self.chance(0.95) else 1
        owners = [self.random.choice(LOADERS) for _ in range(n)]
        return self.call("pl_lease", [id, self.random.choice(("n1", "n2")), "30000", *owners], self.run_state(id))

    def lease(self):
        return self.lease_of(self.a_run("planned", share=0.9))

    def a_shard(self, *states, share=0.85):
        """run i token owner, mostly right; and the cell."""
        id = self.a_run(*states, share=share)
        run = self.model.runs.get(id)
        i = self.random.randrange(len(run.shards)) if run and self.chance(0.97) else self.random.choice((0, 3, 1023))
        now, before = (run and run.tok) or "", (run and run.ltok) or ""
        token = self.random.choices((now, before, "9.n9"), (10, 6 if run and run.st == "planned" else 2, 1))[0] or before or "9.n9"
        own = (run.shards[i].own if run and i < len(run.shards) else None) or "l9"
        owner = own if self.chance(0.8) else self.random.choice((*LOADERS, "l9"))
        which = "its token" if token == now else "the token before" if token == before else "another token"
        self.shard_cell = (self.run_state(id), which, "owner" if owner == own else "another")
        return [id, str(i), token, owner]

    def foreign(self):
        """Who has no right to write for a run, in a state and a manner taken evenly."""
        state = self.random.choice(RUN_STATES[1:])
        ids = [id for id, r in self.model.runs.items() if r.st == state and r.tok != r.ltok and r.shards[0].own]
        if not ids:
            return self.fail()
        again = [id for id in ids if self.model.runs[id].ltok]
        id = self.random.choice(again or ids)
        run, which, owner = self.model.runs[id], *self.random.choice((
            ("its token", "another"), ("the token before", "owner"), ("the token before", "another"), ("another token", "owner"),
            ("another token", "another")))
        token = {"its token": run.tok, "the token before": run.ltok}.get(which) or "9.n9"
        args = [id, "0", token, run.shards[0].own if owner == "owner" else "l9"]
        self.shard_cell = (state, "another token" if token == "9.n9" else which, owner)
        name, more = self.random.choice((("pl_beat", ["30000", "1"]), ("pl_fail", ["1", "why", "0"]), ("pl_shard", ["sha3", "1"])))
        return self.holder_call(name, args + more)

    def holder_call(self, name, args):
        self.cells[(name, *self.shard_cell)] += 1
        return self.call(name, args, self.shard_cell[0])

    def beat(self):
        return self.holder_call("pl_beat", [*self.a_shard("active"), "30000", self.random.choice("01")])

    def fail(self):
        args = [*self.a_shard("active"), self.random.choices("012", (1, 4, 2))[0], "why", self.random.choice(("0", "5000", "700000"))]
        return self.holder_call("pl_fail", args)

    def shard(self):
        states = self.random.choice((("active",), ("active",), ("active",), ("planned",), ("measured", "judged", "published")))
        return self.holder_call("pl_shard", [*self.a_shard(*states), self.random.choice(("sha1", "sha2")), "12"])

    def reap(self):
        return self.call("pl_reap", [self.random.choice(("0", "1", "100", "100"))], "")

    def report(self):
        id = self.a_run(*RUN_STATES[1:])
        return self.call("pl_report", [id, f"m{self.random.randrange(6)}", "line"], self.run_state(id))

    def measured(self):
        return self.call("pl_measured", [self.random.choice("0129"), "20000"], "")

    def judge(self):
        id = self.a_run("measured", share=0.85)
        run, docs = self.model.runs.get(id), self.some_docs()
        rev = run.rev + self.random.choice((-1, 0, 1, 1, 1, 2)) if run and run.rev is not None else self.random.choice((0, 0, 0, 0, 1))
        args = [id, str(max(rev, 0)), self.random.choice(("sha1", "sha2")), "99", self.random.choice(("better", "worse")),
                self.random.choice("01"), self.random.choice(("", "0", "250", "2000"))]
        words = [*args, str(len(docs)), *(s for d in docs for s in d)]
        return self.call("pl_judge", words, self.run_state(id), [*args, docs])

    def told(self):
        id = self.a_run("judged", "published", share=0.7)
        run = self.model.runs.get(id)
        known = [] if self.chance(0.5) else [str(max(len(run.reports) - self.random.choice((0, 0, 1)), 0) if run else 0)]
        return self.call("pl_told", [id, *known], self.run_state(id))

    def out_(self):
        return self.call("pl_out", [self.random.choice("0129"), "20000"], "")

    def an_entry(self, fn=None):
        f = self.model.functions.get(fn or self.random.choice(FUNCTIONS))
        entries = f.out if f and self.chance(0.9) else [e for g in self.model.functions.values() for e in g.out]
        return self.pick(entries, "c:none") if self.chance(0.95) else self.random.choice(("x:none", "nothing", "f:r1.", "f:r-none.0"))

    def delivered(self):
        to = self.random.sample(("gateway", "terminal", "github"), self.random.randint(0, 2))
        return self.call("pl_delivered", [self.an_entry(), *to], "")

    def out_done(self):
        fn = self.random.choice(FUNCTIONS)
        f = self.model.functions.get(fn)
        entries = list(f.out) if f and self.chance(0.5) else [self.an_entry(fn) for _ in range(self.random.randint(0, 3))]
        return self.call("pl_out_done", [fn, *entries], "something" if f and f.out else "nothing")

    def put(self):
        return self.call("pl_put", [s for d in self.some_docs() for s in d], "")

    def docs(self):
        return self.call("pl_docs", [self.random.choice(("planner", "collector", "none")), *self.random.sample(("x", "y", "z"), self.random.randint(0, 2))], "")

    def loaders(self):
        return self.call("pl_loaders", [self.random.choice(LOADERS), self.random.choice(("", '{"free":1}', "{}"))], "")

    def cancel(self):
        id = self.a_run("planned", "active")
        return self.call("pl_cancel", [id, self.random.choice(("a person", "", "w" * 300))], self.run_state(id))

    def dead(self):
        id = self.pick(list(self.model.dead), "") if self.chance(0.8) else ""
        id = id or self.a_run(*RUN_STATES[1:])
        state = "dead" if id in self.model.dead else self.run_state(id)
        return self.call("pl_dead", [self.random.choice(("retry", "drop")), id], state)

    def status(self):
        return self.call("pl_status", [], "")

    def list_(self):
        what = self.random.choice(("queued", "planned", "active", "measured", "judged", "dead", "loaders"))
        return self.call("pl_list", [what], what)

    def show(self):
        id = self.a_run(*RUN_STATES[1:]) if self.chance(0.7) else self.pick(list(self.model.changes), "c-none")
        return self.call("pl_show", [id], self.run_state(id) or (self.model.changes[id].st if id in self.model.changes else ""))

    def version(self):
        return self.call("pl_version", [], "")

    def audit_one(self):
        return self.call("pl_audit", ["0"], "")

    # -- calls that chance alone would hardly string together --

    def wear_out(self):
        """A run that is leased and lost again and again, until it is dead."""
        ids = [id for id, r in self.model.runs.items() if r.st == "planned" and id in self.model.q["run"]]
        if not ids:
            return self.lease()
        id, how = self.random.choice(ids), self.random.choice(("stall", "lexp", "fail", "2"))

        def holder():
            run = self.model.runs[id]
            return [id, "0", run.tok or "-", run.shards[0].own or "-"]

        def lost(self):
            self.shard_cell = (self.run_state(id), "its token", "owner")
            if how in ("fail", "2"):
                return self.holder_call("pl_fail", [*holder(), "1" if how == "fail" else "2", "worn", "0"])
            return self.reap()

        def begin(self):
            self.shard_cell = (self.run_state(id), "its token", "owner")
            return self.holder_call("pl_beat", [*holder(), "30000", "1" if how == "stall" else "0"])
        for _ in range(20 if how in ("lexp", "2") else 3):
            self.macro += [lambda self: self.lease_of(id), begin, lost]
        return self.lease_of(id)

    def confirm_beside(self):
        """A run that asks to be confirmed while its sister still waits; then a change comes."""
        idle = [fn for fn in FUNCTIONS if self.function_state(fn) in ("unknown", "idle", "removed")]
        if not idle:
            return self.ingest()
        fn, change, ids = self.random.choice(idle), self.fresh("c"), [self.fresh("r"), self.fresh("r")]
        kind = self.random.choice(("change", "removed", "confirm"))

        def plan(self):
            runs = [(id, "test", "p", 0, False, "a", [], ["s"]) for id in ids]
            words = [change, DAYS[0], "0", "0", "2", *(w for id in ids for w in (id, "test", "p", 0, 0, "a", 1, 0, "s"))]
            return self.call("pl_plan", words, "queued", (change, DAYS[0], 0, [], runs))

        def shard(self):
            run = self.model.runs.get(ids[0])
            return self.call("pl_shard", [ids[0], "0", (run and run.tok) or "-", (run and run.shards[0].own) or "-", "sha", "1"],
                             self.run_state(ids[0]))

        def judge(self):
            return self.call("pl_judge", [ids[0], "0", "sha", "1", "worse", "1", "", "0"], self.run_state(ids[0]),
                             [ids[0], "0", "sha", "1", "worse", "1", "", []])

        def ingest(self):
            id = self.fresh("c")
            return self.call("pl_ingest", [id, fn, kind, "l", ids[0]], f"{kind} of {self.function_state(fn)}")
        self.macro += [plan, lambda self: self.lease_of(ids[0]), shard, judge, ingest]
        return self.call("pl_ingest", [change, fn, "change", "l"], f"change of {self.function_state(fn)}")

    def many_reports(self):
        id = self.a_run("measured", "judged", share=1)
        for i in range(101):
            self.macro.append(lambda self, i=i: self.call("pl_report", [id, f"n{i}", "l"], self.run_state(id)))
        return self.report()


WEIGHTS = {
    Check.ingest: 60, Check.changes: 20, Check.plan: 70, Check.ready: 15, Check.lease: 90, Check.beat: 50, Check.fail: 15,
    Check.shard: 100, Check.reap: 20, Check.report: 20, Check.measured: 30, Check.judge: 70, Check.told: 25, Check.out_: 30,
    Check.delivered: 20, Check.out_done: 45, Check.put: 8, Check.docs: 5, Check.loaders: 5, Check.cancel: 10, Check.dead: 25,
    Check.status: 5, Check.list_: 15, Check.show: 15, Check.version: 2, Check.foreign: 40, Check.audit_one: 4, Check.wrong: 30, Check.wear_out: 4, Check.confirm_beside: 4,
    Check.many_reports: 1,
}
CODES = {  # every code of docs/STATE.md
    "pl_ingest": "OK DUP NOOP", "pl_changes": "OK", "pl_plan": "OK STALE NOMONEY", "pl_ready": "OK", "pl_lease": "OK NO",
    "pl_beat": "OK CANCEL STALE", "pl_fail": "OK STALE", "pl_shard": "OK DUP STALE NONE", "pl_report": "OK DUP NONE FULL",
    "pl_measured": "OK", "pl_judge": "OK DUP STALE", "pl_told": "OK MORE NONE STALE", "pl_out": "OK", "pl_delivered": "OK NONE",
    "pl_out_done": "OK", "pl_put": "OK", "pl_docs": "OK", "pl_loaders": "OK", "pl_reap": "OK", "pl_audit": "OK",
    "pl_cancel": "OK NOOP NONE", "pl_dead": "OK NOOP NONE", "pl_status": "OK", "pl_list": "OK", "pl_show": "OK NONE", "pl_version": "OK",
}
OF_A_RUN = ("pl_lease", "pl_beat", "pl_fail", "pl_shard", "pl_report", "pl_judge", "pl_told", "pl_cancel", "pl_dead", "pl_show")
CHANGE_STATES = ("", "queued", "planned", "cancelled")
BUSY = ("unknown", "idle", "removed", "queued", "planned", "mutable", "immutable", "queued planned", "queued mutable",
        "queued immutable", "planned mutable", "planned immutable")


def wanted_cells():
    """(state x function), and the illegal moves: every cell that must have been hit."""
    cells = {(f, "->", code) for f, codes in CODES.items() for code in codes.split()}
    cells |= {(f, state) for f in OF_A_RUN for state in RUN_STATES} | {("pl_dead", "dead")}
    cells |= {("pl_plan", state) for state in CHANGE_STATES} | {("pl_plan", "run", state) for state in RUN_STATES}
    cells |= {("pl_ingest", "id", state) for state in CHANGE_STATES}
    cells |= {("pl_ingest", f"{kind} of {state}") for kind in ("change", "removed", "confirm") for state in BUSY}
    cells |= {("pl_out_done", state) for state in ("something", "nothing")}
    for f in ("pl_beat", "pl_fail", "pl_shard"):
        for state in RUN_STATES:
            cells |= {(f, state, "another token", "owner"), (f, state, "another token", "another")}
        for state in ("active", "measured", "judged", "published"):
            cells |= {(f, state, token, owner) for token in ("its token", "the token before") for owner in ("owner", "another")}
        cells |= {(f, "planned", "the token before", owner) for owner in ("owner", "another")}
    return cells | {("wrong", words) for words in WRONG}


def missing(cells):
    return sorted(wanted_cells() - set(cells), key=str)


def check(socket_path, calls, seed, out=None, all_cells=False):
    """(calls made, cells hit); Difference at the first. all_cells: goes on, twice as long at most, while cells are missing."""
    c = Check(socket_path, seed, out)
    try:
        c.run(calls)
        while all_cells and missing(c.cells) and c.calls < 3 * calls:
            c.run(c.calls + 20 * SEQUENCE)
        return c.calls, c.cells
    finally:
        c.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--calls", type=int, default=1_000_000)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    p.add_argument("--library", help="another pl.lua")
    o = p.parse_args()
    print(f"seed {o.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pl-model-") as folder, Redis(folder, appendonly="no") as redis:
        redis.load_library(o.library)
        try:
            calls, cells = check(redis.socket, o.calls, o.seed, sys.stdout, all_cells=True)
        except Difference as e:
            print(e)
            return 1
    want, not_hit = len(wanted_cells()), missing(cells)
    print(f"{calls} calls, 0 differences, {want - len(not_hit)} of {want} cells hit")
    print("".join(f"  not hit: {cell}\n" for cell in not_hit), end="")
    return 1 if not_hit else 0


if __name__ == "__main__":
    sys.exit(main())
