"""Reads the state of local stacks: Pulumi's file backend, whose documents are plain JSON.

https://www.pulumi.com/docs/iac/concepts/state-and-backends/#local-filesystem
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.engine._processes import is_running

_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - marks wrapped values in a checkpoint, not a secret itself
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - likewise
MASKED = "[secret]"


@dataclass(frozen=True)
class Lock:
    """A lock file that an operation holds while it runs."""

    path: Path
    process: int
    host: str


@dataclass(frozen=True)
class FileBackend:
    """One stack in a file backend."""

    root: Path
    project: str
    stack: str

    @property
    def checkpoint(self) -> Path:
        """The stack's state."""
        return self.root / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    @property
    def operation_lock(self) -> Path:
        """What an operation of ours locks from beginning to end; the engine's own locks begin later."""
        return self.root.parent / "projects" / self.project / f"{self.stack}.lock"

    def exists(self) -> bool:
        """Whether the stack was ever created."""
        return self.checkpoint.is_file()

    def deployment(self) -> dict[str, Any]:
        """The last deployment as Pulumi keeps it; empty before the first."""
        if not self.exists():
            return {}
        return dict(json.loads(self.checkpoint.read_text()).get("checkpoint", {}).get("latest") or {})

    def locks(self) -> Iterator[Lock]:
        """Locks on the stack, of running and of dead operations alike."""
        folder = self.root / ".pulumi" / "locks" / "organization" / self.project / self.stack
        for path in folder.glob("*.json"):
            try:
                content = json.loads(path.read_text())
                yield Lock(path, int(content["pid"]), str(content["hostname"]))
            except FileNotFoundError:
                continue  # released in this moment
            except (ValueError, KeyError, TypeError):
                yield Lock(path, 0, "")  # cut short when its process was killed


def is_held(lock: Lock, host: str) -> bool:
    """Whether the process that took the lock may still run; that of another host always may."""
    if not lock.process:
        return False
    return lock.host != host or is_running(lock.process, "pulumi")


def stack_outputs(deployment: dict[str, Any]) -> dict[str, Any]:
    """Outputs of the stack in a deployment; secrets are masked."""
    for resource in deployment.get("resources") or ():
        if resource.get("type") == "pulumi:pulumi:Stack":
            return {name: _masked(value) for name, value in (resource.get("outputs") or {}).items()}
    return {}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SECRET) == _SECRET_SIGNATURE:
            return MASKED
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
