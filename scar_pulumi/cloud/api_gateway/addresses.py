"""How requests name an API: by their path on this machine's own address, or by their host as on AWS."""

import re
from dataclasses import dataclass

from scar_pulumi.cloud.api_gateway.store import Store
from scar_pulumi.cloud.asgi import Scope, find_header, raw_path

_PATH = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9]+)(?P<path>/.*)?", re.DOTALL)
_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\..+")


@dataclass(frozen=True)
class Address:
    """The API that a request is for, and its path there, percent-encoded; with a domain the stage is known as well."""

    api: str
    path: str
    stage: str = ""


def url_of(endpoint: str, api: str) -> str:
    """The address of an API without its stage: one that every client resolves."""
    return f"{endpoint}/_aws/execute-api/{api}"


def address_of(scope: Scope, store: Store) -> Address | None:
    """Where a request goes; None when it is for no HTTP API of ours."""
    path = raw_path(scope)
    if found := _PATH.fullmatch(path):
        return _known(store, found["api"], found["path"] or "/")
    host = find_header(scope["headers"], "host").rpartition(":")[0] or find_header(scope["headers"], "host")
    if found := _HOST.fullmatch(host):
        return _known(store, found["api"], path)
    for start, api, stage in sorted(store.mapped(host), reverse=True):
        below = f"/{start}" if start else ""
        if path == below or path.startswith(f"{below}/"):
            return Address(api, path.removeprefix(below) or "/", stage)
    return None


def _known(store: Store, api: str, path: str) -> Address | None:
    return Address(api, path) if api in store.apis else None
