"""`make bench`: the load engine beside a bare floor and every peer of this machine, alternately, in one run.

	make bench					# all rows, five turns: about half an hour
	make bench ROWS=h1,tls TURNS=3 PEERS=floor,wrk	# a part; ours is always there

Settings: ROWS, PEERS (names, by comma), TURNS (5; rows of right or wrong take fewer), SECONDS (5; of a turn of the
closed rows), REPEATS (20; noisy turns that are run again, in all), PEERS_PATH (folders with more peers), OUT
(build). Results: build/bench.json, build/bench.md (make bench-page). Progress on stderr.
"""
import json
import os
import platform
import resource
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from helpers.servers import make_certificate  # noqa: E402

import peers  # noqa: E402
import report  # noqa: E402
from scenarios import ROWS  # noqa: E402
from targets import BenchNginx  # noqa: E402

OUT = os.environ.get("OUT") or os.path.join(peers.ROOT, "build")


def setting(name, default):
    return int(os.environ.get(name) or default)


def names(name):
    return [n for n in (os.environ.get(name) or "").replace(",", " ").split() if n]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Bench:
    """The servers of a bench and what all rows ask."""

    def __init__(self, folder):
        self.folder = folder
        self.seconds, self.turns, self.repeats = setting("SECONDS", 5), setting("TURNS", 5), setting("REPEATS", 20)
        self.certificate = make_certificate(folder)
        self.servers = {False: BenchNginx(os.path.join(folder, "plain")),
                        True: BenchNginx(os.path.join(folder, "tls"), tls=self.certificate)}

    def __enter__(self):
        for s in self.servers.values():
            s.start()
        return self

    def __exit__(self, *_):
        for s in self.servers.values():
            s.stop()

    def nginx(self, row):
        return self.servers[bool(row.ask.get("tls"))]

    def ask(self, row, **more):
        words = {"url": self.nginx(row).url + "/ok", "seconds": self.seconds, "folder": self.folder, **row.ask, **more}
        if words.pop("tls", False):
            words["ca"] = self.certificate[0]
        return peers.Ask(**words)

    def turns_of(self, row):
        return 1 + self.turns // 3 if row.is_slow else self.turns

    def once(self, peer, row):
        """One turn of one peer; a noisy one is tried again and the quietest of them counts."""
        best = row.run(self, peer, row)
        while best and best["noise"] > report.NOISY and self.repeats > 0:
            self.repeats -= 1
            again = row.run(self, peer, row)
            best = min(best, again, key=lambda s: s["noise"])
        return best

    def row(self, row, found):
        found = [p for p in found if p.name not in row.without]
        samples = {p.name: [] for p in found}
        for turn in range(self.turns_of(row)):
            for p in found:
                s = self.once(p, row)
                samples[p.name].append(s)
                if s:
                    tell(row, turn, p, s)
        return samples


def tell(row, turn, peer, s):
    first = row.columns[0]
    value = first.form.format(s[first.key]) if s.get(first.key) is not None else "no figure"
    noise = f", noisy: {100 * s['steal']:.0f} % stolen, {100 * s['others']:.0f} % used by others" if s["noise"] > report.NOISY else ""
    say(f"{row.name}, turn {turn + 1}: {peer.name} {value} {first.title}{noise}{'; ' + s['trouble'] if s.get('trouble') else ''}")


def machine(found):
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "when": time.strftime("%Y-%m-%d", time.gmtime()),
            "peers": ", ".join(f"{p.name} {p.version}".strip() for p in found)}


def write(done, raw, found, about):
    os.makedirs(OUT, exist_ok=True)
    all_names = [p.name for p in found]
    with open(os.path.join(OUT, "bench.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": about, "rows": [{"name": r.name, "title": r.title, "turns": t, "summary": s, "samples": raw[r.name]}
                                              for r, s, t in done]}, f, indent=1)
    text = report.markdown(done, all_names, peers.OURS, about)
    with open(os.path.join(OUT, "bench.md"), "w", encoding="utf-8") as f:
        f.write(text)
    return text


def main():
    wanted, only = names("ROWS"), names("PEERS")
    unknown = (set(wanted) - {r.name for r in ROWS}) | (set(only) - {p[0] for p in peers.PEERS})
    if unknown:
        sys.exit(f"bench: not known: {', '.join(sorted(unknown))}. Rows: {' '.join(r.name for r in ROWS)}; "
                 f"peers: {' '.join(p[0] for p in peers.PEERS)}")
    found, missing = peers.found([*only, peers.OURS] if only else None)
    if missing:
        say(f"not found and left out: {', '.join(missing)}")
    if len(os.sched_getaffinity(0)) < 2:
        say("one core only: target and clients share it, and figures mean little")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    about, done, raw, text = machine(found), [], {}, ""
    with tempfile.TemporaryDirectory() as folder, Bench(folder) as bench:
        for row in ROWS:
            if wanted and row.name not in wanted:
                continue
            raw[row.name] = bench.row(row, found)
            done.append((row, report.summarize(row, raw[row.name], peers.OURS), bench.turns_of(row)))
            text = write(done, raw, found, about)
    print(text)


main()
