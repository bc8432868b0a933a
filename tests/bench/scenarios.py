"""The rows of the bench: one function a kind of row, one line of ROWS a row.

A row's function runs one peer once and returns its figures, or None when the peer cannot do that. The first column of a
row is what is compared; smaller is better unless the column says otherwise.
"""
import dataclasses
import math
from typing import Callable

from measure import measure
from peers import Ask
from targets import CLIENT_CORE, Recorder

RATE, GRACE_S = 1000, 25


@dataclasses.dataclass
class Column:
    key: str
    title: str
    form: str = "{:.1f}"
    is_more_better: bool = False


@dataclasses.dataclass
class Row:
    name: str
    title: str
    run: Callable
    ask: dict
    columns: list
    is_slow: bool = False  # a matter of right or wrong more than of microseconds: fewer turns
    has_ratio: bool = True
    without: tuple = ()  # peers for which it would be a waste of time


def _run(peer, ask, pid, at=()):
    command = peer.command(ask)
    if command is None:
        return None, None
    run = measure(command, core=CLIENT_CORE, others=[pid], at=at, timeout_s=ask.seconds + GRACE_S)
    return run, _figures(peer, run, ask)


def _figures(peer, run, ask):
    """What it says; nothing when it did not end well enough to say it."""
    try:
        return peer.reads(run, ask)
    except (ValueError, KeyError, AttributeError, TypeError, OSError, IndexError) as e:
        return {"ok": 0, "total": 0, "trouble": f"exit {run.code}{', cut' if run.is_cut else ''}: {e!r} "
                                                f"{(run.err or run.out).strip()[-200:]}"}


def _sample(run, figures, **more):
    return {"noise": run.noise, "steal": run.steal_ratio, "others": run.others_ratio, "exit": run.code,
            "rss_mib": run.rss_mib, "cpu_s": run.cpu_s, "wall_s": run.wall_s, **figures, **more}


def cost(bench, peer, row):
    """CPU a request against nginx."""
    ask = bench.ask(row)
    run, f = _run(peer, ask, bench.nginx(row).pid)
    if run is None:
        return None
    more = {"cpu_us": run.cpu_s / f["ok"] * 1e6 if f["ok"] else None, "per_s": f["ok"] / ask.seconds}
    if ask.rate:
        more["achieved"] = 100.0 * f["ok"] / (ask.rate * ask.seconds)
    return _sample(run, f, **more)


def highest(bench, peer, row):
    """The highest rate that is held for two seconds: 99 % of it answered. By halving, to 3 %."""
    low, high, last = 4000.0, 128000.0, None
    for _ in range(7):
        rate = round(math.sqrt(low * high), -2)
        ask = bench.ask(row, rate=int(rate))
        run, f = _run(peer, ask, bench.nginx(row).pid)
        if run is None:
            return None
        last = _sample(run, f) if last is None or run.noise > last["noise"] else last
        low, high = (rate, high) if f["ok"] >= 0.99 * rate * ask.seconds else (low, rate)
    return {**last, "held": low}


def many(bench, peer, row):
    """10,000 connections: what it takes, and what the target saw."""
    ask = bench.ask(row, url="http://127.0.0.1:1/")
    if peer.command(ask) is None:
        return None
    target = Recorder(bench.folder).start()
    try:
        run, f = _run(peer, dataclasses.replace(ask, url=target.url), target.pid)
        seen = target.stop()
    finally:
        target.kill()
    return _sample(run, f, open=seen["open_peak"], achieved=100.0 * seen["requests"] / (ask.rate * ask.seconds))


def _truth_ms(ask, seen, share):
    """Of the calls due every 1/rate s, when those of one stall are answered at its end."""
    stall_ms = (seen["stall_to_ns"] - seen["stall_from_ns"]) / 1e6
    beyond = (1 - share) * ask.rate * ask.seconds
    return max(0.0, stall_ms - beyond * 1e3 / ask.rate)


def stall(bench, peer, row):
    """The target does nothing for a second. What is the 99th percentile?"""
    ask = bench.ask(row, url="http://127.0.0.1:1/")
    if peer.command(ask) is None:
        return None
    target = Recorder(bench.folder, stall_at="4s", stall="1s").start()
    try:
        run, f = _run(peer, dataclasses.replace(ask, url=target.url), target.pid)
        seen = target.stop()
    finally:
        target.kill()
    truth = {"p95": _truth_ms(ask, seen, 0.95), "p99": _truth_ms(ask, seen, 0.99), "max": _truth_ms(ask, seen, 1)}
    wrong = {f"{k}_wrong": 100 * (f[f"{k}_ms"] / v - 1) for k, v in truth.items() if v and f.get(f"{k}_ms") is not None}
    return _sample(run, f, truth_p99_ms=truth["p99"], off=abs(wrong["p99_wrong"]) if "p99_wrong" in wrong else None, **wrong)


