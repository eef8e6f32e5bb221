"""Pulumi components for container functions on AWS."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scar_components.bucket_notification import BucketNotification, BucketNotificationArgs
    from scar_components.bucket_triggers import BucketTriggers, BucketTriggersArgs
    from scar_components.function_arguments import LambdaContainerFunctionArgs
    from scar_components.lambda_container_function import LambdaContainerFunction
    from scar_components.storage_bucket import StorageBucket, StorageBucketArgs
    from scar_components.supervised_image import SupervisedImage, SupervisedImageArgs

__all__ = [
    "BucketNotification",
    "BucketNotificationArgs",
    "BucketTriggers",
    "BucketTriggersArgs",
    "LambdaContainerFunction",
    "LambdaContainerFunctionArgs",
    "StorageBucket",
    "StorageBucketArgs",
    "SupervisedImage",
    "SupervisedImageArgs",
]

_MODULES = {
    "BucketNotification": "bucket_notification",
    "BucketTriggers": "bucket_triggers",
    "LambdaContainerFunction": "lambda_container_function",
    "LambdaContainerFunctionArgs": "function_arguments",
    "StorageBucket": "storage_bucket",
    "SupervisedImage": "supervised_image",
}


def __getattr__(name: str) -> Any:
    """Import a component when it is first asked for: `pulumi_aws` takes a second."""
    module = _MODULES.get(name) or _MODULES.get(name.removesuffix("Args"))
    if module is None or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
