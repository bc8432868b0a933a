"""plimsoll-watcher against the emulator: what it notices, what it does not, what it publishes."""
import json
import signal
import time

import pytest

from helpers.cloud import Cloud, Function, allow, function_zip
from helpers.programs import Result, pl, start
from helpers.servers import wait_for

CONFIG = """\
accounts:
  prod: {{provider: aws, region: {region}, endpoint: "{url}", poll: 1s, quiet_time: {quiet}, not_found_after: 1s{account}}}
functions:
  {functions}
"""
TESTED = "prod/*: {payload: '{}', tests: [compare]}"


class Watch:
    """A folder with settings and state, and the watcher run in it."""

    def __init__(self, folder, cloud):
        self.folder, self.cloud = folder, cloud
        folder.mkdir(exist_ok=True)
        self.configure()

    def configure(self, functions=TESTED, account=", publish_versions: keep 3", quiet="100ms", url=None):
        (self.folder / "plimsoll.yaml").write_text(CONFIG.format(
            region=self.cloud.region, url=url or self.cloud.server.url, functions=functions, account=account, quiet=quiet))
        return self

    def args(self, *more, state=True):
        args = ["--config", str(self.folder / "plimsoll.yaml"), *more]
        return args + (["--state", str(self.folder / "state")] if state else [])

    def env(self):
        env = self.cloud.env()
        env.pop("AWS_ENDPOINT_URL")
        return dict(env, AWS_EC2_METADATA_DISABLED="true")

    def once(self, *names, state=True, code=0):
        r = pl("watcher", *self.args("--once", *names, state=state), env=self.env(), home=self.folder)
        assert r.code == code, r
        return r

    def changes(self, *names):
        """(subject, kind, causes) of what one look tells."""
        return [(e["subject"], e["data"]["change"]["kind"], e["data"]["change"]["causes"]) for e in self.once(*names).events]

    def follow(self):
        return start("watcher", *self.args("--follow"), env=self.env(), home=self.folder)


@pytest.fixture
def watch(tmp_path, cloud):
    return Watch(tmp_path, cloud)


def state_text(watch):
    return "".join(p.read_text() for p in (watch.folder / "state").rglob("*") if p.is_file())


def test_first_sight_then_nothing(watch, cloud):
    """First one `added` per function, then nothing."""
    cloud.create("a"), cloud.create("b")
    first = watch.once()
    assert sorted(e["subject"] for e in first.events) == ["prod/a", "prod/b"]
    for e in first.events:
        change = e["data"]["change"]
        assert (change["kind"], change["causes"], change["first_seen"]) == ("added", ["first-seen"], True)
        assert e["data"]["target"]["qualifier"] == "1" and e["data"]["target"]["is_immutable"]
    assert first.errors.count("first sight of 2 functions") == 1
    again = watch.once()
    assert again.events == [] and "first sight" not in again.errors


def test_the_event_tells_what_the_planner_needs(watch, cloud):
    fn = cloud.create("hello", memory=256, timeout=7)
    watch.once()
    fn.update(sleep_ms=1)
    fn.concurrency(9)
    event = watch.once().events[0]
    data = event["data"]
    d = fn.describe()
    assert data["change"]["kind"] == "code" and data["change"]["causes"] == ["code"]
    assert data["change"]["seen_by"] == "poll" and data["change"]["id"] == event["id"]
    target = data["target"]
    assert (target["provider"], target["region"], target["qualifier"]) == ("aws", cloud.region, "2")
    assert (target["memory_bytes"], target["timeout_ms"], target["runtime"]) == (256 << 20, 7000, d["Runtime"])
    assert target["code_sha256"] == d["CodeSha256"] and target["arn"].endswith(":function:hello:2")
    assert [c["qualifier"] for c in data["candidates"]] == ["2", "1"]
    assert data["candidates"][0]["config_sha256"] == target["config_sha256"] == data["candidates"][1]["config_sha256"]
    assert data["limits"]["account_concurrency"] == 1000 and data["limits"]["reserved"] == 9


