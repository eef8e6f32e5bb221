"""Which new files start a service: the notifications of a cluster's MinIO, read and set with the cluster's own keys.

OSCAR sets a bucket's notification only when it creates the bucket, and never removes one that it does not delete.
"""

import re
import socket
import time
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from scar_components.oscar_api import OscarApi, OscarError
from scar_components.oscar_service.definition import MINIO, places
from scar_foundation.http import accept_unverified, trusted_authorities

MADE_FOR = "from_service"
"""Tag of a bucket: the service that OSCAR created it with."""
_EVENT = "s3:ObjectCreated:*"
_MASKED = ("", "hidden", None)
# MinIO takes six seconds to restart.
_RESTART_SECONDS = 15.0


class NoWebhook(OscarError):  # noqa: N818 - it is a state of the service, not a mistake
    """MinIO does not know a service that it should notify: the service's creation was interrupted."""


def watched_paths(definition: Mapping[str, Any]) -> list[str]:
    """Return the folders of the cluster's MinIO whose new files start a service, each as `bucket/folder`."""
    return sorted({path.strip("/") for kind, path in places(definition, "input") if kind in MINIO})


class Notifications:
    """The notifications of one cluster for any of its services.

    `can_be_read` is false where the cluster's MinIO cannot be reached from here, as behind an address that only the
    cluster knows. Then nothing is read or set, and OSCAR's word has to do.
    """

    def __init__(self, api: OscarApi) -> None:
        self._api = api
        self._settings: Mapping[str, Any] = api.settings().get("minio_provider") or {}
        self._client = _client(self._settings, verify=api.access.verify_certificate)

    @property
    def endpoint(self) -> str:
        """Where OSCAR says that MinIO is."""
        return str(self._settings.get("endpoint") or "")

    @property
    def can_be_read(self) -> bool:
        """Whether MinIO answers from here."""
        return self._client is not None

    def paths(self, service: str, buckets: Iterable[str]) -> list[str] | None:
        """Return the folders in some buckets whose new files start a service; None where MinIO cannot be read."""
        if self._client is None:
            return None
        found = {bucket: self._rules(bucket) for bucket in {*buckets, *self._made_for(service)}}
        return sorted(
            f"{bucket}/{_prefix(rule)}".strip("/")
            for bucket, rules in found.items()
            for rule in rules
            if _service(rule) == service
        )

    def assign(self, service: str, wanted: Collection[str], buckets: Iterable[str]) -> None:
        """Make MinIO notify a service of the wanted folders, and of no others in some buckets and its own.

        Raises:
            NoWebhook: MinIO does not know the service.
            OscarError: MinIO refuses.
        """
        if self._client is None:
            return
        folders = _by_bucket(wanted)
        for bucket in sorted({*buckets, *folders, *self._made_for(service)}):
            self._assign(bucket, service, folders.get(bucket, set()))

    def mark(self, bucket: str, service: str) -> None:
        """Tag a bucket that was made for a service, as OSCAR does at the end of a creation."""
        self.tag(bucket, {MADE_FOR: service, "owner": ""})

    def tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Give a bucket these tags and no others, where MinIO can be reached."""
        if self._client is None:
            return
        if tags:
            found = [{"Key": key, "Value": str(value)} for key, value in tags.items()]
            self._client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": found})
        else:
            self._client.delete_bucket_tagging(Bucket=bucket)

    def _made_for(self, service: str) -> list[str]:
        return [str(one["bucket_name"]) for one in self._api.buckets() if made_for(one) == service]

    def _assign(self, bucket: str, service: str, folders: set[str]) -> None:
        rules = self._rules(bucket)
        own = [rule for rule in rules if _service(rule) == service]
        if {_prefix(rule) for rule in own} == folders and len(own) == len(folders):
            return
        while not self._replace(bucket, rules, service, folders):
            # Of several rules for a service that it has forgotten, MinIO hides one more each time it is asked, and
            # refuses those that it has shown. https://github.com/minio/minio/blob/master/cmd/bucket-notification-handlers.go
            before, rules = rules, self._rules(bucket)
            if len(rules) >= len(before):
                raise NoWebhook(
                    f"service {service}: MinIO does not know it and cannot report new files in '{bucket}'; "
                    "delete the service, and run up again"
                )

    def _replace(self, bucket: str, rules: list[dict[str, Any]], service: str, folders: set[str]) -> bool:
        """Give a service other folders among a bucket's rules; return False if MinIO does not know all services."""
        others = [rule for rule in rules if _service(rule) != service]
        # Servers differ in whether the region is part of the name.
        regions = dict.fromkeys([*(_region(rule) for rule in rules), "", str(self._settings.get("region") or "")])
        made = ([_rule(service, folder, region) for folder in sorted(folders)] for region in regions)
        return any(self._put(bucket, [*others, *new]) for new in made)

    def _rules(self, bucket: str) -> list[dict[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

        assert self._client is not None
        try:
            found = self._client.get_bucket_notification_configuration(Bucket=bucket)
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "NoSuchBucket":
                return []
            raise OscarError(f"bucket {bucket}: MinIO does not say what it reports ({error}); try again") from None
        return list(found.get("QueueConfigurations") or ())

    def _put(self, bucket: str, rules: list[dict[str, Any]]) -> bool:
        """Replace what a bucket reports; return False if MinIO does not know one of the services."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

        assert self._client is not None
        try:
            self._client.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"QueueConfigurations": rules}
            )
        except (BotoCoreError, ClientError) as error:
            if "ARN" in str(error):
                return False
            raise OscarError(f"bucket {bucket}: MinIO does not change what it reports: {error}") from None
        return True


def made_for(bucket: Mapping[str, Any]) -> str:
    """Return the service that a bucket was created with, by its tags; empty if they name none."""
    return str((bucket.get("metadata") or {}).get(MADE_FOR) or "")


def _client(settings: Mapping[str, Any], *, verify: bool) -> Any:
    """Return an S3 client of a MinIO, or None where it cannot be reached or does not accept the keys.

    `verify` is whether the cluster's own certificate is checked.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    endpoint = str(settings.get("endpoint") or "")
    if any(settings.get(key) in _MASKED for key in ("access_key", "secret_key")) or not _is_reachable(endpoint):
        return None
    if not (verify and settings.get("verify", True)):
        accept_unverified()
    client = _s3(
        endpoint,
        str(settings.get("region") or "us-east-1"),
        settings["access_key"],
        settings["secret_key"],
        verify=trusted_authorities() if verify and settings.get("verify", True) else False,
    )
    try:
        client.list_buckets()
    except (BotoCoreError, ClientError):
        return None
    return client


@lru_cache(maxsize=8)
def _s3(endpoint: str, region: str, access_key: str, secret_key: str, *, verify: str | bool | None) -> Any:
    import botocore.session  # noqa: PLC0415 - slow to import, and previews do not need it
    from botocore.config import Config  # noqa: PLC0415 - likewise

    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=verify,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, retries={"total_max_attempts": 3}),
    )


