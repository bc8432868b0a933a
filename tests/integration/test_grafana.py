"""The dashboard's queries on a real Prometheus, the alert rules under promtool, and the table behind both."""
import copy
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from helpers.programs import ROOT, example, pl
from helpers.servers import Prometheus, wait_for

GRAFANA = os.path.join(ROOT, "grafana")
RULES = os.path.join(GRAFANA, "rules.yml")
RULE_TESTS = os.path.join(ROOT, "tests", "rules")


def dashboards():
    folder = os.path.join(GRAFANA, "dashboards")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            yield name, json.load(f)


def generate(folder):
    return subprocess.run([sys.executable, os.path.join(folder, "grafana", "generate.py"), "--check"],
                          capture_output=True, text=True, timeout=60)


def promtool(*arguments):
    p = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stdout + p.stderr
    return p.stdout


def test_dashboards_are_as_made():
    p = generate(ROOT)
    assert p.returncode == 0, p.stderr


@pytest.mark.parametrize("old, new, said", [
    ('"change_ratio"', '"change_share"', "plimsoll_change_ratio is not in"),
    ('"estimate low high"', '"estimate lower upper"', "bound is never 'low'"),
    ('PL_STAT, "stat"', 'PL_STAT, "quantil"', "has no label stat"),
    ('"objective_met"', '"objective_is_met"', "plimsoll_objective_met is not in"),
])
def test_a_renamed_metric_breaks_the_build(tmp_path, old, new, said):
    shutil.copytree(GRAFANA, tmp_path / "grafana")
    table = tmp_path / "common" / "prom" / "metrics.def"
    table.parent.mkdir(parents=True)
    with open(os.path.join(ROOT, "common", "prom", "metrics.def"), encoding="utf-8") as f:
        text = f.read()
    assert old in text
    table.write_text(text)
    assert generate(tmp_path).returncode == 0
    table.write_text(text.replace(old, new))
    p = generate(tmp_path)
    assert p.returncode == 1 and said in p.stderr, p.stderr


def test_panels_explain_themselves():
    for name, d in dashboards():
        assert d["editable"] is False and d["templating"]["list"][0]["type"] == "datasource", name
        for p in d["panels"]:
            assert p["title"] and len(p["description"]) > 20, (name, p["title"])
            assert p["datasource"]["uid"] == "${datasource}"
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in d["panels"]]
        assert len(set(places)) == len(places)


def fill(pushgateway, folder):
    """Two functions with results: one got worse, one misses its objective."""
    hello, other = (copy.deepcopy(example("run.finished")) for _ in range(2))
    for e in (hello, other):
        e["data"]["metrics"].append({"name": "response_p95", "unit": "us", "old": 70000, "new": 150000, "is_gate": False})
    other["subject"], other["data"]["verdict"] = "prod/other", "no-difference"
    other["data"]["objectives"][0]["is_met"] = False
    other["plimsollrun"] = other["data"]["run"]["id"] = "r" + "o" * 20
    pl("sink", "--to", f"pushgateway={pushgateway.url}", "--state", folder, input=[hello, other])


def queries():
    for name, d in dashboards():
        for p in d["panels"]:
            for t in p["targets"]:
                yield pytest.param(t["expr"], id=f"{name}-{p['id']}-{t['refId']}")


def concrete(expression):
    for variable, value in (("$account", ".*"), ("$function", ".*"), ("$__range", "1h"), ("$__rate_interval", "1m")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    from helpers.servers import Pushgateway
    folder = tmp_path_factory.mktemp("filled")
    with Pushgateway(folder / "pushgateway") as gateway:
        fill(gateway, folder / "state")
        with Prometheus(folder / "prometheus", [f"127.0.0.1:{gateway.port}"]) as server:
            server.wait_for_query("plimsoll_verdict == 1")
            yield server


@pytest.mark.parametrize("expression", list(queries()))
def test_a_query_has_an_answer(filled, expression):
    assert filled.query(concrete(expression)), expression


def test_the_table_has_one_row_a_function(filled):
    for name, d in dashboards():
        table = next(p for p in d["panels"] if p["type"] == "table")
        for t in table["targets"]:
            got = [labels["account"] + "/" + labels["function"] for labels, _ in filled.query(concrete(t["expr"]))]
            assert sorted(got) == ["prod/hello", "prod/other"], (name, t["expr"])


def test_rules_fire_on_a_real_prometheus(tmp_path, pushgateway):
    fill(pushgateway, tmp_path / "state")
    with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{pushgateway.port}"], [RULES]) as server:
        def firing():
            return {(labels["alertname"], labels["function"])
                    for labels, _ in server.query('ALERTS{alertstate="firing"}')}
        want = {("PlimsollWorse", "hello"), ("PlimsollObjectiveMissed", "other")}
        wait_for("the alerts", lambda: firing() == want, 30)


def alerts():
    with open(RULES, encoding="utf-8") as f:
        return re.findall(r"alert: (\w+)", f.read())


def test_rules_are_good():
    promtool("check", "rules", RULES)


@pytest.mark.parametrize("name", sorted(os.listdir(RULE_TESTS)))
def test_rule(name):
    assert "SUCCESS" in promtool("test", "rules", os.path.join(RULE_TESTS, name))


def test_every_alert_has_a_test_and_a_section():
    tested = ""
    for name in os.listdir(RULE_TESTS):
        with open(os.path.join(RULE_TESTS, name), encoding="utf-8") as f:
            tested += f.read()
    with open(os.path.join(ROOT, "docs", "RUNBOOK.md"), encoding="utf-8") as f:
        sections = re.findall(r"^## (\w+)$", f.read(), re.M)
    assert sections == alerts() and len(alerts()) == 6
    for alert in alerts():
        assert f"alertname: {alert}\n" in tested
