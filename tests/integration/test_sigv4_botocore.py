"""Our signatures against botocore's signer: 1,200 generated requests, all equal, canonical request included.

The corpus is a pure function of the seed: paths with `:`, spaces, `%`, dot segments, double slashes and non-ASCII;
empty, repeated and encoded query values; odd spacing and repetition in headers; bodies; session tokens.
"""
import datetime
import hashlib
import random
import subprocess
import urllib.parse

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from helpers.programs import binary, clean_env, pl

SEED, COUNT, PARTS = 20150830, 1200, 8
LETTERS = ["a", "B", "7", "-", "_", ".", "~"]
ODD = [":", " ", "%", "+", "=", "!", "'", "(", "*", ",", ";", "@", "$", "é", "ሴ", "日本", "😀", "\"", "<", "|", "{", "`"]
SEGMENTS = ["..", ".", "", "functions", "2015-03-31", "arn:aws:lambda:us-east-1:123456789012:function:f", "%20", "%2F", "a%b"]


def word(rng, most, odd=0.4):
    return "".join(rng.choice(ODD if rng.random() < odd else LETTERS) for _ in range(rng.randint(0, most)))


def make_path(rng):
    parts = [rng.choice(SEGMENTS) if rng.random() < 0.4 else word(rng, 8) for _ in range(rng.randint(0, 5))]
    style = rng.random()
    path = "/" + "/".join(parts)
    if style < 0.5:  # as our clients send it
        path = urllib.parse.quote(path, safe="/~")
    return path + ("/" if rng.random() < 0.3 else "")


def make_params(rng):
    pairs = [(word(rng, 6), rng.choice(["", word(rng, 10)])) for _ in range(rng.choice([0, 0, 1, 2, 3, 6]))]
    pairs += [(rng.choice(pairs)[0], word(rng, 5)) for _ in range(rng.randint(0, 2)) if pairs]
    rng.shuffle(pairs)
    return [(k, v) for k, v in pairs if k or v]


def make_headers(rng):
    names = ["Content-Type", "X-Amz-Target", "My-Header1", "my-header2", "X-Custom", "User-Agent", "Expect", "Connection"]
    values = ["application/json", "  spaced   out  ", "a\tb", "", "\"a   b\"", "é", "x" * 50, "1,2"]
    return [(n, rng.choice(values)) for n in rng.sample(names, rng.randint(0, 4))]


