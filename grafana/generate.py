#!/usr/bin/env python3
"""generate.py - makes the dashboards from the metrics table, and holds the rules against it.

	generate.py [--check]

Every query is built by m(), which knows only the metrics, labels and words of common/prom/metrics.def: after a
renaming there this ends with an error, and so does the build. Without --check it writes grafana/dashboards/; with it
nothing is written, and dashboards that are not what would be written are an error.

DIAGNOSTICS
	Exit 1 with one line a mistake: a name, label or word that is not in the table, an old dashboard.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "..", "common", "prom", "metrics.def")
SELECT = 'job="plimsoll",account=~"$account",function=~"$function"'
GROUP_LABELS = ("job", "account", "function", "instance")


class Mistake(Exception):
    pass


def read_table(path=TABLE):
    """({label: words or None for any name}, {metric: labels}) from the X-macros of metrics.def."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text[text.index("#ifdef PROM_LABEL"):]
    labels, symbols = {}, {}
    for symbol, name, words in re.findall(r'PROM_LABEL\(\s*(\w+),\s*"(\w+)",\s*"([^"]*)"\)', text):
        labels[name], symbols[symbol] = words.split() or None, name
    metrics = {}
    for name, columns in re.findall(r'PROM_METRIC\(\s*\w+,\s*"(\w+)",\s*"\w+",\s*\w+,\s*([A-Z_]+(?:\([^)]*\))?)', text):
        metrics["plimsoll_" + name] = [symbols[s] for s in re.findall(r"PL_\w+", columns)]
    if not metrics or not labels:
        raise Mistake(f"{path}: no table found")
    return labels, metrics


LABELS, METRICS = read_table()


def check_selector(name, selected, where):
    if name not in METRICS:
        raise Mistake(f"{where}: {name} is not in common/prom/metrics.def")
    for label, word in selected.items():
        if label in GROUP_LABELS:
            continue
        if label not in METRICS[name]:
            raise Mistake(f"{where}: {name} has no label {label}")
        if LABELS[label] is not None and word not in LABELS[label]:
            raise Mistake(f"{where}: {name}: {label} is never {word!r}")


def m(short, **selected):
    """A selector of the functions that the dashboard shows: m("verdict", verdict="worse")."""
    name = "plimsoll_" + short
    check_selector(name, selected, "dashboard")
    return name + "{" + ",".join([SELECT] + [f'{k}="{v}"' for k, v in selected.items()]) + "}"


def a_function(expression):
    return f"max by (account, function) ({expression})"


# -- panels -----------------------------------------------------------------------------------------------------------

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VERDICTS = [("worse", "red"), ("cannot-tell", "orange"), ("not-compared", "blue"), ("no-difference", "green"),
            ("better", "dark-green")]


def target(expr, ref="A", legend="{{account}}/{{function}}", is_table=False):
    t = {"datasource": DATASOURCE, "expr": expr, "refId": ref, "legendFormat": legend}
    t.update({"instant": True, "range": False, "format": "table"} if is_table else {"instant": False, "range": True})
    return t


def panel(kind, title, description, place, targets, unit=None, options=None, **rest):
    x, y, w, h = place
    defaults = {"unit": unit} if unit else {}
    defaults.update(rest.pop("defaults", {}))
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": w, "h": h}, "targets": targets, "options": options or {},
            "fieldConfig": {"defaults": defaults, "overrides": rest.pop("overrides", [])}, **rest}


def stat(title, description, x, expr, color, unit="short"):
    steps = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": 0.5}] if color else []
    return panel("stat", title, description, (x, 0, 4, 4), [dict(target(expr), instant=True, range=False)], unit,
                 {"colorMode": "background" if color else "value", "graphMode": "none",
                  "reduceOptions": {"calcs": ["lastNotNull"]}},
                 defaults={"thresholds": {"mode": "absolute", "steps": steps}, "noValue": "0"})


