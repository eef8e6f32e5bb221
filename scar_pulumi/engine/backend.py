"""The state of local stacks, in Pulumi's file backend: read, and put right after an operation was killed.

https://www.pulumi.com/docs/iac/concepts/state-and-backends/#local-filesystem
"""

import json
import socket
import string
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scar_foundation.errors import EngineError
from scar_foundation.loopback import is_loopback_url
from scar_foundation.plugin.values import is_secret
from scar_pulumi.engine.processes import is_running

MASKED = "[secret]"
_API = "aws:apigatewayv2/api:Api"


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
        """Return whether the stack was ever created."""
        return self.checkpoint.is_file()

    def deployment(self) -> dict[str, Any]:
        """Return the last deployment as Pulumi keeps it; empty before the first."""
        if not self.exists():
            return {}
        return dict(json.loads(self.checkpoint.read_text()).get("checkpoint", {}).get("latest") or {})

    def locks(self) -> Iterator[Lock]:
        """Yield the locks on the stack, of running and of dead operations alike."""
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
    """Return whether the process that took the lock may still run; that of another host always may."""
    if not lock.process:
        return False
    return lock.host != host or is_running(lock.process, "pulumi")


def stack_outputs(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of the stack in a deployment, with secrets masked."""
    for resource in deployment.get("resources") or ():
        if resource.get("type") == "pulumi:pulumi:Stack":
            return dict(readable(resource.get("outputs") or {}))
    return {}


def readable(value: Any) -> Any:
    """Return a part of a deployment without the wrapping of secrets: those that it has only encrypted are masked."""
    if isinstance(value, dict):
        if is_secret(value):
            return json.loads(value["plaintext"]) if "plaintext" in value else MASKED
        return {key: readable(item) for key, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list) else value


_LOCK_WAIT = 600.0

# How the id of a resource follows from its inputs, as on its page in https://www.pulumi.com/registry/packages/aws/
# under "Import". With it, what an interrupted creation may have left is looked up instead of made a second time.
IDENTITIES: Mapping[str, str] = {
    "aws:cloudwatch/logGroup:LogGroup": "{name}",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "{repository}",
    "aws:ecr/repository:Repository": "{name}",
    "aws:iam/role:Role": "{name}",
    "aws:iam/rolePolicy:RolePolicy": "{role}:{name}",
    "aws:lambda/function:Function": "{name}",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "{functionName}",
    "aws:lambda/functionUrl:FunctionUrl": "{functionName}",
    "aws:lambda/permission:Permission": "{statementId}",
    "aws:s3/bucket:Bucket": "{bucket}",
    "aws:s3/bucketNotification:BucketNotification": "{bucket}",
}


def release_dead_locks(backend: FileBackend, tell: Callable[[str], None], limit: float = _LOCK_WAIT) -> None:
    """Remove locks whose process is gone, and wait for the operation of one that runs.

    Raises EngineError when it still runs after `limit` seconds.
    """
    host = socket.gethostname()
    deadline = time.monotonic() + limit
    told = 0.0
    while held := _release(backend, host):
        if time.monotonic() > deadline or held.host != host:
            raise EngineError(
                f"stack {backend.stack}: process {held.process} on {held.host} is working on it; wait for it, "
                f"or remove {held.path} if that process no longer exists"
            )
        if time.monotonic() - told > 2:
            told = time.monotonic()
            tell(f"waiting for process {held.process}, which is working on stack {backend.stack}")
        time.sleep(0.2)


def is_interrupted(deployment: Mapping[str, Any]) -> bool:
    """Return whether anything was under way when the engine was killed."""
    return bool(deployment.get("pending_operations"))


def has_moved(deployment: Mapping[str, Any], endpoint: str) -> bool:
    """Return whether HTTP addresses in a local stack's state are those of another port than the local cloud's."""
    apis = (one.get("outputs") or {} for one in deployment.get("resources") or () if one["type"] == _API)
    found = {urlsplit(url).netloc for url in (str(api.get("apiEndpoint")) for api in apis) if is_loopback_url(url)}
    return bool(endpoint) and bool(found - {urlsplit(endpoint).netloc})


def settle_pending(deployment: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the deployment without pending operations, and the URNs that must be refreshed before it can be trusted.

    Interrupted updates and deletions are simply done again. A creation whose id follows from its inputs becomes a
    resource, which a refresh drops if it was never made; any other is forgotten, and made again. `pulumi refresh
    --import-pending-creates` is meant for this, but up to 3.274 no refresh reads what it marks.
    """
    resources = list(deployment.get("resources") or ())
    known = {resource["urn"]: resource.get("id") for resource in resources}
    found: list[str] = []
    for operation in deployment.get("pending_operations") or ():
        resource = dict(operation["resource"])
        identity = _identity(resource) if operation["type"] == "creating" else None
        if identity is None or known.get(resource["urn"]) == identity:
            continue
        replaces = resource["urn"] in known
        # What was to replace a resource cannot stand beside it, except as something to be deleted.
        resources.append({**resource, "id": identity, "outputs": resource.get("inputs"), "delete": replaces})
        if not replaces:
            found.append(resource["urn"])
    return {**deployment, "resources": resources, "pending_operations": []}, found


def _identity(resource: Mapping[str, Any]) -> str | None:
    template = IDENTITIES.get(resource["type"])
    inputs = resource.get("inputs") or {}
    if template is None or not all(_is_name(inputs.get(key)) for _, key, _, _ in string.Formatter().parse(template)):
        return None
    return template.format_map(inputs)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _release(backend: FileBackend, host: str) -> Lock | None:
    held = None
    for lock in backend.locks():
        if is_held(lock, host):
            held = lock
        else:
            lock.path.unlink(missing_ok=True)
    return held
