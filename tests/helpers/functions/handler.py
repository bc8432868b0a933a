"""The function under test. settings.json beside it says how it behaves:

sleep_ms    how long a call takes (at least 50: shorter calls may not overlap on the emulator)
jitter_ms   plus a uniform random time up to this
fail_every  every n-th call of an instance raises; 0 = never
label       what this code calls itself, in its answer and in the witness

It prints one line a call (the emulator waits 50 ms for one). It says which instance answered and whether the call was
the instance's first. The environment variable WITNESS names a file that gets one line a call:
"version label wall_clock_s monotonic_s instance call_number outcome", appended with one write.
"""
import json
import os
import random
import time
import uuid

INSTANCE = uuid.uuid4().hex
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "settings.json"), encoding="utf-8") as f:
    SETTINGS = json.load(f)
CALLS = 0


def witness(context, began, outcome):
    path = os.environ.get("WITNESS")
    if not path:
        return
    line = "%s %s %.6f %.6f %s %d %s\n" % (context.function_version, SETTINGS.get("label", "-"), began[0], began[1],
                                           INSTANCE, CALLS, outcome)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def handler(event, context):
    global CALLS
    CALLS += 1
    began = (time.time(), time.monotonic())
    print("call", CALLS, flush=True)
    time.sleep((SETTINGS.get("sleep_ms", 50) + random.random() * SETTINGS.get("jitter_ms", 0)) / 1000)
    every = SETTINGS.get("fail_every", 0)
    fails = every > 0 and CALLS % every == 0
    witness(context, began, "raises" if fails else "ok")
    if fails:
        raise RuntimeError("this call was meant to fail")
    return {"instance": INSTANCE, "cold": CALLS == 1, "version": context.function_version, "label": SETTINGS.get("label")}
