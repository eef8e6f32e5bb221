"""Changing a service that is there, and reading back: OSCAR answers some changes that it has made with an error."""

from collections.abc import Mapping
from typing import Any

from scar_components._oscar_service._api import OscarApi
from scar_components._oscar_service._definition import buckets, places
from scar_components._oscar_service._drift import differences
from scar_components._oscar_service._version import shaped

MARK = "scar-pulumi/stack"
"""Annotation of a service: the stack that has made it."""
ADMINISTRATOR = "cluster_admin"
"""Owner of services that are made with a user and password. An update without it leaves a service with no owner, whose
deletion then fails halfway."""


def sent_form(definition: Mapping[str, Any], version: str, owner: str) -> dict[str, Any]:
    """What is sent: the definition in the version's own form, with the stack's mark."""
    shape = shaped(definition, version)
    return {**shape, "annotations": {**(shape.get("annotations") or {}), MARK: owner}, "owner": ADMINISTRATOR}


def put(api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Give a service another definition and return it as OSCAR has it then.

    Raises:
        OscarError: OSCAR refuses it, or has not done it.
    """
    body = {**sent, "owner": found.get("owner") or ADMINISTRATOR}
    answer = api.update(body)
    refusal = api.refusal(f"service {sent['name']}: cannot be updated", answer)
    if answer.status not in {200, 204, 500}:
        raise refusal
    seen = api.find(sent["name"])
    # Setting the policies of a bucket that a service did not have before fails for the administrator's services, and
    # the rest is done; what became of a secret cannot be read back.
    done = answer.status != 500 or (seen and "secret" not in answer.text and not differences(body, seen, version))
    if seen is None or not done:
        raise refusal
    return seen


def change(api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Give a service another definition, and have MinIO start it as before; return it as OSCAR has it then.

    OSCAR gives the service another token with each update, and tells MinIO only of a bucket that the service did not
    have. MinIO's events would be refused from then on, so the service's first bucket is taken away and given back.

    Raises:
        OscarError: OSCAR refuses it, or has not done it.
    """
    seen = put(api, sent, found, version)
    watched = buckets(sent, "input")
    # The private buckets of single users would be deleted with the input that they stand for.
    if not watched or found.get("bucket_list") or seen.get("token") == found.get("token") or _tells_minio(sent, found):
        return seen
    parted = {
        key: [place for place in sent[key] if watched[0] not in buckets({key: [place]})] for key in ("input", "output")
    }
    return put(api, sent, put(api, {**sent, **parted}, seen, version), version)


def _tells_minio(sent: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether an update has a bucket that the service did not have; those in S3 count as such each time."""
    return not _bucket_names(sent, "minio", "s3") <= _bucket_names(found, "minio")


def _bucket_names(definition: Mapping[str, Any], *kinds: str) -> set[str]:
    found = places(definition, "input", "output")
    return {path.partition("/")[0] for provider, path in found if provider.partition(".")[0] in kinds}


def shared_buckets(api: OscarApi, definition: Mapping[str, Any]) -> list[str]:
    """The buckets that are there and were not made for the service: they are never deleted with it.

    Where the cluster does not tell who made a bucket, that is all of them.
    """
    names = buckets(definition)
    if not names or not api.tells_buckets():
        return names
    found = {name: api.bucket(name) for name in names}
    made_for = {name: (bucket.get("metadata") or {}).get("from_service") for name, bucket in found.items() if bucket}
    return [name for name, service in made_for.items() if service != definition["name"]]


def blank_secrets(api: OscarApi, sent: Mapping[str, Any], old: Mapping[str, Any], version: str) -> None:
    """Overwrite secrets that are not wanted any more: OSCAR keeps those of a service that has none left."""
    names = (old.get("environment") or {}).get("secrets") or {}
    environment = sent.get("environment") or {}
    if names and not environment.get("secrets"):
        found = api.find(sent["name"]) or {}
        put(api, {**sent, "environment": {**environment, "secrets": dict.fromkeys(names, "")}}, found, version)
