"""The functions that MiniStack holds, as the runner and the event queue need them: looked up once per change."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from scar_pulumi.cloud.asgi import Response
from scar_pulumi.cloud.credentials import Caller
from scar_pulumi.cloud.lambda_.documents import parse_image_uri, restore
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.runner import FunctionConfiguration

_REFERENCE = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>[0-9]{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_.-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
_API = "/2015-03-31/functions"
_ASYNC_API = "/2019-09-25/functions"


@dataclass(frozen=True)
class Reference:
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

    retries: int = 2
    max_age: float = 21600.0
    on_success: str = ""
    on_failure: str = ""
    dead_letter: str = ""

    def has_destination(self, condition: str) -> bool:
        """Whether anybody wants to know of an event that ended so."""
        return bool(self.on_success if condition == "Success" else self.on_failure or self.dead_letter)


@dataclass(frozen=True)
class Function:
    """A function that can be invoked; `configuration` is None for one that MiniStack runs itself (a Zip)."""

    reference: Reference
    version: str
    configuration: FunctionConfiguration | None
    reserved: int | None
    events: AsyncSettings


def parse_reference(text: str, caller: Caller, qualifier: str = "") -> Reference | None:
    """A function's name, partial ARN or ARN, percent-encoded or not; None when it is none of these."""
    found = _REFERENCE.fullmatch(unquote(text))
    if not found:
        return None
    return Reference(
        found["account"] or caller.account,
        found["region"] or caller.region,
        found["name"],
        found["qualifier"] or qualifier,
    )


class Functions:
    """Finds functions by asking MiniStack in this process; a change of a function forgets it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: dict[Reference, Function] = {}
        self._generation = 0

    def forget(self, name: str) -> None:
        """Looks the function up anew next time."""
        self._generation += 1
        self._known = {key: value for key, value in self._known.items() if key.name != name}

    async def find(self, reference: Reference) -> Function | Response:
        """The function, or MiniStack's answer when there is none."""
        if known := self._known.get(reference):
            return known
        generation = self._generation
        # By ARN: MiniStack mistakes a path with a name like "url-shortener" in it for that of a function's URL.
        answer = await self._get(reference, f"{_API}/{quote(reference.arn, safe=':')}")
        if not answer.succeeded:
            return answer
        settings = await self._get(reference, f"{_ASYNC_API}/{quote(reference.arn, safe=':')}/event-invoke-config")
        function = _function(
            reference, restore(json.loads(answer.body)), json.loads(settings.body) if settings.succeeded else {}
        )
        if generation == self._generation:
            self._known[reference] = function
        return function

    async def _get(self, reference: Reference, path: str) -> Response:
        query = {"Qualifier": reference.qualifier} if reference.qualifier else {}
        account, region = reference.account, reference.region
        request = rest_request("lambda", "GET", path, query=query, account=account, region=region)
        return await self._upstream.request(request)


def _function(reference: Reference, document: Mapping[str, Any], events: Mapping[str, Any]) -> Function:
    configuration = document["Configuration"]
    image = parse_image_uri(document.get("Code", {}).get("ResolvedImageUri", ""))
    is_image = configuration.get("PackageType") == "Image" and image is not None and bool(image.digest)
    return Function(
        reference,
        configuration["Version"],
        _configuration(reference, configuration, image.digest) if is_image and image else None,
        document.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        _async_settings(events, configuration),
    )


def _configuration(reference: Reference, document: Mapping[str, Any], digest: str) -> FunctionConfiguration:
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
        ephemeral_storage=(document.get("EphemeralStorage") or {}).get("Size", 512),
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
        retries=int(document.get("MaximumRetryAttempts", 2)),
        max_age=float(document.get("MaximumEventAgeInSeconds", 21600)),
        on_success=(destinations.get("OnSuccess") or {}).get("Destination", ""),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination", ""),
        dead_letter=(configuration.get("DeadLetterConfig") or {}).get("TargetArn", ""),
    )
