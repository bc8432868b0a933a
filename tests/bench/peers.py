"""The programs that are held against each other: one row each.

A peer is found on the PATH, or in the folders of PEERS_PATH. For an Ask it gives the command line that does it best, or
None when it cannot; reads() makes figures of what the program printed:

	ok, total		answers as wanted; all that it says it did, failed ones too
	p50_ms ... max_ms	response times as the program states them, where it does

Everyone gets the same connections, the same time and one thread or what it takes on the one core it is pinned to.
"""
import dataclasses
import json
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
PERCENTILES = (50, 95, 99)


@dataclasses.dataclass
class Ask:
    """One load. rate 0: closed, each connection (or stream) asks again when answered."""
    url: str
    seconds: int
    connections: int = 64
    streams: int = 0  # HTTP/2 with so many calls a connection; 0: HTTP/1.1
    rate: int = 0
    ca: str = None
    folder: str = "."  # for scripts and results
    many: bool = False  # all connections are to be open, whatever the rate needs
    exact: bool = False  # send times matter more than CPU
    waiting: bool = False  # the target stalls or dies: users enough to go on sending

    @property
    def port(self):
        return re.search(r":(\d+)/", self.url).group(1)

    @property
    def path(self):
        return self.url[self.url.index("/", 8):]

    @property
    def users(self):
        return self.connections * max(1, self.streams)


def _ms(text):
    """"1.23ms" as milliseconds."""
    m = re.match(r"([\d.]+)(us|ms|s|m)", text)
    return float(m.group(1)) * UNITS_MS[m.group(2)] if m else None


def _number(pattern, text, default=0):
    m = re.search(pattern, text)
    return float(m.group(1)) if m else default


# ---- the floor, and ours ----

def floor(a):
    if a.streams or a.ca or a.waiting or a.many:
        return None
    return ["floor", "--connections", a.connections, "--seconds", a.seconds, "--rate", a.rate, a.port, a.path]


def floor_reads(run, _):
    n = json.loads(run.out)["requests"]
    return {"ok": n, "total": n}


def plimsoll(a):
    how = ["--rate", f"{a.rate}/s"] if a.rate else ["--vus", a.users]
    http = ["--http", "2", "--streams", a.streams] if a.streams else []
    ca = ["--cacert", a.ca] if a.ca else []
    how += ["--spin", "50us"] if a.exact else []
    return ["plimsoll", "load", *how, "--connections", a.connections, "--duration", f"{a.seconds}s", *http, *ca, "--json", a.url]


def plimsoll_reads(run, _):
    r = json.loads(run.out)
    outcomes = {k: v for k, v in r["requests"].items() if isinstance(v, int) and k not in ("due", "sent", "warmup")}
    times = r["response_us"] or {}
    figures = {f"{p}_ms": times[p] / 1e3 for p in ("p50", "p95", "p99", "max") if times.get(p) is not None}
    return {"ok": outcomes["ok"], "total": sum(outcomes.values()), "suspect": r["quality"].get("suspect") or [], **figures}


# ---- C ----

def wrk(a):
    if a.rate or a.streams:
        return None
    return ["wrk", "-t1", f"-c{a.connections}", f"-d{a.seconds}s", "--latency", a.url]


def wrk2(a):
    if not a.rate or a.streams:
        return None
    return ["wrk2", "-t1", f"-c{a.connections}", f"-d{a.seconds}s", f"-R{a.rate}", "--latency", a.url]


