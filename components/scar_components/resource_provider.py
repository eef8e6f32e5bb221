"""What the providers of our own resource types share: results, the stack's configuration, AWS sessions.

A provider creates, reads, updates and deletes resources of one type, whose properties are plain dictionaries.
`pulumi-resource-scar` (plugin.py) calls it, from several threads at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_components.provider_in_force import session_of
from scar_foundation.aws_session import AwsSession


@dataclass(frozen=True)
class CreateResult:
    """A created resource: its id and its properties."""

    id: str
    outs: dict[str, Any]


@dataclass(frozen=True)
class ReadResult:
    """A resource as it is: its id, empty when it is gone, its properties, and its inputs unless they are as before."""

    id: str
    outs: dict[str, Any]
    inputs: dict[str, Any] | None = None


@dataclass(frozen=True)
class UpdateResult:
    """The properties of an updated resource."""

    outs: dict[str, Any]


@dataclass(frozen=True)
class DiffResult:
    """Whether a resource changes, the properties that replace it, and whether the old one goes first."""

    changes: bool = False
    replaces: list[str] = field(default_factory=list)
    delete_before_replace: bool = False


class ResourceProvider:
    """Provider of one type of resources."""

    delete_buckets: bool = False
    """The stack's `scar:deleteBuckets`."""

    def configure(self, configuration: Mapping[str, str]) -> None:
        """Take the stack's configuration of the namespace `scar`, with keys such as `deleteBuckets`."""
        self.delete_buckets = configuration.get("deleteBuckets", "").lower() == "true"

    def current(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the properties of a resource in a state as this release has them."""
        return props

    def foresee(self, _props: dict[str, Any], _olds: dict[str, Any]) -> dict[str, Any]:
        """Return what a preview knows of the properties that are no inputs; `_olds` is empty for a creation."""
        return {}

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare new inputs with the resource's properties."""
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create a resource."""
        raise NotImplementedError

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read a resource; by default it is as it was."""
        return ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change a resource in place."""
        raise NotImplementedError

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete a resource; by default nothing is left behind."""


class AwsResourceProvider(ResourceProvider):
    """A provider of resources in AWS."""

    def session_of(self, props: Mapping[str, Any]) -> AwsSession:
        """Return the session of a resource: that of the aws provider in force, whose settings are its `aws`."""
        return session_of(props.get("aws"))
