"""Requests to Batch, checked against botocore's description of the service."""

import functools
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.service_models import request_mistakes, service_model

TAGS_PATH = "/v1/tags/"
_TAG_OPERATIONS = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}


class ClientError(ServiceError):
    """The request is wrong: Batch's ClientException. The message is for whoever sent it."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "ClientException", message)


def operation_name(method: str, path: str) -> str:
    """Return the name of a request's operation, or the empty string."""
    if path.startswith(TAGS_PATH):
        return _TAG_OPERATIONS.get(method, "")
    return _paths().get(path, "") if method == "POST" else ""


# https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html: "not case sensitive"
_IN_ANY_CASE = frozenset({"RetryAction"})


def check_request(operation: str, document: Mapping[str, Any]) -> None:
    """Compare a request with the operation's description. Raises ClientError with all mistakes."""
    if wrong := request_mistakes("batch", operation, document, _IN_ANY_CASE):
        raise ClientError(wrong)


@functools.cache
def _paths() -> dict[str, str]:
    service = service_model("batch")
    models = (service.operation_model(name) for name in service.operation_names)
    return {model.http["requestUri"]: model.name for model in models}