def stats():
    # Outer brackets around "or": without functions there is still a figure.
    count = lambda expr: f"count({expr}) or vector(0)"
    cost = m("test_cost_usd_total")
    return [
        stat("Functions", "Functions that have been tested, or are about to be.", 0,
             count(m("last_change_timestamp_seconds")), None),
        stat("Worse", "Functions whose last run says worse.", 4, count(m("verdict", verdict="worse") + " == 1"), "red"),
        stat("Cannot tell", "Functions whose last run could not tell, failed or was cut short.", 8,
             count(m("verdict", verdict="cannot-tell") + " == 1"), "orange"),
        stat("Objectives missed", "Objectives that the last run of their function did not meet.", 12,
             count(m("objective_met") + " == 0"), "red"),
        stat("Waiting", "Changes that are to be tested and have no result yet.", 16,
             f"sum({m('run_pending')}) or vector(0)", None),
        stat("Cost of tests", "What the tests of the chosen functions have cost in the time shown, from list prices.",
             20, f"sum(increase({cost}[$__range])) or vector(0)", None, "currencyUSD"),
    ]


def by_name(name, *properties):
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": i, "value": v} for i, v in properties]}


# (column, query, unit); the verdict is a label, so its column comes by itself.
COLUMNS = [
    ("p50 change", a_function(m("change_ratio", metric="response_p50", bound="estimate")), "percentunit"),
    ("from", a_function(m("change_ratio", metric="response_p50", bound="low")), "percentunit"),
    ("to", a_function(m("change_ratio", metric="response_p50", bound="high")), "percentunit"),
    ("p50", a_function(m("response_seconds", variant="new", stat="p50")), "s"),
    ("p95", a_function(m("response_seconds", variant="new", stat="p95")), "s"),
    ("errors", f"sum by (account, function) ({m('requests', variant='new', **{'class': 'failed'})}) "
               f"/ sum by (account, function) ({m('requests', variant='new')})", "percentunit"),
    ("last change", a_function(m("last_change_timestamp_seconds")) + " * 1000", "dateTimeFromNow"),
    ("last run", a_function(m("last_run_timestamp_seconds")) + " * 1000", "dateTimeFromNow"),
    ("waiting", a_function(m("run_pending")), "bool_yes_no"),
]


def fleet_table():
    verdict = f"max by (account, function, verdict) ({m('verdict')} == 1)"
    targets = [target(verdict, "A", is_table=True)]
    targets += [target(expr, chr(ord("B") + i), is_table=True) for i, (_, expr, _) in enumerate(COLUMNS)]
    names = {f"Value #{chr(ord('B') + i)}": name for i, (name, _, _) in enumerate(COLUMNS)}
    order = ["account", "function", "verdict"] + list(names)
    words = {word: {"text": word, "color": color, "index": i} for i, (word, color) in enumerate(VERDICTS)}
    overrides = [by_name(name, ("unit", unit), ("decimals", 1)) for name, _, unit in COLUMNS
                 if unit != "dateTimeFromNow"]
    overrides += [by_name(name, ("unit", unit)) for name, _, unit in COLUMNS if unit == "dateTimeFromNow"]
    overrides.append(by_name("verdict", ("mappings", [{"type": "value", "options": words}]),
                             ("custom.cellOptions", {"type": "color-text"})))
    return panel(
        "table", "Functions",
        "The last run of every function: its verdict, the change of the median response time from the old version to "
        "the new with the interval behind it, the new version's figures, and when it last changed and was tested.",
        (0, 4, 24, 11), targets, None, {"showHeader": True, "sortBy": [{"displayName": "verdict", "desc": True}]},
        overrides=overrides,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True, "Value #A": True},
                                           "indexByName": {n: i for i, n in enumerate(order)},
                                           "renameByName": names}}])


def verdict_timeline():
    code = " + ".join(f"{i + 1} * " + f"sum by (account, function) ({m('verdict', verdict=word)})"
                      for i, (word, _) in enumerate(VERDICTS))
    mapping = {str(i + 1): {"text": word, "color": color, "index": i} for i, (word, color) in enumerate(VERDICTS)}
    return panel("state-timeline", "Verdicts", "The verdict of each function over time.", (0, 15, 24, 8),
                 [target(code)], None, {"mergeValues": True, "showValue": "never", "rowHeight": 0.8},
                 defaults={"mappings": [{"type": "value", "options": mapping}], "custom": {"fillOpacity": 80}})


