"""Hand-made shard.planned events, and what stands in shard.finished.

	event = shard("web/hello", [http_target("old", url), http_target("new", url)], rate_per_s=100, spread=4)
	data = pl("loader", "--config", c, input=event).of("shard.finished")[0]["data"]
	for call in calls(data): print(call["due_us"], call["variant"], call["outcome"], call["response_us"])
"""
import base64
import datetime
import struct
import uuid

OUTCOMES = ["ok", "function_error", "throttled", "http_error", "timeout", "connect", "tls", "dns", "aborted", "not_sent"]
TEMPERATURES = ["unknown", "warm", "cold", "restored"]
VARIANTS = ["old", "new"]
RECORD = struct.Struct("<iIBBHIIIIIB")


def stamp(in_s=0):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=in_s)
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03d}Z"


def http_target(variant, url, **more):
    return {"variant": variant, "method": "http", "url": url, "headers": {}, "instance": "/instance", "cold": "/cold", **more}


def lambda_target(variant, endpoint, function, qualifier, region="us-east-1", **more):
    url = f"{endpoint}/2015-03-31/functions/{function}/invocations?Qualifier={qualifier}"
    return {"variant": variant, "method": "lambda-invoke", "url": url, "qualifier": qualifier, "region": region,
            "function": function, "headers": {}, "expect": {"status": 200}, "instance": "/instance", "cold": "/cold", **more}


def shard(subject, targets, run=None, payload=None, deadline_s=300, limits=None, **workload):
    run = run or "r" + uuid.uuid4().hex[:20]
    work = {"executor": "constant-arrival-rate", "rate_per_s": 100, "arrival": "burst", "spread": 4, "warmup_ms": 0,
            "duration_ms": 2000, "block_ms": 2500, "seed": "42", **workload}
    limit = {"in_flight": 32, "requests": 1000000, "timeout_ms": 3500, "body_bytes": 65536, "abort_error_ratio": 0, **(limits or {})}
    payloads = [] if payload is None else [{"weight": 1, "base64": base64.b64encode(payload).decode()}]
    return {"specversion": "1.0", "type": "plimsoll.shard.planned.v1", "id": run + ".0", "plimsollrun": run,
            "source": "plimsoll/test@test", "subject": subject, "time": stamp(),
            "data": {"run": run, "shard": {"index": 0, "of": 1}, "account": subject.split("/")[0], "deadline": stamp(deadline_s),
                     "targets": targets, "workload": work, "payloads": payloads, "limits": limit}}


def calls(data):
    """The packed calls of the measured part, one dict each (docs/EVENTS.md)."""
    return [c for c in packed(data) if c["due_us"] >= 0]


def packed(data):
    """All of them: cold starts of the warm-up come first."""
    raw = base64.b64decode(data["calls"])
    magic, count, every = struct.unpack_from("<4sII", raw)
    assert magic == b"PLC1" and every == data["calls_every"]
    at, out = 12, []
    for _ in range(count):
        due, rnd, what, temp, instance, response, service, billed, init, memory, id_len = RECORD.unpack_from(raw, at)
        at += RECORD.size
        out.append({"due_us": due, "round": rnd, "variant": VARIANTS[what & 1], "outcome": OUTCOMES[what >> 1],
                    "temperature": TEMPERATURES[temp], "instance": instance, "response_us": response, "service_us": service,
                    "billed_us": billed, "init_us": init, "memory_kib": memory, "id": raw[at:at + id_len]})
        at += id_len
    assert at == len(raw)
    return out


def outcomes(data, variant=None):
    """Outcome class -> calls, over all temperatures; of one variant or of both."""
    total = {}
    for s in data["series"]:
        if variant in (None, s["variant"]):
            for k, v in s["outcomes"].items():
                total[k] = total.get(k, 0) + v
    return total


def check_sums(data):
    """What must hold of every shard.finished."""
    assert sum(outcomes(data).values()) == data["due"], data
    for v in VARIANTS:
        due = sum(b["due"] for b in data.get("blocks", []) if b["variant"] == v)
        bad = sum(b["bad"] for b in data.get("blocks", []) if b["variant"] == v)
        of = outcomes(data, v)
        assert due == sum(of.values())
        assert bad == due - of.get("ok", 0)
    for w in data.get("warmup", []):
        assert sum(w["outcomes"].values()) == w["due"]
    if "calls" in data and data["calls_every"] == 1:
        assert len(calls(data)) == data["due"]
