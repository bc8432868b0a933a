"""The states of docs/STATE.md once more, without Redis: what each function answers, and what is in Redis afterwards.

Written from the page, not from pl.lua. Changes, runs and functions are objects; which keys there must be is derived
from them (Model.keys), so an index that the functions forget to keep shows as a difference.

Time: nobody here has a clock. A time is When(call, after_ms): so many ms after the call. Who drives the model sees to it that each
score is either past or far (Model.touched says which scores a call set), so that what is due never depends on how fast the machine is.
"""
import collections

DAY_S = 86400
KEEP = {"change": 7 * DAY_S, "run": 3 * DAY_S, "dead": 30 * DAY_S}
MOST = {"stall": 3, "lexp": 20, "fail": 3}
LEASE_MS, BACKOFF_MS, HOLD_MS = 60_000, 600_000, 60_000
NOT_BEGUN_MS = 8_000
FARTHEST = {"new": HOLD_MS, "run": BACKOFF_MS, "lease": LEASE_MS, "meas": HOLD_MS, "out": HOLD_MS}
STATES = ("queued", "planned", "active", "measured", "judged")

When = collections.namedtuple("When", "call after_ms")  # a time
Age = collections.namedtuple("Age", "since")            # ms since a time, as a reply tells it
Until = collections.namedtuple("Until", "score")        # ms until a score, never negative
Any = collections.namedtuple("Any", "why")
Unordered = collections.namedtuple("Unordered", "head size rows")  # a reply whose rows come in any order


class Wrong(Exception):
    """The arguments are wrong: an error, and nothing is written."""


class Change:
    def __init__(self, id, fn, kind, line, confirms, seq, now):
        self.id, self.fn, self.kind, self.line, self.confirms, self.seq, self.created = id, fn, kind, line, confirms, seq, now
        self.st, self.why, self.since, self.keep = "queued", "", now, None


class Function:
    def __init__(self):
        self.pend = self.act = self.last = self.removed = self.sup = self.gen = self.pgen = self.runs = self.results = None
        self.line, self.out = [], []  # runs planned, in order; entries to tell, in order


class Shard:
    def __init__(self, line):
        self.line, self.own, self.st, self.sha, self.bytes = line, None, None, None, None


class Run:
    def __init__(self, id, fn, change, account, plan, mut, cost, day, resources, lines, now):
        self.id, self.fn, self.change, self.account, self.plan, self.mut, self.cost, self.day = id, fn, change, account, plan, mut, cost, day
        self.resources, self.shards, self.created, self.nb = resources, [Shard(line) for line in lines], now, now
        self.st, self.why, self.since, self.done, self.att, self.keep = None, "", now, 0, 0, None
        self.end = self.tok = self.ltok = self.cxl = self.rev = self.rsha = self.rbytes = self.verdict = None
        self.called = self.told = self.dropped = False
        self.lost, self.losses, self.reports = None, {}, {}


