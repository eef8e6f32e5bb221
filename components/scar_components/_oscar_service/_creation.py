"""Making a service, on what may be there already: an interrupted creation, somebody else's service, old buckets."""

from collections.abc import Mapping
from typing import Any

from scar_components._oscar_service._api import OscarApi
from scar_components._oscar_service._changes import MARK, change, sent_form, shared_buckets
from scar_components._oscar_service._definition import buckets, places
from scar_components._oscar_service._errors import OscarError, Unreachable
from scar_components._oscar_service._removal import remove
from scar_components._oscar_service._version import owns_buckets

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
            except Unreachable:
                continue  # the answer was lost: look what there is now
            except OscarError as error:
                if error.status in {400, 409} and (found := self.api.find(self.name)) and self._is_ours(found):
                    continue
                raise
            if self._without(existing) != self.sent:
                change(self.api, self.sent, self._found(), self.version)
            return shared
        raise OscarError(f"service {self.name}: {self.api.cluster.endpoint} breaks off each time; look into its log")

    def _take_over(self, found: dict[str, Any], *, adopt: bool) -> list[str] | None:
        """Make a service that is there what it should be; None when it had to go, and is to be made."""
        ours = self._is_ours(found)
        if not ours and not adopt:
            raise OscarError(
                f"service {self.name}: exists already on {self.api.cluster.endpoint}, and this stack has not made it; "
                "choose another name, delete it there, or say that it is to be adopted"
            )
        if ours and owns_buckets(self.version) and self.api.tells_buckets():
            # Until its buckets are there OSCAR may still roll it back.
            self.api.wait_until(lambda: all(self.api.bucket(name) for name in buckets(found)), _UNDER_WAY)
        if places(found, "input") == places(self.sent, "input"):
            shared = shared_buckets(self.api, self.definition) if ours else buckets(self.definition)
            change(self.api, self.sent, found, self.version)
            return shared
        if not ours:
            raise OscarError(
                f"service {self.name}: its input is another one on {self.api.cluster.endpoint}, which cannot be "
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
