"""Failures of a provider: each reaches the engine as one sentence, without the secrets of its request."""

import traceback
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2

from scar_foundation.errors import LocalCloudError, ScarError
from scar_foundation.loopback import is_loopback_url
from scar_foundation.plugin.values import conceal, from_struct, secrets, texts, to_struct


class ProviderError(LocalCloudError):
    """The provider cannot do what the engine asked for."""


class UnservedError(ProviderError):
    """A resource type, function or provider setting that the plugin does not serve."""


class IncompleteError(ProviderError):
    """The resource exists but could not be brought into the wished state; the engine records it and tries again."""

    def __init__(self, message: str, id_: str, outputs: dict[str, object]) -> None:
        super().__init__(message)
        self.id = id_
        self.outputs = outputs


def require_loopback(url: str, refusal: str) -> None:
    """Raise UnservedError, with `refusal` to say what to do, for a URL that leads off this machine."""
    if not is_loopback_url(url):
        raise UnservedError(f"endpoint {url}: {refusal}")


_HIDDEN = "[secret]"


def abort(context: Any, error: Exception, request: Any, sentences: tuple[type[Exception], ...] = ()) -> NoReturn:
    """End a call with an error that the engine can show as it stands; those of `sentences` are written for the user."""
    message = _without_secrets(_sentence(error, sentences), request)
    if isinstance(error, IncompleteError):
        details = _incomplete(error, message, request).SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
    wrong_input = isinstance(error, UnservedError)
    context.abort(grpc.StatusCode.INVALID_ARGUMENT if wrong_input else grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort returned")


def _sentence(error: Exception, sentences: tuple[type[Exception], ...]) -> str:
    if isinstance(error, (ScarError, OSError, *sentences)):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"the provider failed in {where}: {type(error).__name__}: {error}; please report this"


def _without_secrets(message: str, request: Any) -> str:
    for _, value in request.ListFields():
        if isinstance(value, Struct):
            for secret in secrets(from_struct(value)):
                for text in filter(None, texts(secret)):
                    message = message.replace(text, _HIDDEN)
    return message


def _incomplete(error: IncompleteError, message: str, request: Any) -> Any:
    """Describe a resource that exists: the engine records it and updates it next time."""
    raw = from_struct(request.news if "news" in request.DESCRIPTOR.fields_by_name else request.properties)
    outputs = to_struct(conceal(error.outputs, raw))
    detail = provider_pb2.ErrorResourceInitFailed(id=error.id, properties=outputs, reasons=[message])
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    status.details.add().Pack(detail)
    return status