class Model:
    def __init__(self):
        self.changes, self.runs, self.functions, self.docs, self.loaders = {}, {}, {}, {}, {}
        self.q = {name: {} for name in FARTHEST}
        self.dead, self.money, self.delivered = {}, {}, {}
        self.seq = self.tok = self.call = 0
        self.touched, self.journal, self.kicks, self.kicked = [], [], [], set()

    # -- what all share --

    @property
    def now(self):
        return When(self.call, 0)

    def f(self, fn):
        return self.functions.setdefault(fn, Function())

    def state_of(self, id):
        return self.runs[id].st if id in self.runs else ""

    def due(self, queue, member, after_ms=0, only_earlier=False):
        if only_earlier and member in self.q[queue] and self.is_due(self.q[queue][member]):
            return
        self.q[queue][member] = When(self.call, after_ms)
        self.touched.append((queue, member))

    def undue(self, queue, member):
        return self.q[queue].pop(member, None) is not None

    @staticmethod
    def is_due(score):
        return score.after_ms <= 0 if isinstance(score, When) else score < 1e12

    def taken(self, queue, n):
        due = [(score, member) for member, score in self.q[queue].items() if self.is_due(score)]
        return [member for score, member in sorted(due, key=lambda d: (isinstance(d[0], When), d[0]))][:n]

    def kick(self, queue):
        self.kicked.add(queue)

    def tell(self, fn, entry):
        f = self.f(fn)
        f.out.append(entry)
        f.gen = (f.gen or 0) + 1
        self.due("out", fn, only_earlier=True)
        self.kick("out")

    def move(self, thing, to, who, why):
        self.journal.append((thing.id, thing.st or "", to, getattr(thing, "tok", None) or "", who, why))
        thing.st, thing.why, thing.since = to, why, self.now

    def put(self, docs):
        for key, value in docs:
            namespace, field = key.split("/", 1)
            if key == "planner/spent":
                continue
            if value:
                self.docs.setdefault(namespace, {})[field] = value
            else:
                self.docs.get(namespace, {}).pop(field, None)

    def in_use(self):
        use = collections.Counter()
        for run in self.runs.values():
            if run.st == "active":
                for name, amount, _ in run.resources:
                    use[name] += amount
        return use

    def without_room(self, run):
        use = self.in_use()
        return next((name for name, amount, limit in run.resources if use[name] + amount > limit), None)

    def book(self, run, sign):
        if run.cost:
            self.money[run.day] = self.money.get(run.day, 0) + sign * run.cost

    def close(self, change, to, who, why):
        self.move(change, to, who, why)
        change.keep = KEEP["change"]
        self.undue("new", change.id)
        if self.f(change.fn).pend == change.id:
            self.f(change.fn).pend = None

    def publish(self, run, who, why):
        self.move(run, "published", who, why)
        run.keep = KEEP["dead" if run.end == "dead" else "run"]

    def finish(self, run, how, who, why):
        if not run.called:
            self.book(run, -1)
            run.cost = 0
        run.end = how
        if how == "dead":
            self.dead[run.id] = self.now
            run.change.keep = KEEP["dead"]
        if self.f(run.fn).removed:
            self.publish(run, who, why)
        else:
            self.to_collector(run, who, why)

    def to_collector(self, run, who, why):
        self.due("meas", run.id)
        self.kick("meas")
        self.move(run, "measured", who, why)

    def promote(self, fn):
        f = self.f(fn)
        if not f.act and f.line:
            if f.line[0] not in self.q["run"]:
                self.q["run"][f.line[0]] = self.runs[f.line[0]].nb
                self.touched.append(("run", f.line[0]))
            self.kick("run")

    def leave_line(self, run):
        if run.id in self.f(run.fn).line:
            self.f(run.fn).line.remove(run.id)
        self.undue("run", run.id)

    def leave_active(self, run):
        for i in range(len(run.shards)):
            self.undue("lease", f"{run.id}/{i}")
        self.f(run.fn).act = None

    def lose(self, run, reason, who, why, backoff_ms, is_final=False):
        f = self.f(run.fn)
        run.losses[reason] = run.losses.get(reason, 0) + 1
        self.leave_active(run)
        if run.cxl:
            self.finish(run, "cancelled", who, run.cxl)
        elif (f.sup or 0) > run.change.seq:
            self.finish(run, "cancelled", who, "superseded")
        elif is_final:
            self.finish(run, "dead", who, why)
        elif run.losses[reason] >= MOST[reason]:
            self.finish(run, "dead", who, f"{why} ({reason} {run.losses[reason]})")
        else:
            run.ltok, run.nb, run.done = run.tok, When(self.call, backoff_ms), 0
            for shard in run.shards:
                shard.st = shard.sha = shard.bytes = None
            f.line.insert(0, run.id)
            self.move(run, "planned", who, why)
            run.tok = None
        self.promote(run.fn)

    def enqueue(self, id, fn, kind, line, confirms, who):
        self.seq += 1
        f = self.f(fn)
        if kind == "removed":
            f.removed = True
        if kind == "change":
            f.removed = None
        if kind != "confirm":
            why = "removed" if kind == "removed" else "superseded"
            f.sup = self.seq
            if f.pend:
                self.close(self.changes[f.pend], "cancelled", "ingest", why)
            for run in [self.runs[id] for id in f.line]:
                self.leave_line(run)
                self.finish(run, "cancelled", "ingest", why)
            if f.act and (kind == "removed" or self.runs[f.act].mut):
                self.runs[f.act].cxl = self.runs[f.act].cxl or why
        change = self.changes[id] = Change(id, fn, kind, line, confirms, self.seq, self.now)
        self.journal.append((id, "", "queued", "", who, ""))
        f.pend = f.last = id
        self.due("new", id)
        self.kick("new")
        return change

    # -- changes --

    def pl_ingest(self, id, fn, kind, line, confirms=""):
        if kind not in ("change", "removed", "confirm"):
            raise Wrong
        if id in self.changes:
            return ["DUP", self.changes[id].st]
        f = self.functions.get(fn, Function())
        if kind == "confirm" and f.removed:
            return ["NOOP", "removed"]
        if kind == "confirm" and (f.pend or f.line):
            return ["NOOP", "newer"]
        change = self.enqueue(id, fn, kind, line, confirms, "ingest")
        if kind != "confirm":
            self.tell(fn, "c:" + id)
        return ["OK", str(change.seq)]

    def spent(self):
        day = max(self.money, default=None)
        return f'{{"day":"{day}","micro_usd":{max(self.money[day], 0)}}}' if day else ""

    def pl_changes(self, n, hold, *names):
        reply = ["OK"]
        for id in self.taken("new", int(n)):
            self.due("new", id, int(hold))
            c = self.changes[id]
            reply += [id, c.kind, c.confirms, c.fn, c.line, str(len(names))]
            for name in (name.replace("@", c.fn) for name in names):
                namespace, _, field = name.partition("/")
                reply += [name, self.spent() if name == "planner/spent" else self.docs.get(namespace, {}).get(field, "")]
        return reply

    def pl_plan(self, change, day, day_limit, docs, runs):
        """docs and runs as lists; runs: (id, decision, plan, cost, mut, account, resources, lines)."""
        known = self.changes.get(change)
        if not known or known.st != "queued":
            return ["STALE", known.st if known else ""]
        new = {}
        for r in runs:
            if r[0] not in self.runs:
                new.setdefault(r[0], r)
        cost = sum(r[3] for r in new.values() if r[1] == "test")
        booked = self.money.get(day, 0)
        if day_limit and cost and booked + cost > day_limit:
            return ["NOMONEY", str(booked)]
        self.close(known, "planned", "plan", "")
        for r in new.values():
            self.make_run(known, day, *r)
        self.promote(known.fn)
        self.put(docs)
        return ["OK"]

    def make_run(self, change, day, id, decision, plan, cost, mut, account, resources, lines):
        f, is_test = self.f(change.fn), decision == "test"
        run = self.runs[id] = Run(id, change.fn, change, account, plan, mut, cost if is_test else 0, day, resources,
                                  lines, self.now)
        if not f.removed:
            self.tell(run.fn, "p:" + id)
        if is_test:
            f.runs = (f.runs or 0) + 1
            self.book(run, 1)
        if is_test and not f.removed:
            f.line.append(id)
            self.move(run, "planned", "plan", "")
        elif is_test:
            self.finish(run, "cancelled", "plan", "removed")
        else:
            self.finish(run, {"skip": "skipped", "refuse": "refused"}[decision], "plan", decision)

    # -- leases --

    def pl_ready(self, most, *accounts):
        reply = ["OK"]
        for id in self.taken("run", len(self.runs)):
            run = self.runs[id]
            if len(reply) // 3 < int(most) and ("*" in accounts or run.account in accounts) and not self.without_room(run):
                reply += [id, str(len(run.shards)), run.account]
        return reply

    def pl_lease(self, id, nonce, ttl, *owners):
        run = self.runs.get(id)
        if not run or run.st != "planned":
            return ["NO", run.st if run else "unknown"]
        if len(owners) != len(run.shards):
            return ["NO", "owners"]
        if id not in self.q["run"]:
            return ["NO", "busy"]
        if not self.is_due(self.q["run"][id]):
            return ["NO", "later"]
        if self.without_room(run):
            return ["NO", "resource " + self.without_room(run)]
        self.tok += 1
        if run.called:
            self.book(run, 1)
            run.lost, run.called = (run.lost or 0) + run.cost, False
        self.leave_line(run)
        self.f(run.fn).act = id
        run.tok, run.att = f"{self.tok}.{nonce}", run.att + 1
        for i, owner in enumerate(owners):
            run.shards[i].own, run.shards[i].st = owner, "leased"
            self.due("lease", f"{id}/{i}", int(ttl))
        self.move(run, "active", ",".join(owners), "")
        return ["OK", run.tok, str(run.att)] + [shard.line for shard in run.shards]

    def held(self, id, i, token, owner):
        """The shard, if who brings this is its holder."""
        run, i = self.runs.get(id), int(i)
        if run and run.st == "active" and run.tok == token and i < len(run.shards) and run.shards[i].own == owner:
            return run.shards[i]
        return None

    def pl_beat(self, id, i, token, owner, ttl, is_running):
        shard = self.held(id, i, token, owner)
        if not shard:
            return ["STALE", self.state_of(id)]
        run = self.runs[id]
        if run.cxl:
            return ["CANCEL", run.cxl]
        if shard.st == "done":
            return ["OK"]
        if is_running == "1" and shard.st == "leased":
            shard.st, run.called = "running", True
        self.due("lease", f"{id}/{i}", int(ttl))
        return ["OK"]

    def pl_fail(self, id, i, token, owner, is_retry, why, backoff):
        shard = self.held(id, i, token, owner)
        if not shard or shard.st == "done":
            return ["STALE", self.state_of(id)]
        reason = "lexp" if is_retry == "2" else "fail"
        self.lose(self.runs[id], reason, owner, why[:200], min(int(backoff), BACKOFF_MS), is_retry == "0")
        return ["OK", self.runs[id].st]

    def shard_done(self, run, shard, sha, size):
        shard.st, shard.sha, shard.bytes, run.called = "done", sha, size, True
        run.done += 1
        return len(run.shards) - run.done

    def pl_shard(self, id, i, token, owner, sha, size):
        run, i = self.runs.get(id), int(i)
        if not run:
            return ["NONE"]
        shard = run.shards[i] if i < len(run.shards) else None
        is_owner = shard is not None and shard.own == owner
        if run.st == "planned" and len(run.shards) == 1 and run.ltok == token and is_owner:  # late
            self.leave_line(run)
            run.tok = token
            self.shard_done(run, shard, sha, size)
            self.to_collector(run, owner, "late")
            self.promote(run.fn)
            return ["OK", "0"]
        if run.st == "planned" or run.tok != token or not is_owner or run.end:
            return ["STALE", run.st]
        if shard.st == "done":
            return ["DUP"] if shard.sha == sha else ["STALE", run.st]
        if run.cxl:
            self.lose(run, "fail", owner, "", 0, True)
            return ["STALE", run.st]
        left = self.shard_done(run, shard, sha, size)
        self.undue("lease", f"{id}/{i}")
        if not left:
            self.leave_active(run)
            self.to_collector(run, owner, "")
            self.promote(run.fn)
        return ["OK", str(left)]

    def pl_reap(self, most):
        n, most = 0, int(most)
        for queue, limit in FARTHEST.items():
            far = sorted((s, m) for m, s in self.q[queue].items() if not isinstance(s, When) and s > self.far)
            for _, member in far[:most]:
                self.due(queue, member, limit)
        for member in self.taken("lease", most):
            if member in self.q["lease"]:
                run = self.runs[member.rpartition("/")[0]]
                has_begun = any(shard.st != "leased" for shard in run.shards)
                before = sum(n for reason, n in run.losses.items() if (reason == "lexp") != has_begun)
                self.lose(run, "stall" if has_begun else "lexp", "reap", "lease over",
                          min(1000 * 2 ** before, BACKOFF_MS if has_begun else NOT_BEGUN_MS))
                n += 1
        return ["OK", str(n)]

    # -- results --

    def pl_report(self, id, report, line):
        run = self.runs.get(id)
        if not run:
            return ["NONE"]
        if report in run.reports:
            return ["DUP"]
        if len(run.reports) >= 100:
            return ["FULL"]
        run.reports[report] = line
        if run.st not in ("planned", "active"):
            run.told = False
            self.due("meas", id)
            self.kick("meas")
        return ["OK"]

    def pl_measured(self, n, hold):
        reply = ["OK"]
        for id in self.taken("meas", int(n)):
            self.due("meas", id, int(hold))
            run = self.runs[id]
            shards = [] if run.end else run.shards
            reply += [id, run.fn, run.end or "", run.why, "" if run.rev is None else str(run.rev), run.plan, str(len(shards))]
            for i, shard in enumerate(shards):
                reply += [str(i), run.tok, shard.sha, shard.bytes]
            reply += [str(len(run.reports)), *run.reports.values()]
        return reply

    def pl_judge(self, id, rev, sha, size, verdict, confirm_wanted, cost, docs):
        run, rev = self.runs.get(id), int(rev)
        if run and run.rev == rev:
            return ["DUP"]
        if not run or (run.rev is None and (rev or run.st != "measured")) or (run.rev is not None and rev < run.rev):
            return ["STALE", self.state_of(id)]
        f, before, run.rev, run.rsha, run.rbytes, run.verdict = self.f(run.fn), run.rev, rev, sha, size, verdict
        is_first = before is None and not run.end
        if is_first:
            f.results = (f.results or 0) + 1
        if is_first and cost:
            self.money[run.day] = self.money.get(run.day, 0) + int(cost) - run.cost
            run.cost = int(cost)
        if f.removed:
            if run.st != "published":
                self.publish(run, "judge", "removed")
        else:
            run.keep = None
            self.move(run, "judged", "judge", run.why)
            self.drop_entry(run.fn, f"f:{id}.{before}")
            self.tell(run.fn, f"f:{id}.{rev}")
            key = "k" + id[1:21]
            if not run.end and confirm_wanted == "1" and f.last == run.change.id and key not in self.changes:
                self.enqueue(key, run.fn, "confirm", run.change.line, id, "judge")
        self.put(docs)
        return ["OK"]

    def pl_told(self, id, reports=None):
        run = self.runs.get(id)
        if not run:
            return ["NONE"]
        if run.st not in ("judged", "published"):
            return ["STALE", run.st]
        if reports is not None and len(run.reports) > int(reports):
            self.due("meas", id)
            self.kick("meas")
            return ["MORE"]
        self.undue("meas", id)
        run.told = True
        return ["OK"]

    # -- outbox --

    def drop_entry(self, fn, entry):
        if entry in self.f(fn).out:
            self.f(fn).out.remove(entry)
        self.delivered.pop(entry, None)

    def entry(self, entry):
        kind, _, id = entry.partition(":")
        if kind == "c":
            return ["line", self.changes[id].line, "", ""]
        if kind == "p":
            return ["line", self.runs[id].plan, "", ""]
        run, _, rev = id.rpartition(".")
        return ["file", f"{run}.f{rev}.json", self.runs[run].rsha, self.runs[run].rbytes]

    def pl_out(self, n, hold):
        reply = ["OK"]
        for fn in self.taken("out", int(n)):
            self.due("out", fn, int(hold))
            entries = self.f(fn).out[:50]
            reply += [fn, str(len(entries))]
            for entry in entries:
                to = sorted(self.delivered.get(entry, ()))
                reply += [entry, *self.entry(entry), str(len(to)), *to]
        return reply

    def pl_delivered(self, entry, *to):
        if not any(entry in f.out for f in self.functions.values()):
            return ["NONE"]
        if to:
            self.delivered.setdefault(entry, set()).update(to)
        return ["OK"]

    def pl_out_done(self, fn, *entries):
        f = self.functions.get(fn, Function())
        for entry in entries:
            if entry in f.out:
                self.drop_entry(fn, entry)
                run, _, rev = entry[2:].rpartition(".")
                if entry[0] == "f" and self.runs[run].st == "judged" and self.runs[run].rev == int(rev):
                    self.publish(self.runs[run], "sink", self.runs[run].why)
        if not f.out and self.undue("out", fn):
            f.pgen = f.gen
        return ["OK", str(len(f.out))]

    # -- documents, loaders --

    def pl_put(self, *docs):
        if len(docs) % 2 or any("/" not in key for key in docs[::2]):
            raise Wrong
        self.put(zip(docs[::2], docs[1::2]))
        return ["OK"]

    def pl_docs(self, namespace, *fields):
        have = self.docs.get(namespace, {})
        if not fields:
            return Unordered(["OK"], 2, [[k, v] for k, v in have.items()])
        return ["OK"] + [s for field in fields if field in have for s in (field, have[field])]

    def pl_loaders(self, *said):
        for name, text in zip(said[::2], said[1::2]):
            if text:
                self.loaders[name] = text
            else:
                self.loaders.pop(name, None)
        return ["OK"]

    # -- a person's --

    def pl_cancel(self, id, why):
        run, why = self.runs.get(id), why[:200]
        if not run:
            return ["NONE"]
        if run.st == "active":
            run.cxl = run.cxl or why or "cancelled"
            return ["OK"]
        if run.st != "planned":
            return ["NOOP", run.st]
        self.leave_line(run)
        self.finish(run, "cancelled", "admin", why)
        self.promote(run.fn)
        return ["OK"]

    def pl_dead(self, what, id):
        run = self.runs.get(id)
        if not run:
            return ["NONE"]
        if id not in self.dead:
            return ["NOOP"]
        if what == "retry":
            c = run.change
            if self.f(run.fn).last != c.id or "d" + id[1:] in self.changes:
                return ["NOOP"]
            self.enqueue("d" + id[1:], run.fn, c.kind, c.line, c.confirms, "admin")
        del self.dead[id]
        run.dropped = True
        return ["OK"]

    def sets(self):
        """state -> {id: since}"""
        sets = {state: {} for state in STATES}
        for thing in [*self.changes.values(), *self.runs.values()]:
            if thing.st in sets and (thing.st == "queued") == isinstance(thing, Change):
                sets[thing.st][thing.id] = thing.since
        return sets

    def pl_status(self):
        rows = []
        for name, members in [*self.sets().items(), ("dead", self.dead)]:
            oldest = min(members.values(), key=self.order, default=None)
            rows += [[name, str(len(members))], [name + "_oldest_ms", Age(oldest) if oldest else "0"]]
        rows += [["ready", str(len(self.q["run"]))], ["outbox", str(len(self.q["out"]))], ["loaders", str(len(self.loaders))]]
        if self.money:
            day = max(self.money)
            rows += [["money_day", day], ["money_booked", str(self.money[day])]]
        return Unordered(["OK"], 2, rows)

    @staticmethod
    def order(when):
        return when.call, when.after_ms

    def note(self, run):
        if run.st == "active":
            return ",".join(shard.own for shard in run.shards)
        if run.st != "planned":
            return ""
        if run.id not in self.q["run"]:
            return "its function is busy"
        if not self.is_due(self.q["run"][run.id]):
            return "back-off"
        return f"{self.without_room(run)} is in use" if self.without_room(run) else "a loader"

    def due_of(self, what, id, fn, shards):
        if what == "active":
            return min((self.q["lease"][f"{id}/{i}"] for i in range(shards) if f"{id}/{i}" in self.q["lease"]), default=None)
        queue, member = {"queued": ("new", id), "planned": ("run", id), "measured": ("meas", id), "judged": ("out", fn),
                         "dead": ("new", None)}[what]
        return self.q[queue].get(member)

    def pl_list(self, what, *_):
        if what == "loaders":
            return Unordered(["OK", str(len(self.loaders))], 2, [[k, v] for k, v in self.loaders.items()])
        if what not in (*STATES, "dead"):
            raise Wrong
        rows = []
        for id, since in (self.dead if what == "dead" else self.sets()[what]).items():
            thing = self.changes[id] if what == "queued" else self.runs[id]
            is_run = isinstance(thing, Run)
            score = self.due_of(what, id, thing.fn, len(thing.shards) if is_run else 0)
            rows.append([id, thing.fn, thing.change.kind if is_run else thing.kind, Age(since),
                         "" if score is None else Until(score), (is_run and thing.end) or "",
                         (is_run and thing.cxl) or thing.why, str(thing.att) if is_run else "0",
                         self.note(thing) if is_run and what != "dead" else ""])
        return Unordered(["OK", str(len(rows))], 9, rows)

    def pl_show(self, id):
        if id in self.runs:
            shards = {"shard." + k: v for k, v in self.shard_fields(self.runs[id]).items() if "." in k}
            return Unordered(["OK"], 2, [[k, v] for k, v in {**self.run_fields(self.runs[id]), **shards}.items()])
        if id in self.changes:
            return Unordered(["OK"], 2, [[k, v] for k, v in self.change_fields(self.changes[id]).items()])
        return ["NONE"]

    def pl_version(self):
        return ["OK", "3"]

    def pl_audit(self, _cursor):
        return ["OK", Any("cursor")]

    # -- what must be in Redis --

    @staticmethod
    def some(**fields):
        return {k: str(v) if isinstance(v, int) else v for k, v in fields.items() if v is not None}

    def change_fields(self, c):
        return self.some(st=c.st, fn=c.fn, kind=c.kind, line=c.line, confirms=c.confirms, seq=c.seq, created=c.created, why=c.why)

    def run_fields(self, r):
        fields = self.some(st=r.st, end=r.end, why=r.why, fn=r.fn, chg=r.change.id, kind=r.change.kind, seq=r.change.seq,
                           n=len(r.shards), done=r.done, mut="1" if r.mut else "0", acc=r.account, plan=r.plan, cost=r.cost,
                           lost=r.lost, called="1" if r.called else None, day=r.day, nb=r.nb, tok=r.tok, ltok=r.ltok,
                           att=r.att, cxl=r.cxl, rev=r.rev, rsha=r.rsha, rbytes=r.rbytes, verdict=r.verdict,
                           told="1" if r.told else None, dropped="1" if r.dropped else None, created=r.created, upd=r.since,
                           res="".join(f"{name}\t{amount}\t{limit}\n" for name, amount, limit in r.resources))
        return {**fields, **{k: str(v) for k, v in r.losses.items()}}

    def shard_fields(self, r):
        fields = {}
        for i, s in enumerate(r.shards):
            if r.st in ("planned", "active"):
                fields[str(i)] = s.line
            fields.update({f"{i}.{k}": v for k, v in self.some(own=s.own, st=s.st, sha=s.sha, bytes=s.bytes).items()})
        return fields

    def keys(self):
        """key -> (what is in it, seconds it is kept or None); {pl}: left out."""
        keys = {"q:" + name: (members, None) for name, members in self.q.items()}
        keys.update({"st:" + name: (members, None) for name, members in self.sets().items()})
        keys.update({"doc:" + name: (dict(fields), None) for name, fields in self.docs.items()})
        keys.update({"c:" + c.id: (self.change_fields(c), c.keep) for c in self.changes.values()})
        for fn, f in self.functions.items():
            keys["f:" + fn] = (self.some(pend=f.pend, act=f.act, last=f.last, sup=f.sup, removed="1" if f.removed else None,
                                         gen=f.gen, pgen=f.pgen, runs=f.runs, results=f.results), None)
            keys["fq:" + fn], keys["out:" + fn] = (list(f.line), None), (list(f.out), None)
        for r in self.runs.values():
            keys["r:" + r.id], keys["s:" + r.id] = (self.run_fields(r), r.keep), (self.shard_fields(r), r.keep)
            keys["rep:" + r.id] = ([s for report in r.reports.items() for s in report], r.keep)
        keys.update({"dv:" + entry: (set(to), None) for entry, to in self.delivered.items()})
        keys["dead"], keys["loaders"] = (dict(self.dead), None), (dict(self.loaders), None)
        keys["money"] = ({day: str(sum) for day, sum in self.money.items()}, None)
        keys["res"] = ({name: str(n) for name, n in self.in_use().items() if n}, None)
        keys["seq"], keys["tok"] = (str(self.seq) if self.seq else "", None), (str(self.tok) if self.tok else "", None)
        return {key: content for key, content in keys.items() if content[0]}
