"""common/aws against the emulator: calls, refusals that say what is missing, and where credentials come from."""
import http.server
import json
import os
import threading
import time

import pytest
from helpers.cloud import allow
from helpers.programs import build_dir, clean_env, pl
from helpers.servers import free_port, make_certificate
import subprocess

CANARY = "canarySecretThatNobodyMaySee0123456789AB"
READ = allow("lambda:ListFunctions", "lambda:GetFunctionConfiguration")


def probe(*args, env, home=None):
    r = subprocess.run([os.path.join(build_dir(), "tests", "aws_probe"), *map(str, args)], env=clean_env(env, home),
                       capture_output=True, timeout=120)
    assert r.returncode in (0, 1), r
    return json.loads(r.stdout)


# ---- the calls

def test_functions_versions_and_aliases(cloud):
    fn = cloud.create("hello", sleep_ms=1, env={"SECRET": CANARY})
    env = cloud.env()
    f = probe("config", "hello", env=env)["function"]
    want = fn.describe()
    assert f["name"] == "hello" and f["version"] == "$LATEST" and f["is_ready"]
    assert f["code_sha256"] == want["CodeSha256"] and f["revision_id"] == want["RevisionId"]
    assert f["memory_bytes"] == 128 << 20 and f["timeout_ms"] == 10000 and abs(f["modified_s"] - time.time()) < 60
    assert len(f["environment_sha256"]) == 64 and CANARY not in json.dumps(f)
    # the same by ARN, whose colons are encoded once on the wire and twice in the signature
    assert probe("config", want["FunctionArn"], env=env)["function"]["name"] == "hello"

    assert probe("publish", "hello", env=env)["function"]["version"] == "1"
    assert probe("publish", "hello", env=env)["function"]["version"] == "1"  # nothing changed
    fn.update(sleep_ms=2)
    assert probe("publish", "hello", env=env)["function"]["version"] == "2"
    fn.alias("live", "1")
    assert probe("aliases", "hello", env=env) == {"live": "1"}
    assert [v["version"] for v in probe("versions", "hello", env=env)["items"]] == ["$LATEST", "1", "2"]
    assert probe("delete", "hello", "1", env=env)["fault"] == "conflict"  # the alias holds it
    assert probe("delete", "hello", "2", env=env) == {}
    assert fn.versions() == ["1"]
    assert probe("config", "hello", "2", env=env)["fault"] == "not-found"
    assert probe("config", "nobody", env=env)["fault"] == "not-found"


def test_concurrency_and_account(cloud):
    fn = cloud.create("hello", sleep_ms=1)
    assert probe("concurrency", "hello", env=cloud.env()) == {"reserved": -1}
    fn.concurrency(3)
    assert probe("concurrency", "hello", env=cloud.env()) == {"reserved": 3}
    assert probe("account", env=cloud.env())["concurrent"] > 0


def test_all_pages_are_listed(cloud):
    names = [f"f{i:03}" for i in range(103)]
    for name in names:
        cloud.create(name, wait=False)
    assert sorted(f["name"] for f in probe("list", env=cloud.env())["items"]) == names


def test_metrics_in_two_batches(cloud):
    fn = cloud.create("hello", sleep_ms=1)
    for _ in range(5):
        fn.invoke()
    got = probe("metrics", "hello", 5, env=cloud.env())
    assert got["invocations"] == 5 and got["status"] == 0
    assert got["last_status"] == 0 and got["last_points"] >= 1


# ---- refusals

def test_refusals_say_what_is_missing(cloud_auth):
    user = cloud_auth.user("reader", READ)
    assert probe("list", env=user.env())["items"] == []

    got = probe("list", env=dict(user.env(), AWS_SECRET_ACCESS_KEY=CANARY))
    assert got["fault"] == "bad-signature" and "secret access key does not belong" in got["text"]
    assert "environment" in got["text"] and CANARY not in got["text"]

    got = probe("publish", "hello", env=user.env())
    assert got["fault"] == "access-denied" and "allow lambda:PublishVersion" in got["text"], got

    got = probe("list", env=dict(user.env(), AWS_ACCESS_KEY_ID="AKIANOSUCHKEY000000"))
    assert got["fault"] == "no-credentials" and "access key" in got["text"]

    got = probe("list", env={"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": cloud_auth.server.url,
                             "AWS_EC2_METADATA_DISABLED": "true"})
    assert got["fault"] == "no-credentials"
    assert "AWS_ACCESS_KEY_ID is not set" in got["text"] and "profile" in got["text"]

    got = probe("list", env={k: v for k, v in user.env().items() if k != "AWS_REGION"})
    assert got["fault"] == "bad-request" and "no region" in got["text"]


