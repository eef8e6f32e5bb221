"""The plugin of our own resources: what the engine asks of it, and what its process does."""

import json
import os
import pkgutil
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from scar_components import plugin
from scar_components.resource_provider import ResourceProvider
from scar_foundation.plugin.values import as_secret, from_struct
from tests.world.plugins import Plugin

AT_ONCE = 8


class Slow(BaseHTTPRequestHandler):
    """An S3 in which no bucket exists; it answers once as many ask at once as the test has resources."""

    together: ClassVar[threading.Barrier]

    def do_HEAD(self) -> None:
        Slow.together.wait(60)
        self.send_response(404)
        self.end_headers()

    def do_POST(self) -> None:  # GetCallerIdentity
        body = b"<r><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></r>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Slow.together = threading.Barrier(AT_ONCE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def served() -> Iterator[Plugin]:
    with Plugin("scar_components.plugin", {}) as process:
        yield process


def known(kind: str) -> dict[str, Any]:
    token = f"scar:index:{kind}"
    return {"urn": f"urn:pulumi:dev::photos::{token}::one", "type": token, "name": "one"}


def struct(properties: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(properties)
    return made


def test_every_type_has_its_provider() -> None:
    providers = {token: pkgutil.resolve_name(path) for token, path in plugin.PROVIDERS.items()}
    assert all(issubclass(provider, ResourceProvider) for provider in providers.values())
    assert {token.rpartition(":")[2] + "Provider" for token in providers} == {
        one.__name__ for one in providers.values()
    }


def test_more_than_four_resources_are_in_work_at_once(slow: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": slow}
    keys["AWS_REGION"] = "us-east-1"
    inputs = {"bucket": "photos", "owner": "organization/photos/dev", "region": "us-east-1"}
    with Plugin("scar_components.plugin", keys) as process:
        calls = [
            process.stub.Read.future(
                provider_pb2.ReadRequest(**known("StorageBucket"), id="photos", properties=struct(inputs)), timeout=60
            )
            for _ in range(AT_ONCE)
        ]
        assert [call.result().id for call in calls] == [""] * AT_ONCE


def test_secrets_stay_secret_in_answers_and_out_of_messages(served: Plugin) -> None:
    values = struct({"values": as_secret({"password": "hush-hush"})})
    created = served.stub.Create(provider_pb2.CreateRequest(**known("SecretRevision"), properties=values))
    outputs = from_struct(created.properties)
    assert outputs["values"] == as_secret({"password": "hush-hush"})
    assert len(outputs["mark"]) == 16

    wrong = struct({"bucket": as_secret("hush-hush"), "owner": "o", "aws": {"profile": "hush-hush"}})
    with pytest.raises(grpc.RpcError) as failed:
        served.stub.Create(provider_pb2.CreateRequest(**known("StorageBucket"), properties=wrong))
    assert "hush-hush" not in failed.value.details()
    assert "[secret]" in failed.value.details()
    assert "Traceback" not in failed.value.details()


def test_only_what_providers_use_of_the_configuration_is_kept_in_the_state(served: Plugin) -> None:
    news = struct({"deleteBuckets": "true", "clusters": as_secret("{}"), "version": "0.1.0"})
    answer = served.stub.CheckConfig(provider_pb2.CheckRequest(news=news))
    assert from_struct(answer.inputs) == {"deleteBuckets": "true"}


def test_the_configuration_of_now_wins_over_that_of_the_last_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"fdl": "a.yaml"}))
    assert "deleteBuckets" not in plugin.PACKAGE.read_settings({"deleteBuckets": "true"})
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"deleteBuckets": "true"}))
    assert plugin.PACKAGE.read_settings({}) == {"deleteBuckets": "true"}


def test_an_unknown_type_and_an_import_are_refused_with_the_way_out(served: Plugin) -> None:
    unknown = provider_pb2.CheckRequest(**known("Bucket"), news=struct({"bucket": "photos"}))
    with pytest.raises(grpc.RpcError, match="is not served by this release of scar-pulumi"):
        served.stub.Check(unknown)
    with pytest.raises(grpc.RpcError, match="declare it, and `up` takes over what exists"):
        served.stub.Read(provider_pb2.ReadRequest(**known("StorageBucket"), id="photos"))


def test_the_schema_is_told_to_other_languages(served: Plugin) -> None:
    schema = json.loads(served.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    agreed = json.loads(Path(__file__).with_name("schema.json").read_text())
    assert schema["resources"].keys() == agreed["resources"].keys()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(served: Plugin, number: signal.Signals) -> None:
    os.kill(served.process.pid, number)
    assert served.process.wait(30) == 0