@pytest.mark.parametrize("name, edit, kind, causes", [
    ("memory", lambda f: f.configure(MemorySize=256), "config", ["memory"]),
    ("timeout", lambda f: f.configure(Timeout=9), "config", ["timeout"]),
    ("environment", lambda f: f.configure(Environment={"Variables": {"A": "1"}}), "config", ["environment"]),
    ("runtime", lambda f: f.configure(Runtime="python3.12"), "config", ["runtime"]),
    ("layers", lambda f: f.configure(Layers=[f.cloud.client("lambda").publish_layer_version(
        LayerName="l", Content={"ZipFile": function_zip()})["LayerVersionArn"]]), "config", ["layers"]),
    ("code and memory", lambda f: (f.update(sleep_ms=1), f.configure(MemorySize=512)), "code", ["code", "memory"]),
    ("same bytes again", lambda f: f.update(), "code", ["code"]),
])
def test_causes_are_named(watch, cloud, name, edit, kind, causes):
    fn = cloud.create("f")
    watch.once()
    edit(fn)
    assert watch.changes() == [("prod/f", kind, causes)]
    assert watch.changes() == []


def test_a_tag_or_a_description_is_no_change(watch, cloud):
    fn = cloud.create("f")
    watch.once()
    fn.tag(owner="me")
    fn.configure(Description="only words")
    assert watch.changes() == []
    assert fn.versions() == ["1"]


def test_back_to_a_is_a_change_with_an_id_of_its_own(watch, cloud):
    """A -> B -> A."""
    fn = cloud.create("f", label="a")
    ids = {e["id"] for e in watch.once().events}
    for label in ("b", "a"):
        fn.update(label=label)
        events = watch.once().events
        assert [e["data"]["change"]["causes"] for e in events] == [["code"]]
        ids.add(events[0]["id"])
    assert len(ids) == 3
    # the version under test is the newest, not the oldest with the same code
    assert events[0]["data"]["target"]["qualifier"] == "3"
    assert events[0]["data"]["candidates"][0]["code_sha256"] == events[0]["data"]["candidates"][2]["code_sha256"]


def test_deleted_and_made_again_is_a_change(watch, cloud):
    fn = cloud.create("f", label="a")
    first = watch.once().events[0]["id"]
    fn.delete()
    cloud.create("f", label="a")
    events = watch.once().events
    assert [e["data"]["change"]["causes"] for e in events] == [["code"]] and events[0]["id"] != first


def test_a_function_that_appears_later_is_added(watch, cloud):
    cloud.create("old")
    watch.once()
    cloud.create("new")
    event, = watch.once().events
    assert event["subject"] == "prod/new" and event["data"]["change"]["causes"] == ["added"]
    assert "first_seen" not in event["data"]["change"]


def test_first_seen_can_be_tested(watch, cloud):
    watch.configure(account=", test_first_seen: true")
    cloud.create("f")
    event, = watch.once().events
    assert event["data"]["change"]["causes"] == ["added"] and "first_seen" not in event["data"]["change"]


def test_removed_after_two_answers(watch, cloud):
    cloud.create("stays")
    fn = cloud.create("goes")
    revision = {e["subject"]: e["data"]["change"]["revision"] for e in watch.once().events}
    fn.delete()
    assert watch.changes() == []  # the first "not found" is remembered
    time.sleep(1.1)  # not_found_after
    event, = watch.once().events
    assert event["type"] == "plimsoll.function.removed.v1" and event["subject"] == "prod/goes"
    assert event["data"]["change"]["kind"] == "removed" and event["data"]["change"]["revision"]
    assert revision["prod/goes"]
    assert watch.changes() == []


def test_an_endpoint_that_does_not_answer_deletes_nothing(watch, cloud):
    cloud.create("f")
    watch.once()
    watch.configure(url="http://127.0.0.1:1")
    p = start("watcher", *watch.args("--once"), env=watch.env(), home=watch.folder)
    try:
        p.stderr.readline()
        time.sleep(1.2)
    finally:
        p.terminate()
        out, _ = p.communicate(timeout=30)
    assert out == b""
    watch.configure()
    assert watch.changes() == []


def test_keeps_as_many_versions_as_it_may(watch, cloud):
    """Deletes only what it published, never what an alias holds."""
    fn = cloud.create("f", label="0")
    foreign = fn.publish()
    watch.once()
    assert fn.versions() == [foreign]  # the version that is there is baseline enough
    for i in range(1, 7):
        fn.update(label=str(i))
        if i == 2:
            watch.once()
            fn.alias("live", fn.versions()[-1])
            held = fn.versions()[-1]
        assert i == 2 or len(watch.once().events) == 1
    versions = fn.versions()
    assert foreign in versions and held in versions
    assert len(versions) == 2 + 3, versions


