"""Which services a bucket of MinIO reports its new objects to, as S3's interface reads and sets it.

Targets are webhooks that OSCAR has registered. MinIO refuses a document that names another, and shows no rule of one
that it has forgotten: https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html
"""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, SubElement

from scar_pulumi.cloud.s3.documents import parsed, serialized
from scar_pulumi.cloud.service import ServiceError

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_UNKNOWN = "A specified destination ARN does not exist or is not well-formed. Verify the destination ARN."
_CREATED = "s3:ObjectCreated:*"


class Rule(NamedTuple):
    """One entry of a bucket's configuration: which events, for which keys, a service is told of."""

    service: str
    prefix: str = ""
    suffix: str = ""
    events: tuple[str, ...] = (_CREATED,)

    def covers(self, event: str, key: str) -> bool:
        """Return whether the service is told of an event for a key."""
        is_told = any(fnmatchcase(event, pattern) for pattern in self.events)
        return is_told and key.startswith(self.prefix) and key.endswith(self.suffix)


def folder_rule(service: str, folder: str) -> Rule:
    """Return the rule that OSCAR makes for an input."""
    return Rule(service, f"{folder}/" if folder else "")


def read_rules(document: bytes, services: Collection[str]) -> tuple[Rule, ...]:
    """Return the rules of a NotificationConfiguration; `services` are those whose webhooks MinIO knows.

    Raises:
        ServiceError: It is malformed, or names another target.
    """
    try:
        root = parsed(document)
    except ParseError:
        raise ServiceError(400, "MalformedXML", "The XML you provided was not well-formed") from None
    entries = root.findall("{*}QueueConfiguration")
    if len(entries) != len(root):
        raise ServiceError(400, "InvalidArgument", _UNKNOWN)
    return tuple(_read_rule(entry, services) for entry in entries)


def _read_rule(entry: Element, services: Collection[str]) -> Rule:
    filters = {
        rule.findtext("{*}Name", "").lower(): rule.findtext("{*}Value", "")
        for rule in entry.iterfind(".//{*}FilterRule")
    }
    parts = entry.findtext("{*}Queue", "").split(":")
    if len(parts) != 6 or parts[:3] != ["arn", "minio", "sqs"] or parts[4] not in services or parts[5] != "webhook":
        raise ServiceError(400, "InvalidArgument", _UNKNOWN)
    events = tuple(event.text or "" for event in entry.findall("{*}Event"))
    return Rule(parts[4], filters.get("prefix", ""), filters.get("suffix", ""), events)


def rules_document(rules: Iterable[Rule], services: Collection[str]) -> bytes:
    """Return the document that S3's interface shows, without the rules of services that MinIO does not know."""
    root = Element(f"{_NAMESPACE}NotificationConfiguration")
    for rule in rules:
        if rule.service in services:
            _add(root, rule)
    return serialized(root)


def _add(root: Element, rule: Rule) -> None:
    entry = SubElement(root, f"{_NAMESPACE}QueueConfiguration")
    SubElement(entry, f"{_NAMESPACE}Queue").text = f"arn:minio:sqs::{rule.service}:webhook"
    for event in rule.events:
        SubElement(entry, f"{_NAMESPACE}Event").text = event
    filters = {"prefix": rule.prefix, "suffix": rule.suffix}
    if any(filters.values()):
        keys = SubElement(SubElement(entry, f"{_NAMESPACE}Filter"), f"{_NAMESPACE}S3Key")
        for name, value in filters.items():
            if value:
                one = SubElement(keys, f"{_NAMESPACE}FilterRule")
                SubElement(one, f"{_NAMESPACE}Name").text = name
                SubElement(one, f"{_NAMESPACE}Value").text = value
