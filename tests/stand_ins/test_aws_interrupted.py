"""A plugin or engine that is killed between a create and its answer: run again, and nothing is doubled."""

import http.client
import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pulumi_aws as aws
import pytest

from tests.world.aws_plugin import ASSUME, Bench, Plugin, client
from tests.world.waiting import wait_for

ROLE = "arn:aws:iam::000000000000:role/any"


class Between(http.server.ThreadingHTTPServer):
    """Passes requests on; when one mentions `trigger`, the cloud does it, but `strike` comes before the answer."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.upstream = endpoint.removeprefix("http://")
        self.trigger: bytes | None = None
        self.strike: Callable[[], None] = lambda: None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(self.server.upstream, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        asked = f"{self.command} {self.path} {self.headers.get('X-Amz-Target', '')} ".encode() + body
        if self.server.trigger and self.server.trigger in asked:
            self.server.trigger = None
            self.server.strike()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if self.command != "HEAD" else b"")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def between(endpoint: str) -> Iterator[Between]:
    with Between(endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bench(between: Between, tmp_path: Path) -> Bench:
    return Bench(tmp_path, between.endpoint)


def one_role() -> None:
    aws.iam.Role("role", assume_role_policy=ASSUME, description="wished", path="/killed/")


def left_in(endpoint: str, kind: str) -> int:
    service, operation = kind.split(".")
    answer = getattr(client(endpoint, service), operation)()
    return len(next(value for value in answer.values() if isinstance(value, list)))


IMAGE = {"packageType": "Image", "imageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/x@sha256:0"}
CREATES: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "aws:iam/role:Role": (
        b"Action=CreateRole",
        {"assumeRolePolicy": ASSUME, "description": "wished"},
        "iam.list_roles",
    ),
    "aws:ecr/repository:Repository": (
        b"CreateRepository",
        {"name": "given", "tags": {"a": "b"}},
        "ecr.describe_repositories",
    ),
    "aws:cloudwatch/logGroup:LogGroup": (
        b"Logs_20140328.CreateLogGroup",
        {"retentionInDays": 7},
        "logs.describe_log_groups",
    ),
    "aws:s3/bucket:Bucket": (b"PUT /resource-", {"forceDestroy": True}, "s3.list_buckets"),
    "aws:lambda/function:Function": (b"POST /2015-03-31/functions ", {"role": ROLE, **IMAGE}, "lambda.list_functions"),
    "aws:sfn/stateMachine:StateMachine": (
        b"AWSStepFunctions.CreateStateMachine",
        {"roleArn": ROLE, "definition": '{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}'},
        "stepfunctions.list_state_machines",
    ),
    "aws:dynamodb/table:Table": (
        b"DynamoDB_20120810.CreateTable",
        {"hashKey": "id", "attributes": [{"name": "id", "type": "S"}], "billingMode": "PAY_PER_REQUEST"},
        "dynamodb.list_tables",
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        b"AWSEvents.PutRule",
        {"scheduleExpression": "rate(1 hour)"},
        "events.list_rules",
    ),
    "aws:scheduler/schedule:Schedule": (
        b"POST /schedules/",
        {
            "scheduleExpression": "rate(1 hour)",
            "flexibleTimeWindow": {"mode": "OFF"},
            "target": {"arn": "arn:aws:lambda:us-east-1:000000000000:function:x", "roleArn": ROLE},
        },
        "scheduler.list_schedules",
    ),
    "aws:sns/topic:Topic": (b"Action=CreateTopic", {"displayName": "wished"}, "sns.list_topics"),
}


@pytest.mark.parametrize("token", CREATES)
def test_a_create_killed_before_its_answer_is_taken_over(
    between: Between, endpoint: str, tmp_path: Path, token: str
) -> None:
    between.trigger, inputs, kind = CREATES[token]
    before = left_in(endpoint, kind)
    with Plugin(between.endpoint, tmp_path) as plugin:
        between.strike = plugin.process.kill
        with pytest.raises(grpc.RpcError):
            plugin.create(token, **inputs)
    assert left_in(endpoint, kind) == before + 1
    with Plugin(between.endpoint, tmp_path) as plugin:
        outputs = plugin.create(token, **inputs).properties
    assert left_in(endpoint, kind) == before + 1
    assert {name: outputs[name] for name in inputs if name != "tags"} == {
        name: value for name, value in inputs.items() if name != "tags"
    }


def test_settings_that_a_killed_create_had_not_made_are_made_up_for(
    between: Between, endpoint: str, tmp_path: Path
) -> None:
    inputs = {"name": "/killed/between", "retentionInDays": 30}
    between.trigger = b"Logs_20140328.CreateLogGroup"
    with Plugin(between.endpoint, tmp_path) as plugin:
        between.strike = plugin.process.kill
        with pytest.raises(grpc.RpcError):
            plugin.create("aws:cloudwatch/logGroup:LogGroup", **inputs)
    with Plugin(between.endpoint, tmp_path) as plugin:
        plugin.create("aws:cloudwatch/logGroup:LogGroup", **inputs)
    groups = client(endpoint, "logs").describe_log_groups(logGroupNamePrefix="/killed/between")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [30]


def test_a_permission_is_not_added_twice(between: Between, endpoint: str, tmp_path: Path) -> None:
    with Plugin(between.endpoint, tmp_path) as plugin:
        made = plugin.create("aws:lambda/function:Function", name="permitted", role=ROLE, **IMAGE)
        assert made.id == "permitted"
        between.trigger, between.strike = b"/policy ", plugin.process.kill
        inputs = {"action": "lambda:InvokeFunction", "function": "permitted", "principal": "s3.amazonaws.com"}
        with pytest.raises(grpc.RpcError):
            plugin.create("aws:lambda/permission:Permission", **inputs)
    with Plugin(between.endpoint, tmp_path) as plugin:
        plugin.create("aws:lambda/permission:Permission", **inputs)
    policy = json.loads(client(endpoint, "lambda").get_policy(FunctionName="permitted")["Policy"])
    assert len(policy["Statement"]) == 1


def test_what_somebody_else_made_is_not_taken_over(between: Between, endpoint: str, tmp_path: Path) -> None:
    client(endpoint, "iam").create_role(RoleName="contested", AssumeRolePolicyDocument=ASSUME)
    # The note of a begun create has fractions of a second, the cloud's times may be whole ones.
    wait_for(lambda: time.time() > created_at(endpoint, "contested") + 2, 5, "the role is older than the attempt")
    inputs = {"name": "contested", "assumeRolePolicy": ASSUME}
    between.trigger = b"Action=CreateRole"
    with Plugin(between.endpoint, tmp_path) as plugin:
        between.strike = plugin.process.kill
        with pytest.raises(grpc.RpcError):
            plugin.create("aws:iam/role:Role", **inputs)
    with Plugin(between.endpoint, tmp_path) as plugin, pytest.raises(grpc.RpcError, match="pulumi import"):
        plugin.create("aws:iam/role:Role", **inputs)


def created_at(endpoint: str, role: str) -> float:
    return float(client(endpoint, "iam").get_role(RoleName=role)["Role"]["CreateDate"].timestamp())


def test_the_plugin_ends_with_a_killed_engine_and_the_next_up_converges(
    bench: Bench, between: Between, endpoint: str
) -> None:
    def kill_engine() -> None:
        plugin = int(bench.process_file.read_text())
        engine = int(Path(f"/proc/{plugin}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(engine, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{plugin}").exists(), 10, "the plugin has ended")

    # One resource: an engine that is killed while it writes its state may leave half of it.
    between.trigger, between.strike = b"Action=CreateRole", kill_engine
    assert bench.attempt(one_role)[0] is None
    bench.stack(one_role).cancel()
    assert bench.attempt(one_role)[0] == {"create": 1}
    roles = client(endpoint, "iam").list_roles(PathPrefix="/killed/")["Roles"]
    assert [role["Description"] for role in roles] == ["wished"]


def short_lived_group() -> None:
    aws.cloudwatch.LogGroup("group", name="/half/made", retention_in_days=30, tags={"a": "1"})


def test_a_half_made_resource_is_recorded_and_completed_by_the_next_up(
    bench: Bench, between: Between, endpoint: str
) -> None:
    between.trigger, between.strike = b"Logs_20140328.PutRetentionPolicy", lambda: put_back_retention(endpoint)
    result, printed = bench.attempt(short_lived_group)
    assert result is None
    assert "PutRetentionPolicy" in printed
    assert bench.attempt(short_lived_group)[0] == {"update": 1}
    groups = client(endpoint, "logs").describe_log_groups(logGroupNamePrefix="/half/made")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [30]


def put_back_retention(endpoint: str) -> None:
    client(endpoint, "logs").delete_retention_policy(logGroupName="/half/made")