def test_a_copy_is_no_change_and_leaves_the_description_alone(watch, cloud):
    fn = cloud.create("f", label="0").configure(Description="mine")
    watch.once()
    baseline, = fn.versions()
    event, = watch.once("--copy", "prod/f").events
    _, copy = fn.versions()
    assert fn.describe()["Description"] == "mine" and "copy" in fn.describe(Qualifier=copy)["Description"]
    assert [c["qualifier"] for c in event["data"]["candidates"]] == [copy, baseline]
    assert len({(c["code_sha256"], c["config_sha256"]) for c in event["data"]["candidates"]}) == 1
    assert watch.changes() == []
    assert watch.once("--copy", "prod/f").events and fn.versions() == [baseline, copy]  # there are two already
    assert watch.once("--drop-copies", "prod/f").events == [] and fn.versions() == [baseline]
    fn.update(label="0")  # the same bytes once more are still a change
    assert watch.changes() == [("prod/f", "code", ["code"])]


def test_an_edit_that_was_cut_off_is_put_back(watch, cloud):
    fn = cloud.create("f", label="0").configure(Description="mine")
    watch.once()
    path = watch.folder / "state/published/prod/f.json"
    doc = json.loads(path.read_text())
    doc["edit"] = {"was": "mine", "is": "ours", "code_sha256": fn.describe()["CodeSha256"]}
    path.write_text(json.dumps(doc))
    fn.configure(Description="ours")
    fn.update(label="1")  # no copy of other code
    assert watch.changes() == [("prod/f", "code", ["code"])]
    assert fn.describe()["Description"] == "mine" and len(fn.versions()) == 2


FORCED = "prod/*: {payload: '{}', tests: [compare]}\ntests: {compare: {cold: force}}"


def test_forced_cold_starts_have_versions_that_nobody_called(watch, cloud):
    watch.configure(functions=FORCED)
    fn = cloud.create("f", label="0").configure(Description="mine")
    watch.once()
    code = {}
    for i in (1, 2, 3):
        fn.update(label=str(i))
        event, = watch.once().events
        data = event["data"]
        unused = [c for c in data["candidates"] if c.get("is_unused")]
        assert [c["code_sha256"] for c in unused] == [data["target"]["code_sha256"], code.get(i - 1, unused[1]["code_sha256"])]
        assert unused[0]["qualifier"] == data["target"]["qualifier"] and unused[1]["code_sha256"] != unused[0]["code_sha256"]
        code[i] = data["target"]["code_sha256"]
        plan, = pl("planner", *watch.args(), input=[event], env=watch.env(), home=watch.folder).of("run.planned")
        assert [(v["qualifier"], v["is_unused"]) for v in plan["data"]["variants"]] == [
            (unused[1]["qualifier"], True), (unused[0]["qualifier"], True)]
        assert "cold starts forced: old yes, new yes" in plan["data"]["reason"]
    assert fn.describe()["Description"] == "mine" and len(fn.versions()) == 3
    assert watch.changes() == []
    for _ in range(2):  # by hand: a copy of the new code each time, and of the old code there is none any more
        data = watch.once("prod/f").events[0]["data"]
        assert [c["qualifier"] for c in data["candidates"] if c.get("is_unused")] == [data["target"]["qualifier"]], data


def test_without_leave_to_publish_it_says_which_line_to_add(watch, cloud):
    watch.configure(account="")
    fn = cloud.create("f")
    first = watch.once()
    assert "publish_versions: keep 5" in first.errors and fn.versions() == []
    assert first.events[0]["data"]["target"]["qualifier"] == "$LATEST"
    assert first.events[0]["data"]["target"]["is_immutable"] is False
    fn.update(sleep_ms=1)
    second = watch.once()
    assert len(second.events) == 1 and "publish_versions" not in second.errors


def test_functions_without_a_test_are_only_noticed(watch, cloud):
    watch.configure(functions="prod/quiet-*: {tests: []}")
    fn = cloud.create("quiet-1")
    cloud.create("no-rule")
    assert len(watch.once().events) == 2
    assert fn.versions() == []
    fn.configure(MemorySize=512)
    event, = watch.once().events
    assert event["data"]["change"]["causes"] == ["memory"] and event["data"]["target"]["memory_bytes"] == 512 << 20