def wrk_reads(run, _):
    ok = _number(r"(\d+) requests in", run.out)
    failed = sum(float(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", run.out))
    ok -= _number(r"Non-2xx or 3xx responses: (\d+)", run.out)
    figures = {"ok": ok, "total": ok + failed}
    for p in PERCENTILES:
        m = re.search(rf"^\s+{p}(?:\.000)?%\s+(\S+)", run.out, re.M)
        if m:
            figures[f"p{p}_ms"] = _ms(m.group(1))
    return figures


def h2load(a):
    how = [f"-c{a.connections}", "-t1", f"-D{a.seconds}", *([f"-m{a.streams}"] if a.streams else ["--h1"])]
    return ["h2load", *how, *([f"--rps={a.rate / a.connections:g}"] if a.rate else []), a.url]


def h2load_reads(run, _):
    m = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed", run.out)
    slowest = re.search(r"time for request:\s+\S+\s+(\S+)", run.out)
    return {"ok": int(m.group(4)), "total": int(m.group(3)), "max_ms": _ms(slowest.group(1)) if slowest else None}


def ab(a):
    if a.rate or a.streams:
        return None
    return ["ab", "-q", "-k", "-c", a.connections, "-t", a.seconds, "-n", 3000000, a.url]


def ab_reads(run, _):
    done, failed = _number(r"Complete requests:\s+(\d+)", run.out), _number(r"Failed requests:\s+(\d+)", run.out)
    return {"ok": done - failed, "total": done}


# ---- Go, Rust ----

def hey(a):
    how = ["-h2"] if a.streams else []
    rate = ["-q", f"{a.rate / a.users:g}"] if a.rate else []
    return ["hey", "-z", f"{a.seconds}s", "-c", a.users, *how, *rate, a.url]


def hey_reads(run, _):
    by_status = {int(s): int(n) for s, n in re.findall(r"\[(\d{3})\]\s+(\d+) responses", run.out)}
    errors = sum(int(n) for n in re.findall(r"^\s+\[(\d+)\]\s+[A-Z]", run.out, re.M))
    figures = {"ok": by_status.get(200, 0), "total": sum(by_status.values()) + errors,
               "max_ms": _number(r"Slowest:\s+([\d.]+) secs", run.out) * 1e3}
    for p in PERCENTILES:
        m = re.search(rf"{p}%+ in ([\d.]+) secs", run.out)
        if m:
            figures[f"p{p}_ms"] = float(m.group(1)) * 1e3
    return figures


def vegeta(a):
    if a.many:
        return None  # it opens no more than it needs
    targets = os.path.join(a.folder, "vegeta.targets")
    with open(targets, "w", encoding="ascii") as f:
        f.write(f"GET {a.url}\n")
    most = [] if a.rate else ["-max-workers", a.users]
    return ["vegeta", "attack", "-targets", targets, "-rate", f"{a.rate}/1s" if a.rate else 0, "-duration", f"{a.seconds}s", *most,
            "-connections", a.connections, *(["-root-certs", a.ca] if a.ca else []), f"-http2={'true' if a.streams else 'false'}",
            "-output", os.path.join(a.folder, "vegeta.bin")]


def vegeta_reads(run, a):
    out = subprocess.run([find("vegeta"), "report", "-type", "json", os.path.join(a.folder, "vegeta.bin")],
                         check=True, capture_output=True, timeout=60).stdout
    r = json.loads(out)
    times = {f"{to}_ms": r["latencies"][name] / 1e6 for to, name in
             (("p50", "50th"), ("p95", "95th"), ("p99", "99th"), ("max", "max"))}
    return {"ok": r["status_codes"].get("200", 0), "total": r["requests"], **times}


def fortio(a):
    how = ["-h2", "-stdclient"] if a.streams else []
    steady = ["-nocatchup=false", "-uniform"] if a.rate else []
    return ["fortio", "load", "-quiet", "-qps", a.rate, "-c", a.connections, "-t", f"{a.seconds}s", "-timeout", "5s", *how, *steady,
            *(["-cacert", a.ca] if a.ca else []), "-p", "50,95,99", "-allow-initial-errors",
            "-json", os.path.join(a.folder, "fortio.json"), a.url]


def fortio_reads(_, a):
    with open(os.path.join(a.folder, "fortio.json"), encoding="utf-8") as f:
        r = json.load(f)
    times = {f"p{p['Percentile']:g}_ms": p["Value"] * 1e3 for p in r["DurationHistogram"].get("Percentiles") or []}
    times["max_ms"] = r["DurationHistogram"]["Max"] * 1e3
    return {"ok": r["RetCodes"].get("200", 0), "total": r["DurationHistogram"]["Count"], **times}


def oha(a):
    how = ["--http2", "-p", a.streams] if a.streams else []
    rate = ["-q", a.rate, "--latency-correction"] if a.rate else []
    return ["oha", "-z", f"{a.seconds}s", "-c", a.connections, *how, *rate, *(["--insecure"] if a.ca else []),
            "--no-tui", "--output-format", "json", a.url]


def oha_reads(run, _):
    r = json.loads(run.out)
    failed = sum((r.get("errorDistribution") or {}).values())
    ok = (r.get("statusCodeDistribution") or {}).get("200", 0)
    times = {f"p{p}_ms": r["latencyPercentiles"][f"p{p}"] * 1e3 for p in PERCENTILES
             if (r.get("latencyPercentiles") or {}).get(f"p{p}") is not None}
    times["max_ms"] = (r["summary"].get("slowest") or 0) * 1e3
    return {"ok": ok, "total": sum((r.get("statusCodeDistribution") or {}).values()) + failed, **times}


K6 = """
import http from 'k6/http';
const url = %(url)s, streams = %(streams)d;
export const options = { insecureSkipTLSVerify: true, batch: 64, batchPerHost: 64, discardResponseBodies: false,
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'], noUsageReport: true, scenarios: { one: %(scenario)s } };
export default function () {
  if (streams > 0) http.batch(Array(streams).fill(['GET', url])); else http.get(url);
}
export function handleSummary(data) { return { stdout: JSON.stringify(data.metrics) }; }
"""


def k6(a):
    users = 2000 if a.waiting else a.connections
    one = {"executor": "constant-vus", "vus": users, "duration": f"{a.seconds}s"} if not a.rate else {
        "executor": "constant-arrival-rate", "rate": a.rate, "timeUnit": "1s", "duration": f"{a.seconds}s",
        "preAllocatedVUs": users, "maxVUs": users}
    script = os.path.join(a.folder, "k6.js")
    with open(script, "w", encoding="ascii") as f:
        f.write(K6 % {"url": json.dumps(a.url), "streams": a.streams, "scenario": json.dumps(one)})
    return ["k6", "run", "--quiet", "--no-usage-report", script]


def k6_reads(run, _):
    m = json.loads(run.out[run.out.index("{"):])
    done, failed = m["http_reqs"]["values"]["count"], m["http_req_failed"]["values"]["passes"]
    dropped = m.get("dropped_iterations", {"values": {"count": 0}})["values"]["count"]
    times = {f"{to}_ms": m["http_req_duration"]["values"][name] for to, name in
             (("p50", "med"), ("p95", "p(95)"), ("p99", "p(99)"), ("max", "max"))}
    return {"ok": done - failed, "total": done + dropped, **times}


# name, command, reads, how it tells its version
PEERS = [
    ("floor", floor, floor_reads, None),
    ("plimsoll", plimsoll, plimsoll_reads, ["--version"]),
    ("wrk", wrk, wrk_reads, ["-v"]),
    ("wrk2", wrk2, wrk_reads, ["-v"]),
    ("h2load", h2load, h2load_reads, ["--version"]),
    ("ab", ab, ab_reads, ["-V"]),
    ("fortio", fortio, fortio_reads, ["version"]),
    ("oha", oha, oha_reads, ["--version"]),
    ("vegeta", vegeta, vegeta_reads, None),
    ("hey", hey, hey_reads, None),
    ("k6", k6, k6_reads, ["version"]),
]
OURS = "plimsoll"


def find(name):
    """The path of a program, or None. Ours come from the build."""
    build = os.environ.get("PLIMSOLL_BUILD") or os.path.join(ROOT, "build", "release")
    folders = [build, os.path.join(build, "tests", "bench"), *os.environ.get("PEERS_PATH", "").split(":"), os.environ["PATH"]]
    return shutil.which(name, path=":".join(f for f in folders if f))


def version(name, words):
    if words is None:
        return ""
    p = subprocess.run([find(name), *words], capture_output=True, text=True, timeout=20, errors="replace")
    m = re.search(r"\d+\.\d+[\w.+-]*", p.stdout + p.stderr)
    return m.group() if m else ""


class Peer:
    def __init__(self, name, command, reads, words):
        self.name, self._command, self.reads, self.version = name, command, reads, version(name, words)

    def command(self, ask):
        """argv, or None when it cannot do that."""
        words = self._command(ask)
        return words and [find(words[0]), *(str(w) for w in words[1:])]


def found(only=None):
    """All peers of this machine in the order of the table; and the names of those that are not there."""
    wanted = [p for p in PEERS if not only or p[0] in only]
    return [Peer(*p) for p in wanted if find(p[0])], [p[0] for p in wanted if not find(p[0])]