def series(title, description, place, targets, unit, **more):
    custom = {"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "spanNulls": True}
    return panel("timeseries", title, description, place, targets, unit,
                 {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
                 defaults={"custom": custom}, **more)


def charts():
    change = [target(m("change_ratio", metric="response_p50", bound=bound), ref,
                     "{{account}}/{{function}}" + suffix)
              for ref, bound, suffix in (("A", "estimate", ""), ("B", "low", " from"), ("C", "high", " to"))]
    thin = [{"matcher": {"id": "byRegexp", "options": ".* (from|to)"},
             "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash"}},
                            {"id": "custom.lineWidth", "value": 1}]}]
    failed = m("requests", variant="new", **{"class": "failed"})
    every = m("requests", variant="new")
    return [
        series("Change of the median response time",
               "From the old version to the new in each run, with the bounds of its interval (dashed).",
               (0, 23, 12, 9), change, "percentunit", overrides=thin),
        series("Change of the error ratio", "In points, from the old version to the new, with its interval.",
               (12, 23, 12, 9),
               [target(m("change_points", metric="error_ratio", bound=bound), ref,
                       "{{account}}/{{function}}" + suffix)
                for ref, bound, suffix in (("A", "estimate", ""), ("B", "low", " from"), ("C", "high", " to"))],
               "percentunit", overrides=thin),
        series("Response time of the new version", "Median and 95th percentile, from when a call was due.",
               (0, 32, 12, 9),
               [target(m("response_seconds", variant="new", stat=s), ref, "{{account}}/{{function}} " + s)
                for ref, s in (("A", "p50"), ("B", "p95"))], "s"),
        series("Calls that failed", "Share of the new version's calls that failed; throttled calls are not among them.",
               (12, 32, 12, 9),
               [target(f"sum by (account, function) ({failed}) / sum by (account, function) ({every})")],
               "percentunit"),
    ]


# -- dashboards -------------------------------------------------------------------------------------------------------

def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}


def variables():
    known = "plimsoll_last_change_timestamp_seconds"
    check_selector(known, {}, "variable")
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
         "current": {}, "refresh": 1},
        variable("account", "Account", f'label_values({known}{{job="plimsoll"}}, account)'),
        variable("function", "Function", f'label_values({known}{{job="plimsoll",account=~"$account"}}, function)'),
    ]


def fleet():
    panels = stats() + [fleet_table(), verdict_timeline()] + charts()
    for i, p in enumerate(panels):
        p["id"] = i + 1
    return {"uid": "plimsoll-fleet", "title": "Plimsoll: fleet", "tags": ["plimsoll"], "editable": False,
            "description": "All functions: verdicts, changes, errors. Made by grafana/generate.py; do not edit.",
            "schemaVersion": 36, "version": 1, "refresh": "1m", "timezone": "browser",
            "time": {"from": "now-7d", "to": "now"}, "templating": {"list": variables()}, "annotations": {"list": []},
            "links": [], "graphTooltip": 1, "panels": panels}


DASHBOARDS = {"fleet.json": fleet}


def check_rules(path):
    """Every selector of ours in the rules must exist, too."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for name, inside in re.findall(r"\b(plimsoll_\w+)(?:\{([^}]*)\})?", text):
        selected = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', inside))
        check_selector(name, selected, os.path.basename(path))


def main(arguments):
    is_check = arguments == ["--check"]
    if arguments and not is_check:
        raise Mistake("usage: generate.py [--check]")
    check_rules(os.path.join(HERE, "rules.yml"))
    for name, make in DASHBOARDS.items():
        path, text = os.path.join(HERE, "dashboards", name), json.dumps(make(), indent="\t") + "\n"
        if not is_check:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            continue
        with open(path, encoding="utf-8") as f:
            if f.read() != text:
                raise Mistake(f"grafana/dashboards/{name} is not what grafana/generate.py makes: run it")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Mistake as e:
        sys.exit(f"generate.py: {e}")
