#!/usr/bin/env python3
"""demo.py - `make demo`: eight changes to functions on a real AWS-compatible API, and their verdicts.

Starts an emulator that checks signatures and policies, Prometheus and a Pushgateway on free ports in build/demo; makes
a role that only a restricted user may assume, with an external id; deploys functions; runs the watcher's pipe; changes the
functions (changes.py is the table) and holds each verdict against what is right.

	make demo		about five minutes; leaves no process behind
	make demo KEEP=1	leaves it all running; build/demo/stop ends it

Exit 0: all eight are right; 1: one is not; 111: the pipe broke.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from helpers import servers  # noqa: E402
from helpers.cloud import Cloud, Function, allow  # noqa: E402
from helpers.programs import binary, clean_env  # noqa: E402

from changes import CHANGES, Story  # noqa: E402

DEADLINE_S = float(os.environ.get("DEMO_DEADLINE_S", "600"))
CONFIG = """\
# The demo's settings; `plimsoll check` explains a mistake in them.
accounts:
  demo:                          # versions are published, old and new are compared
    provider: aws
    region: us-east-1
    endpoint: {aws}
    profile: demo
    role: {role}
    external_id: file:{folder}/external-id
    publish_versions: keep 5
    poll: 2s
    quiet_time: 1s
    not_found_after: 3s
  live:                          # nothing is published: $LATEST against the version that its owner published
    provider: aws
    region: eu-west-1
    endpoint: {aws}
    profile: demo
    role: {role}
    external_id: file:{folder}/external-id
    poll: 2s
    quiet_time: 1s
    not_found_after: 3s
