"""The functions that MiniStack holds: how they are found, and how their settings are stored there.

MiniStack writes log lines of its own for each event that it delivers, and throttles its own deliveries. Both would mix
with what the runner and the event queue do, so a log group is stored under a prefix, and a reserved concurrency beyond
anything that MiniStack could reach. An image is stored with the digest that its tag had, as Lambda pins it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from scar_foundation.limits import LAMBDA_EPHEMERAL_STORAGE, LAMBDA_EVENT_AGE, LAMBDA_RETRY_ATTEMPTS
from scar_pulumi.cloud.asgi import Response, find_header
from scar_pulumi.cloud.ecr.image_store import parse_image_uri
from scar_pulumi.cloud.logs.cloudwatch import LOG_SINK
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.runner import FunctionConfiguration
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.signature import Caller

_REFERENCE = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>[0-9]{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_.-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
_API = "/2015-03-31/functions"
_ASYNC_API = "/2019-09-25/functions"


@dataclass(frozen=True)
class FunctionReference:
    """A function, or one of its versions or aliases, in an account and region."""

    account: str
    region: str
    name: str
    qualifier: str = ""

    @property
    def arn(self) -> str:
        """The unqualified name in full."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


@dataclass(frozen=True)
class AsyncSettings:
    """How asynchronous events are treated. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

    retries: int
    max_age: float
    on_success: str = ""
    on_failure: str = ""
    dead_letter: str = ""

    def has_destination(self, condition: str) -> bool:
        """Return whether a destination is set for events that end so."""
        return bool(self.on_success if condition == "Success" else self.on_failure or self.dead_letter)


@dataclass(frozen=True)
class DeployedFunction:
    """A function that can be invoked; `configuration` is None for one that MiniStack runs itself (a Zip)."""

    reference: FunctionReference
    version: str
    configuration: FunctionConfiguration | None
    reserved: int | None
    events: AsyncSettings


def parse_reference(text: str, caller: Caller, qualifier: str = "") -> FunctionReference | None:
    """Read a function's name, partial ARN or ARN, percent-encoded or not; return None when it is none of these."""
    found = _REFERENCE.fullmatch(unquote(text))
    if not found:
        return None
    return FunctionReference(
        found["account"] or caller.account,
        found["region"] or caller.region,
        found["name"],
        found["qualifier"] or qualifier,
    )


class Functions:
    """Finds functions by asking MiniStack in this process; a change of a function forgets it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: dict[FunctionReference, DeployedFunction] = {}
        self._generation = 0

    def forget(self, name: str) -> None:
        """Ask MiniStack for the function again next time."""
        self._generation += 1
        self._known = {key: value for key, value in self._known.items() if key.name != name}

    async def find(self, reference: FunctionReference) -> DeployedFunction:
        """Return a function; raise ServiceError with MiniStack's reason when there is none."""
        if known := self._known.get(reference):
            return known
        generation = self._generation
        # By ARN: MiniStack mistakes a path with a name like "url-shortener" in it for that of a function's URL.
        answer = await self._get(reference, f"{_API}/{quote(reference.arn, safe=':')}")
        if not answer.succeeded:
            raise _refused(answer)
        settings = await self._get(reference, f"{_ASYNC_API}/{quote(reference.arn, safe=':')}/event-invoke-config")
        events = restore(json.loads(settings.body)) if settings.succeeded else {}
        function = _function(reference, restore(json.loads(answer.body)), events)
        if generation == self._generation:
            self._known[reference] = function
        return function

    async def _get(self, reference: FunctionReference, path: str) -> Response:
        query = {"Qualifier": reference.qualifier} if reference.qualifier else {}
        account, region = reference.account, reference.region
        request = rest_request("lambda", "GET", path, query=query, account=account, region=region)
        return await self._upstream.request(request)


def _refused(answer: Response) -> ServiceError:
    message = json.loads(answer.body or b"{}").get("message", "")
    return ServiceError(answer.status_code, find_header(answer.raw_headers, "x-amzn-errortype"), message)


def _function(reference: FunctionReference, document: Mapping[str, Any], events: Mapping[str, Any]) -> DeployedFunction:
    configuration = document["Configuration"]
    image = parse_image_uri(document.get("Code", {}).get("ResolvedImageUri", ""))
    is_image = configuration.get("PackageType") == "Image" and image is not None and bool(image.digest)
    return DeployedFunction(
        reference,
        configuration["Version"],
        _configuration(reference, configuration, image.digest) if is_image and image else None,
        document.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        _async_settings(events, configuration),
    )


