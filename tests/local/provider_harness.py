"""What the tests of the stand-in aws provider share: a bare MiniStack, the real engine, the plugin on PATH."""

import contextlib
import functools
import importlib
import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

import botocore.session
import grpc
from google.protobuf.struct_pb2 import Struct
from pulumi import automation
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from scar_pulumi.engine import find_engine
from tests.waiting import wait_for

REGION = "us-east-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ministack(directory: Path) -> Iterator[str]:
    """The cloud's AWS interfaces alone; yields the endpoint."""
    port = free_port()
    settings = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "GATEWAY_PORT": str(port)}
    command = [sys.executable, "-m", "hypercorn", "-w", "0", "ministack.app:app", "-b", f"127.0.0.1:{port}"]
    with (directory / "ministack.log").open("w") as log:
        process = subprocess.Popen(command, cwd=directory, env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        wait_for(lambda: process.poll() is not None or _answers(endpoint), 60, "MiniStack answers")
        assert process.poll() is None, (directory / "ministack.log").read_text()
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5):
            return True
    except (URLError, ConnectionError):
        return False


@functools.cache
def aws(endpoint: str, service: str) -> Any:
    """A client that stands for somebody else who changes things."""
    return botocore.session.Session().create_client(
        service, REGION, endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )


@dataclass(frozen=True)
class Bench:
    """Stacks of inline programs on one endpoint, each run by the real engine."""

    endpoint: str
    directory: Path

    @property
    def backend(self) -> Path:
        """Where the stacks' states are."""
        return self.directory / "backend"

    @property
    def process_file(self) -> Path:
        """Where the plugin that was started last leaves its process id."""
        return self.directory / "plugin.pid"

    def environment(self) -> dict[str, str]:
        plugins = self.directory / "plugins"
        plugins.mkdir(exist_ok=True)
        shim = plugins / "pulumi-resource-aws"
        shim.write_text(
            f"#!/bin/sh\necho $$ > {shlex.quote(str(self.process_file))}\n"
            f'exec {shlex.quote(sys.executable)} -m scar_pulumi.local.aws_provider "$@"\n'
        )
        shim.chmod(0o755)
        self.backend.mkdir(exist_ok=True)
        return {
            "PATH": f"{plugins}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE": "throw-away",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "SCAR_STATE_DIR": str(self.directory / "state"),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
        }

    def stack(self, program: Callable[[], None], name: str = "local") -> automation.Stack:
        pulumi = self.directory / "cli" / "bin" / "pulumi"
        pulumi.parent.mkdir(parents=True, exist_ok=True)
        if not pulumi.exists():
            pulumi.symlink_to(find_engine().command.resolve())
        command = automation.PulumiCommand(str(pulumi.parent.parent), skip_version_check=True)
        work = self.directory / "work"  # the SDK's own choice stays behind in the temporary folder
        work.mkdir(exist_ok=True)
        return automation.create_or_select_stack(
            name,
            "provider",
            program=program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(work), env_vars=self.environment(), pulumi_command=command
            ),
        )

    def attempt(self, program: Callable[[], None], verb: str = "up") -> tuple[dict[str, int] | None, str]:
        """Run a program of a test module in a process of its own: (changes or None on failure, what was printed).

        The SDK leaves open sockets, loops and coroutines behind when an inline program fails.
        """
        command = [sys.executable, "-m", "tests.local.provider_harness", self.endpoint, str(self.directory)]
        command += [f"{program.__module__}:{program.__name__}", verb]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        printed = done.stdout + done.stderr
        return (json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None), printed


class Plugin:
    """The plugin's process without an engine: its gRPC interface."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        settings = {"AWS_ENDPOINT_URL": endpoint, "SCAR_STATE_DIR": str(directory / "state"), "AWS_REGION": REGION}
        command = [sys.executable, "-m", "scar_pulumi.local.aws_provider"]
        self.process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.process.stdout.readline().strip()}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self.stub.Configure(provider_pb2.ConfigureRequest(acceptSecrets=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

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


def changes(result: automation.UpResult | automation.RefreshResult | automation.DestroyResult) -> dict[str, int]:
    """What an operation did, without the stack itself and what stayed the same."""
    counts = result.summary.resource_changes or {}
    return {str(name): count for name, count in counts.items() if name != "same"}


def _main(endpoint: str, directory: str, program: str, verb: str) -> None:
    module, _, name = program.partition(":")
    stack = Bench(endpoint, Path(directory)).stack(getattr(importlib.import_module(module), name))
    try:
        counts = changes(getattr(stack, verb)())
    except automation.CommandError as error:
        print(error, flush=True)
        os._exit(1)
    print(json.dumps(counts), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
