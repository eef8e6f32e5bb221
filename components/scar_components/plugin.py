# ruff: noqa: ARG002, N802 - the names and parameters of these methods are those of the frame and the gRPC service
"""`pulumi-resource-scar`: our own resource types, and the components for programs in other languages, in one process.

Both are served over the engine's protocol as `scar_foundation.plugin` speaks it. The SDK's own servers (3.272) serve
either components or resources; they show errors with a traceback, and lose what a failed creation has made.
"""

import importlib.metadata
import json
import os
import pkgutil
import sys
import threading
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pulumi
from pulumi.runtime.proto import provider_pb2

from scar_components.resource_provider import ResourceProvider
from scar_foundation.plugin.failures import UnservedError
from scar_foundation.plugin.process import serve as serve_provider
from scar_foundation.plugin.provider import (
    Checked,
    Difference,
    Found,
    Lifecycle,
    Naming,
    Package,
    Provider,
    Resource,
    explaining,
)
from scar_foundation.plugin.values import Properties, from_struct, has_unknown, to_struct

if TYPE_CHECKING:
    from scar_components.host import ComponentHost

PROVIDERS = {
    "scar:index:BucketNotification": "scar_components.bucket_notification:BucketNotificationProvider",
    "scar:index:GeneratedPassword": "scar_components.secret_values:GeneratedPasswordProvider",
    "scar:index:ImageRepository": "scar_components.image_repository:ImageRepositoryProvider",
    "scar:index:LogGroup": "scar_components.log_group:LogGroupProvider",
    "scar:index:RegisteredService": "scar_components.oscar_service.service:RegisteredServiceProvider",
    "scar:index:SecretRevision": "scar_components.secret_values:SecretRevisionProvider",
    "scar:index:StorageBucket": "scar_components.storage_bucket:StorageBucketProvider",
    "scar:index:SupervisedImage": "scar_components.supervised_image:SupervisedImageProvider",
}
"""Who provides each type. Imported when the first resource of the type is asked for."""

_CALLS = 1024
"""Calls at once. A component keeps its call until its children exist, which need calls of their own."""


