"""Functions, aliases, users and roles on the emulator, with boto3.

	cloud = Cloud(ministack)				# root of the default account
	cloud = Cloud(ministack, account="111111111111")	# an account of its own: nobody else's functions
	fn = cloud.create("hello", sleep_ms=60, witness=path)
	v1 = fn.publish(); fn.update(sleep_ms=140); v2 = fn.publish()
"""
import io
import json
import os
import zipfile

import boto3
from botocore.config import Config

from .servers import wait_for

HANDLER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "functions", "handler.py")
LAMBDA_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def make_zip(files):
    """A zip with a fixed date and order: equal files give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            z.writestr(info, files[name])
    return out.getvalue()


def function_zip(extra=None, **settings):
    """Our handler with these settings; extra: {name: bytes} changes the bytes and nothing else."""
    with open(HANDLER, "rb") as f:
        files = {"handler.py": f.read(), "settings.json": json.dumps(settings, sort_keys=True).encode()}
    files.update(extra or {})
    return make_zip(files)


class Function:
    def __init__(self, cloud, name):
        self.cloud, self.name, self.client = cloud, name, cloud.client("lambda")

    def describe(self, **kw):
        return self.client.get_function_configuration(FunctionName=self.name, **kw)

    def wait(self):
        def is_ready():
            d = self.describe()
            return d["State"] == "Active" and d["LastUpdateStatus"] == "Successful"
        wait_for(self.name + " ready", is_ready)
        return self

    def update(self, extra=None, wait=True, **settings):
        """New code. Waits until it is ready."""
        self.client.update_function_code(FunctionName=self.name, ZipFile=function_zip(extra, **settings))
        return self.wait() if wait else self

    def configure(self, wait=True, **kw):
        """boto3's names: MemorySize, Timeout, Environment, Description, ..."""
        self.client.update_function_configuration(FunctionName=self.name, **kw)
        return self.wait() if wait else self

    def publish(self, description=""):
        return self.client.publish_version(FunctionName=self.name, Description=description)["Version"]

    def publish_copy(self):
        """Another version of the same code: the description is edited between two publishes."""
        versions = len(self.versions())
        self.configure(Description=f"copy {versions}")
        return self.publish()

    def versions(self):
        """Numbers of the published versions, oldest first."""
        out = []
        for page in self.client.get_paginator("list_versions_by_function").paginate(FunctionName=self.name):
            out += [v["Version"] for v in page["Versions"] if v["Version"] != "$LATEST"]
        return sorted(out, key=int)

    def alias(self, name, version):
        try:
            self.client.create_alias(FunctionName=self.name, Name=name, FunctionVersion=version)
        except self.client.exceptions.ResourceConflictException:
            self.client.update_alias(FunctionName=self.name, Name=name, FunctionVersion=version)

    def concurrency(self, limit):
        """Reserved concurrency; None removes it."""
        if limit is None:
            self.client.delete_function_concurrency(FunctionName=self.name)
        else:
            self.client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=limit)

    def tag(self, **tags):
        self.client.tag_resource(Resource=self.describe()["FunctionArn"].removesuffix(":$LATEST"), Tags=tags)

    def delete(self, version=None):
        self.client.delete_function(FunctionName=self.name, **({"Qualifier": version} if version else {}))

    def invoke(self, qualifier=None, payload=b"{}"):
        """(answer as JSON, FunctionError or None)."""
        r = self.client.invoke(FunctionName=self.name, Payload=payload, **({"Qualifier": qualifier} if qualifier else {}))
        return json.loads(r["Payload"].read()), r.get("FunctionError")


class Cloud:
    """One account (and region) of an emulator, as root or as given credentials."""

    def __init__(self, server, account=None, region=None, secret="test", token=None, key=None):
        self.server, self.region = server, region or server.region
        self.account = account or server.account
        self.key, self.secret, self.token = key or self.account, secret, token
        self.has_function_role = not server.auth

    def in_region(self, region):
        """The same account and keys in another region."""
        other = Cloud(self.server, self.account, region, self.secret, self.token, self.key)
        other.has_function_role = self.has_function_role
        return other

    def client(self, service):
        return boto3.client(service, endpoint_url=self.server.url, region_name=self.region,
                            aws_access_key_id=self.key, aws_secret_access_key=self.secret,
                            aws_session_token=self.token,
                            config=Config(retries={"max_attempts": 1}, read_timeout=60, max_pool_connections=40))

    def env(self):
        """Environment for our programs that reaches this account."""
        env = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": self.region,
               "AWS_ENDPOINT_URL": self.server.url}
        if self.token:
            env["AWS_SESSION_TOKEN"] = self.token
        return env

    def function(self, name):
        return Function(self, name)

    def function_role(self):
        """The role that our functions run as; with AUTH=true it has to be there."""
        if not self.has_function_role:
            self.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument=policy(LAMBDA_TRUST))
            self.has_function_role = True
        return f"arn:aws:iam::{self.account}:role/function"

    def create(self, name, witness=None, memory=128, timeout=10, env=None, extra=None, wait=True, **settings):
        """A function of ours (functions/handler.py), ready to be called."""
        variables = dict(env or {})
        if witness:
            variables["WITNESS"] = str(witness)
        self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.11", Handler="handler.handler", Role=self.function_role(), MemorySize=memory,
            Timeout=timeout, Code={"ZipFile": function_zip(extra, **settings)}, Environment={"Variables": variables})
        fn = Function(self, name)
        return fn.wait() if wait else fn

    def user(self, name, *statements):
        """A user with an inline policy of these statements and a fresh key: a Cloud that acts as that user."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return Cloud(self.server, self.account, self.region, k["SecretAccessKey"], key=k["AccessKeyId"])

    def role(self, name, *statements, trusted, external_id=None):
        """A role that only `trusted` (an ARN) may assume, only with this external id. Its ARN."""
        trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        if external_id:
            trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
        return f"arn:aws:iam::{self.account}:role/{name}"

    def user_arn(self, name):
        return f"arn:aws:iam::{self.account}:user/{name}"


def allow(*actions, resource="*"):
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def read_witness(path):
    """Lines of a witness file: list of dicts version, label, wall_s, mono_s, instance, n, outcome."""
    out = []
    if not os.path.exists(path):
        return out
    with open(path, encoding="utf-8") as f:
        for line in f:
            version, label, wall_s, mono_s, instance, n, outcome = line.split()
            out.append({"version": version, "label": label, "wall_s": float(wall_s), "mono_s": float(mono_s),
                        "instance": instance, "n": int(n), "outcome": outcome})
    return out
