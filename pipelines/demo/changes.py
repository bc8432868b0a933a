"""The demo's eight changes as a table: how a function is before, what is done to it, and what is right.

A check gets the story of one function (what the pipe said about it) and returns what is wrong, or None.
"""
from dataclasses import dataclass, field
from typing import Callable, Optional

CALL_MS = 60
SLOWER_MS = 80


@dataclass
class Story:
    """What the pipe said about one function since its change."""
    changed: list = field(default_factory=list)	   # data of function.changed
    removed: list = field(default_factory=list)
    planned: list = field(default_factory=list)	   # data of run.planned with decision test
    finished: list = field(default_factory=list)   # data of run.finished
    has_group: bool = False			   # in the Pushgateway, now
    had_group: bool = False			   # at any time

    def verdict(self):
        return self.finished[-1]["verdict"] if self.finished else None

    def metric(self, name):
        found = [m for m in self.finished[-1]["metrics"] if m["name"] == name]
        return found[0] if found else {}


@dataclass
class Change:
    name: str                       # of the function
    right: str                      # what is right, in a word
    what: str                       # what is done, for people
    check: Callable
    before: Optional[dict] = None   # settings at first sight; None = not there yet
    after: Optional[dict] = None    # settings of the new code; None = no new code
    account: str = "demo"           # of plimsoll.yaml; demo.py says what each is
    done: Callable = lambda story: story.verdict() is not None


def verdict_is(word, *more):
    """The verdict is this word, and every further check finds nothing wrong."""
    def check(story):
        if story.verdict() != word:
            reason = story.finished[-1].get("verdict_reason", "") if story.finished else "no verdict"
            return f"verdict {story.verdict()} ({reason}), not {word}"
        return next((wrong for wrong in (m(story) for m in more) if wrong), None)
    return check


def objectives_judged(story):
    objectives = story.finished[-1].get("objectives", [])
    if not objectives or any(o["is_met"] is None for o in objectives):
        return f"objectives not judged: {objectives}"
    return None


def median_moved(milliseconds):
    """response_p50 has the verdict's direction, and the difference is about right (the machine may be busy)."""
    def check(story):
        m = story.metric("response_p50")
        diff_ms = m.get("diff_abs", 0) / 1000
        if abs(diff_ms - milliseconds) > 25:
            return f"median moved by {diff_ms:.0f} ms, not by about {milliseconds}"
        return None
    return check


def errors_in_points(story):
    m = story.metric("error_ratio")
    if m.get("verdict") != "worse" or m.get("diff_kind") != "points" or not 0.2 < m["diff"] < 0.5:
        return f"error_ratio: {m.get('verdict')} {m.get('diff')} {m.get('diff_kind')}, not worse by a third, in points"
    return None


def throttles_counted(story):
    data = story.finished[-1]
    throttled = sum(outcomes.get("throttled", 0) for outcomes in data["requests"].values())
    reasons = data.get("throttle_reasons", {})
    if throttled == 0 or "ReservedFunctionConcurrentInvocationLimitExceeded" not in reasons:
        return f"throttled calls: {throttled}, reasons: {reasons}"
    return None


def nothing_happened(story):
    if story.changed or story.planned or story.finished:
        return f"{len(story.changed)} changes, {len(story.planned)} plans, not none"
    return None


def group_gone(story):
    if not story.removed:
        return "no function.removed"
    if not story.had_group:
        return "never had a group in the Pushgateway"
    if story.has_group:
        return "its group is still in the Pushgateway"
    return None


STEADY = {"sleep_ms": CALL_MS}

CHANGES = [
    Change("added", "not-compared", "a new function", verdict_is("not-compared", objectives_judged), after=STEADY),
    Change("slower", "worse", f"{SLOWER_MS} ms slower on {CALL_MS}", verdict_is("worse", median_moved(SLOWER_MS)),
           before=STEADY, after={"sleep_ms": CALL_MS + SLOWER_MS}),
    Change("faster", "better", f"{SLOWER_MS} ms faster", verdict_is("better", median_moved(-SLOWER_MS)),
           before={"sleep_ms": CALL_MS + SLOWER_MS}, after=STEADY),
    Change("equal", "no-difference", "other bytes, equal behaviour", verdict_is("no-difference"),
           before=STEADY, after=dict(STEADY, extra={"other.txt": b"other bytes\n"})),
    Change("raises", "worse", "one call in three raises", verdict_is("worse", errors_in_points),
           before=STEADY, after=dict(STEADY, fail_every=3)),
    Change("throttled", "cannot-tell", "reserved concurrency set to 1 once the run is planned",
           verdict_is("cannot-tell", throttles_counted),
           before=STEADY, after=dict(STEADY, extra={"other.txt": b"other bytes\n"}), account="live"),
    Change("tagged", "nothing", "a tag and a description edited", nothing_happened, before=STEADY,
           done=lambda story: True),
    Change("removed", "group gone", "tested once, then deleted", group_gone, after=STEADY,
           done=lambda story: bool(story.removed) and not story.has_group),
]
