"""Physical names: deterministic, unique to the stack where AWS needs it, and inside each service's limit."""

import hashlib
import re

import pulumi

IAM_ROLE_NAME_LIMIT = 64
"""Characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def stack_identity() -> str:
    """Return `organization/project/stack`: what marks a shared thing (bucket, notification entry) as this stack's.

    Backends without organizations call every one of them `organization`.
    """
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def role_name(function_name: str, identity: str) -> str:
    """Return the name of a function's role. Role names are global in the account, so the stack's mark is part of it."""
    suffix = f"-role-{digest(identity, function_name)}"
    return function_name[: IAM_ROLE_NAME_LIMIT - len(suffix)] + suffix


def repository_name(function_name: str) -> str:
    """Return the ECR repository's name for a function.

    Repository names are lower case, with single separators between letters and digits; a name that has to be changed
    for that gets a mark of the original, so that two functions never share a repository.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    """
    legal = re.sub(r"[^a-z0-9]+", "-", function_name.lower()).strip("-") or "function"
    if legal == function_name and len(legal) > 1:
        return legal
    return f"{legal}-{digest(function_name)}"


def digest(*parts: str) -> str:
    """Return eight hexadecimal digits that stand for the given words."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def access_log_name(api_name: str, identity: str) -> str:
    """Return the name of an API's access log group. Names of APIs are not unique, so the stack's mark is part of it.

    Under this beginning the logs' resource policy does not grow with every API:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    """
    start = "/aws/vendedlogs/apigateway/"
    legal = re.sub(r"[^A-Za-z0-9_./#-]", "-", api_name)[:256]
    return f"{start}{legal}-{digest(identity, api_name)}"
