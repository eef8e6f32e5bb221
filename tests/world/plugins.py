"""What the tests of the stand-ins for provider plugins share: stacks of the real engine, and the plugins' processes."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from pulumi import automation
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from scar_pulumi.engine import find_engine
from scar_pulumi.engine.environment import plugin_directory

SDK_LEFTOVERS = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""For tests whose programs run in this process: the SDK leaves their event loops, sockets and coroutines to the garbage
collector."""

Attempt = tuple[dict[str, int] | None, str]
"""What a program has changed, None where it has failed, and what was printed."""


@dataclass(frozen=True)
class Stacks(ABC):
    """Stacks of inline programs, each run by the real engine, in a backend of their own below `directory`."""

    directory: Path

    @property
    def backend(self) -> Path:
        """Where the stacks' states are."""
        return self.directory / "backend"

    @abstractmethod
    def plugins(self) -> str:
        """Return the part of PATH where the engine finds plugins, made when missing."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the environment by which the plugin finds its cloud or cluster."""

    def environment(self) -> dict[str, str]:
        self.backend.mkdir(exist_ok=True)
        return {
            "PATH": f"{self.plugins()}:{plugin_directory()}:{os.environ['PATH']}",
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE": "throw-away",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **self.settings(),
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
            "stand-ins",
            program=program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(work), env_vars=self.environment(), pulumi_command=command
            ),
        )

    def attempt(self, program: Callable[[], None], verb: str = "up") -> Attempt:
        """Run a program of a test module in a process of its own.

        The SDK leaves open sockets, loops and coroutines behind when an inline program fails.
        """
        fields = {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(self)}
        command = [sys.executable, "-m", "tests.world.plugins", _address(type(self)), json.dumps(fields)]
        command += [_address(program), verb]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        printed = done.stdout + done.stderr
        return (json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None), printed


class Plugin:
    """The process of a stand-in without an engine: its gRPC interface."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", module]
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
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


def changes(result: automation.UpResult | automation.RefreshResult | automation.DestroyResult) -> dict[str, int]:
    """Return what an operation did, without the stack itself and what stayed the same."""
    return _changes(result.summary.resource_changes)


def _changes(counts: Mapping[Any, int] | None) -> dict[str, int]:
    return {str(name): count for name, count in (counts or {}).items() if name != "same"}


def _address(named: Any) -> str:
    return f"{named.__module__}:{named.__qualname__}"


def _find(address: str) -> Any:
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name)


def _main(stacks: str, fields: str, program: str, verb: str) -> None:
    known = json.loads(fields)
    stack = _find(stacks)(**{**known, "directory": Path(known["directory"])}).stack(_find(program))
    try:
        done = getattr(stack, verb)()
        counts = _changes(done.change_summary if verb == "preview" else done.summary.resource_changes)
    except automation.CommandError as error:
        print(error, flush=True)
        os._exit(1)
    print(json.dumps(counts), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