def test_an_alias_that_moves(watch, cloud):
    watch.configure(functions="prod/*: {payload: '{}', tests: [compare], alias: live}")
    fn = cloud.create("f", label="1")
    fn.alias("live", fn.publish())
    watch.once()
    fn.update(label="2")
    fn.configure(MemorySize=256)
    new = fn.publish()
    assert watch.changes() == []
    fn.alias("live", new)
    event, = watch.once().events
    assert event["data"]["change"]["kind"] == "alias"
    assert event["data"]["change"]["causes"] == ["code", "memory", "alias"]
    assert event["data"]["target"]["qualifier"] == new
    assert [c["qualifier"] for c in event["data"]["candidates"]] == [new, "1"]
    assert watch.changes() == []


def test_latest_itself_is_under_test_where_the_rule_says_so(watch, cloud):
    watch.configure(functions="prod/*: {payload: '{}', tests: [compare], alias: $LATEST}")
    fn = cloud.create("f", label="1")
    watch.once()
    assert fn.versions() == ["1"]		# the baseline is kept all the same
    fn.update(label="2")
    event, = watch.once().events
    assert event["data"]["target"]["qualifier"] == "$LATEST" and not event["data"]["target"]["is_immutable"]
    assert event["data"]["candidates"][-1]["qualifier"] == "1"
    assert watch.changes() == []


def test_named_functions_are_told_as_they_are(watch, cloud):
    cloud.create("f"), cloud.create("other")
    watch.once()
    for names in (("prod/f",), ("f",)):
        assert watch.changes(*names) == [("prod/f", "manual", ["manual"])]
    r = watch.once("prod/f", state=False)
    assert r.events[0]["data"]["change"]["seen_by"] == "manual" and len(r.events) == 1
    assert watch.changes() == []
    assert "nobody" in watch.once("prod/nobody", code=100).errors
    watch.once("elsewhere/f", code=100)


def test_a_function_of_an_http_account_by_name(watch, cloud):
    watch.configure(account="}\n  web: {provider: http, allow: [127.0.0.1]",
                    functions="web/s: {url: 'http://127.0.0.1/x', watch: hook}")
    event, = watch.once("web/s").events
    assert event["data"]["target"]["url"] == "http://127.0.0.1/x" and event["data"]["target"]["provider"] == "http"
    watch.once("web/t", code=100)


def test_without_state_it_is_an_inventory_for_people(watch, cloud):
    cloud.create("f")
    r = watch.once(state=False)
    assert r.out == b"" and "prod/f" in r.errors and "--state DIR" in r.errors and "plimsoll run" in r.errors


def test_environment_values_never_leave(watch, cloud):
    canary = "canary-5f2b9c"
    fn = cloud.create("f", env={"SECRET": canary})
    r = watch.once()
    fn.configure(Environment={"Variables": {"SECRET": canary + "2"}})
    r2 = watch.once()
    assert r2.events[0]["data"]["change"]["causes"] == ["environment"]
    assert canary not in r.text + r.errors + r2.text + r2.errors + state_text(watch)


def test_only_one_polls_with_a_state(watch, cloud):
    p = watch.follow()
    try:
        wait_for("first look", lambda: (watch.folder / "state" / "watched" / "prod.json").exists())
        assert "another watcher" in watch.once(code=111).errors
    finally:
        p.terminate()
        p.communicate(timeout=30)


def test_follow_until_sigterm(watch, cloud):
    watch.configure(quiet="1500ms")
    fn = cloud.create("f", label="1")
    p = watch.follow()
    try:
        first = json.loads(p.stdout.readline())
        assert first["data"]["change"]["causes"] == ["first-seen"]
        # several edits of one deployment
        fn.update(label="2")
        fn.configure(MemorySize=256)
        fn.configure(Timeout=8)
        change = json.loads(p.stdout.readline())["data"]["change"]
        assert (change["kind"], change["causes"]) == ("code", ["code", "memory", "timeout"])
    finally:
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=30)
    assert (p.returncode, out) == (0, b""), Result(p.returncode, out, err)