def make_role(cloud, external_id="the-right-one"):
    caller = cloud.user("caller", allow("sts:AssumeRole"))
    arn = cloud.role("plimsoll", READ, trusted=cloud.user_arn("caller"), external_id=external_id)
    return caller, dict(caller.env(), PROBE_ROLE=arn)


def test_role_with_external_id(cloud_auth, tmp_path):
    _, env = make_role(cloud_auth)
    assert probe("list", env=dict(env, PROBE_EXTERNAL_ID="the-right-one"))["items"] == []
    secret = tmp_path / "external-id"
    secret.write_text("the-right-one\n")
    assert probe("list", env=dict(env, PROBE_EXTERNAL_ID=f"file:{secret}"))["items"] == []

    got = probe("list", env=dict(env, PROBE_EXTERNAL_ID="a-wrong-one"))
    assert got["fault"] == "access-denied" and "ExternalId must equal external_id:" in got["text"]
    assert "a-wrong-one" not in got["text"]
    got = probe("list", env=env)
    assert got["fault"] == "access-denied" and "set external_id:" in got["text"]
    got = probe("list", env=dict(env, PROBE_EXTERNAL_ID=f"file:{secret}.gone"))
    assert got["fault"] == "bad-request" and "external-id.gone" in got["text"]

    stranger = cloud_auth.user("stranger")
    got = probe("list", env=dict(stranger.env(), PROBE_ROLE=env["PROBE_ROLE"]))
    assert got["fault"] == "access-denied" and "sts:AssumeRole" in got["text"]


def test_expired_token(cloud_auth):
    caller, env = make_role(cloud_auth, None)
    r = pl("plimsoll", "credential", "prod", "--duration", "2s", env=role_profile(env, cloud_auth))
    assert r.code == 0, r
    session = json.loads(r.out)
    env = dict(caller.env(), AWS_ACCESS_KEY_ID=session["AccessKeyId"],
               AWS_SECRET_ACCESS_KEY=session["SecretAccessKey"], AWS_SESSION_TOKEN=session["SessionToken"])
    assert probe("list", env=env)["items"] == []
    time.sleep(2.5)  # the session itself has to end; nothing can be polled for
    got = probe("list", env=env)
    assert got["fault"] == "expired" and "renew" in got["text"]


def role_profile(env, cloud):
    """Config and credentials files whose profile "dev" assumes env's PROBE_ROLE."""
    folder = cloud.server.folder + f"/files-{cloud.account}"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/config", "w", encoding="utf-8") as f:
        f.write(f"[profile dev]\nregion = us-east-1\nrole_arn = {env['PROBE_ROLE']}\nsource_profile = base\n"
                f"duration_seconds = 2\nservices = local\n[services local]\nsts =\n  endpoint_url = {cloud.server.url}\n"
                f"lambda =\n  endpoint_url = {cloud.server.url}/\n")
    with open(folder + "/credentials", "w", encoding="utf-8") as f:
        f.write(f"[base]\naws_access_key_id={env['AWS_ACCESS_KEY_ID']}\n"
                f"aws_secret_access_key={env['AWS_SECRET_ACCESS_KEY']}\n")
    return {"AWS_CONFIG_FILE": folder + "/config", "AWS_SHARED_CREDENTIALS_FILE": folder + "/credentials",
            "AWS_PROFILE": "dev"}


# ---- where credentials come from

