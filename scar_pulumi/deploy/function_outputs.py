"""."""

from typing import Any

from scar_components import LambdaContainerFunction
from scar_pulumi.deploy.storage_paths import function_storage
from scar_pulumi.fdl import Function


def function_outputs(function: Function, component: LambdaContainerFunction) -> dict[str, Any]:
    """Return what the data plane needs to know of a function; the contract of stack outputs."""
    return {
        "arn": component.arn,
        "region": component.arn.apply(lambda arn: arn.split(":")[3]),
        "logGroup": component.log_group,
        "image": component.image_uri,
        "executionMode": function.execution_mode,
        "inputs": [function_storage(path) for path in function.input],
        "outputs": [function_storage(path) for path in function.output],
    }
