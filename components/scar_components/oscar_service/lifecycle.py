"""Create, change and remove a service, around what OSCAR does otherwise than it documents."""

from collections.abc import Collection, Mapping
from typing import Any

from scar_components.oscar_api import OscarApi, OscarError, OscarUnreachable
from scar_components.oscar_service.definition import buckets, differences, owns_buckets, places, shaped

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
    if not names or not api.lists_buckets():
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


# A creation goes on in the server when its client is killed: seven seconds, most of them for MinIO's restart.
_UNDER_WAY = 20.0
_ATTEMPTS = 3


class Creation:
    """One service to be made on one cluster, for one stack."""

    def __init__(self, api: OscarApi, definition: Mapping[str, Any], owner: str, version: str) -> None:
        self.api = api
        self.definition = definition
        self.owner = owner
        self.version = version
        self.name: str = definition["name"]
        self.sent = sent_form(definition, version, owner)

    def run(self, *, adopt: bool) -> list[str]:
        """Make the service or take it over; return the buckets of it that are not its own to delete."""
        for _ in range(_ATTEMPTS):
            if found := self.api.find(self.name):
                taken = self._take_over(found, adopt=adopt)
                if taken is not None:
                    return taken
            existing = self._existing_buckets()
            shared = shared_buckets(self.api, self.definition)
            try:
                self.api.create(self._without(existing))
            except OscarUnreachable:
                continue  # the answer was lost: look what there is now
            except OscarError as error:
                if error.status in {400, 409} and (found := self.api.find(self.name)) and self._is_ours(found):
                    continue
                raise
            if self._without(existing) != self.sent:
                change(self.api, self.sent, self._found(), self.version)
            return shared
        raise OscarError(f"service {self.name}: {self.api.endpoint} breaks off each time; look into its log")

    def _take_over(self, found: dict[str, Any], *, adopt: bool) -> list[str] | None:
        """Make a service that is there what it should be; None when it had to go, and is to be made."""
        ours = self._is_ours(found)
        if not ours and not adopt:
            raise OscarError(
                f"service {self.name}: exists already on {self.api.endpoint}, and this stack has not made it; "
                "choose another name, delete it there, or say that it is to be adopted"
            )
        if ours and owns_buckets(self.version) and self.api.lists_buckets():
            # Until its buckets are there OSCAR may still roll it back.
            self.api.wait_until(lambda: all(self.api.bucket(name) for name in buckets(found)), _UNDER_WAY)
        if places(found, "input") == places(self.sent, "input"):
            shared = shared_buckets(self.api, self.definition) if ours else buckets(self.definition)
            change(self.api, self.sent, found, self.version)
            return shared
        if not ours:
            raise OscarError(
                f"service {self.name}: its input is another one on {self.api.endpoint}, which cannot be "
                "changed there; declare the same input, or delete the service"
            )
        remove(self.api, found, self.version, wipe=False, shared=())
        return None

    def _existing_buckets(self) -> list[str]:
        """The buckets that exist, to be attached once the service is there. Raises OscarError where that is no use."""
        if not owns_buckets(self.version):
            return []
        existing = {name: bucket for name in buckets(self.definition) if (bucket := self.api.bucket(name)) is not None}
        for name in buckets(self.definition, "input"):
            if name in existing and not self._watches(name, existing[name]):
                raise OscarError(
                    f"service {self.name}: the bucket '{name}' exists already, and OSCAR {self.version} reports new "
                    "files only of buckets that it makes with the service; choose another bucket, delete this one, "
                    "or, if a service of this stack writes to it, create the one that reads it first"
                )
        return list(existing)

    def _watches(self, name: str, bucket: Mapping[str, Any]) -> bool:
        """Whether a bucket that was kept when this service was deleted still reports to it: to the same folders.

        One whose server says that any bucket reports new files, as the local cloud's does, always would.
        """
        if bucket.get("reports_new_files"):
            return True
        if (bucket.get("metadata") or {}).get("from_service") != self.name:
            return False
        keys = {entry.get("object_name") for entry in bucket.get("objects") or ()}
        folders = [path.partition("/")[2] for kind, path in places(self.definition, "input") if _in(kind, path, name)]
        return all(f"{folder}/" in keys for folder in folders)

    def _without(self, existing: list[str]) -> dict[str, Any]:
        """The definition without the places that an update adds: OSCAR takes buckets that exist only then.

        Whether those in S3 exist it does not tell; and it answers 400, with the service made, where it looks for them
        in MinIO to tag them.
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
            raise OscarError(f"service {self.name}: was deleted by somebody else while it was made; try again")
        return found


def _in(provider: str, path: str, bucket: str) -> bool:
    return provider == "minio.default" and path.partition("/")[0] == bucket
