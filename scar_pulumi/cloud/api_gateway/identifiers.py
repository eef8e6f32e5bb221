"""Ids and names of API Gateway's resources."""

import secrets
import string

_LETTERS = string.ascii_lowercase + string.digits


def new_id() -> str:
    """A new id, in the letters that API Gateway uses."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def api_arn(region: str, api: str) -> str:
    """The ARN of an API."""
    return f"arn:aws:apigateway:{region}::/apis/{api}"


def domain_arn(region: str, name: str) -> str:
    """The ARN of a domain."""
    return f"arn:aws:apigateway:{region}::/domainnames/{name}"
