"""Requests to Batch, checked against botocore's description of the service."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from scar_pulumi.cloud.service import ServiceError

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


def check_request(operation: str, document: Mapping[str, Any]) -> None:
    """Compare a request with the operation's description. Raises ClientError with all mistakes."""
    shape = _service().operation_model(operation).input_shape
    report = ParamValidator().validate(document, shape)
    if report.has_errors():
        raise ClientError(str(report.generate_report()))
    if wrong := list(_wrong_words(shape, document, "")):
        raise ClientError("; ".join(wrong))


def _wrong_words(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _wrong_words(member, value[name], f"{place}.{name}".lstrip("."))
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _wrong_words(shape.member, item, f"{place}[{number}]")
    elif shape.type_name == "string" and shape.enum and _spelled(shape, value) not in shape.enum:
        yield f"{place}: {value} is not one of {', '.join(shape.enum)}"


# https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html: "not case sensitive"
_IN_ANY_CASE = frozenset({"RetryAction"})


def _spelled(shape: Shape, value: str) -> str:
    return value.upper() if shape.name in _IN_ANY_CASE else value


@functools.cache
def _service() -> Any:
    return ServiceModel(Loader().load_service_model("batch", "service-2"))


@functools.cache
def _paths() -> dict[str, str]:
    models = (_service().operation_model(name) for name in _service().operation_names)
    return {model.http["requestUri"]: model.name for model in models}
