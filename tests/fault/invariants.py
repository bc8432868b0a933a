"""The invariants of the services: what must be right whatever was killed at whatever moment (docs/RELIABILITY.md).

	journal = Journal(services.redis)		# call journal.read() now and then: Redis keeps about 100,000 entries
	...
	wrong = check(Evidence(...))			# list of texts, empty when all is well

I1 nothing that was accepted is lost        I6 no two loaders on one function at a time (journal; the target's word)
I2 nothing is done twice                    I7 indexes equal the hashes; the audit finds nothing to mend
I3 a result is counted once                 I8 the Pushgateway equals the state; a removed function has no group
I4 the newest change has come to its end    I9 only the moves of docs/STATE.md
I5 only the holder of the token writes      I10 no secret in a log, command line, environment or in Redis' file
"""
import collections
import dataclasses
import json
import os
import re
import urllib.parse

CHANGE_MOVES = {("", "queued"), ("queued", "planned"), ("queued", "cancelled")}
RUN_MOVES = {("", "planned"), ("", "measured"), ("planned", "active"), ("active", "planned"), ("active", "measured"),
             ("planned", "measured"), ("measured", "judged"), ("judged", "published"), ("planned", "published"),
             ("active", "published"), ("measured", "published"), ("", "published"),
             ("published", "judged")}  # the last: an amendment
