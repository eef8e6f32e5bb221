"""Create, update and delete a service, and work around what OSCAR does differently from its documentation."""

from collections.abc import Collection, Mapping
from typing import Any

from scar_components.oscar_api import OscarApi, OscarError, OscarUnreachable
from scar_components.oscar_service.definition import buckets, differences, owns_buckets, places, shaped

MARK = "scar-pulumi/stack"
"""Annotation of a service that names the stack that created it."""
ADMINISTRATOR = "cluster_admin"
"""Owner of services that are created with a user and a password. After an update without it a service has no owner, and
its deletion fails halfway."""

# What OSCAR returns of a service and does not accept.
_READ_ONLY = ("deployment", "namespace", "token", "volume_status", "bucket_list")
# A creation continues in the server when its client is killed: seven seconds, most of them for MinIO's restart.
_CREATION_SECONDS = 20.0
_ATTEMPTS = 3


def sent_form(definition: Mapping[str, Any], version: str, owner: str) -> dict[str, Any]:
    """Return what is sent: the definition as the version takes it, marked with the stack."""
    shape = shaped(definition, version)
    return {**shape, "annotations": {**(shape.get("annotations") or {}), MARK: owner}, "owner": ADMINISTRATOR}


def put(api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Replace the definition of a service and return the service as OSCAR has it afterwards.

    Raises:
        OscarError: OSCAR refuses the definition, or did not apply it.
    """
    body = {**sent, "owner": found.get("owner") or ADMINISTRATOR}
    response = api.update(body)
    refusal = api.refusal(f"service {sent['name']}: cannot be updated", response)
    if response.status not in {200, 204, 500}:
        raise refusal
    seen = api.find(sent["name"])
    # For the administrator's services OSCAR fails to set the policies of a bucket that is new to the service, after it
    # has done the rest. Whether it stored a secret cannot be read back.
    done = response.status != 500 or (seen and "secret" not in response.text and not differences(body, seen, version))
    if seen is None or not done:
        raise refusal
    return seen


def change(api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Replace the definition of a service so that new files still start it; return it as OSCAR has it afterwards.

    With each update OSCAR gives the service a new token, but it updates MinIO's webhook only for a bucket that is new
    to the service. The webhook's old token would be refused, so the first input bucket is removed and added again.

    Raises:
        OscarError: OSCAR refuses the definition, or did not apply it.
    """
    seen = put(api, sent, found, version)
    watched = buckets(sent, "input")
    # Removing an input would delete the private buckets of single users that belong to it.
    if not watched or found.get("bucket_list") or seen.get("token") == found.get("token") or _adds_bucket(sent, found):
        return seen
    without = {
        key: [place for place in sent[key] if watched[0] not in buckets({key: [place]})] for key in ("input", "output")
    }
    return put(api, sent, put(api, {**sent, **without}, seen, version), version)


def _adds_bucket(sent: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether an update has a bucket that is new to the service; OSCAR takes those in S3 for new each time."""
    return not _bucket_names(sent, "minio", "s3") <= _bucket_names(found, "minio")


def _bucket_names(definition: Mapping[str, Any], *kinds: str) -> set[str]:
    found = places(definition, "input", "output")
    return {path.partition("/")[0] for provider, path in found if provider.partition(".")[0] in kinds}


def shared_buckets(api: OscarApi, definition: Mapping[str, Any]) -> list[str]:
    """Return the existing buckets that were not created for the service: they are never deleted with it.

    If the cluster does not say which service a bucket was created for, that is all of them.
    """
    names = buckets(definition)
    if not names or not api.lists_buckets():
        return names
    found = {name: api.bucket(name) for name in names}
    made_for = {name: (bucket.get("metadata") or {}).get("from_service") for name, bucket in found.items() if bucket}
    return [name for name, service in made_for.items() if service != definition["name"]]


def blank_secrets(api: OscarApi, sent: Mapping[str, Any], old: Mapping[str, Any], version: str) -> None:
    """Overwrite secrets that were removed from the definition: OSCAR keeps them if the service has none left."""
    names = (old.get("environment") or {}).get("secrets") or {}
    environment = sent.get("environment") or {}
    if names and not environment.get("secrets"):
        found = api.find(sent["name"]) or {}
        put(api, {**sent, "environment": {**environment, "secrets": dict.fromkeys(names, "")}}, found, version)


def remove(api: OscarApi, definition: Mapping[str, Any], version: str, *, wipe: bool, shared: Collection[str]) -> None:
    """Delete a service. With `wipe`, delete its own buckets too, but never those that it shares with others.

    OSCAR deletes every bucket of a service with it, so the buckets to keep are detached from the service first.

    Raises:
        OscarError: OSCAR refuses, or would delete files that must stay.
    """
    name = definition["name"]
    found = api.find(name)
    if found is None:
        return
    wiped = [bucket for bucket in buckets(found) if wipe and bucket not in shared]
    kept = [place for place in _places(found) if not (wipe and _bucket(place) in wiped)]
    sent = {key: value for key, value in shaped(definition, version).items() if key not in _READ_ONLY}
    sent["annotations"] = found.get("annotations") or {}  # keep the mark, in case the deletion fails
    if kept:
        _detach(api, sent, found, version, wiped)
    elif not found.get("owner"):
        put(api, {**sent, **{key: found.get(key) or [] for key in ("input", "output")}}, found, version)
    response = api.delete(name)
    if response.status not in {204, 404} and api.find(name) is not None:
        raise api.refusal(f"service {name}: cannot be deleted", response)
    for bucket in wiped:
        if response.status != 204 and api.bucket(bucket) is not None:
            api.delete_bucket(bucket)


def _detach(
    api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], version: str, wiped: Collection[str]
) -> None:
    """Remove every input and output from the service, except those in the buckets to wipe."""
    name = sent["name"]
    if str(found.get("isolation_level")).upper() == "USER" and found.get("bucket_list"):
        raise OscarError(
            f"service {name}: its users have buckets of their own, which OSCAR deletes with the service; set "
            "delete_buckets to agree"
        )
    remaining = {
        key: [place for place in found.get(key) or () if _bucket(place) in wiped and _is_own(place)]
        for key in ("input", "output")
    }
    seen = put(api, {**sent, **remaining, "owner": found.get("owner") or ADMINISTRATOR}, found, version)
    attached = [place for place in _places(seen) if _bucket(place) not in wiped]
    if attached:
        paths = ", ".join(place["path"] for place in attached)
        raise OscarError(
            f"service {name}: not deleted: OSCAR does not detach it from {paths} and would delete the files there; "
            "copy them and set delete_buckets"
        )


def _places(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs and outputs whose buckets OSCAR looks for in its MinIO, those in S3 among them."""
    entries = [place for key in ("input", "output") for place in definition.get(key) or ()]
    return [place for place in entries if place["storage_provider"].partition(".")[0] in ("minio", "s3")]


def _is_own(place: Mapping[str, Any]) -> bool:
    return bool(place["storage_provider"] in ("minio", "minio.default"))


def _bucket(place: Mapping[str, Any]) -> str:
    return str(place["path"]).strip(" /").partition("/")[0]


class Creation:
    """The creation of one service on one cluster for one stack.

    It copes with what exists already: an interrupted creation, somebody else's service, old buckets.
    """

    def __init__(self, api: OscarApi, definition: Mapping[str, Any], owner: str, version: str) -> None:
        self.api = api
        self.definition = definition
        self.owner = owner
        self.version = version
        self.name: str = definition["name"]
        self.sent = sent_form(definition, version, owner)

    def run(self, *, adopt: bool) -> list[str]:
        """Create the service or take it over; return those of its buckets that must not be deleted with it."""
        for _ in range(_ATTEMPTS):
            if found := self.api.find(self.name):
                shared = self._take_over(found, adopt=adopt)
                if shared is not None:
                    return shared
            existing = self._existing_buckets()
            shared = shared_buckets(self.api, self.definition)
            try:
                self.api.create(self._without(existing))
            except OscarUnreachable:
                continue  # the response was lost: look at what exists now
            except OscarError as error:
                if error.status in {400, 409} and (found := self.api.find(self.name)) and self._is_ours(found):
                    continue
                raise
            if self._without(existing) != self.sent:
                change(self.api, self.sent, self._found(), self.version)
            return shared
        raise OscarError(
            f"service {self.name}: {self.api.endpoint} closed the connection {_ATTEMPTS} times; look at OSCAR's log"
        )

    def _take_over(self, found: dict[str, Any], *, adopt: bool) -> list[str] | None:
        """Update an existing service; return None after deleting one that has to be created anew."""
        ours = self._is_ours(found)
        if not ours and not adopt:
            raise OscarError(
                f"service {self.name}: already exists on {self.api.endpoint}, and this stack did not create it; "
                "choose another name, delete the service, or set adopt to take it over"
            )
        if ours and owns_buckets(self.version) and self.api.lists_buckets():
            # Until its buckets exist OSCAR may still roll it back.
            self.api.wait_until(lambda: all(self.api.bucket(name) for name in buckets(found)), _CREATION_SECONDS)
        if places(found, "input") == places(self.sent, "input"):
            shared = shared_buckets(self.api, self.definition) if ours else buckets(self.definition)
            change(self.api, self.sent, found, self.version)
            return shared
        if not ours:
            raise OscarError(
                f"service {self.name}: has another input on {self.api.endpoint}, and OSCAR cannot change the input of "
                "a service; declare the same input, or delete the service"
            )
        remove(self.api, found, self.version, wipe=False, shared=())
        return None

    def _existing_buckets(self) -> list[str]:
        """Return the buckets that exist: they are attached after the creation. Raises OscarError if that fails."""
        if not owns_buckets(self.version):
            return []
        existing = {name: bucket for name in buckets(self.definition) if (bucket := self.api.bucket(name)) is not None}
        for name in buckets(self.definition, "input"):
            if name in existing and not self._watches(name, existing[name]):
                raise OscarError(
                    f"service {self.name}: the bucket '{name}' already exists, and OSCAR {self.version} reports new "
                    "files only in buckets that it creates with the service; choose another bucket, delete this one, "
                    "or, if another service of this stack writes to it, create the service that reads it first"
                )
        return list(existing)

    def _watches(self, name: str, bucket: Mapping[str, Any]) -> bool:
        """Whether a bucket still reports new files in the same folders, as one kept from this service does.

        On servers that report new files in any bucket, as the local cloud does, it always does.
        """
        if bucket.get("reports_new_files"):
            return True
        if (bucket.get("metadata") or {}).get("from_service") != self.name:
            return False
        keys = {entry.get("object_name") for entry in bucket.get("objects") or ()}
        folders = [path.partition("/")[2] for kind, path in places(self.definition, "input") if _in(kind, path, name)]
        return all(f"{folder}/" in keys for folder in folders)

    def _without(self, existing: list[str]) -> dict[str, Any]:
        """Return the definition without the places that an update adds: only updates accept existing buckets.

        Buckets in S3 are always added later: OSCAR does not say whether they exist, and when it creates a service it
        looks for them in MinIO and answers 400, although the service was created.
        """

        def kept(direction: str) -> list[dict[str, Any]]:
            entries = [one for one in self.sent[direction] if not (later and one["storage_provider"].startswith("s3."))]
            return [one for one in entries if not any(_in(one["storage_provider"], one["path"], b) for b in existing)]

        later = owns_buckets(self.version)
        return {**self.sent, "input": kept("input"), "output": kept("output")}

    def _is_ours(self, found: Mapping[str, Any]) -> bool:
        return (found.get("annotations") or {}).get(MARK) == self.owner

    def _found(self) -> dict[str, Any]:
        found = self.api.find(self.name)
        if found is None:
            raise OscarError(f"service {self.name}: was deleted by somebody else during its creation; try again")
        return found


def _in(provider: str, path: str, bucket: str) -> bool:
    return provider == "minio.default" and path.partition("/")[0] == bucket
