"""Puts a stack right whose last operation was killed: its lock, and the creations that nobody saw the end of."""

import socket
import string
import time
from collections.abc import Callable, Mapping
from typing import Any

from scar_foundation.errors import EngineError
from scar_pulumi.engine._backend import FileBackend, Lock, is_held

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
                f"stack {backend.stack}: process {held.process} on {held.host} is working on it; wait for it to end, "
                f"or, if it cannot run any more, remove {held.path}"
            )
        if time.monotonic() - told > 2:
            told = time.monotonic()
            tell(f"waiting for process {held.process}, which is working on stack {backend.stack}")
        time.sleep(0.2)


def is_interrupted(deployment: Mapping[str, Any]) -> bool:
    """Whether anything was under way when the engine was killed."""
    return bool(deployment.get("pending_operations"))


def settle(deployment: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The deployment without pending operations, and the URNs that a refresh must look up before it can be believed.

    Interrupted updates and deletions are simply done again. A creation whose id follows from its inputs becomes a
    resource, which a refresh drops if it was never made; any other is forgotten, and made again. `pulumi refresh
    --import-pending-creates` is meant for this, but in 3.246 it forgets them all.
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
