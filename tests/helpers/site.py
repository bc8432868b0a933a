"""A folder with a plimsoll.yaml for functions on the emulator, and the pipe run in it.

	site = Site(tmp_path, cloud)				# fixture `site`
	site.configure(rate="6/s", duration="70s", gates={"response_p50": "10%"})
	event = site.changed(fn, old="1", new="2")		# function.changed as the watcher would send it
	result = site.pipe([event])				# planner | loader | collector, each output kept
	result.of("run.finished")[0]["data"]["verdict"]
"""
import json
import os
from datetime import datetime, timezone

from .programs import Result, clean_env, example, pipe, pl
from .shards import check_sums

CONFIG = """\
accounts:
  prod: {{provider: aws, region: {region}, endpoint: "{url}", publish_versions: keep 5, poll: 1s, quiet_time: 1s, not_found_after: 2s{account}}}
functions:
  prod/*: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [compare]{function}}}
tests:
  compare:
    workload: {{executor: constant-arrival-rate, rate: {rate}, duration: {duration}, spread: {spread}}}
    warmup: {warmup}
    baseline: previous-version
    when: [added, code]
metrics:
  gate: {gates}
limits: {{cost_per_run: 1 USD, cost_per_day: 10 USD, rate: 200/s, concurrency: 200, abort_error_ratio: {abort}}}
sinks:
  archive: {{path: archive.sqlite}}
{more}
"""


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Site:
    def __init__(self, folder, cloud):
        self.folder, self.cloud = str(folder), cloud
        self.runs = 0
        self.configure()

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, rate="6/s", duration="70s", warmup="8s", spread=4, gates=None, abort="100%", more="", account="",
                  function=""):
        gates = gates or {"response_p50": "10%", "error_ratio": "0.5pp"}
        text = "{" + ", ".join(f"{name}: {{tolerance: {t}}}" for name, t in gates.items()) + "}"
        with open(self.path("plimsoll.yaml"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(region=self.cloud.region, url=self.cloud.server.url, rate=rate, duration=duration,
                                  warmup=warmup, spread=spread, gates=text, abort=abort, more=more, account=account,
                                  function=function))
        return self

    def env(self):
        """Keys of the account; the endpoint stands in the configuration."""
        env = self.cloud.env()
        env.pop("AWS_ENDPOINT_URL")
        return dict(env, AWS_EC2_METADATA_DISABLED="true")

    def changed(self, fn, old, new, kind="code", causes=("code",)):
        """function.changed as the watcher would send it. old None: there is no version before."""
        event = example("function.changed")
        self.runs += 1
        change = f"c{self.runs:019d}".translate(str.maketrans("0123456789", "abcdefghij"))
        versions = {v["Version"]: v for v in fn.client.list_versions_by_function(FunctionName=fn.name)["Versions"]}
        d = versions[new]
        event.update(id=change, subject=f"prod/{fn.name}", time=now())
        data = event["data"]
        data["change"].update(id=change, kind=kind, causes=list(causes), revision=d["RevisionId"])
        data["target"].update(region=self.cloud.region, arn=fn.describe()["FunctionArn"], qualifier=new, code_sha256=d["CodeSha256"],
                              memory_bytes=d["MemorySize"] << 20, timeout_ms=d["Timeout"] * 1000, runtime=d["Runtime"])
        data["candidates"] = [
            {"qualifier": q, "code_sha256": versions[q]["CodeSha256"], "config_sha256": data["target"]["config_sha256"],
             "published_at": now()} for q in (new, old) if q]
        data["limits"]["read_at"] = now()
        return event

    def args(self, stage, *more):
        return (stage, "--config", self.path("plimsoll.yaml"), *more)

    def plan(self, events, *more):
        return pl(*self.args("planner", "--state", self.path("state"), *more), input=events, env=self.env(), home=self.folder)

    def pipe(self, events, slots=8, timeout_s=240):
        """planner | loader | collector. A Result of the collector's output; what the others said is in errors."""
        stages = [self.args("planner", "--state", self.path("state")), ("tee", self.path("planner.ndjson")),
                  self.args("loader", "--slots", str(slots)), ("tee", self.path("loader.ndjson")),
                  self.args("collector", "--state", self.path("state")), ("tee", self.path("collector.ndjson"))]
        results = pipe(stages, input=events, env=self.env(), home=self.folder, cwd=self.folder, timeout_s=timeout_s)
        for event in self.events("loader"):
            if event["type"] == "plimsoll.shard.finished.v1":
                check_sums(event["data"])
        worst = next((r for r in results if r.code), results[-1])
        return Result(worst.code, results[-1].out, b"".join(r.err for r in results))

    def events(self, stage):
        with open(self.path(stage + ".ndjson"), "rb") as f:
            return [json.loads(line) for line in f]

    def environment(self):
        return clean_env(self.env(), self.folder)
