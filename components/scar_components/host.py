"""The components as a Pulumi provider plugin, with what the SDK's own host does not do (seen with SDK 3.272).

That host hands integers over as floats, fails on integers and nested objects that are outputs, and wraps a component's
own errors in a traceback. https://github.com/pulumi/pulumi/issues/18526 and 19655 are about its arguments.
"""

import importlib.metadata
import sys
from typing import Any

import pulumi
import pulumi.provider
from pulumi.errors import InputPropertyError
from pulumi.provider.experimental.analyzer import PropertyDefinition, PropertyType
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.provider import ConstructResult
from pulumi.provider.server import ComponentInitError

from scar_components.api_gateway_endpoint import ApiGatewayEndpoint
from scar_components.batch.gpu_environment import BatchGpuEnvironment
from scar_components.bucket_triggers import BucketTriggers
from scar_components.lambda_container_function import LambdaContainerFunction
from scar_components.oscar_cluster.cluster import OscarCluster
from scar_components.oscar_service.service import OscarService

COMPONENTS: list[type[pulumi.ComponentResource]] = [
    ApiGatewayEndpoint,
    BatchGpuEnvironment,
    BucketTriggers,
    LambdaContainerFunction,
    OscarCluster,
    OscarService,
]


class Host(ComponentProvider):
    """Maps inputs that are known now at once and all others when they are, and tells errors as they were raised."""

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make a component; its errors become errors of the resource."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, pulumi.RunError):
                raise InputPropertyError(name, str(error.inner)) from None
            raise

    def map_input_properties(
        self,
        inputs: pulumi.Inputs,
        properties: dict[str, PropertyDefinition],
        mapping: dict[str, str],
        component_name: str,
        property_path: str,
    ) -> pulumi.Inputs:
        """Map names from the schema's to Python's, under outputs too."""
        given = dict(inputs) if isinstance(inputs, dict) else {}
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


def serve() -> None:
    """Serve the components until the engine is done with them."""
    version = importlib.metadata.version("scar-pulumi")
    pulumi.provider.main(Host(COMPONENTS, "scar", "grycap", version), sys.argv[1:])