functions:
  demo/*: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [compare]}}
  demo/removed: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [quick]}}
  live/*: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [compare]}}
tests:
  compare:
    workload: {{executor: constant-arrival-rate, rate: 6/s, duration: 80s, spread: 4}}
    warmup: 15s
    baseline: previous-version
    when: [added, code]
  quick:
    workload: {{executor: constant-arrival-rate, rate: 4/s, duration: 10s, spread: 4}}
    warmup: 3s
    baseline: previous-version
    when: [added, code]
metrics:
  gate: {{response_p50: {{tolerance: 10%}}, error_ratio: {{tolerance: 0.5pp}}}}
  report: [response_p95]
objectives:
  demo/added: [response_p95 < 1500ms, error_ratio < 1%]
limits: {{cost_per_run: 0.10 USD, cost_per_day: 1 USD, rate: 100/s, concurrency: 64, abort_error_ratio: 100%}}
sinks:
  pushgateway: {{url: {push}}}
  archive: {{path: {folder}/archive.sqlite}}
"""


def say(text):
    print(f"demo: {text}", flush=True)


class Tail:
    """Reads the events that a `tee` writes to a file, as they come."""

    def __init__(self, path):
        open(path, "ab").close()
        self.file, self.rest = open(path, "rb"), b""

    def new(self):
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        return [json.loads(line) for line in whole if line.strip()]


class Pipe:
    """The stages, one behind the other, with a tee behind each: build/demo/<stage>.ndjson."""

    STAGES = [
        ("watcher", ["--follow", "--state"]),
        ("planner", ["--state"]),
        ("loader", ["--slots", "8", "--state"]),
        ("collector", ["--state"]),
        ("sink", ["--to", "terminal", "--state"]),
    ]

    def __init__(self, folder, env, keep):
        self.folder, self.processes = folder, {}
        wrap = [] if keep else ["setpriv", "--pdeathsig", "KILL", "--"]
        source = subprocess.DEVNULL
        for name, args in self.STAGES:
            command = [binary(name), "--config", folder + "/plimsoll.yaml", *args, f"{folder}/state"]
            source = self.add(name, wrap + command, source, env)
            if name != "sink":
                source = self.add(name + ".tee", wrap + ["tee", f"{folder}/{name}.ndjson"], source, env)

    def add(self, name, command, source, env):
        is_last = name == "sink"
        with open(f"{self.folder}/{name}.log", "wb") as log:
            p = subprocess.Popen(command, stdin=source, stdout=None if is_last else subprocess.PIPE,
                                 stderr=log, env=env, start_new_session=True)
        if source is not subprocess.DEVNULL:
            source.close()
        self.processes[name] = p
        return p.stdout

    def dead(self):
        """Names of stages that have ended."""
        return [n for n, p in self.processes.items() if p.poll() is not None]

    def stop(self, timeout_s=60):
        """Ends the watcher; the end of input runs down the pipe. Exit codes by name."""
        self.processes["watcher"].terminate()
        end = time.monotonic() + timeout_s
        for p in self.processes.values():
            try:
                p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        return {n: p.returncode for n, p in self.processes.items()}


class Demo:
    def __init__(self, folder, keep):
        self.folder, self.keep = folder, keep
        self.servers, self.pipe = [], None
        self.stories = {c.name: Story() for c in CHANGES}
        self.tails, self.limited, self.deleted = {}, False, False

    # -- setting up --

    def start_servers(self):
        say("starting an AWS emulator (AUTH=true), a Pushgateway and Prometheus")
        self.aws = self.start(servers.Ministack(self.folder + "/aws", auth=True))
        self.push = self.start(servers.Pushgateway(self.folder + "/pushgateway"))
        self.prometheus = self.start(servers.Prometheus(self.folder + "/prometheus", [f"127.0.0.1:{self.push.port}"]))
        self.root = Cloud(self.aws)
        self.root.function_role()
        # Of versions that are called by number the emulator does not hold the reserved concurrency, of $LATEST it does.
        self.clouds = {"demo": self.root, "live": self.root.in_region("eu-west-1")}

    def start(self, server):
        server.outlives_us = self.keep
        self.servers.append(server)
        return server.start()

    def make_role(self):
        """A user that may do nothing but assume the role, and a role that wants the external id."""
        external_id = secrets.token_hex(8)
        user = self.root.user("plimsoll-user")
        # PutFunctionConcurrency: the emulator asks for it (AWS does not) when somebody reads the concurrency.
        role = self.root.role(
            "plimsoll", allow("lambda:ListFunctions", "lambda:GetAccountSettings", "cloudwatch:GetMetricData"),
            allow("lambda:GetFunction*", "lambda:GetAlias", "lambda:ListVersionsByFunction", "lambda:ListAliases",
                  "lambda:PublishVersion", "lambda:DeleteFunction", "lambda:InvokeFunction", "lambda:PutFunctionConcurrency",
                  resource=f"arn:aws:lambda:*:{self.root.account}:function:*"),
            trusted=self.root.user_arn("plimsoll-user"), external_id=external_id)
        self.root.client("iam").put_user_policy(
            UserName="plimsoll-user", PolicyName="assume",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("sts:AssumeRole", resource=role)]}))
        self.write("external-id", external_id + "\n")
        self.write("credentials", f"[demo]\naws_access_key_id = {user.key}\naws_secret_access_key = {user.secret}\n")
        self.write("plimsoll.yaml", CONFIG.format(aws=self.aws.url, push=self.push.url, role=role,
                                                  folder=self.folder))

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(text)

    def deploy(self, settings, change):
        self.clouds[change.account].create(change.name, wait=False, label="before",
                                           witness=f"{self.folder}/witness.{change.name}", **settings)

    def function(self, change):
        return Function(self.clouds[change.account], change.name)

    def deploy_first(self):
        here = [c for c in CHANGES if c.before]
        say("deploying " + ", ".join(c.name for c in here))
        for c in here:
            self.deploy(c.before, c)
        for c in here:
            self.function(c).wait()
            if c.account == "live":
                self.function(c).publish()

    def start_pipe(self):
        env = clean_env({"AWS_SHARED_CREDENTIALS_FILE": self.folder + "/credentials",
                         "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}, home=self.folder)
        self.pipe = Pipe(self.folder, env, self.keep)
        self.tails = {n: Tail(f"{self.folder}/{n}.ndjson") for n in ("watcher", "planner", "collector")}

    # -- following what the pipe says --

    def look(self):
        """Reads what is new; reacts to what the changes wait for."""
        for name, see in (("watcher", self.see_change), ("planner", self.see_plan), ("collector", self.see_result)):
            for event in self.tails[name].new():
                account, _, function = event.get("subject", "").partition("/")
                if account in self.clouds and function in self.stories:
                    see(event["type"], event["data"], self.stories[function], function)
        with_group = {g.get("function") for g in self.push.groups()}
        for name, story in self.stories.items():
            story.has_group = name in with_group
            story.had_group |= story.has_group
        dead = self.pipe.dead()
        if dead:
            raise BrokenPipeError(f"ended early: {', '.join(dead)} (see {self.folder}/*.log)")

    @staticmethod
    def see_change(kind, data, story, _):
        if kind == "plimsoll.function.changed.v1" and "first-seen" not in data["change"]["causes"]:
            story.changed.append(data)
        if kind == "plimsoll.function.removed.v1":
            story.removed.append(data)

    def see_plan(self, kind, data, story, function):
        if kind != "plimsoll.run.planned.v1" or data["decision"] != "test":
            return
        story.planned.append(data)
        if function == "throttled" and not self.limited:
            self.limited = True
            Function(self.clouds["live"], function).concurrency(1)
            say("throttled: planned; reserved concurrency is now 1")

    def see_result(self, kind, data, story, function):
        if kind != "plimsoll.run.finished.v1" or data["outcome"] == "skipped":
            return
        is_new = not story.finished
        story.finished.append(data)
        if is_new:
            say(f"{function}: {data['verdict']} ({data['outcome']}), {data.get('verdict_reason') or 'all gates looked at'}")

    def wait_until(self, what, check, timeout_s):
        def look():
            self.look()
            return check()
        servers.wait_for(what, look, timeout_s, 0.2)

    # -- the changes --

    def wait_for_baselines(self):
        """First sight: every tested function has a published version, or its old code is gone with the change."""
        def all_published():
            return all(self.function(c).versions() for c in CHANGES if c.before)
        self.wait_until("published baselines", all_published, 60)
        say("first sight is over: a version of each function is published as its baseline")

    def change_all(self):
        for c in CHANGES:
            say(f"change: {c.name}: {c.what}")
            fn = self.function(c)
            if c.before is None:
                self.deploy(c.after, c)
            elif c.after:
                fn.update(wait=False, label="after", **c.after)
            else:
                fn.tag(owner="team-demo")
                fn.configure(wait=False, Description="only the description")

    def follow(self):
        """Until every change has come to its end; the removed function is deleted once it has a group."""
        def all_done():
            removed = self.stories["removed"]
            if removed.had_group and removed.finished and not self.deleted:
                self.deleted = True
                Function(self.root, "removed").delete()
                say("removed: it has a verdict and a group in the Pushgateway; deleting the function")
            return all(c.done(self.stories[c.name]) for c in CHANGES)
        try:
            self.wait_until("all verdicts", all_done, DEADLINE_S)
        except TimeoutError as e:
            say(str(e))

    # -- the end --

    def report(self):
        wrong = 0
        print("\n  change      right          got            what was done")
        for c in CHANGES:
            story = self.stories[c.name]
            problem = c.check(story)
            got = c.right if problem is None else (story.verdict() or "nothing")
            wrong += problem is not None
            print(f"  {c.name:<11} {c.right:<14} {got:<14} {c.what}" + (f"\n      WRONG: {problem}" if problem else ""))
        print(flush=True)
        return wrong

    def look_at_prometheus(self):
        want = {c.name: c.right for c in CHANGES if self.stories[c.name].finished and c.name != "removed"}

        def is_there():
            got = {labels.get("function"): labels["verdict"]
                   for labels, _ in self.prometheus.query("plimsoll_verdict == 1")}
            return got if want.keys() <= got.keys() and "removed" not in got else None
        try:
            got = servers.wait_for("verdicts in Prometheus", is_there, 30, 0.5)
        except TimeoutError as e:
            say(str(e))
            return 1
        say("Prometheus, plimsoll_verdict == 1: " + ", ".join(f"{n}={v}" for n, v in sorted(got.items())))
        return sum(got[n] != v for n, v in want.items()) + self.ask_what_the_dashboard_asks()

    def ask_what_the_dashboard_asks(self):
        """Every query of the Fleet dashboard has an answer on what the real runs left. How many have none."""
        with open(os.path.join(ROOT, "grafana", "dashboards", "fleet.json"), encoding="utf-8") as f:
            panels = json.load(f)["panels"]
        queries = [t["expr"] for p in panels for t in p.get("targets", [])]
        for variable, value in (("$account", ".*"), ("$function", ".*"), ("$__range", "1h"), ("$__rate_interval", "1m")):
            queries = [q.replace(variable, value) for q in queries]
        silent = [q for q in queries if not self.prometheus.query(q)]
        say(f"Fleet dashboard: {len(queries) - len(silent)} of {len(queries)} queries have an answer" +
            "".join(f"\n      none: {q}" for q in silent))
        return len(silent)

    def where_to_look(self):
        say(f"events of every stage: {self.folder}/*.ndjson; settings: {self.folder}/plimsoll.yaml")
        say(f"archive: sqlite3 {self.folder}/archive.sqlite 'SELECT * FROM verdicts'")
        if self.keep:
            say(f"Prometheus: {self.prometheus.url}/graph?g0.expr=plimsoll_verdict%20%3D%3D%201")
            say(f"Pushgateway: {self.push.url}  AWS emulator: {self.aws.url}")
            say(f"left running; to stop it: {self.folder}/stop")

    def write_stop(self):
        """build/demo/stop, and the list of sessions that it ends."""
        pids = [p.pid for p in self.pipe.processes.values()] + [s.pid for s in self.servers]
        self.write("sessions", "".join(f"{pid} {start_time(pid)}\n" for pid in pids))
        self.write("stop", f'#!/bin/sh\nexec {sys.executable} {os.path.abspath(__file__)} --stop "$(dirname "$0")"\n')
        os.chmod(self.folder + "/stop", 0o700)

    def stop(self):
        codes = self.pipe.stop() if self.pipe else {}
        for s in reversed(self.servers):
            s.stop()
        return codes

    def run(self):
        self.start_servers()
        self.make_role()
        self.deploy_first()
        self.start_pipe()
        self.wait_for_baselines()
        self.change_all()
        self.follow()
        wrong = self.report() + self.look_at_prometheus()
        self.where_to_look()
        return wrong


def start_time(pid):
    """The kernel's start time of a process: with the id it names one process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def is_alive(group):
    """Whether anything of a process group is left."""
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def stop_kept(folder):
    """Ends what an earlier KEEP=1 left running, and nothing else."""
    try:
        with open(os.path.join(folder, "sessions"), encoding="utf-8") as f:
            left = [line.split() for line in f]
    except OSError:
        return
    mine = [int(pid) for pid, started in left if start_time(int(pid)) == started]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in mine:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                pass
        try:
            servers.wait_for("end", lambda: not any(is_alive(pid) for pid in mine), 8)
        except TimeoutError:
            pass
    os.unlink(os.path.join(folder, "sessions"))


def main():
    if sys.argv[1:2] == ["--stop"]:
        stop_kept(sys.argv[2])
        return 0
    keep = os.environ.get("KEEP", "") not in ("", "0")
    folder = os.path.join(ROOT, "build", "demo")
    stop_kept(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, demo, wrong = time.monotonic(), Demo(folder, keep), None
    try:
        wrong = demo.run()
    except BrokenPipeError as e:
        say(str(e))
    finally:
        if keep and wrong is not None:
            demo.write_stop()
        else:
            codes = demo.stop()
            say("stopped; exit codes: " + ", ".join(f"{n} {c}" for n, c in codes.items() if not n.endswith(".tee")))
    if wrong is None:
        return 111
    say(f"{'all eight are right' if wrong == 0 else f'{wrong} wrong'}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
