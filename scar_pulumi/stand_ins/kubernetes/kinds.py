"""Where the API server keeps objects of a kind, as it says itself."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

from scar_pulumi.stand_ins.kubernetes.api import Api
from scar_pulumi.stand_ins.plugin.errors import UnservedError


@dataclass(frozen=True)
class Kind:
    """A kind of object: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris."""

    api_version: str
    plural: str
    namespaced: bool

    def path(self, name: str, namespace: str | None) -> str:
        """The path of an object."""
        root = "/api" if "/" not in self.api_version else "/apis"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}/{self.api_version}{place}/{self.plural}/{name}"


class Kinds:
    """The kinds that a cluster serves, asked for once and again when one is missing. Thread-safe."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], Kind] = {}
        self._lock = Lock()

    def find(self, api_version: str, kind: str) -> Kind:
        """The kind of that name. Raises UnservedError when the cluster does not serve it."""
        if found := self.look(api_version, kind):
            return found
        raise UnservedError(
            f"{api_version} {kind}: the cluster does not serve this kind; "
            "install what brings its CustomResourceDefinition, or correct apiVersion and kind"
        )

    def look(self, api_version: str, kind: str) -> Kind | None:
        """The kind of that name, None when the cluster does not serve it."""
        key = (api_version, kind)
        if key not in self._known:
            with self._lock:
                if key not in self._known:
                    self._known |= self._ask(api_version)
        return self._known.get(key)

    def _ask(self, api_version: str) -> dict[tuple[str, str], Kind]:
        root = "/api" if "/" not in api_version else "/apis"
        listing: dict[str, Any] = self._api.get(f"{root}/{api_version}") or {}
        return {
            (api_version, entry["kind"]): Kind(api_version, entry["name"], bool(entry["namespaced"]))
            for entry in listing.get("resources") or ()
            if "/" not in entry["name"]  # subresources, such as deployments/status
        }
