"""Job definitions with their revisions, and what a job of one runs.

https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scar_foundation.limits import (
    BATCH_ATTEMPTS,
    BATCH_DEFINITION_BYTES,
    BATCH_EXIT_CONDITIONS,
    BATCH_NODES,
    BATCH_TIMEOUT,
    KIB,
)
from scar_pulumi.cloud.batch.requests import ClientError
from scar_pulumi.cloud.batch.resources import DEFINITION, arn_of, check_name, page
from scar_pulumi.cloud.batch.store import BatchStore
from scar_pulumi.cloud.signature import Caller

Document = Mapping[str, Any]

_REFERENCE = re.compile(r"Ref::(?P<name>[A-Za-z0-9_-]+)")
# What tests of the local cloud may lower: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
_SHORTEST_TIMEOUT = int(os.environ.get("SCAR_LOCAL_SHORTEST_JOB_TIMEOUT", BATCH_TIMEOUT.least))
_DEFINITION = re.compile(
    r"(?:arn:[^:]+:batch:[^:]+:[^:]+:job-definition/)?(?P<name>[A-Za-z0-9_-]+)(?::(?P<revision>\d+))?"
)


def check_container(container: Document, where: str) -> None:
    """Raise ClientError for a container that neither Batch nor this machine can run."""
    if not container.get("image"):
        raise ClientError(f"{where}: image is missing")
    for key, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
        if required(container, kind) <= 0:
            raise ClientError(f"{where}: {key} is missing; give a resource requirement of type {kind}")
    driver = (container.get("logConfiguration") or {}).get("logDriver", "awslogs")
    if driver != "awslogs":
        raise ClientError(f"{where}: logDriver {driver}: the local cloud has awslogs only")
    names = {volume.get("name") for volume in container.get("volumes") or ()}
    if missing := [mount["sourceVolume"] for mount in container.get("mountPoints") or ()
                   if mount.get("sourceVolume") not in names]:  # fmt: skip
        raise ClientError(f"{where}: mountPoints: there is no volume {', '.join(map(str, missing))}")


def check_retries(strategy: Document) -> None:
    """Raise ClientError for a retry strategy that Batch does not accept."""
    if strategy.get("attempts", 1) not in BATCH_ATTEMPTS:
        raise ClientError(f"retryStrategy: attempts must be {BATCH_ATTEMPTS}")
    if len(strategy.get("evaluateOnExit") or ()) > BATCH_EXIT_CONDITIONS:
        raise ClientError(f"retryStrategy: evaluateOnExit takes up to {BATCH_EXIT_CONDITIONS} conditions")


def check_timeout(timeout: Document) -> None:
    """Raise ClientError for a timeout that Batch does not accept."""
    if timeout.get("attemptDurationSeconds", _SHORTEST_TIMEOUT) < _SHORTEST_TIMEOUT:
        raise ClientError(f"timeout: attemptDurationSeconds must be at least {_SHORTEST_TIMEOUT}")


def required(container: Document, kind: str) -> float:
    """Return how much of a resource (VCPU, MEMORY in MiB, GPU) a container asks for, in either of the two forms."""
    listed = [item["value"] for item in container.get("resourceRequirements") or () if item["type"] == kind]
    older = {"VCPU": "vcpus", "MEMORY": "memory"}.get(kind, "")
    try:
        return float(listed[0] if listed else container.get(older) or 0)
    except ValueError:
        raise ClientError(f"resourceRequirements: {kind}: {listed[0]!r} is not a number") from None


def specification(definition: Document, request: Document) -> dict[str, Any]:
    """Return what a request runs: the definition with the request's overrides. Raises ClientError."""
    parameters = {**(definition.get("parameters") or {}), **(request.get("parameters") or {})}
    retries = request.get("retryStrategy") or definition.get("retryStrategy") or {}
    timeout = request.get("timeout") or definition.get("timeout") or {}
    check_retries(retries)
    check_timeout(timeout)
    merged: dict[str, Any] = {
        "jobDefinition": definition["jobDefinitionArn"],
        "parameters": parameters,
        "retryStrategy": {"attempts": 1, "evaluateOnExit": [], **retries},
        "timeout": timeout,
        "tags": request.get("tags") or {},
        "dependsOn": request.get("dependsOn") or [],
        "platformCapabilities": definition.get("platformCapabilities", ["EC2"]),
        "propagateTags": bool(request.get("propagateTags", definition.get("propagateTags", False))),
        "schedulingPriority": request.get("schedulingPriorityOverride", definition.get("schedulingPriority", 0)),
    }
    for key in ("shareIdentifier", "arrayProperties"):
        if request.get(key):
            merged[key] = request[key]
    return merged | _containers(definition, request, parameters)


