"""Create, update and delete a service, and work around what OSCAR does differently from its documentation."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scar_components.oscar_api import OscarApi, OscarError, OscarUnreachable
from scar_components.oscar_service.connection import MARK
from scar_components.oscar_service.definition import (
    buckets,
    check_version,
    differences,
    is_exposed,
    places,
    shaped,
    updates_lose_script,
)
from scar_components.oscar_service.notifications import Notifications, NoWebhook, made_for, watched_paths

ADMINISTRATOR = "cluster_admin"
"""Owner of services that are created with a user and a password. After an update without it a service has no owner, and
its deletion fails halfway."""

# What OSCAR returns of a service and does not accept.
_READ_ONLY = ("deployment", "namespace", "token", "volume_status", "bucket_list")
# A creation continues in the server when its client is killed: seven seconds, most of them for MinIO's restart.
_CREATION_SECONDS = 20.0
_ATTEMPTS = 3
_NO_SCRIPT = "#!/bin/sh\n"
"""What a service that is about to be deleted runs: OSCAR refuses an update without a script."""


def sent_form(definition: Mapping[str, Any], version: str, owner: str) -> dict[str, Any]:
    """Return what is sent: the definition as the version takes it, marked with the stack.

    Raises:
        OscarError: That version does not take it.
    """
    check_version(definition, version)
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
    # For the administrator's services OSCAR fails to set the policies of a bucket that is added or removed, after it
    # has done the rest. Whether it stored a secret cannot be read back.
    if seen is None or (response.status == 500 and "secret" in response.text):
        raise refusal
    if wrong := differences(body, seen, version):
        if response.status == 500:
            raise refusal
        raise OscarError(
            f"service {sent['name']}: OSCAR {version} accepted an update and did not apply {', '.join(wrong)}; "
            "refresh the stack and run up again"
        )
    return seen


def shared_buckets(api: OscarApi, definition: Mapping[str, Any]) -> list[str]:
    """Return the existing buckets that were not created for the service: they are never deleted with it.

    Raises:
        OscarError: The cluster does not say whether a bucket exists.
    """
    found = {name: api.bucket(name) for name in buckets(definition)}
    return [name for name, bucket in found.items() if bucket is not None and made_for(bucket) != definition["name"]]


@contextmanager
def tags_kept(api: OscarApi, notifications: Notifications, names: Iterable[str]) -> Iterator[None]:
    """Put back the tags of buckets that OSCAR changes meanwhile: they say whose a bucket is, even without the state.

    Raises:
        OscarError: The cluster does not say which tags a bucket has.
    """
    before = {name: (api.bucket(name) or {}).get("metadata") or {} for name in names}
    yield
    for name, tags in before.items():
        now = api.bucket(name)
        if now is not None and (now.get("metadata") or {}) != tags:
            notifications.tag(name, tags)


def blank_secrets(api: OscarApi, sent: Mapping[str, Any], old: Mapping[str, Any], version: str) -> None:
    """Overwrite secrets that were removed from the definition: OSCAR keeps them if the service has none left."""
    names = (old.get("environment") or {}).get("secrets") or {}
    environment = sent.get("environment") or {}
    if names and not environment.get("secrets"):
        found = api.find(sent["name"]) or {}
        put(api, {**sent, "environment": {**environment, "secrets": dict.fromkeys(names, "")}}, found, version)


def remove(api: OscarApi, definition: Mapping[str, Any], version: str, *, wipe: bool, shared: Collection[str]) -> None:
    """Delete a service. With `wipe`, delete its own buckets too, but never those that it shares with others.

    OSCAR deletes every bucket of a service with it, so the buckets to keep are detached from the service first. They
    stop reporting new files: OSCAR leaves that in place, and a later service of the same name would be started.

    Raises:
        OscarError: OSCAR refuses, would delete files that must stay, or does not say what exists.
    """
    name = definition["name"]
    found = api.find(name)
    # Also for a service that is gone already: its deletion may have failed halfway.
    wiped = _own_buckets(api, found or definition, shared) if wipe else []
    if found is not None:
        _stop_notifications(api, found, wiped)
        _delete_service(api, definition, found, version, wiped)
    for bucket in wiped:
        if api.bucket(bucket) is not None:
            api.delete_bucket(bucket)


def _own_buckets(api: OscarApi, definition: Mapping[str, Any], shared: Collection[str]) -> list[str]:
    """Return the buckets to delete with a service: those that OSCAR says were made for it, unless they are shared."""
    unshared = [name for name in buckets(definition) if name not in shared]
    found = {name: api.bucket(name) for name in unshared}
    return [name for name, bucket in found.items() if bucket is not None and made_for(bucket) == definition["name"]]


def _stop_notifications(api: OscarApi, found: Mapping[str, Any], wiped: Collection[str]) -> None:
    """Make the buckets that stay report nothing to the service any more, while MinIO still knows it."""
    kept = [bucket for bucket in buckets(found, "input") if bucket not in wiped]
    try:
        Notifications(api).assign(found["name"], (), kept)
    except NoWebhook:
        return  # MinIO refuses any change while a rule names a service that it does not know; this one is gone soon


def _delete_service(
    api: OscarApi, definition: Mapping[str, Any], found: Mapping[str, Any], version: str, wiped: Collection[str]
) -> None:
    name = definition["name"]
    kept = [place for place in _places(found) if _bucket(place) not in wiped]
    sent = {key: value for key, value in shaped(definition, version).items() if key not in _READ_ONLY}
    sent["annotations"] = found.get("annotations") or {}  # keep the mark, in case the deletion fails
    sent["script"] = sent.get("script") or _NO_SCRIPT
    if kept:
        _detach(api, sent, found, wiped)
    elif not found.get("owner"):
        _set_places(api, sent, found, {key: found.get(key) or [] for key in ("input", "output")})
    response = api.delete(name)
    if response.status not in {204, 404} and api.find(name) is not None:
        raise api.refusal(f"service {name}: cannot be deleted", response)


def _set_places(
    api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], places_: Mapping[str, Any]
) -> dict[str, Any]:
    """Give a service that is about to be deleted other places; return it as OSCAR has it then."""
    response = api.update({**sent, **places_, "owner": found.get("owner") or ADMINISTRATOR})
    seen = api.find(sent["name"])
    # OSCAR answers 500 after it has removed a bucket of the administrator; what counts is what it shows then.
    if response.status not in {200, 204, 500} or seen is None:
        raise api.refusal(f"service {sent['name']}: cannot be updated", response)
    return seen


def _detach(api: OscarApi, sent: Mapping[str, Any], found: Mapping[str, Any], wiped: Collection[str]) -> None:
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
    seen = _set_places(api, sent, found, remaining)
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
        self.notifications = Notifications(api)

    def run(self, *, adopt: bool) -> list[str]:
        """Create the service or take it over; return those of its buckets that must not be deleted with it."""
        for _ in range(_ATTEMPTS):
            found = self.api.find(self.name)
            shared = self._take_over(found, adopt=adopt) if found else self._create()
            if shared is not None and self._is_notified(adopt=adopt):
                return shared
        raise OscarError(
            f"service {self.name}: {self.api.endpoint} did not create it in {_ATTEMPTS} attempts; look at OSCAR's log"
        )

    def _create(self) -> list[str] | None:
        """Create the service; return None if it is not certain what exists now."""
        existing = self._existing_buckets()
        shared = shared_buckets(self.api, self.definition)
        first = self._without(existing)
        self._check_later_places(first)
        try:
            self.api.create(first)
        except OscarUnreachable:
            return None  # the response was lost
        except OscarError as error:
            if error.status in {400, 409} and (found := self.api.find(self.name)) and self._is_ours(found):
                return None
            made = set(buckets(self.definition)) - set(existing)
            self._mark_buckets(name for name in made if f'"{name}" already exists' not in str(error))
            raise
        if first != self.sent:
            with tags_kept(self.api, self.notifications, shared):
                put(self.api, self.sent, self._found(), self.version)
        return shared

    def _is_notified(self, *, adopt: bool) -> bool:
        """Make MinIO report the input's new files; return False after deleting a service that MinIO does not know."""
        try:
            self.notifications.assign(self.name, watched_paths(self.definition), buckets(self.definition, "input"))
        except NoWebhook:
            found = self._found()
            if adopt or not self._is_ours(found):
                raise
            remove(self.api, found, self.version, wipe=False, shared=())
            return False
        return True

    def _take_over(self, found: dict[str, Any], *, adopt: bool) -> list[str] | None:
        """Update an existing service; return None after deleting one that has to be created anew."""
        ours = self._is_ours(found)
        if not ours and not adopt:
            raise OscarError(
                f"service {self.name}: already exists on {self.api.endpoint}, and this stack did not create it; "
                "choose another name, delete the service, or set adopt to take it over"
            )
        if ours:
            # Until its buckets exist OSCAR may still roll it back.
            self.api.wait_until(lambda: all(self.api.bucket(name) for name in buckets(found)), _CREATION_SECONDS)
            self._mark_buckets(path.partition("/")[0] for path in self._reported(found))
        is_same = not differences(self.sent, found, self.version)
        can_be_updated = places(found, "input") == places(self.sent, "input") and not self._loses_script(found)
        if is_same or can_be_updated:
            shared = shared_buckets(self.api, self.definition) if ours else buckets(self.definition)
            if not is_same or not ours:
                with tags_kept(self.api, self.notifications, shared):
                    put(self.api, self.sent, found, self.version)
            return shared
        if not ours:
            raise OscarError(
                f"service {self.name}: has another input on {self.api.endpoint}, or an HTTP interface of its own, and "
                "OSCAR cannot change such a service; declare the same input, or delete the service"
            )
        self._check_later_places(self._without(self._existing_buckets()))
        remove(self.api, found, self.version, wipe=False, shared=())
        return None

    def _reported(self, found: Mapping[str, Any]) -> list[str]:
        return self.notifications.paths(self.name, buckets(found, "input")) or []

    def _mark_buckets(self, names: Iterable[str]) -> None:
        """Tag those buckets that a creation which failed or was killed has left without tags."""
        for name in sorted(set(names)):
            bucket = self.api.bucket(name) if self.notifications.can_be_read else None
            if bucket is not None and not bucket.get("metadata"):
                self.notifications.mark(name, self.name)

    def _existing_buckets(self) -> list[str]:
        """Return the buckets that exist: they are attached after the creation. Raises OscarError if that fails."""
        existing = {name: bucket for name in buckets(self.definition) if (bucket := self.api.bucket(name)) is not None}
        for name in buckets(self.definition, "input"):
            if name in existing and not self._watches(name, existing[name]):
                raise OscarError(
                    f"service {self.name}: the bucket '{name}' already exists, and OSCAR {self.version} reports new "
                    "files only in buckets that it creates with the service; MinIO itself, which could be told to, "
                    f"cannot be reached from here at {self.notifications.endpoint or 'the address that OSCAR has'}; "
                    "choose another bucket, delete this one, or, if another service of this stack writes to it, create "
                    "the service that reads it first"
                )
        return list(existing)

    def _watches(self, name: str, bucket: Mapping[str, Any]) -> bool:
        """Whether new files in a bucket that exists can start the service.

        Where MinIO can be read, any bucket's notifications are set after the creation. Elsewhere the bucket must be one
        that an earlier life of this service has left, with the same folders: OSCAR makes an object for each.
        """
        wanted = [path for path in watched_paths(self.definition) if path.partition("/")[0] == name]
        if self.notifications.can_be_read:
            return True
        return made_for(bucket) == self.name and self._has_folders(bucket, wanted)

    def _has_folders(self, bucket: Mapping[str, Any], paths: Iterable[str]) -> bool:
        """Whether a bucket has the objects that stand for folders; OSCAR shows a page of its objects at a time."""
        missing = {f"{path.partition('/')[2]}/" for path in paths}
        page: Mapping[str, Any] | None = bucket
        while page is not None:
            missing -= {str(entry.get("object_name")) for entry in page.get("objects") or ()}
            following = str(page.get("next_page") or "")
            if not missing or not following:
                break
            page = self.api.bucket(str(bucket["bucket_name"]), following)
        return not missing

    def _check_later_places(self, first: Mapping[str, Any]) -> None:
        if first != self.sent and self._loses_script(self.sent):
            later = [place["path"] for place in _places(self.sent) if place not in _places(first)]
            raise OscarError(
                f"service {self.name}: OSCAR {self.version} cannot add {', '.join(later)} to a service with an HTTP "
                "interface without losing its script: it adds storage in S3 and existing buckets only with an update; "
                "choose a bucket that does not exist, delete this one, or leave out expose"
            )

    def _loses_script(self, definition: Mapping[str, Any]) -> bool:
        return is_exposed(definition) and updates_lose_script(self.version)

    def _without(self, existing: list[str]) -> dict[str, Any]:
        """Return the definition without the places that an update adds: only updates accept existing buckets.

        Buckets in S3, and in another MinIO, are always added later: OSCAR does not say whether they exist, and when it
        creates a service it looks for them in its own MinIO and answers 400, although the service was created.
        """

        def kept(direction: str) -> list[dict[str, Any]]:
            entries = [one for one in self.sent[direction] if _is_own(one) or one not in _places(self.sent)]
            return [one for one in entries if not any(_in(one["storage_provider"], one["path"], b) for b in existing)]

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
