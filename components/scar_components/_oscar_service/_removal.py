"""Deleting a service. OSCAR deletes every bucket of it with it, so it is parted from those that are to stay."""

from collections.abc import Collection, Mapping
from typing import Any

from scar_components._oscar_service._api import OscarApi
from scar_components._oscar_service._changes import ADMINISTRATOR, put
from scar_components._oscar_service._definition import buckets
from scar_components._oscar_service._errors import OscarError
from scar_components._oscar_service._version import shaped

# What OSCAR tells of a service and does not take back.
_TOLD = ("deployment", "namespace", "token", "volume_status", "bucket_list")


def remove(api: OscarApi, definition: Mapping[str, Any], version: str, *, wipe: bool, shared: Collection[str]) -> None:
    """Delete a service; with `wipe` its own buckets, too, but never those that it shares with others.

    Raises:
        OscarError: OSCAR refuses it, or would delete files that are to stay.
    """
    name = definition["name"]
    found = api.find(name)
    if found is None:
        return
    goes = [bucket for bucket in buckets(found) if wipe and bucket not in shared]
    stays = [place for place in _places(found) if not (wipe and _bucket(place) in goes)]
    sent = {key: value for key, value in shaped(definition, version).items() if key not in _TOLD}
    sent["annotations"] = found.get("annotations") or {}  # whose it is, if it cannot be deleted after all
    if stays:
        _part(api, sent, found, version, goes)
    elif not found.get("owner"):
        put(api, {**sent, **{key: found.get(key) or [] for key in ("input", "output")}}, found, version)
    answer = api.delete(name)
    if answer.status not in {204, 404} and api.find(name) is not None:
        raise api.refusal(f"service {name}: cannot be deleted", answer)
    for bucket in goes:
        if answer.status != 204 and api.bucket(bucket) is not None:
            api.delete_bucket(bucket)


def _part(
    api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str, goes: Collection[str]
) -> None:
    """Take all places out of the service but those whose buckets go with it."""
    name = sent["name"]
    if str(found.get("isolation_level")).upper() == "USER" and found.get("bucket_list"):
        raise OscarError(
            f"service {name}: its users have buckets of their own, which OSCAR deletes with it; set delete_buckets to "
            "agree to that"
        )
    kept = {
        key: [place for place in found.get(key) or () if _bucket(place) in goes and _is_own(place)]
        for key in ("input", "output")
    }
    seen = put(api, {**sent, **kept, "owner": found.get("owner") or ADMINISTRATOR}, found, version)
    left = [place for place in _places(seen) if _bucket(place) not in goes]
    if left:
        paths = ", ".join(place["path"] for place in left)
        raise OscarError(
            f"service {name}: not deleted, since OSCAR would delete the files in {paths} with it and does not part it "
            "from them; copy them and set delete_buckets"
        )


def _places(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs and outputs whose buckets OSCAR would look for in its MinIO: those in S3 as well."""
    entries = [place for key in ("input", "output") for place in definition.get(key) or ()]
    return [place for place in entries if place["storage_provider"].partition(".")[0] in ("minio", "s3")]


def _is_own(place: Mapping[str, Any]) -> bool:
    return bool(place["storage_provider"] in ("minio", "minio.default"))


def _bucket(place: Mapping[str, Any]) -> str:
    return str(place["path"]).strip(" /").partition("/")[0]
