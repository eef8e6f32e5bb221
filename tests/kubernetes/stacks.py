"""Stacks of programs on the test's cluster, run by the real engine with the stand-in provider."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation

from scar_pulumi.engine import find_engine
from scar_pulumi.engine._shims import engine_directory, stand_in_directory


@dataclass(frozen=True)
class Stacks:
    """A backend of its own and a kubeconfig."""

    kubeconfig: str
    directory: Path

    @property
    def backend(self) -> Path:
        """Where the stacks' states are."""
        return self.directory / "backend"

    def environment(self) -> dict[str, str]:
        self.backend.mkdir(exist_ok=True)
        (self.directory / "kubeconfig").write_text(self.kubeconfig)
        directories = [engine_directory(find_engine()), stand_in_directory("kubernetes")]
        return {
            "PATH": ":".join([*map(str, directories), os.environ["PATH"]]),
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_DIY_BACKEND_GZIP": "false",
            "PULUMI_CONFIG_PASSPHRASE": "throw-away",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
            "KUBECONFIG": str(self.directory / "kubeconfig"),
        }

    def stack(self, program: Callable[[], None], name: str = "local") -> automation.Stack:
        pulumi = self.directory / "cli" / "bin" / "pulumi"
        pulumi.parent.mkdir(parents=True, exist_ok=True)
        if not pulumi.exists():
            pulumi.symlink_to(find_engine().command.resolve())
        command = automation.PulumiCommand(str(pulumi.parent.parent), skip_version_check=True)
        return automation.create_or_select_stack(
            name,
            "oscar",
            program=program,
            opts=automation.LocalWorkspaceOptions(env_vars=self.environment(), pulumi_command=command),
        )

    def attempt(self, program: Callable[[], None], verb: str = "up") -> str:
        """Run a program of a test module that must fail, in a process of its own; returns what was printed.

        The SDK leaves open sockets, loops and coroutines behind when an inline program fails.
        """
        command = [sys.executable, "-m", "tests.kubernetes.stacks", self.kubeconfig, str(self.directory)]
        command += [f"{program.__module__}:{program.__name__}", verb]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr


def changes(result: Any) -> dict[str, int]:
    """What an operation did, without the stack itself and what stayed the same."""
    counts = result.summary.resource_changes or {}
    return {str(name): count for name, count in counts.items() if name != "same"}


def _main(kubeconfig: str, directory: str, program: str, verb: str) -> None:
    module, _, name = program.partition(":")
    stack = Stacks(kubeconfig, Path(directory)).stack(getattr(importlib.import_module(module), name))
    try:
        done = getattr(stack, verb)()
    except automation.CommandError as error:
        print(error, flush=True)
        os._exit(1)
    print(json.dumps(changes(done)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
