"""The components as a Pulumi provider plugin, for programs in any language.

The SDK's own host (3.272) passes integers as floats, fails on outputs that are integers or nested objects, and wraps a
component's errors in a traceback: https://github.com/pulumi/pulumi/issues/18526, 19655. This one corrects that.
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
from scar_foundation.errors import ScarError

COMPONENTS: list[type[pulumi.ComponentResource]] = [
    ApiGatewayEndpoint,
    BatchGpuEnvironment,
    BucketTriggers,
    LambdaContainerFunction,
    OscarCluster,
    OscarService,
]


class Host(ComponentProvider):
    """Maps known inputs at once and outputs when they are known, and reports errors without a traceback."""

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
        """Map property names from the schema's to Python's, also inside outputs."""
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
    """Serve the components until the engine ends the process."""
    version = importlib.metadata.version("scar-pulumi")
    pulumi.provider.main(Host(COMPONENTS, "scar", "grycap", version), sys.argv[1:])