def test_profile_with_role_and_services(cloud_auth):
    _, env = make_role(cloud_auth, None)
    files = role_profile(env, cloud_auth)
    assert probe("list", env=files)["items"] == []
    del files["AWS_PROFILE"]
    assert probe("list", env=dict(files, PROBE_PROFILE="dev"))["items"] == []
    got = probe("list", env=dict(files, PROBE_PROFILE="dew", AWS_REGION="us-east-1"))
    assert got["fault"] == "no-credentials" and "profile dew is neither in" in got["text"]
    os.truncate(files["AWS_CONFIG_FILE"], 20)
    got = probe("list", env=dict(files, AWS_PROFILE="dev", AWS_REGION="us-east-1"))
    assert got["fault"] == "bad-request" and "line 2" in got["text"] and files["AWS_CONFIG_FILE"] in got["text"]


class Metadata(http.server.BaseHTTPRequestHandler):
    """Container endpoint at /creds (token s3cr3t); instance metadata v2 elsewhere."""
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self.answer(*((200, "imds-token") if self.path == "/latest/api/token" and ttl else (400, "")))

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/creds":
            good = self.headers.get("Authorization") == "s3cr3t"
        else:
            good = self.headers.get("X-aws-ec2-metadata-token") == "imds-token"
        if not good:
            self.answer(401, "no")
        elif self.path == "/latest/meta-data/iam/security-credentials/":
            self.answer(200, "my-role\n")
        else:
            self.answer(200, json.dumps(self.server.session))

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.asked, server.session = [], {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_container_endpoint_and_instance_metadata(cloud_auth, metadata, tmp_path):
    user = cloud_auth.user("reader", READ)
    metadata.session = {"AccessKeyId": user.key, "SecretAccessKey": user.secret, "Expiration": "2099-01-01T00:00:00Z"}
    base = {"AWS_REGION": user.region, "AWS_ENDPOINT_URL": user.server.url}
    token = tmp_path / "token"
    token.write_text("s3cr3t\n")

    container = dict(base, AWS_CONTAINER_CREDENTIALS_FULL_URI=metadata.url + "/creds")
    assert probe("list", env=dict(container, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token))["items"] == []
    assert probe("list", env=dict(container, AWS_CONTAINER_AUTHORIZATION_TOKEN="s3cr3t"))["items"] == []
    got = probe("list", env=container)
    assert got["fault"] == "no-credentials" and "HTTP 401" in got["text"]
    got = probe("list", env=dict(base, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://198.51.100.7/creds"))
    assert got["fault"] == "bad-request" and "neither https nor a local address" in got["text"]

    metadata.asked.clear()
    assert probe("list", env=dict(base, AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url + "/"))["items"] == []
    assert metadata.asked == ["/latest/meta-data/iam/security-credentials/",
                              "/latest/meta-data/iam/security-credentials/my-role"]


def test_web_identity(ministack, tmp_path):
    token = tmp_path / "token"
    token.write_text("header.payload.signature\n")
    env = {"AWS_REGION": ministack.region, "AWS_ENDPOINT_URL": ministack.url, "AWS_WEB_IDENTITY_TOKEN_FILE": token,
           "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web"}
    assert "items" in probe("list", env=env)
    token.unlink()
    got = probe("list", env=env)
    assert got["fault"] == "no-credentials" and "AWS_WEB_IDENTITY_TOKEN_FILE" in got["text"]


# ---- plimsoll credential

def write_config(tmp_path, cloud, role, **more):
    account = {"provider": "aws", "region": cloud.region, "role": role, "endpoint": cloud.server.url, **more}
    path = tmp_path / "plimsoll.yaml"
    path.write_text(json.dumps({"accounts": {"prod": account}, "functions": {"prod/*": {"payload": "{}"}}}))
    return path


def test_credential_is_held_to_the_functions_of_the_run(cloud_auth, tmp_path):
    cloud_auth.create("mine", sleep_ms=1)
    cloud_auth.create("other", sleep_ms=1)
    caller = cloud_auth.user("caller", allow("sts:AssumeRole"))
    role = cloud_auth.role("plimsoll", allow("lambda:*"), trusted=cloud_auth.user_arn("caller"), external_id="xyz")
    config = write_config(tmp_path, cloud_auth, role, external_id="xyz")
    env = {k: v for k, v in caller.env().items() if k not in ("AWS_ENDPOINT_URL", "AWS_REGION")}

    r = pl("plimsoll", "credential", "prod", "--config", config, "--run", "rabcdefghijklmnopqrst", "--functions", "mine",
           "--duration", "20s", "--state", tmp_path / "state", env=env)
    assert r.code == 0, r
    session = json.loads(r.out)
    assert session["Version"] == 1 and session["SessionToken"]
    left = time.mktime(time.strptime(session["Expiration"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()
    assert 10 < left < 25
    assert (tmp_path / "state" / "limit-prod").exists()

    import boto3
    as_run = {"endpoint_url": cloud_auth.server.url, "region_name": cloud_auth.region,
              "aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"],
              "aws_session_token": session["SessionToken"]}
    assert boto3.client("sts", **as_run).get_caller_identity()["Arn"].endswith("/rabcdefghijklmnopqrst")
    client = boto3.client("lambda", **as_run)
    assert client.invoke(FunctionName="mine", Payload=b"{}")["StatusCode"] == 200
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.invoke(FunctionName="other", Payload=b"{}")
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.list_functions()


def test_credential_refuses_with_what_to_do(cloud_auth, tmp_path):
    caller = cloud_auth.user("caller", allow("sts:AssumeRole"))
    role = cloud_auth.role("plimsoll", READ, trusted=cloud_auth.user_arn("caller"), external_id="xyz")
    config = write_config(tmp_path, cloud_auth, role, external_id="wrong")
    r = pl("plimsoll", "credential", "prod", "--config", config, env=caller.env())
    assert r.code == 100 and "external_id" in r.errors and not r.out, r
    r = pl("plimsoll", "credential", "pord", "--config", config, env=caller.env())
    assert r.code == 100 and "did you mean prod" in r.errors, r
    r = pl("plimsoll", "credential", env=caller.env())
    assert r.code == 100 and "name one account" in r.errors, r
    many = ",".join(f"a-function-with-a-long-name-{i:03}" for i in range(60))
    r = pl("plimsoll", "credential", "prod", "--config", config, "--functions", many, env=caller.env())
    assert r.code == 100 and "fewer --functions" in r.errors, r
    gone = write_config(tmp_path, cloud_auth, role)
    gone.write_text(gone.read_text().replace(cloud_auth.server.url, f"http://127.0.0.1:{free_port()}"))
    r = pl("plimsoll", "credential", "prod", "--config", gone, env=caller.env())
    assert r.code == 111 and "network" in r.errors, r


# ---- the limiter between processes, and plain HTTP

@pytest.mark.measures
def test_limiter_is_shared_between_processes(tmp_path):
    command = [os.path.join(build_dir(), "tests", "aws_probe"), "wait", str(tmp_path), "prod", "10"]
    env = clean_env({"PROBE_RATE": "20"})
    began = time.monotonic()
    running = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(3)]
    for p in running:
        out, _ = p.communicate(timeout=30)
        assert p.returncode == 0, out
    took = time.monotonic() - began
    assert took >= 29 / 20 - 0.05, took  # thirty slots of 50 ms, the first at once
    assert took < 6, took


def test_tls_and_its_ca_file(nginx, tmp_path):
    crt, key = make_certificate(tmp_path / "tls")
    server = nginx(tls=(crt, key))
    assert probe("get", server.url + "/ok", env={"PROBE_CA_FILE": crt})["body"] == "ok\n"
    got = probe("get", server.url + "/ok", env={})
    assert got["rc"] == 71 and "certificate" in got["why"], got  # EPROTO


def test_http_bounds(metadata, nginx):
    assert probe("get", metadata.url + "/x", env={})["status"] == 401
    assert probe("get", f"http://127.0.0.1:{free_port()}/", env={})["rc"] == 111  # ECONNREFUSED
    got = probe("get", "ftp://127.0.0.1/x", env={})
    assert got["rc"] == 22 and "http" in got["why"]
    # a proxy of the environment is not used
    got = probe("get", metadata.url + "/x", env={"http_proxy": f"http://127.0.0.1:{free_port()}"})
    assert got["status"] == 401
    big = nginx(locations='location = /big { default_type text/plain; return 200 "' + "x" * 2000 + '"; }\n'
                          'location = /away { return 302 http://127.0.0.1:1/; }')
    got = probe("get", big.url + "/big", env={})
    assert got["rc"] == 27 and "larger" in got["why"]  # EFBIG
    assert probe("get", big.url + "/away", env={})["status"] == 302  # not followed