def _configuration(reference: FunctionReference, document: Mapping[str, Any], digest: str) -> FunctionConfiguration:
    overrides = (document.get("ImageConfigResponse") or {}).get("ImageConfig") or {}
    return FunctionConfiguration(
        name=reference.name,
        arn=reference.arn + (f":{reference.qualifier}" if reference.qualifier else ""),
        version=document["Version"],
        region=reference.region,
        account=reference.account,
        image=digest,
        memory=document["MemorySize"],
        timeout=document["Timeout"],
        ephemeral_storage=(document.get("EphemeralStorage") or {}).get("Size", LAMBDA_EPHEMERAL_STORAGE.least),
        environment=(document.get("Environment") or {}).get("Variables") or {},
        log_group=(document.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{reference.name}",
        architecture=(document.get("Architectures") or ["x86_64"])[0],
        entry_point=tuple(overrides["EntryPoint"]) if overrides.get("EntryPoint") else None,
        command=tuple(overrides["Command"]) if overrides.get("Command") else None,
        working_directory=overrides.get("WorkingDirectory") or None,
    )


def _async_settings(document: Mapping[str, Any], configuration: Mapping[str, Any]) -> AsyncSettings:
    destinations = document.get("DestinationConfig") or {}
    return AsyncSettings(
        retries=int(document.get("MaximumRetryAttempts", LAMBDA_RETRY_ATTEMPTS.default)),
        max_age=float(document.get("MaximumEventAgeInSeconds", LAMBDA_EVENT_AGE.default)),
        on_success=(destinations.get("OnSuccess") or {}).get("Destination", ""),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination", ""),
        dead_letter=(configuration.get("DeadLetterConfig") or {}).get("TargetArn", ""),
    )


_CONCURRENCY_OFFSET = 1_000_000
_NO_AGE = 1_000_000


def pin_image(uri: str, digest: str) -> str:
    """Return the URI with the digest that was deployed."""
    return uri if "@" in uri else f"{uri}@{digest}"


def sink_log_group(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a request with its log group (by default the function's) moved to where MiniStack may write."""
    logging = document.get("LoggingConfig") or {}
    group = logging.get("LogGroup") or f"/aws/lambda/{name}"
    return document | {"LoggingConfig": {"LogFormat": "Text", **logging, "LogGroup": LOG_SINK + group}}


def hide_concurrency(document: dict[str, Any]) -> dict[str, Any]:
    """Return a PutFunctionConcurrency request that MiniStack will never throttle on."""
    reserved = document.get("ReservedConcurrentExecutions")
    return (
        document | {"ReservedConcurrentExecutions": reserved + _CONCURRENCY_OFFSET}
        if type(reserved) is int
        else document
    )


def mark_age(document: dict[str, Any]) -> dict[str, Any]:
    """Return a PutFunctionEventInvokeConfig request that tells an age that was not set from MiniStack's default."""
    return {"MaximumEventAgeInSeconds": _NO_AGE, **document}


def restore(document: Any) -> Any:
    """Return a response as Lambda gives it: undo the functions above wherever they left their marks."""
    if isinstance(document, list):
        return [restore(item) for item in document]
    if not isinstance(document, dict):
        return document
    restored = {key: _RESTORERS.get(key, restore)(value) for key, value in document.items()}
    if restored.get("MaximumEventAgeInSeconds") == _NO_AGE:
        del restored["MaximumEventAgeInSeconds"]
    if "CodeSha256" in restored and "@sha256:" in str(document.get("ImageUri", "")):
        restored["CodeSha256"] = document["ImageUri"].rpartition("@sha256:")[2]
    return restored


def _log_group(value: Any) -> Any:
    return value.removeprefix(LOG_SINK) if isinstance(value, str) else value


def _concurrency(value: Any) -> Any:
    return value - _CONCURRENCY_OFFSET if type(value) is int and value >= _CONCURRENCY_OFFSET else value


def _image_uri(value: Any) -> Any:
    image = parse_image_uri(value) if isinstance(value, str) else None
    return value.partition("@")[0] if image and image.tag else value


def _resolved_image_uri(value: Any) -> Any:
    image = parse_image_uri(value) if isinstance(value, str) else None
    return value.replace(f":{image.tag}@", "@") if image and image.tag and image.digest else value


_RESTORERS: dict[str, Callable[[Any], Any]] = {
    "ImageUri": _image_uri,
    "LogGroup": _log_group,
    "ReservedConcurrentExecutions": _concurrency,
    "ResolvedImageUri": _resolved_image_uri,
    # A function's variables are the user's, whatever their names.
    "Variables": lambda value: value,
}
