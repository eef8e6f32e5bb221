"""The stand-in aws provider in tests: on PATH of the real engine, alone, and what the programs on it share."""

import functools
import json
import os
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pulumi_aws as aws
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from tests.world import plugins
from tests.world.plugins import Stacks

REGION = "us-east-1"
ASSUME = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
DIGEST = "sha256:" + "0" * 64


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache
def client(endpoint: str, service: str) -> Any:
    """Return a client that stands for somebody else who changes things."""
    return botocore.session.Session().create_client(
        service, REGION, endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )


def function(name: str, memory: int = 512, **more: Any) -> aws.lambda_.Function:
    role = aws.iam.Role(f"{name}-role", assume_role_policy=ASSUME)
    return aws.lambda_.Function(
        name,
        name=name,
        role=role.arn,
        package_type="Image",
        image_uri=f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{name}@{DIGEST}",
        memory_size=memory,
        **more,
    )


@dataclass(frozen=True)
class Bench(Stacks):
    """Stacks on one endpoint."""

    endpoint: str

    @property
    def process_file(self) -> Path:
        """Where the plugin that was started last leaves its process id."""
        return self.directory / "plugin.pid"

    def plugins(self) -> str:
        folder = self.directory / "plugins"
        folder.mkdir(exist_ok=True)
        shim = folder / "pulumi-resource-aws"
        shim.write_text(
            f"#!/bin/sh\necho $$ > {shlex.quote(str(self.process_file))}\n"
            f'exec {shlex.quote(sys.executable)} -m scar_pulumi.stand_ins.aws "$@"\n'
        )
        shim.chmod(0o755)
        return str(folder)

    def settings(self) -> dict[str, str]:
        return _settings(self.endpoint, self.directory)


class Plugin(plugins.Plugin):
    """The aws plugin's process."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        super().__init__("scar_pulumi.stand_ins.aws", _settings(endpoint, directory))

    def create(self, token: str, **inputs: Any) -> Any:
        """Check and create, as the engine does for a resource it does not know; returns the answer to Create."""
        urn = f"urn:pulumi:local::project::{token}::resource"
        news = Struct()
        news.update(inputs)
        checked = self.stub.Check(
            provider_pb2.CheckRequest(urn=urn, type=token, name="resource", news=news, randomSeed=os.urandom(32))
        )
        assert not checked.failures
        return self.stub.Create(
            provider_pb2.CreateRequest(urn=urn, type=token, name="resource", properties=checked.inputs)
        )


def _settings(endpoint: str, directory: Path) -> dict[str, str]:
    return {
        "SCAR_STATE_DIR": str(directory / "state"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        # As `LocalCloud.environment` has them, for our own resources; the stand-in needs none.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