def test_settings_are_read_again_on_sighup(watch, cloud):
    watch.configure(functions="prod/x: {tests: []}")
    cloud.create("f")
    p = watch.follow()
    try:
        assert json.loads(p.stdout.readline())["subject"] == "prod/f"
        (watch.folder / "plimsoll.yaml").write_text("accounts: 7")
        p.send_signal(signal.SIGHUP)
        wait_for("refusal", lambda: b"in force stay" in p.stderr.readline())
        watch.configure()
        p.send_signal(signal.SIGHUP)
        wait_for("reading", lambda: b"read again" in p.stderr.readline())
        Function(cloud, "f").update(sleep_ms=1)
        assert json.loads(p.stdout.readline())["data"]["target"]["qualifier"] == "1"
    finally:
        p.terminate()
        p.communicate(timeout=30)
    assert p.returncode == 0


def test_an_event_that_could_not_be_written_is_told_again(watch, cloud):
    cloud.create("f")
    with open("/dev/full", "wb") as full:
        p = start("watcher", *watch.args("--once"), env=watch.env(), home=watch.folder, stdout=full)
        _, err = p.communicate(timeout=30)
    assert p.returncode == 111 and b"standard output" in err
    assert watch.changes() == [("prod/f", "added", ["first-seen"])]


def test_follow_ends_when_the_reader_has_gone(watch, cloud):
    cloud.create("f")
    p = watch.follow()
    try:
        p.stdout.readline()
        p.stdout.close()
        assert p.wait(timeout=30) in (0, 111)
    finally:
        p.kill()
        p.stderr.close()


def test_without_permission_it_names_what_is_missing(tmp_path, cloud_auth):
    cloud_auth.create("f")
    nobody = Watch(tmp_path / "nobody", cloud_auth.user("nobody"))
    r = nobody.once(code=100)
    assert "lambda:ListFunctions" in r.errors and r.out == b""
    reader = Watch(tmp_path / "reader", cloud_auth.user("reader", allow("lambda:List*", "lambda:Get*")))
    r = reader.once()
    assert "lambda:PublishVersion" in r.errors
    assert r.events[0]["data"]["target"]["qualifier"] == "$LATEST"


def test_without_leave_to_edit_there_is_no_copy_and_it_says_so(tmp_path, cloud_auth):
    fn = cloud_auth.create("nocopy", label="0")
    user = cloud_auth.user("nocopy", allow(
        "lambda:List*", "lambda:Get*", "lambda:PublishVersion", "lambda:PutFunctionConcurrency"))
    r = Watch(tmp_path, user).once("--copy", "prod/nocopy")
    assert r.errors.count("going on without a copy") == 1 and len(r.events) == 1 and len(fn.versions()) == 1, r
    assert "edit" not in json.loads((tmp_path / "state/published/prod/nocopy.json").read_text())


def test_follow_survives_an_outage(tmp_path, own_ministack):
    server = own_ministack(PERSIST_STATE="1")
    cloud = Cloud(server)
    watch = Watch(tmp_path, cloud).configure(functions="prod/*: {tests: []}")
    cloud.create("f")
    p = watch.follow()
    try:
        assert json.loads(p.stdout.readline())["subject"] == "prod/f"
        server.stop()
        time.sleep(3)
        server.fixed_port = server.port
        server.start()
        Cloud(server).create("later")
        events = [json.loads(p.stdout.readline())]
        assert [e["subject"] for e in events if "removed" not in e["type"]] == ["prod/later"]
    finally:
        p.terminate()
        out, err = p.communicate(timeout=60)
    assert p.returncode == 0 and out == b"", Result(p.returncode, out, err)


def test_a_thousand_functions_each_once_and_slowly(watch, cloud):
    """Paging, and at most 3 calls a second."""
    watch.configure(functions="prod/nothing-*: {tests: [compare]}")
    client, code = cloud.client("lambda"), function_zip()
    for i in range(1000):
        client.create_function(FunctionName=f"f-{i:04d}", Runtime="python3.11", Role=cloud.function_role(),
                               Handler="handler.handler", Code={"ZipFile": code})
    began = time.monotonic()
    r = watch.once()
    took_s = time.monotonic() - began
    subjects = [e["subject"] for e in r.events]
    assert len(subjects) == 1000 == len(set(subjects))
    assert took_s >= (20 - 4) / 3, f"20 pages in {took_s:.1f} s"
    assert "first sight of 1000 functions" in r.errors
    assert watch.changes() == []