def _containers(definition: Document, request: Document, parameters: Mapping[str, str]) -> dict[str, Any]:
    if definition["type"] == "container":
        container = overridden(definition["containerProperties"], request.get("containerOverrides") or {})
        return {"container": substituted(container, parameters)}
    nodes = definition["nodeProperties"]
    containers = node_containers(nodes, request.get("nodeOverrides") or {})
    if not 0 <= nodes["mainNode"] < len(containers):
        raise ClientError(f"nodeProperties: there is no node {nodes['mainNode']} to be the main one")
    return {
        "nodeProperties": {**nodes, "numNodes": len(containers)},
        "mainNode": nodes["mainNode"],
        "nodes": [substituted(container, parameters) for container in containers],
    }


def overridden(container: Document, overrides: Document) -> dict[str, Any]:
    """Return a container with the overrides of a request."""
    merged = dict(container)
    if overrides.get("command"):
        merged["command"] = overrides["command"]
    if overrides.get("environment"):
        both = [*(container.get("environment") or ()), *overrides["environment"]]
        variables = {entry.get("name", ""): entry.get("value", "") for entry in both}
        merged["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
    resources = {item["type"]: item["value"] for item in container.get("resourceRequirements") or ()}
    older = {kind: str(overrides[key]) for key, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")) if key in overrides}
    resources |= older | {item["type"]: item["value"] for item in overrides.get("resourceRequirements") or ()}
    merged["resourceRequirements"] = [{"type": kind, "value": value} for kind, value in resources.items()]
    return merged


def node_containers(properties: Document, overrides: Document) -> list[dict[str, Any]]:
    """Return the container of each node of a multi-node job. Raises ClientError when a node has none."""
    count = overrides.get("numNodes") or properties["numNodes"]
    if count not in BATCH_NODES:
        raise ClientError(f"numNodes must be {BATCH_NODES}")
    containers: list[dict[str, Any]] = [{} for _ in range(count)]
    for entry in properties["nodeRangeProperties"]:
        if "container" not in entry:
            raise ClientError("nodeRangeProperties: the local cloud runs nodes with a `container` only")
        for number in _targets(entry["targetNodes"], count):
            containers[number] = entry["container"]
    if missing := [number for number, container in enumerate(containers) if not container]:
        raise ClientError(f"nodeRangeProperties: node {missing[0]} has no container")
    for entry in overrides.get("nodePropertyOverrides") or ():
        for number in _targets(entry["targetNodes"], count):
            containers[number] = overridden(containers[number], entry.get("containerOverrides") or {})
    return containers


def _targets(text: str, count: int) -> range:
    """Return the nodes that `0:3`, `:3`, `2:` or `2` means."""
    first, colon, last = text.partition(":")
    try:
        start = int(first or 0)
        end = (int(last) if last else count - 1) if colon else start
    except ValueError:
        raise ClientError(f"targetNodes: {text!r} is not a range of nodes; write it like 0:3 or 2:") from None
    return range(max(0, start), min(end, count - 1) + 1)


def substituted(container: Document, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a container with the parameters in its command."""
    command: Sequence[str] = container.get("command") or ()
    return {**container, "command": [_replaced(word, parameters) for word in command]}


def _replaced(word: str, parameters: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: parameters.get(match["name"], match[0]), word)


def requirements(spec: Document) -> list[dict[str, float]]:
    """Return what each container of a job asks for: vcpus, memory (MiB), gpus."""
    containers = spec["nodes"] if "nodes" in spec else [spec["container"]]
    kinds = {"vcpus": "VCPU", "memory": "MEMORY", "gpus": "GPU"}
    return [{name: required(container, kind) for name, kind in kinds.items()} for container in containers]


class JobDefinitions:
    """The operations on job definitions."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store

    def register(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """RegisterJobDefinition: make the next revision of a name."""
        name = document["jobDefinitionName"]
        check_name(name, "jobDefinitionName")
        _check(document)
        if len(json.dumps(document)) > BATCH_DEFINITION_BYTES:
            raise ClientError(f"Job definition size must be less than {BATCH_DEFINITION_BYTES // KIB} KiB")
        known = self._store.resources(DEFINITION, caller, name)
        revision = max((item["revision"] for item in known), default=0) + 1
        arn = arn_of(DEFINITION, caller, f"{name}:{revision}")
        described = {
            "tags": {},
            "parameters": {},
            **document,
            "jobDefinitionArn": arn,
            "revision": revision,
            "status": "ACTIVE",
            "containerOrchestrationType": "ECS",
        }
        self._store.put(DEFINITION, caller, name, arn, described)
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeJobDefinitions: return the newest first."""
        found = self._store.resources(DEFINITION, caller, document.get("jobDefinitionName", ""))
        if wanted := document.get("jobDefinitions"):
            named = [_DEFINITION.fullmatch(reference) for reference in wanted]
            pairs = {(match["name"], match["revision"]) for match in named if match}
            found = [
                item
                for item in found
                if {(item["jobDefinitionName"], None), (item["jobDefinitionName"], str(item["revision"]))} & pairs
            ]
        if status := document.get("status"):
            found = [item for item in found if item["status"] == status]
        return page(found[::-1], document, "jobDefinitions")

    def deregister(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeregisterJobDefinition: take no more jobs of a revision."""
        found = self._revision(caller, document["jobDefinition"])
        if found is None:
            raise ClientError(f"{document['jobDefinition']} does not exist; name a revision as NAME:REVISION")
        self._store.update(found["jobDefinitionArn"], found | {"status": "INACTIVE"})
        return {}

    def active(self, caller: Caller, reference: str) -> dict[str, Any]:
        """Return the revision that a job names, else the newest active one. Raises ClientError."""
        match = _DEFINITION.fullmatch(reference)
        if match and match["revision"]:
            found = self._revision(caller, reference)
        else:
            known = self._store.resources(DEFINITION, caller, match["name"]) if match else []
            found = next((item for item in reversed(known) if item["status"] == "ACTIVE"), None)
        if found is None:
            raise ClientError(f"JobDefinition {reference} was not found")
        if found["status"] != "ACTIVE":
            raise ClientError(f"JobDefinition {reference} is not ACTIVE")
        return found

    def _revision(self, caller: Caller, reference: str) -> dict[str, Any] | None:
        match = _DEFINITION.fullmatch(reference)
        if not match or not match["revision"]:
            return None
        arn = reference if reference.startswith("arn:") else arn_of(DEFINITION, caller, reference)
        return self._store.resource(arn)


def _check(document: Mapping[str, Any]) -> None:
    for key in ("eksProperties", "ecsProperties"):
        if key in document:
            raise ClientError(f"{key}: the local cloud runs jobs of containerProperties and nodeProperties only")
    check_retries(document.get("retryStrategy") or {})
    check_timeout(document.get("timeout") or {})
    if document["type"] == "container":
        if not document.get("containerProperties"):
            raise ClientError("Container properties should not be empty")
        check_container(document["containerProperties"], "containerProperties")
        return
    if not document.get("nodeProperties"):
        raise ClientError("Node properties should not be empty")
    for number, container in enumerate(node_containers(document["nodeProperties"], {})):
        check_container(container, f"nodeProperties: node {number}")
