"""Pulumi components for container functions on AWS and on OSCAR clusters."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scar_components.api_gateway_endpoint import ApiGatewayEndpoint
    from scar_components.batch_gpu_environment import BatchGpuEnvironment, BatchGpuEnvironmentArgs
    from scar_components.bucket_notification import BucketNotification, BucketNotificationArgs
    from scar_components.bucket_triggers import BucketTriggers, BucketTriggersArgs
    from scar_components.endpoint_arguments import ApiGatewayEndpointArgs
    from scar_components.function_arguments import LambdaContainerFunctionArgs
    from scar_components.generated_password import GeneratedPassword
    from scar_components.lambda_container_function import LambdaContainerFunction
    from scar_components.oscar_cluster import OscarCluster
    from scar_components.oscar_cluster_arguments import OscarClusterArgs
    from scar_components.oscar_service import OscarService, OscarServiceArgs
    from scar_components.storage_bucket import StorageBucket, StorageBucketArgs
    from scar_components.supervised_image import SupervisedImage, SupervisedImageArgs

__all__ = [
    "ApiGatewayEndpoint",
    "ApiGatewayEndpointArgs",
    "BatchGpuEnvironment",
    "BatchGpuEnvironmentArgs",
    "BucketNotification",
    "BucketNotificationArgs",
    "BucketTriggers",
    "BucketTriggersArgs",
    "GeneratedPassword",
    "LambdaContainerFunction",
    "LambdaContainerFunctionArgs",
    "OscarCluster",
    "OscarClusterArgs",
    "OscarService",
    "OscarServiceArgs",
    "StorageBucket",
    "StorageBucketArgs",
    "SupervisedImage",
    "SupervisedImageArgs",
]

_MODULES = {
    "ApiGatewayEndpoint": "api_gateway_endpoint",
    "ApiGatewayEndpointArgs": "endpoint_arguments",
    "BatchGpuEnvironment": "batch_gpu_environment",
    "BucketNotification": "bucket_notification",
    "BucketTriggers": "bucket_triggers",
    "GeneratedPassword": "generated_password",
    "LambdaContainerFunction": "lambda_container_function",
    "LambdaContainerFunctionArgs": "function_arguments",
    "OscarCluster": "oscar_cluster",
    "OscarClusterArgs": "oscar_cluster_arguments",
    "OscarService": "oscar_service",
    "StorageBucket": "storage_bucket",
    "SupervisedImage": "supervised_image",
}


def __getattr__(name: str) -> Any:
    """Import a component when it is first asked for: `pulumi_aws` takes a second."""
    module = _MODULES.get(name) or _MODULES.get(name.removesuffix("Args"))
    if module is None or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