CHANGE_ENDS, RUN_ENDS = {"planned", "cancelled"}, {"published"}
INDEXES = ("q:new", "q:run", "q:lease", "q:meas", "q:out")
SAMPLE = re.compile(r'^(plimsoll_\w+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Journal:
    """All entries of {pl}:aud, read in pieces."""

    def __init__(self, redis):
        self.redis, self.entries, self.last = redis, [], "-"

    def read(self):
        while True:
            start = self.last if self.last == "-" else "(" + self.last
            got = self.redis.client().xrange("{pl}:aud", start, "+", count=5000)
            self.entries += [dict(fields, at=at) for at, fields in got]
            if not got:
                return self.entries
            self.last = got[-1][0]


@dataclasses.dataclass
class Evidence:
    redis: object                   # helpers.servers.Redis, running
    journal: list                   # of Journal
    accepted: dict                  # change id -> (function, kind), of those that pl_ingest said OK or DUP to
    calls: list = ()                # of helpers.servers.Witness
    gateway: str = None             # text of /metrics
    told: str = None                # a file sink's file: every result that was judged stands in it, once or more
    tests_of_a_change: int = 1
    late_calls: int = 0             # calls of a fenced loader that were on their way: allowed in all
    secrets: dict = dataclasses.field(default_factory=dict)    # name -> text
    folders: list = ()              # logs and state
    pids: list = ()


def hashes(redis, prefix):
    """name -> hash of all keys {pl}:<prefix>:*"""
    client, out, start = redis.client(), {}, len("{pl}:" + prefix + ":")
    keys = list(client.scan_iter("{pl}:" + prefix + ":*", count=5000))
    for i in range(0, len(keys), 1000):
        pipe = client.pipeline(transaction=False)
        for key in keys[i:i + 1000]:
            pipe.hgetall(key)
        out.update((k[start:], v) for k, v in zip(keys[i:i + 1000], pipe.execute()))
    return out


class State:
    def __init__(self, redis):
        self.changes, self.functions, self.runs = (hashes(redis, p) for p in ("c", "f", "r"))
        client = redis.client()
        self.indexes = {q: client.zrange("{pl}:" + q, 0, -1) for q in INDEXES}


def is_run(entry):
    return entry["id"].startswith("r")


# -- the checks: each yields what is wrong --

def nothing_lost(e, s):
    for change, (function, kind) in e.accepted.items():
        c = s.changes.get(change)
        if c is None:
            yield f"I1 change {change} of {function} was accepted and is not there"
        elif c["fn"] != function or (kind and c["kind"] != kind):
            yield f"I1 change {change}: {c['fn']} {c['kind']}, accepted as {function} {kind}"


def nothing_twice(e, s):
    runs = collections.Counter(r["chg"] for r in s.runs.values() if r.get("chg"))
    for change, n in runs.items():
        if n > e.tests_of_a_change:
            yield f"I2 change {change} has {n} runs"
    entered = collections.Counter((j["id"], j["t"]) for j in e.journal if j["t"] in ("queued", "published") or
                                  (j["t"] == "planned" and not (is_run(j) and j.get("f"))))
    for (name, state), n in entered.items():
        if n > 1:
            yield f"I2 {name} became {state} {n} times"


def judged_runs(e):
    """How often each run was judged; one of a function that is gone is published in the same step."""
    return collections.Counter(j["id"] for j in e.journal if j["f"] == "measured" and
                               (j["t"] == "judged" or (j["t"] == "published" and j["w"] == "judge")))


def counted_once(e, s):
    judged = judged_runs(e)
    for run, n in judged.items():
        if n > 1:
            yield f"I3 run {run} was judged {n} times"
    results = collections.Counter(s.runs[r]["fn"] for r in judged if r in s.runs and not s.runs[r].get("end"))
    for function, f in s.functions.items():
        if int(f.get("results", 0)) != results[function]:
            yield f"I3 {function} counts {f.get('results', 0)} results, {results[function]} runs were judged"


def newest_has_ended(e, s):
    for change, c in s.changes.items():
        if c["st"] not in CHANGE_ENDS:
            yield f"I4 change {change} of {c['fn']} is {c['st']}"
    for run, r in s.runs.items():
        if r["st"] not in RUN_ENDS:
            yield f"I4 run {run} of {r['fn']} is {r['st']} ({r.get('end', '')} {r.get('why', '')})"
    for function, f in s.functions.items():
        last = s.changes.get(f.get("last", ""))
        if last and last["st"] != "planned":
            yield f"I4 {function}: its newest change {f['last']} is {last['st']}"


def only_the_holder(e, s):
    tokens = collections.defaultdict(list)
    for j in e.journal:
        if is_run(j) and j["t"] == "active":
            tokens[j["id"]].append(j["tok"])
        if is_run(j) and j["t"] == "measured" and j.get("tok") and j["tok"] not in tokens[j["id"]][-2:]:
            yield f"I5 run {j['id']} measured with {j['tok']}, leased with {tokens[j['id']][-2:]}"
    for run, given in tokens.items():
        if len(set(given)) != len(given):
            yield f"I5 run {run} was given a token twice: {given}"


def one_active_run(e, s):
    active = {}
    for j in e.journal:
        if not is_run(j) or j["id"] not in s.runs:
            continue
        function = s.runs[j["id"]]["fn"]
        if j["t"] == "active":
            if active.get(function) not in (None, j["id"]):
                yield f"I6 {function}: {j['id']} leased while {active[function]} is active (at {j['at']})"
            active[function] = j["id"]
        elif active.get(function) == j["id"]:
            active[function] = None


def overlaps(calls):
    """Calls that a loader made after another had begun on the same path: list of texts."""
    holder, past, late = {}, collections.defaultdict(set), []
    for at, path, run, attempt, _ in sorted(calls):
        if run == "-":
            continue
        key = (run, attempt.rpartition(".")[2])
        if holder.get(path) != key:
            if key in past[path]:
                late.append(f"{path}: a call of {run} attempt {attempt} at {at}, while {holder[path]} had it")
                continue
            past[path].add(key)
            holder[path] = key
    return late


def target_saw_one(e, s):
    late = overlaps(e.calls)
    if len(late) > e.late_calls:
        yield from (f"I6 {text}" for text in late[:20])
        yield f"I6 {len(late)} calls of a loader that was fenced, at most {e.late_calls} may have been on their way"


def indexes_are_right(e, s):
    for name, members in s.indexes.items():
        for m in members:
            yield f"I7 {name} holds {m} although all is done"
    for function, f in s.functions.items():
        if f.get("act") or f.get("pend"):
            yield f"I7 {function}: act {f.get('act')!r}, pend {f.get('pend')!r} although all is done"
        if f.get("gen", "0") != f.get("pgen", "0"):
            yield f"I7 {function}: published {f.get('pgen')} of {f.get('gen')}"
    for resource, used in e.redis.client().hgetall("{pl}:res").items():
        if int(float(used)) != 0:
            yield f"I7 {used} of {resource} are in use although nothing runs"
    yield from (f"I7 the audit mended {what}" for what in audit(e.redis))
    yield from (f"I7 the audit mended {j['y']} (at {j['at']})" for j in e.journal if j["w"] == "audit" and not j["id"])


def audit(redis):
    """One whole turn of pl_audit: what it mended."""
    cursor, found = "0", []
    for _ in range(100000):
        reply = redis.call("FCALL", "pl_audit", 0, cursor)
        cursor = reply[1]
        found += reply[2:]
        if cursor == "0":
            return found
    return found + ["without end"]


def groups(text):
    """Of the Pushgateway's /metrics: (account, function) -> {(metric, other labels): value}."""
    out = collections.defaultdict(dict)
    for line in text.splitlines():
        m = SAMPLE.match(line)
        if not m:
            continue
        labels = {k: v.replace('\\"', '"').replace("\\\\", "\\") for k, v in LABEL.findall(m[2])}
        if labels.get("job") != "plimsoll" or labels.get("account") == "_":  # "_": the sink's own figures
            continue
        who = labels.pop("account", ""), labels.pop("function", "")
        for common in ("job", "instance"):
            labels.pop(common, None)
        out[who][(m[1], tuple(sorted(labels.items())))] = float(m[3])
    return out


def newest_told(e, s):
    """function -> its run of the newest change that was judged and not skipped (an older one may be judged later)."""
    newest = {}
    for j in e.journal:
        if is_run(j) and j["t"] == "judged" and j["f"] == "measured" and s.runs.get(j["id"], {}).get("end") != "skipped":
            r = s.runs.get(j["id"])
            if r and int(r["seq"]) >= int(s.runs[newest.get(r["fn"], j["id"])]["seq"]):
                newest[r["fn"]] = j["id"]
    return newest


def gateway_is_state(e, s):
    if e.gateway is None:
        return
    there, newest = groups(e.gateway), newest_told(e, s)
    for function, f in s.functions.items():
        who = tuple(function.split("/", 1))
        group = there.get(who)
        if f.get("removed") == "1":
            if group:
                yield f"I8 {function} was removed and has a group"
            continue
        if function not in newest:
            continue
        if not group:
            yield f"I8 {function} has results and no group"
            continue
        yield from group_is_state(function, group, newest[function], s)
    for who in there:
        if "/".join(who) not in s.functions:
            yield f"I8 the group {'/'.join(who)} is of nobody"


def group_is_state(function, group, run, s):
    said = [dict(labels).get("run") for (name, labels) in group if name == "plimsoll_run_info"]
    if said != [run]:
        yield f"I8 {function}: the gateway tells of run {said}, the newest is {run}"
    verdict = [dict(labels)["verdict"] for (name, labels), v in group.items() if name == "plimsoll_verdict" and v == 1]
    known = s.runs[run].get("verdict")
    # The gateway is green for valid runs only: one that failed was not compared, and is told as cannot-tell.
    if known and verdict and verdict != [known] and not (known == "not-compared" and verdict == ["cannot-tell"]):
        yield f"I8 {function}: the gateway says {verdict}, the run says {s.runs[run]['verdict']}"
    if group.get(("plimsoll_run_pending", ()), 0) != 0:
        yield f"I8 {function}: pending although all is done"
    total = group.get(("plimsoll_runs_total", ()))
    counted = sum(1 for r in s.runs.values() if r["fn"] == function and r["st"] == "published" and
                  r.get("rev", "") != "" and r.get("end") != "skipped")
    was_removed = any(c["fn"] == function and c["kind"] == "removed" for c in s.changes.values())
    if total is not None and total != counted and not was_removed:
        yield f"I8 {function}: plimsoll_runs_total is {total:g}, {counted} runs were told"


def all_were_told(e, s):
    if e.told is None:
        return
    with open(e.told, encoding="utf-8") as f:
        told = {json.loads(line)["plimsollrun"] for line in f if line.endswith("\n")}
    for run in {j["id"] for j in e.journal if j["f"] == "measured" and j["t"] == "judged"} - told:
        yield f"I8 the result of {run} was judged and is not in {e.told}"


def only_known_moves(e, s):
    moved = [j for j in e.journal if j["id"]]
    for j in moved:
        moves = RUN_MOVES if is_run(j) else CHANGE_MOVES
        if j.get("f", "") == j["t"]:
            continue  # an amendment, a beat that says why: no move
        if (j.get("f", ""), j["t"]) not in moves:
            yield f"I9 {j['id']}: {j.get('f', '')!r} -> {j['t']!r} by {j.get('w')} ({j.get('y')})"
    where = {}
    for j in moved:
        if j["id"] in where and where[j["id"]] != j.get("f", ""):
            yield f"I9 {j['id']}: left {j.get('f')!r}, was {where[j['id']]!r}"
        where[j["id"]] = j["t"]


def files_under(folders):
    for folder in folders:
        for base, _, names in os.walk(folder):
            yield from (os.path.join(base, n) for n in names)


def no_secret_leaks(e, s):
    needles = {name: text.encode() for name, text in e.secrets.items()}
    places = list(files_under(e.folders))
    for pid in e.pids:
        places += [f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"]
    for place in places:
        if f"{os.sep}credentials{os.sep}" in place:
            continue
        try:
            with open(place, "rb") as f:
                data = f.read()
        except OSError:
            continue
        for name, needle in needles.items():
            if needle in data or urllib.parse.quote(needle, safe="").encode() in data:
                yield f"I10 the secret {name} stands in {place}"


CHECKS = (nothing_lost, nothing_twice, counted_once, newest_has_ended, only_the_holder, one_active_run, target_saw_one,
          indexes_are_right, gateway_is_state, all_were_told, only_known_moves, no_secret_leaks)
SHOWN = 6


def check(evidence):
    state = State(evidence.redis)
    return [text for look in CHECKS for text in look(evidence, state)]


def show(wrong):
    """For people: how many of each kind, and the first ones."""
    kinds = collections.defaultdict(list)
    for text in wrong:
        kinds[text.split()[0]].append(text)
    return "\n".join(line for kind, texts in kinds.items() for line in [f"{kind}: {len(texts)}", *texts[:SHOWN]])
