"""plimsoll calibrate on two published copies of one function of the emulator."""
import json

import pytest

from helpers.cloud import Cloud
from helpers.programs import pl

pytestmark = [pytest.mark.measures, pytest.mark.timeout(240)]

CONFIG = """\
accounts:
  prod: {{provider: aws, region: {region}, endpoint: "{url}"}}
  ours: {{provider: aws, region: {region}, endpoint: "{url}", publish_versions: keep 5}}
functions:
  ours/single: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [short]}}
  prod/twin: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [short]}}
  prod/single: {{payload: '{{}}', tests: [short]}}
tests:
  short: {{workload: {{executor: constant-arrival-rate, rate: 5/s, duration: 5s, spread: 2}}, warmup: 1s}}
  tiny: {{workload: {{executor: constant-arrival-rate, rate: 4/s, duration: 1s, spread: 2}}, warmup: 0s}}
metrics: {{gate: {{response_p50: {{tolerance: 50%}}}}}}
"""


@pytest.fixture
def door(tmp_path, ministack):
    cloud = Cloud(ministack, account="430000000000")
    for name in ("twin", "single"):
        cloud.create(name, sleep_ms=20).publish()
    cloud.function("twin").publish_copy()
    (tmp_path / "plimsoll.yaml").write_text(CONFIG.format(region=cloud.region, url=cloud.server.url))
    env = {k: v for k, v in cloud.env().items() if k != "AWS_ENDPOINT_URL"}

    def run(*args):
        return pl("plimsoll", *args, env=dict(env, AWS_EC2_METADATA_DISABLED="true"), home=tmp_path, cwd=tmp_path)
    yield run
    for name in ("twin", "single"):
        cloud.function(name).delete()


def test_what_equal_code_differs_by_goes_into_later_plans(door, tmp_path):
    before = door("run", "prod/twin", "--old", "1", "--new", "2", "--dry-run")
    r = door("calibrate", "prod/twin", "--runs", "5")
    assert r.code == 0, r
    doc = json.loads((tmp_path / ".local/state/plimsoll/calibrated/prod/twin.json").read_text())
    assert doc["runs"] == 5 and 0 < doc["lottery"] < 0.5 and doc["smallest_visible"] > 0.5
    assert f"hosts differ by {100 * doc['lottery']:.1f} %" in r.text and "of 5 runs (tolerance 50 %)" in r.text
    after = door("run", "prod/twin", "--old", "1", "--new", "2", "--dry-run")
    assert "smallest effect" in before.text and before.text != after.text
    status = door("status", "prod/twin").text
    assert status.count("prod/twin") == 5


def test_makes_its_second_copy_and_leaves_nothing_behind(door, tmp_path, ministack):
    fn = Cloud(ministack, account="430000000000").function("single")
    fn.configure(Description="mine")
    before = fn.versions()
    r = door("calibrate", "ours/single", "--runs", "5", "--test", "tiny")
    assert r.code in (0, 2), r  # calls too few to say much; it is about the copy here
    doc = json.loads((tmp_path / ".local/state/plimsoll/published/ours/single.json").read_text())
    assert fn.versions() == before + doc["versions"], (fn.versions(), doc)  # what is kept is the version under test
    assert "edit" not in doc and not doc["copies"] and fn.describe()["Description"] == "mine"
    assert r.errors.count("a copy of ours, is deleted") == 1, r


def test_without_a_copy_it_says_what_to_do(door):
    r = door("calibrate", "prod/single")
    assert r.code == 100 and "second published copy" in r.text + r.errors and "publish_versions: keep 5" in r.text + r.errors, r
    r = door("calibrate", "prod/twin", "--runs", "4")
    assert r.code == 100 and "expected 5 to 1000" in r.errors
