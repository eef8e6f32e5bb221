"""The MinIO of a cluster, as far as OSCAR's server uses it: buckets, notifications, webhooks and restarts."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from scar_pulumi.cloud.oscar.server import PAGE, StorageError, StoredObject

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_XML_RULE = (
    "<QueueConfiguration><Queue>arn:minio:sqs::{0}:webhook</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key>"
    "<FilterRule><Name>prefix</Name><Value>{1}</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
)
_XML_OBJECT = "<Contents><Key>{0}</Key><LastModified>{1}</LastModified><Size>3</Size></Contents>"
WRITTEN = "2026-06-01T12:00:00.000Z"
"""When every object was written, as far as a listing says."""
_UNKNOWN = "A specified destination ARN does not exist or is not well-formed. Verify the destination ARN."


def _texts(body: bytes, name: str) -> list[str]:
    elements = ElementTree.fromstring(body).iter() if body else ()  # noqa: S314 - botocore has written it
    return [element.text or "" for element in elements if element.tag.endswith(f"}}{name}")]


@dataclass
class Bucket:
    """A bucket: keys, tags, and which service is told of new keys under which prefix."""

    objects: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    notifications: set[tuple[str, str]] = field(default_factory=set)


class Minio:
    """Buckets by name. While it restarts, and at the registrations `away_at`, counted from 1, it does not answer."""

    def __init__(self, restart_seconds: float) -> None:
        self.restart_seconds = restart_seconds
        self.buckets: dict[str, Bucket] = {}
        self.webhooks: dict[str, str] = {}
        """The token that MinIO calls each service with."""
        self.refusals = 0
        self.registrations = 0
        self.away_at: set[int] = set()
        self.is_down = False
        """Whether it does not answer OSCAR at all."""
        self._lock = threading.Lock()
        self._up_at = 0.0

    def check_up(self) -> None:
        """Fail as Go's HTTP client does when nobody listens."""
        if self.is_down or time.monotonic() < self._up_at or self.registrations in self.away_at:
            self.refusals += 1
            raise StorageError("dial tcp 10.0.0.1:9000: connect: connection refused")

    def restart(self) -> None:
        """Restart and wait, as the server does after each change of a webhook."""
        with self._lock:
            self._up_at = time.monotonic() + self.restart_seconds
        time.sleep(self.restart_seconds)

    def check_reachable(self) -> None:
        """Fail while it does not answer at all."""
        if self.is_down:
            raise StorageError("dial tcp 10.0.0.1:9000: i/o timeout")

    def page(self, bucket: str, start: str) -> tuple[list[StoredObject], str]:
        """Return a page of a bucket's objects, and where the next one starts."""
        keys = sorted(key for key in self.buckets[bucket].objects if key >= start)
        return [StoredObject(key) for key in keys[:PAGE]], keys[PAGE] if len(keys) > PAGE else ""

    def register(self, service: str, token: str) -> None:
        """Add or replace the webhook of a service."""
        self.registrations += 1
        try:
            self.check_up()
        except StorageError as error:
            raise StorageError(f"error registering the service's webhook: {error}") from None
        self.webhooks[service] = token
        self.restart()

    def unregister(self, service: str) -> None:
        """Remove a webhook; who asks for it only logs it when that fails."""
        self.webhooks.pop(service, None)
        self.restart()

    def make(self, bucket: str) -> None:
        """Make a bucket that does not exist."""
        if bucket in self.buckets:
            raise StorageError(f'the bucket "{bucket}" already exists\n')
        if not _NAME.fullmatch(bucket):
            raise StorageError(f"error creating bucket {bucket}: InvalidBucketName: The specified bucket is not valid.")
        self.buckets[bucket] = Bucket()

    def s3(self, method: str, bucket: str, query: str, body: bytes) -> tuple[int, str]:
        """Answer a request in S3's protocol: buckets, notifications and tags."""
        if not bucket:
            return 200, "<ListAllMyBucketsResult/>"
        if bucket not in self.buckets:
            return 404, "<Error><Code>NoSuchBucket</Code></Error>"
        if query == "tagging":
            return self._tag(bucket, _texts(body, "Key"), _texts(body, "Value"))
        if method == "GET":
            asked = parse_qs(query)
            return 200, self._listing(bucket, asked) if "list-type" in asked else self._rules(bucket)
        services = [arn.split(":")[4] for arn in _texts(body, "Queue")]
        if not set(services) <= set(self.webhooks):
            return 400, f"<Error><Code>InvalidArgument</Code><Message>{_UNKNOWN}</Message></Error>"
        self.buckets[bucket].notifications = set(zip(services, _texts(body, "Value"), strict=True))
        return 200, ""

    def _tag(self, bucket: str, keys: list[str], values: list[str]) -> tuple[int, str]:
        self.buckets[bucket].tags = dict(zip(keys, values, strict=True))
        return 200, ""

    def _rules(self, bucket: str) -> str:
        rules = "".join(_XML_RULE.format(*rule) for rule in sorted(self._known(bucket)))
        return f"<NotificationConfiguration>{rules}</NotificationConfiguration>"

    def _listing(self, bucket: str, asked: Mapping[str, list[str]]) -> str:
        (prefix,) = asked.get("prefix", [""])
        found = [key for key in sorted(self.buckets[bucket].objects) if key.startswith(prefix)]
        return (
            f"<ListBucketResult>{''.join(_XML_OBJECT.format(escape(key), WRITTEN) for key in found)}</ListBucketResult>"
        )

    def _known(self, bucket: str) -> set[tuple[str, str]]:
        """Return a bucket's rules as MinIO shows them: without those whose service it does not know."""
        return {rule for rule in self.buckets[bucket].notifications if rule[0] in self.webhooks}

    def notified(self, bucket: str, key: str) -> set[str]:
        """Return the services that are told of a new key."""
        rules = self.buckets[bucket].notifications
        return {service for service, prefix in rules if key.startswith(prefix) and service in self.webhooks}
