"""The plugin's process: what it listens on, what it refuses, what it says, and when it ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from tests.world.aws_plugin import Plugin

SECRET_SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


@pytest.fixture
def plugin(endpoint: str, tmp_path: Path) -> Iterator[Plugin]:
    with Plugin(endpoint, tmp_path) as plugin:
        yield plugin


def listening(process: int) -> set[str]:
    own = {link.readlink().name for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}


def test_it_listens_on_loopback_only(plugin: Plugin) -> None:
    # 127.0.0.1, as such and as gRPC's IPv6 sockets have it.
    assert listening(plugin.process.pid) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert listening(plugin.process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(plugin: Plugin, number: signal.Signals) -> None:
    plugin.process.send_signal(number)
    assert plugin.process.wait(10) == 0


def test_it_ends_when_nobody_reads_its_output(plugin: Plugin) -> None:
    assert plugin.process.stdout
    plugin.process.stdout.close()
    assert plugin.process.wait(10) == 0


def test_unserved_types_and_functions_are_one_sentence(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create("aws:ec2/instance:Instance")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details().startswith("aws:ec2/instance:Instance: the stand-in aws provider")
    with pytest.raises(grpc.RpcError, match="getAmi"):
        plugin.stub.Invoke(provider_pb2.InvokeRequest(tok="aws:ec2/getAmi:getAmi"))


def test_an_error_of_the_cloud_is_one_sentence_without_secrets(plugin: Plugin) -> None:
    secret = {**SECRET_SIGNATURE, "value": "no-such-function-but-secret"}
    with pytest.raises(grpc.RpcError) as refused:
        plugin.create("aws:lambda/functionUrl:FunctionUrl", functionName=secret, authorizationType="NONE")
    sentence = refused.value.details()
    assert sentence.startswith("CreateFunctionUrlConfig: ")
    assert "[secret]" in sentence
    assert secret["value"] not in sentence
    assert "\n" not in sentence


def test_an_endpoint_beyond_loopback_is_refused_while_checking(plugin: Plugin) -> None:
    news = Struct()
    news.update({"endpoints": '[{"s3": "https://s3.amazonaws.com"}]'})
    with pytest.raises(grpc.RpcError, match="only talks to the local cloud"):
        plugin.stub.CheckConfig(provider_pb2.CheckRequest(news=news))


def test_a_cloud_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    with Plugin("http://127.0.0.1:9", tmp_path) as plugin, pytest.raises(grpc.RpcError, match=r"127\.0\.0\.1:9"):
        plugin.create("aws:sqs/queue:Queue")


def test_the_plugin_starts_without_the_rest_of_the_sdk() -> None:
    program = (
        "from scar_foundation.plugin.process import load_stubs; load_stubs()\n"
        "import sys; from scar_pulumi.stand_ins.aws import lifecycle\n"
        "print(sorted({'botocore', 'pulumi.automation', 'pulumi_aws'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_get_policy_document_is_what_iam_takes(plugin: Plugin) -> None:
    arguments = Struct()
    principals = [{"type": "Service", "identifiers": ["lambda.amazonaws.com"]}]
    arguments.update({"statements": [{"sid": "a", "actions": ["sts:AssumeRole"], "principals": principals}]})
    answer = plugin.stub.Invoke(
        provider_pb2.InvokeRequest(tok="aws:iam/getPolicyDocument:getPolicyDocument", args=arguments)
    )
    document = getattr(answer, "return")["minifiedJson"]
    assert document == (
        '{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":"lambda.amazonaws.com"}}]}'
    )
    made = plugin.create("aws:iam/role:Role", assumeRolePolicy=document)
    assert made.properties["arn"].endswith(f":role/{made.id}")
