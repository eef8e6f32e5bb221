"""Job definitions and their revisions."""

import re
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import DEFINITION, arn_of, check_name, page
from scar_pulumi.cloud.batch.specification import check_container, check_retries, check_timeout, node_containers
from scar_pulumi.cloud.batch.store import Store
from scar_pulumi.cloud.signature import Caller

_REFERENCE = re.compile(
    r"(?:arn:[^:]+:batch:[^:]+:[^:]+:job-definition/)?(?P<name>[A-Za-z0-9_-]+)(?::(?P<revision>\d+))?"
)


class JobDefinitions:
    """The operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """RegisterJobDefinition: the next revision of its name."""
        name = document["jobDefinitionName"]
        check_name(name, "jobDefinitionName")
        _check(document)
        known = self._store.resources(DEFINITION, caller, name)
        revision = max((item["revision"] for item in known), default=0) + 1
        arn = arn_of(DEFINITION, caller, f"{name}:{revision}")
        described = {
            "tags": {},
            "parameters": {},
            "platformCapabilities": ["EC2"],
            **document,
            "jobDefinitionArn": arn,
            "revision": revision,
            "status": "ACTIVE",
            "containerOrchestrationType": "ECS",
        }
        self._store.put(DEFINITION, caller, name, arn, described)
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeJobDefinitions."""
        found = self._store.resources(DEFINITION, caller, document.get("jobDefinitionName", ""))
        if wanted := document.get("jobDefinitions"):
            named = [_REFERENCE.fullmatch(reference) for reference in wanted]
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
        """DeregisterJobDefinition: a revision that no job can be submitted with any more."""
        found = self._revision(caller, document["jobDefinition"])
        if found is None:
            raise ClientError(f"{document['jobDefinition']} does not exist; name a revision as NAME:REVISION")
        self._store.update(found["jobDefinitionArn"], found | {"status": "INACTIVE"})
        return {}

    def active(self, caller: Caller, reference: str) -> dict[str, Any]:
        """The revision that a job asks for: the newest active one where it names none. Raises ClientError."""
        match = _REFERENCE.fullmatch(reference)
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
        match = _REFERENCE.fullmatch(reference)
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
