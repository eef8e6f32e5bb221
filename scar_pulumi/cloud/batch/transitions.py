"""What compute environments and job queues share: they come, change and go a moment after Batch has answered."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import arn_of, check_name, full_arn, page
from scar_pulumi.cloud.batch.store import Store
from scar_pulumi.cloud.signature import Caller


class Transitional:
    """Resources of one kind; `later` is called with what ends a transition."""

    kind: ClassVar[str]
    """The kind's word in ARNs."""
    noun: ClassVar[str]
    """The kind's word in requests and answers, such as `jobQueue`."""

    def __init__(self, store: Store, later: Callable[[Callable[[], None]], None]) -> None:
        self._store = store
        self._later = later

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeComputeEnvironments, DescribeJobQueues."""
        if names := document.get(f"{self.noun}s"):
            arns = [full_arn(self.kind, caller, name) for name in names]
            found = [item for item in map(self._store.resource, arns) if item]
        else:
            found = self._store.resources(self.kind, caller)
        return page(found, document, f"{self.noun}s")

    def restore(self) -> None:
        """Ends the transitions that a predecessor began."""
        for found in self._store.resources(self.kind):
            self._settle(found[f"{self.noun}Arn"])

    def _new_arn(self, caller: Caller, document: Mapping[str, Any]) -> str:
        name = document[f"{self.noun}Name"]
        check_name(name, f"{self.noun}Name")
        arn = arn_of(self.kind, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        return arn

    def _create(self, caller: Caller, described: Mapping[str, Any]) -> dict[str, Any]:
        name, arn = described[f"{self.noun}Name"], described[f"{self.noun}Arn"]
        self._store.put(self.kind, caller, name, arn, {**described, "status": "CREATING", "statusReason": ""})
        return self._begun(described)

    def _found(self, caller: Caller, reference: str) -> dict[str, Any]:
        found = self._store.resource(full_arn(self.kind, caller, reference))
        if found is None:
            raise ClientError(f"{reference} does not exist")
        return found

    def _update(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        self._store.update(changed[f"{self.noun}Arn"], {**changed, "status": "UPDATING"})
        return self._begun(changed)

    def _to_delete(self, caller: Caller, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a request means, None where it is gone; only what is disabled and settled may be deleted."""
        found = self._store.resource(full_arn(self.kind, caller, document[self.noun]))
        if found and found["state"] != "DISABLED":
            raise ClientError("Cannot delete, resource must be disabled first: its state is ENABLED.")
        if found and found["status"] in ("CREATING", "UPDATING"):
            raise ClientError("Cannot delete, resource is being modified.")
        return found

    def _delete(self, found: Mapping[str, Any]) -> None:
        self._store.update(found[f"{self.noun}Arn"], {**found, "status": "DELETING"})
        self._begun(found)

    def _is_busy(self, arn: str) -> bool:  # noqa: ARG002 - queues look for their jobs
        """Whether what is to be deleted still has to stay."""
        return False

    def _begun(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        arn = resource[f"{self.noun}Arn"]
        self._later(lambda: self._settle(arn))
        return {key: resource[key] for key in (f"{self.noun}Name", f"{self.noun}Arn")}

    def _settle(self, arn: str) -> None:
        found = self._store.resource(arn)
        if found is None:
            return
        if found["status"] in ("CREATING", "UPDATING"):
            healthy = f"{self.noun[0].upper()}{self.noun[1:]} Healthy"
            self._store.update(arn, {**found, "status": "VALID", "statusReason": healthy})
        elif found["status"] == "DELETING" and self._is_busy(arn):
            self._later(lambda: self._settle(arn))
        elif found["status"] == "DELETING":
            self._store.remove(arn)
