"""A bucket's notification configuration, as strict as S3 about filters; MiniStack compares them with keys as they are.

MiniStack gets every filter decoded. One that S3 would never match is stored so that MiniStack never matches it, either.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from scar_foundation.limits import S3_FILTER_CHARACTERS, S3_NOTIFICATIONS
from scar_foundation.notification_filters import Filter, decoded_filter, encoded_filter
from scar_pulumi.cloud.asgi import ASGIApp, Request
from scar_pulumi.cloud.ministack.upstream import Upstream, is_bucket_path
from scar_pulumi.cloud.s3.documents import parsed, serialized
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest, s3_error

_NEVER = "\ue000"
"""Marks a filter that matches no key: a character for private use, which no key starts or ends with."""
_METHODS = frozenset({"GET", "PUT"})


class NotificationConfigurations(Service):
    """Serves the requests that write and read these documents; `changed` is called with the bucket of a new one."""

    refusal = staticmethod(s3_error)

    def __init__(self, upstream: Upstream, changed: Callable[[str], None]) -> None:
        self._upstream = upstream
        self._changed = changed

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request writes or reads a bucket's notification configuration."""
        is_about = request.method in _METHODS and is_bucket_path(request.path) and request.service == "s3"
        return is_about and "notification" in request.query_params

    async def __call__(self, incoming: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        request = await incoming.read()
        if request.method == "PUT":
            answer = await self._upstream.request(_with_body(request, stored_document(request.body)))
            self._changed(incoming.path.strip("/"))
            return answer
        answer = await self._upstream.request(request)
        return answer.with_body(shown_document(answer.body)) if answer.succeeded else answer


def stored_document(document: bytes) -> bytes:
    """Return what MiniStack is to store; raise ServiceError for what S3 refuses."""
    try:
        root = parsed(document)
    except ParseError:
        raise ServiceError(400, "MalformedXML", "The XML you provided was not well-formed") from None
    for value in root.iterfind(".//{*}FilterRule/{*}Value"):
        text = value.text or ""
        if len(text) > S3_FILTER_CHARACTERS:
            raise _refused(f"filter rule value is longer than {S3_FILTER_CHARACTERS} characters")
        is_as_wanted = encoded_filter(decoded_filter(text)) == text
        value.text = decoded_filter(text) if is_as_wanted else f"{_NEVER}{text}{_NEVER}"
    _check(list(_entries(root)))
    return serialized(root)


def shown_document(document: bytes) -> bytes:
    """Return the document as it was written."""
    root = parsed(document)
    for value in root.iterfind(".//{*}FilterRule/{*}Value"):
        text = value.text or ""
        value.text = text.strip(_NEVER) if text.startswith(_NEVER) else encoded_filter(text)
    return serialized(root)


class _Entry(NamedTuple):
    events: tuple[str, ...]
    filter: Filter


def _entries(root: Element) -> Iterator[_Entry]:
    for element in root:
        events = tuple(event.text or "" for event in element.iterfind("{*}Event"))
        rules = {
            rule.findtext("{*}Name", "").lower(): rule.findtext("{*}Value", "")
            for rule in element.iterfind("{*}Filter/{*}S3Key/{*}FilterRule")
        }
        if events:
            yield _Entry(events, Filter(rules.get("prefix", ""), rules.get("suffix", "")))


def _check(entries: list[_Entry]) -> None:
    if len(entries) > S3_NOTIFICATIONS:
        raise _refused(f"a bucket has at most {S3_NOTIFICATIONS} notification configurations")
    for one, other in itertools.combinations(entries, 2):
        if one.filter.meets(other.filter) and _share_an_event(one, other):
            raise _refused(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
                "are overlapping for the same event type."
            )


def _share_an_event(one: _Entry, other: _Entry) -> bool:
    pairs = itertools.product(one.events, other.events)
    return any(fnmatchcase(left, right) or fnmatchcase(right, left) for left, right in pairs)


def _refused(message: str) -> ServiceError:
    return ServiceError(400, "InvalidArgument", message)


def _with_body(request: Request, body: bytes) -> Request:
    """Return the request with another body, without what told of the former one."""
    former = (b"content-length", b"content-md5", b"content-encoding", b"transfer-encoding", b"x-amz-content-sha256")
    kept = tuple(
        header
        for header in request.headers
        if header[0] not in former and not header[0].startswith((b"x-amz-checksum-", b"x-amz-trailer"))
    )
    return replace(request, headers=(*kept, (b"content-length", b"%d" % len(body))), body=body)
