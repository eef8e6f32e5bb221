"""What is asked for in the tests of services: as the provider gets it, and as OSCAR does."""

from typing import Any

from scar_components.oscar_service.definition import ServiceStorage, completed
from tests.components.oscar_service.server import PASSWORD, USER, Server

Properties = dict[str, Any]
BASE = {"image": "debian:12", "script": "cat"}


def place(path: str, provider: str = "minio") -> ServiceStorage:
    return {"provider": provider, "path": path}


def properties(server: Server, name: str, read: str = "", write: str = "", **definition: Any) -> Properties:
    inputs, outputs = [place(read)] if read else [], [place(write)] if write else []
    return {
        "endpoint": server.endpoint,
        "username": USER,
        "password": PASSWORD,
        "timeout": 10,
        "definition": completed(name, inputs, outputs, {**BASE, **definition}),
        "owner": "organization/photos/dev",
    }


def raw(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **BASE, **more}


def minio(path: str) -> dict[str, str]:
    return {"storage_provider": "minio.default", "path": path}
