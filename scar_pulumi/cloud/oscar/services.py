"""The services of all clusters, on disk before they are answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from scar_foundation.files import write_whole


@dataclass(frozen=True)
class Service:
    """A service: its definition holds secrets; `image` is the digest of the prepared image in the image store."""

    cluster: str
    definition: dict[str, Any] = field(repr=False)
    image: str

    @property
    def name(self) -> str:
        """Its name on the cluster."""
        return str(self.definition["name"])


class Services:
    """One file per service, readable by its owner only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._services = {(found.cluster, found.name): found for found in self._read()}

    def of(self, cluster: str) -> list[Service]:
        """The services of a cluster, by name."""
        return [service for _, service in sorted(self._services.items()) if service.cluster == cluster]

    def all(self) -> list[Service]:
        """The services of all clusters."""
        return list(self._services.values())

    def find(self, cluster: str, name: str) -> Service | None:
        """A service, or None."""
        return self._services.get((cluster, name))

    def put(self, service: Service) -> None:
        """Keeps a service, or what has become of it."""
        path = self._path(service.cluster, service.name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        document = {"definition": service.definition, "image": service.image}
        write_whole(path, json.dumps(document).encode())
        self._services[service.cluster, service.name] = service

    def remove(self, service: Service) -> None:
        """Forgets a service."""
        self._path(service.cluster, service.name).unlink(missing_ok=True)
        self._services.pop((service.cluster, service.name), None)

    def _path(self, cluster: str, name: str) -> Path:
        return self._directory / quote(cluster, safe="") / f"{name}.json"

    def _read(self) -> Iterator[Service]:
        for path in self._directory.glob("*/*.json"):
            document = json.loads(path.read_bytes())
            yield Service(unquote(path.parent.name), document["definition"], document["image"])
