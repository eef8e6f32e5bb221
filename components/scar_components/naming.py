"""Names of resources in the cloud: deterministic, unique to the stack where AWS requires it, within AWS's limits."""

import hashlib
import re

import pulumi

from scar_foundation.limits import (
    BATCH_NAME_CHARACTERS,
    ECR_REPOSITORY_CHARACTERS,
    IAM_ROLE_NAME_CHARACTERS,
    LAMBDA_STATEMENT_ID_CHARACTERS,
    S3_BUCKET_PREFIX_CHARACTERS,
)

LOWER_CASE = "a-z0-9"
"""What names of buckets and repositories may have beside hyphens."""
WORD = "A-Za-z0-9_"
"""What most other names may have beside hyphens."""


def stack_identity() -> str:
    """Return `organization/project/stack`, which marks buckets and notification entries as this stack's.

    Backends without organizations use the name `organization`.
    """
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def role_name(function_name: str, identity: str) -> str:
    """Return the name of a function's role. Role names are unique in an account, so it has a digest of the stack."""
    suffix = f"-role-{digest(identity, function_name)}"
    return _cleaned(function_name, WORD)[: IAM_ROLE_NAME_CHARACTERS - len(suffix)] + suffix


def repository_name(function_name: str) -> str:
    """Return the name of a function's ECR repository.

    Repository names are lower case, with single separators between letters and digits. If the function's name has to
    be changed for that, a digest of it is appended, so that two functions never share a repository.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    """
    if len(function_name) < ECR_REPOSITORY_CHARACTERS.least:
        return f"{_cleaned(function_name, LOWER_CASE)}-{digest(function_name)}"
    return legal_name(function_name, ECR_REPOSITORY_CHARACTERS.most, LOWER_CASE)


def bucket_prefix(name: str) -> str:
    """Return what the name of a generated bucket starts with, for the aws provider to append digits to."""
    return legal_name(name, S3_BUCKET_PREFIX_CHARACTERS - 1, LOWER_CASE) + "-"


def batch_name(name: str, kind: str) -> str:
    """Return the name in the stack of a resource of Batch, `<name>-<kind>`, of which the engine makes its name on AWS.

    The engine appends eight characters. Batch's names begin with a letter or a digit.
    https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
    """
    legal = legal_name(name, BATCH_NAME_CHARACTERS - len(f"-{kind}-1234567") - len("x-12345678"), WORD)
    return f"{legal if legal[0].isalnum() else f'x{legal}-{digest(name)}'}-{kind}"


def statement_id(text: str) -> str:
    """Return the id of a statement in a function's resource policy."""
    return legal_name(text, LAMBDA_STATEMENT_ID_CHARACTERS, WORD)


def legal_name(text: str, most: int, characters: str) -> str:
    """Return a name of at most `most` of the characters and hyphens.

    Where the text has to be changed, a digest of it is appended, so that two texts never get the same name.
    """
    legal = _cleaned(text, characters)
    if legal == text and len(legal) <= most:
        return legal
    ending = f"-{digest(text)}"
    return legal[: most - len(ending)].rstrip("-") + ending


def _cleaned(text: str, characters: str) -> str:
    plain = text if "A-Z" in characters else text.lower()
    return re.sub(rf"[^{characters}]+", "-", plain).strip("-") or "function"


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