def make_case(i):
    rng = random.Random(SEED * 10007 + i)
    host = rng.choice(["example.amazonaws.com", "127.0.0.1:4566", "lambda.eu-central-1.amazonaws.com"])
    return {
        "method": rng.choice(["GET", "POST", "PUT", "DELETE"]), "host": host, "path": make_path(rng),
        "params": make_params(rng), "headers": make_headers(rng),
        "body": rng.choice([b"", b"{}", "é ሴ".encode(), bytes(rng.randrange(256) for _ in range(40))]),
        "token": rng.choice([None, None, "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW+/=="]),
        "secret": rng.choice(["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "s" * 64]),
        "region": rng.choice(["us-east-1", "eu-central-1", "cn-north-1"]),
        "service": rng.choice(["lambda", "sts", "monitoring", "service"]),
        "time": datetime.datetime(2015, 1, 1) + datetime.timedelta(seconds=rng.randrange(400000000)),
        "is_plain": rng.random() < 0.5,
    }


def theirs(case, monkeypatch):
    """botocore's canonical request and Authorization."""
    headers = {"Host": case["host"]}
    headers.update(case["headers"])
    if not case["is_plain"]:
        headers["X-Amz-Content-SHA256"] = hashlib.sha256(case["body"]).hexdigest()
    request = AWSRequest(case["method"], "https://" + case["host"] + case["path"], headers, case["body"], case["params"])
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: case["time"])
    auth = botocore.auth.SigV4Auth(Credentials("AKIDEXAMPLE", case["secret"], case["token"]), case["service"], case["region"])
    auth.add_auth(request)
    authorization = request.headers["Authorization"]
    del request.headers["Authorization"]
    return auth.canonical_request(request), authorization


def raw(case):
    query = "&".join(urllib.parse.quote(k, safe="-_.~") + "=" + urllib.parse.quote(v, safe="-_.~")
                     for k, v in case["params"])
    lines = [f"{case['method']} {case['path']}{'?' + query if query else ''} HTTP/1.1", f"Host: {case['host']}"]
    lines += [f"{k}: {v}" for k, v in case["headers"]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + case["body"]


def ours(case):
    env = clean_env({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": case["secret"]})
    if case["token"]:
        env["AWS_SESSION_TOKEN"] = case["token"]
    command = [binary("plimsoll"), "sign", "--region", case["region"], "--service", case["service"],
               "--time", case["time"].strftime("%Y%m%dT%H%M%SZ")] + (["--plain"] if case["is_plain"] else [])
    r = subprocess.run(command, input=raw(case), env=env, capture_output=True, timeout=30)
    assert r.returncode == 0, (case, r.stderr)
    text = r.stdout.decode()
    canonical = text.split("--- canonical request\n")[1].split("\n--- string to sign\n")[0]
    return canonical, text.split("Authorization: ")[1].strip()


@pytest.mark.parametrize("part", range(PARTS))
def test_equal_to_botocore(part, monkeypatch):
    for i in range(part, COUNT, PARTS):
        case = make_case(i)
        canonical, authorization = theirs(case, monkeypatch)
        assert ours(case) == (canonical, authorization), (i, case)


def test_corpus_holds_what_it_should():
    cases = [make_case(i) for i in range(COUNT)]
    assert COUNT >= 1000
    for wanted in (":", " ", "%", "é", "..", "//"):
        assert sum(wanted in c["path"] for c in cases) > 20, wanted
    assert sum(any(v == "" for _, v in c["params"]) for c in cases) > 100
    assert sum(len({k for k, _ in c["params"]}) < len(c["params"]) for c in cases) > 100
    assert sum(c["token"] is not None for c in cases) > 200


SUITE = ("--region", "us-east-1", "--service", "service", "--plain")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
HOST = b"Host:example.amazonaws.com\n"
AT = ("--time", "20150830T123600Z")


@pytest.mark.parametrize("request_, options, signature", [  # AWS's published suite, as its files stand
    (b"GET / HTTP/1.1\n" + HOST, AT, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (b"GET / HTTP/1.1\r\nHost:example.amazonaws.com\r\nX-Amz-Date: 20150830T123600Z\r\n\r\n", (),
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (b"GET https://example.amazonaws.com/ HTTP/1.1\n" + HOST, AT, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (b"GET /example space/ HTTP/1.1\n" + HOST, AT, "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    (b"GET //example// HTTP/1.1\n" + HOST, AT + ("--no-normalize",), "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
    (b"GET / HTTP/1.1\n" + HOST + b"My-Header1:value1\n  value2\n     value3\n\n", AT,
     "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"),
    (b"POST / HTTP/1.1\nContent-Type:application/x-www-form-urlencoded\n" + HOST + b"Content-Length:13\n\nParam1=value1\n",
     AT + ("--sign-body",), "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
])
def test_raw_requests_of_the_suite(request_, options, signature):
    r = pl("plimsoll", "sign", *SUITE, *options, input=request_, env=KEYS)
    assert r.code == 0 and f"Signature={signature}\n" in r.text, r


@pytest.mark.parametrize("request_, options, env, says", [
    (b"", SUITE, KEYS, "standard input is empty"),
    (b"GET / HTTP/1.1\n\n", SUITE, KEYS, "needs a Host header"),
    (b"nonsense\n", SUITE, KEYS, "METHOD TARGET"),
    (b"GET / HTTP/1.1\nHost example\n\n", SUITE, KEYS, "no colon"),
    (b"GET / HTTP/1.1\n x\n\n", SUITE, KEYS, "begins with a space"),
    (b"GET / HTTP/1.1\n" + HOST, SUITE + ("--time", "yesterday"), KEYS, "20150830T123600Z"),
    (b"GET / HTTP/1.1\n" + HOST, SUITE, {}, "AWS_ACCESS_KEY_ID"),
    (b"GET / HTTP/1.1\n" + HOST, ("--region", "x"), KEYS, "--service"),
    (b"GET / HTTP/1.1\n" + HOST, ("--service", "x"), KEYS, "--region"),
    (b"GET / HTTP/1.1\n" + HOST, SUITE + ("--sing-body",), KEYS, "sign-body"),
    (b"GET / HTTP/1.1\n" + HOST + b"x" * 300000 + b": y\n\n", SUITE, KEYS, "too large"),
])
def test_sign_refuses_with_what_to_do(request_, options, env, says):
    r = pl("plimsoll", "sign", *options, input=request_, env=env)
    assert r.code == 100 and says in r.errors and not r.out, r