def _is_reachable(endpoint: str) -> bool:
    """Whether somebody listens at an address, perhaps after a restart."""
    address = urlsplit(endpoint)
    if not address.hostname:
        return False
    place = (address.hostname, address.port or {"https": 443}.get(address.scheme, 80))
    deadline = time.monotonic() + _RESTART_SECONDS
    while True:
        try:
            socket.create_connection(place, 5).close()
        except ConnectionError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        except OSError:  # the name is not known here, or nothing answers
            return False
        else:
            return True


def _by_bucket(paths: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in paths:
        bucket, _, folder = path.partition("/")
        found.setdefault(bucket, set()).add(folder)
    return found


def _rule(service: str, folder: str, region: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"QueueArn": f"arn:minio:sqs:{region}:{service}:webhook", "Events": [_EVENT]}
    prefix = {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{folder}/"}]}}}
    return rule | (prefix if folder else {})


def _service(rule: Mapping[str, Any]) -> str:
    found = re.fullmatch(r"arn:minio:sqs:[^:]*:([^:]+):webhook", str(rule.get("QueueArn")))
    return found[1] if found else ""


def _region(rule: Mapping[str, Any]) -> str:
    return str(rule.get("QueueArn")).split(":")[3]


def _prefix(rule: Mapping[str, Any]) -> str:
    rules = rule.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    return next((str(one["Value"]).strip("/") for one in rules if str(one["Name"]).lower() == "prefix"), "")


def _code(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