class OwnResources(Lifecycle):
    """The resources of one stack: each is handed to the provider of its type."""

    def __init__(self, configuration: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._providers: dict[str, ResourceProvider] = {}
        self._lock = threading.Lock()

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Refuse: there are no functions."""
        raise UnservedError(f"{token}: the package scar has no functions")

    def check(self, resource: Resource, olds: Properties, news: Properties, naming: Naming) -> Checked:
        """Take the inputs as they are: whoever declares a resource has checked them."""
        self._provider(resource)
        return Checked(news)

    def diff(self, resource: Resource, olds: Properties, old_inputs: Properties, news: Properties) -> Difference:
        """Ask the provider, and name the inputs that are different."""
        found = self._provider(resource).diff(resource.id, self._state(resource, olds), news)
        if not found.changes:
            return Difference()
        before = _public(old_inputs)
        paths = {key: _kind(key, before, news) for key in {*before, *news} if before.get(key) != news.get(key)}
        paths |= {key: paths.get(key, "update") for key in found.replaces}
        return Difference(paths, tuple(found.replaces), delete_first=found.delete_before_replace, elsewhere=not paths)

    def foresee_create(self, resource: Resource, inputs: Properties) -> Properties:
        """Return the inputs and what the provider foresees; what is left out is unknown."""
        return self._foreseen(resource, inputs, {})

    def create(self, resource: Resource, inputs: Properties, timeout: float) -> tuple[str, Properties]:
        """Create the resource."""
        created = self._provider(resource).create(inputs)
        return created.id, created.outs

    def read(self, resource: Resource, state: Properties, inputs: Properties) -> Found | None:
        """Read the resource. Raises UnservedError for an import."""
        if not state:
            raise UnservedError(
                f"{resource.id}: a {resource.type} cannot be imported; declare it, and `up` takes over what exists"
            )
        found = self._provider(resource).read(resource.id, self._state(resource, state))
        if not found.id:
            return None
        return Found(found.id, found.outs, inputs if found.inputs is None else found.inputs)

    def foresee_update(
        self,
        resource: Resource,
        olds: Properties,
        old_inputs: Properties,
        news: Properties,
    ) -> Properties:
        """Return the new inputs and what the provider foresees; what is left out is unknown."""
        return self._foreseen(resource, news, self._state(resource, olds))

    def update(
        self,
        resource: Resource,
        olds: Properties,
        old_inputs: Properties,
        news: Properties,
        timeout: float,
    ) -> Properties:
        """Change the resource in place."""
        return self._provider(resource).update(resource.id, self._state(resource, olds), news).outs

    def delete(self, resource: Resource, state: Properties, timeout: float) -> None:
        """Delete the resource."""
        self._provider(resource).delete(resource.id, self._state(resource, state))

    def _provider(self, resource: Resource) -> ResourceProvider:
        if resource.type not in PROVIDERS:
            raise UnservedError(
                f"{resource.type}: is not served by this release of scar-pulumi; use the release of the program"
            )
        with self._lock:
            if resource.type not in self._providers:
                provider: ResourceProvider = pkgutil.resolve_name(PROVIDERS[resource.type])()
                provider.configure(self._configuration)
                self._providers[resource.type] = provider
        return self._providers[resource.type]

    def _state(self, resource: Resource, properties: Properties) -> Properties:
        return self._provider(resource).current(_public(properties))

    def _foreseen(self, resource: Resource, inputs: Properties, olds: Properties) -> Properties:
        return {**inputs, **({} if has_unknown(inputs) else self._provider(resource).foresee(inputs, olds))}


def _public(properties: Properties) -> Properties:
    """Leave out what the SDK keeps for itself, such as the serialised provider of a former dynamic resource."""
    return {key: value for key, value in properties.items() if not key.startswith("__")}


def _kind(key: str, before: Properties, after: Properties) -> str:
    return "update" if key in before and key in after else ("add" if key in after else "delete")


def _configuration(settings: Properties) -> dict[str, str]:
    """Return the stack's configuration as it is now; the settings that a state holds are those of the last `up`."""
    now = os.environ.get("PULUMI_CONFIG")  # the keys of the package's own namespace
    return {key: str(value) for key, value in (json.loads(now) if now else settings).items()}


_USED = ("deleteBuckets",)
"""What the providers take of the configuration; the rest of it is the program's."""


def _schema(_: str) -> dict[str, Any]:
    return dict(json.loads(_components("").schema))


PACKAGE = Package(
    "scar",
    _configuration,
    OwnResources,
    _schema,
    distribution="scar-pulumi",
    sentences=(pulumi.RunError, botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError),
)


class ScarProvider(Provider):
    """Resources and components of the package `scar`."""

    has_components = True

    def __init__(self, engine_address: str) -> None:
        super().__init__(PACKAGE)
        self._engine_address = engine_address

    @explaining
    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Keep in the state only what providers use; programs may have secrets in `scar:` configuration."""
        kept = {key: value for key, value in from_struct(request.news).items() if key in _USED}
        return provider_pb2.CheckResponse(inputs=to_struct(kept))

    def Construct(self, request: Any, context: Any) -> Any:
        """Construct a component; its children are registered with the engine meanwhile."""
        return _components(self._engine_address).construct(request, context)


@cache
def _components(engine_address: str) -> "ComponentHost":
    # All components with their SDKs take two seconds to import, and Python programs construct their own.
    from scar_components.host import COMPONENTS, ComponentHost  # noqa: PLC0415

    return ComponentHost(COMPONENTS, importlib.metadata.version("scar-pulumi"), engine_address)


def serve() -> None:
    """Serve until the engine ends; the engine's address is the first argument."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    serve_provider(lambda: ScarProvider(addresses[0] if addresses else ""), _CALLS)


if __name__ == "__main__":
    serve()
