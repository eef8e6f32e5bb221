"""The components for programs in any language, as the plugin (plugin.py) serves them.

The SDK's own host (3.272) passes integers as floats, fails on outputs that are integers or nested objects, and wraps a
component's errors in a traceback: https://github.com/pulumi/pulumi/issues/18526, 19655. This one corrects that.
"""

import asyncio
import re
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import grpc
import pulumi
from pulumi.errors import InputPropertyError
from pulumi.provider.experimental.analyzer import PropertyDefinition, PropertyType
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.provider import ConstructResult
from pulumi.provider.server import ComponentInitError, ProviderServicer

from scar_components.api_gateway_endpoint import ApiGatewayEndpoint
from scar_components.arguments import unknown_key
from scar_components.batch.gpu_environment import BatchGpuEnvironment
from scar_components.bucket_triggers import BucketTriggers
from scar_components.image_repository import ImageRepository
from scar_components.lambda_container_function import LambdaContainerFunction
from scar_components.log_group import LogGroup
from scar_components.mapreduce.map_reduce import MapReduce
from scar_components.oscar_cluster.cluster import OscarCluster
from scar_components.oscar_service.service import OscarService
from scar_components.storage_bucket import StorageBucket
from scar_components.supervised_image import SupervisedImage
from scar_foundation.errors import ScarError

COMPONENTS: Sequence[type[pulumi.Resource]] = (
    ApiGatewayEndpoint,
    BatchGpuEnvironment,
    BucketTriggers,
    ImageRepository,
    LambdaContainerFunction,
    LogGroup,
    MapReduce,
    OscarCluster,
    OscarService,
    StorageBucket,
    SupervisedImage,
)
"""What programs in other languages can declare. Some are resources, and yet made by `Construct`: what the
provider needs of the stack (its name, the aws provider in force) is known there alone."""


class Host(ComponentProvider):
    """Maps known inputs at once and outputs when they are known, and reports errors without a traceback."""

    def __init__(self, components: Sequence[type[pulumi.Resource]], version: str) -> None:
        super().__init__(list(components), "scar", "grycap", version)  # type: ignore[arg-type] # resources fit as well

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Construct a component; its errors become errors of the resource."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, pulumi.RunError | ScarError):
                raise InputPropertyError(name, self._in_schema_spelling(str(error.inner))) from None
            raise

    def _in_schema_spelling(self, message: str) -> str:
        return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda word: self._spellings.get(word[0], word[0]), message)

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """The schema's name of each argument, by its Python name: `image_file` is `imageFile` in YAML."""
        mappings = [one.inputs_mapping for one in self._component_defs.values()]
        mappings += [one.properties_mapping for one in self._type_defs.values()]
        return {python: schema for mapping in mappings for schema, python in mapping.items()}

    def map_input_properties(
        self,
        inputs: pulumi.Inputs,
        properties: dict[str, PropertyDefinition],
        mapping: dict[str, str],
        component_name: str,
        property_path: str,
    ) -> pulumi.Inputs:
        """Map property names from the schema's to Python's, also inside outputs."""
        given = dict(inputs) if isinstance(inputs, dict) else {}
        for key in given.keys() - properties.keys():
            place = f"{property_path}.{key}" if property_path else key
            raise InputPropertyError(place, unknown_key(key, properties))
        later = {key: value for key, value in given.items() if isinstance(value, pulumi.Output)}
        now = {key: value for key, value in given.items() if key not in later}
        needed_now = {key: definition for key, definition in properties.items() if key not in later}
        mapped = dict(super().map_input_properties(now, needed_now, mapping, component_name, property_path))

        def map_one(key: str) -> Any:
            definition = {key: properties[key]}

            def apply(value: Any) -> Any:
                done = self.map_input_properties({key: value}, definition, mapping, component_name, property_path)
                return done[mapping[key]]

            return later[key].apply(apply)

        mapped.update({mapping[key]: map_one(key) for key in later if key in properties})
        for key, definition in needed_now.items():
            value = mapped.get(mapping[key])
            if definition.type == PropertyType.INTEGER and isinstance(value, float):
                mapped[mapping[key]] = int(value)
        return mapped


class ComponentHost:
    """Constructs components. The SDK's runtime needs an event loop, which gets a thread of its own."""

    def __init__(self, components: Sequence[type[pulumi.Resource]], version: str, engine_address: str) -> None:
        host = Host(components, version)
        self.schema = host.schema or "{}"
        self._servicer = ProviderServicer(host, [], engine_address)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="components").start()

    def construct(self, request: Any, context: Any) -> Any:
        """Answer one call of `Construct`, in the thread of the call."""
        refusals = _Refusals()
        try:
            return asyncio.run_coroutine_threadsafe(self._servicer.Construct(request, refusals), self._loop).result()
        except _Refused as refused:
            context.abort_with_status(refused.status)
        except Exception as error:  # noqa: BLE001 - the process serves other resources too
            context.abort(grpc.StatusCode.UNKNOWN, str(error))


class _Refused(Exception):  # noqa: N818 - it carries a status
    def __init__(self, status: grpc.Status) -> None:
        super().__init__(status.details)
        self.status = status


class _Refusals:
    """What the SDK's servicer takes for the context of a call."""

    async def abort_with_status(self, status: grpc.Status) -> None:
        raise _Refused(status)
