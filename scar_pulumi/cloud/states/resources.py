"""What a Task state can call: the integrations that the local cloud has, by the form of their ARNs.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

import re
from collections.abc import Mapping
from typing import Any

LAMBDA_INVOKE = "arn:aws:states:::lambda:invoke"
SUBMIT_JOB = "arn:aws:states:::batch:submitJob"
SUBMIT_JOB_SYNC = "arn:aws:states:::batch:submitJob.sync"

_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(?::(?:\$LATEST|[A-Za-z0-9_-]+))?"
)
_NEEDED: Mapping[str, tuple[str, ...]] = {
    LAMBDA_INVOKE: ("FunctionName",),
    SUBMIT_JOB: ("JobName", "JobQueue", "JobDefinition"),
    SUBMIT_JOB_SYNC: ("JobName", "JobQueue", "JobDefinition"),
}


def is_function(resource: str) -> bool:
    """Return whether a resource is a Lambda function itself, whose answer is the task's result."""
    return _FUNCTION.fullmatch(resource) is not None


def resource_mistake(resource: str, parameters: Any) -> str | None:
    """Return why a Task cannot have a resource and parameters, else None."""
    if is_function(resource):
        return None
    if resource not in _NEEDED:
        served = ", ".join(("the ARN of a Lambda function", *_NEEDED))
        return f"the local cloud does not have {resource!r}; it has {served}"
    given = {name.removesuffix(".$") for name in parameters} if isinstance(parameters, dict) else set()
    missing = [name for name in _NEEDED[resource] if name not in given]
    return f"Parameters needs {', '.join(missing)} for {resource}" if missing else None


def resource_type(resource: str) -> tuple[str, str]:
    """Return the service and the action of an integration, as the history has them."""
    _, _, rest = resource.partition(":::")
    service, _, action = rest.partition(":")
    return service, action
