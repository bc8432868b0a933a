"""`make check-verdicts`: what the whole way from a function to a verdict says of code whose truth is known.

RUNS functions (30) of two published copies of one code, and RUNS whose second version sleeps 50 ms longer on 60, on a real
emulator; each is measured by `plimsoll run NAME --old 1 --new 2` with a home of its own, AT_ONCE (3) side by side. A `worse`
is measured once more by the program itself, as for any user. A run that the loader calls suspect is begun again (other work
on this machine is no answer), at most twice, and counted. Prints a line a run and the table of docs/VERDICT.md; exit 1 when
equal code was confirmed to be worse, or slower code was not. tests/integration/test_verdicts.py is the short form.
"""
import collections
import concurrent.futures
import json
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from helpers.cloud import Cloud
from helpers.programs import pl
from helpers.servers import Ministack

RUNS = int(os.environ.get("RUNS") or 30)
AT_ONCE = int(os.environ.get("AT_ONCE") or 3)
DURATION = os.environ.get("DURATION") or "70s"
BASE_MS, SLOWER_MS = 60, 50
TRIES = 3
CONFIG = """\
accounts: {{prod: {{provider: aws, region: {region}, endpoint: "{url}"}}}}
functions: {{prod/*: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [compare]}}}}
tests:
  compare:
    workload: {{executor: constant-arrival-rate, rate: 6/s, duration: {duration}, spread: 4}}
    warmup: 8s
"""


class Bench:
    def __init__(self, folder, cloud, duration=DURATION):
        self.folder, self.cloud = str(folder), cloud
        self.told = {}  # name -> run.finished data of all runs, those that were begun again too
        self.config = os.path.join(self.folder, "plimsoll.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(region=cloud.region, url=cloud.server.url, duration=duration))
        self.env = {k: v for k, v in cloud.env().items() if k != "AWS_ENDPOINT_URL"} | {"AWS_EC2_METADATA_DISABLED": "true"}

    def witness(self, name):
        """The file in which the function writes down its calls."""
        return os.path.join(self.folder, name + ".witness")

    def make(self, name):
        fn = self.cloud.create(name, sleep_ms=BASE_MS, label="old", witness=self.witness(name))
        fn.publish()
        if name.startswith("equal"):
            fn.publish_copy()
        else:
            fn.update(sleep_ms=BASE_MS + SLOWER_MS, label="new").publish()
        return fn

    def run(self, name, home):
        r = pl("plimsoll", "run", name, "--old", "1", "--new", "2", "--config", self.config, env=self.env, home=home, cwd=home,
               timeout_s=600)
        ids = re.findall(r"^ +run +(r[a-z2-7]{20})\b", r.text, re.M)
        shown = [pl("plimsoll", "show", "--json", run, "--config", self.config, env=self.env, home=home, cwd=home) for run in ids]
        return r, [json.loads(s.out)["data"] for s in shown]

    def whole(self, name):
        """(code, [run.finished data of the last try], tries)"""
        fn = self.make(name)
        try:
            for tries in range(1, TRIES + 1):
                home = tempfile.mkdtemp(prefix=name, dir=self.folder)
                r, runs = self.run(name, home)
                self.told.setdefault(name, []).extend(runs)
                if not runs:
                    print(f"{name}: exit {r.code}: {r.errors[-400:]}", flush=True)
                elif all(d["outcome"] == "valid" for d in runs):
                    break
            return r.code, runs, tries
        finally:
            fn.delete()


def describe(name, code, runs, tries):
    parts = []
    for d in runs:
        m = next(m for m in d["metrics"] if m["name"] == "response_p50")
        parts.append(f"{d['verdict']} ({d['outcome']}) {m.get('diff', float('nan')):+.3f} "
                     f"[{m.get('low', float('nan')):+.3f}, {m.get('high', float('nan')):+.3f}] "
                     f"{m.get('diff_abs', float('nan')) / 1000:+.1f} ms, {m['basis']} {m['environments_old']}/{m['environments_new']}")
    return f"{name}: exit {code}, tries {tries}: " + "; then ".join(parts)


def word_of(runs):
    if not runs or any(d["outcome"] != "valid" for d in runs):
        return "not measured"
    last = runs[-1]
    return "worse, confirmed" if last["verdict"] == "worse" and last["is_confirmed"] else last["verdict"]


def main():
    began, words, truth = time.monotonic(), {"equal": collections.Counter(), "slower": collections.Counter()}, []
    again = 0
    with tempfile.TemporaryDirectory(prefix="plimsoll-verdicts-") as folder, Ministack(folder + "/ministack") as server:
        bench = Bench(folder, Cloud(server, account="440000000000"))
        names = [f"{kind}{i}" for i in range(RUNS) for kind in words]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for name, (code, runs, tries) in zip(names, pool.map(bench.whole, names)):
                kind = name.rstrip("0123456789")
                words[kind][word_of(runs)] += 1
                again += tries - 1
                if kind == "slower":
                    truth += [m["low_abs"] <= SLOWER_MS * 1000 <= m["high_abs"] for d in runs if d["outcome"] == "valid"
                              for m in d["metrics"] if m["name"] == "response_p50" and m.get("low_abs") is not None]
                print(describe(name, code, runs, tries), flush=True)
    print(f"\n| {RUNS} runs of | " + " | ".join(sorted(set().union(*words.values()))) + " |")
    for kind, counts in words.items():
        print(f"| {kind} | " + " | ".join(str(counts[w]) for w in sorted(set().union(*words.values()))) + " |")
    print(f"\nthe true {SLOWER_MS} ms inside the interval: {sum(truth)} of {len(truth)}; begun again for a suspect run: {again}; "
          f"{time.monotonic() - began:.0f} s")
    return 0 if words["equal"]["worse, confirmed"] == 0 and words["slower"]["worse, confirmed"] == RUNS else 1


if __name__ == "__main__":
    sys.exit(main())
