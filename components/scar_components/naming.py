"""Names of resources in the cloud: deterministic, unique to the stack where AWS requires it, within AWS's limits."""

import hashlib
import re

import pulumi

from scar_foundation.limits import IAM_ROLE_NAME_CHARACTERS


def stack_identity() -> str:
    """Return `organization/project/stack`, which marks buckets and notification entries as this stack's.

    Backends without organizations use the name `organization`.
    """
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def role_name(function_name: str, identity: str) -> str:
    """Return the name of a function's role. Role names are unique in an account, so it has a digest of the stack."""
    suffix = f"-role-{digest(identity, function_name)}"
    return function_name[: IAM_ROLE_NAME_CHARACTERS - len(suffix)] + suffix


def repository_name(function_name: str) -> str:
    """Return the name of a function's ECR repository.

    Repository names are lower case, with single separators between letters and digits. If the function's name has to
    be changed for that, a digest of it is appended, so that two functions never share a repository.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    """
    legal = re.sub(r"[^a-z0-9]+", "-", function_name.lower()).strip("-") or "function"
    if legal == function_name and len(legal) > 1:
        return legal
    return f"{legal}-{digest(function_name)}"


def digest(*parts: str) -> str:
    """Return a digest of the given words: eight hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def access_log_name(api_name: str, identity: str) -> str:
    """Return the name of an API's access log group. Names of APIs are not unique, so it has a digest of the stack.

    With this prefix the resource policy of CloudWatch Logs does not grow with every API:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    """
    legal = re.sub(r"[^A-Za-z0-9_./#-]", "-", api_name)[:256]
    return f"/aws/vendedlogs/apigateway/{legal}-{digest(identity, api_name)}"