def kill(bench, peer, row):
    """The target dies after 3 s and is back after 5. Do the outcomes add up to the calls that were due?"""
    ask = bench.ask(row, url="http://127.0.0.1:1/")
    if peer.command(ask) is None:
        return None
    target = Recorder(bench.folder).start()
    try:
        run, f = _run(peer, dataclasses.replace(ask, url=target.url), target.pid, at=[(3.0, target.kill), (5.0, target.start)])
    finally:
        target.kill()
    due = ask.rate * ask.seconds
    return _sample(run, f, due=due, missing=abs(due - f["total"]))


def sends(bench, peer, row):
    """When requests left, by the kernel's stamp at the target. The grid is that of the sends that were least late."""
    ask = bench.ask(row, url="http://127.0.0.1:1/")
    if peer.command(ask) is None:
        return None
    target = Recorder(bench.folder).start()
    try:
        run, f = _run(peer, dataclasses.replace(ask, url=target.url), target.pid)
        target.stop()
    finally:
        target.kill()
    at = target.stamps()
    if len(at) < 100:
        return _sample(run, f, off_us=None)
    if peer.name == "floor":
        at = at[1:]  # the one that asks for the answer's length
    late = sorted(t - i * 1e9 / ask.rate for i, t in enumerate(at))
    base = late[len(late) // 100]
    close = sum(1 for a, b in zip(at, at[1:]) if b - a < 100000)
    return _sample(run, f, off_us=(late[len(late) // 2] - base) / 1e3, late_p99_us=(late[len(late) * 99 // 100] - base) / 1e3,
                   close=100.0 * close / len(at))


CPU = Column("cpu_us", "CPU µs a request")
PER_S = Column("per_s", "requests/s", "{:,.0f}", True)
ACHIEVED = Column("achieved", "achieved %", "{:.2f}", True)
RSS = Column("rss_mib", "RSS MiB")

ROWS = [
    Row("h1", "HTTP/1.1, 64 connections, closed", cost, {}, [CPU, PER_S, RSS]),
    Row("tls", "TLS 1.3, 64 connections, closed", cost, {"tls": True}, [CPU, PER_S, RSS]),
    Row("h2", "HTTP/2 over TLS, 16 connections of 32 streams, closed", cost, {"tls": True, "connections": 16, "streams": 32},
        [CPU, PER_S, RSS]),
    Row("open-20000", "open model, 20,000/s, 64 connections", cost, {"rate": 20000, "seconds": 3}, [CPU, ACHIEVED, RSS]),
    Row("open-2000", "open model, 2,000/s, 64 connections", cost, {"rate": 2000, "seconds": 3}, [CPU, ACHIEVED, RSS]),
    Row("sends", "send times at 1,000/s", sends, {"rate": RATE, "seconds": 3, "exact": True},
        [Column("off_us", "median µs from the grid"), Column("late_p99_us", "p99 µs", "{:,.0f}"),
         Column("close", "% sent < 0.1 ms after the one before", "{:.2f}")]),
    Row("highest", "highest rate held (99 % answered), 64 connections", highest, {"rate": 1, "seconds": 2},
        [Column("held", "requests/s", "{:,.0f}", True)], is_slow=True, without=("floor", "hey", "vegeta", "k6")),
    Row("stall", "a stall of 1 s in 10 s at 1,000/s", stall, {"rate": RATE, "seconds": 10, "waiting": True},
        [Column("off", "p99 off by %"), Column("p95_wrong", "p95 %", "{:+.1f}"), Column("p99_wrong", "p99 %", "{:+.1f}"),
         Column("max_wrong", "max %", "{:+.1f}"), Column("p99_ms", "p99 ms")], is_slow=True, has_ratio=False),
    Row("connections", "10,000 connections at 5,000/s", many, {"connections": 10000, "rate": 5000, "seconds": 10, "many": True},
        [RSS, Column("open", "open at once", "{:,.0f}", True), ACHIEVED], is_slow=True),
    Row("kill", "target dead from 3 s to 5 s of 8 at 1,000/s", kill, {"rate": RATE, "seconds": 8, "waiting": True},
        [Column("missing", "due − outcomes", "{:,.0f}"), Column("total", "outcomes", "{:,.0f}", True),
         Column("ok", "ok", "{:,.0f}", True), Column("exit", "exit code", "{:.0f}")], is_slow=True, has_ratio=False),
]
