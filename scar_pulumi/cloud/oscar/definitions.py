"""Definitions of services: checked and completed as OSCAR does, and as it shows them again.

https://docs.oscar.grycap.net/api/ lists the keys; those that mean nothing on one machine are kept and returned.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from scar_foundation.limits import MIB
from scar_foundation.oscar_limits import (
    BUCKET_NAME_PATTERN,
    DEFAULT_CPU,
    DEFAULT_MEMORY,
    SERVICE_NAME_CHARACTERS,
    SERVICE_NAME_PATTERN,
)

_DECIMAL = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[EPTGMK]i|[EPTGMkm]|e[0-9]+)?")
Definition = dict[str, Any]
OWNER = "cluster_admin"
NAMESPACE = "oscar-svc"
OWN_STORAGE = "minio.default"
_DEFAULTS: Mapping[str, Any] = {"memory": DEFAULT_MEMORY, "cpu": DEFAULT_CPU, "log_level": "INFO", "script": ""}
_NAME = re.compile(SERVICE_NAME_PATTERN)
_BUCKET = re.compile(BUCKET_NAME_PATTERN)
_STARTS_SERVICES = ("minio",)
# Keys that OSCAR adds to a definition that it shows, and that a client sends back.
_ANSWERED = ("token", "owner", "namespace", "bucket_list", "volume_status", "deployment")


def amount(text: str) -> float:
    """Return the number that a quantity such as `512Mi` or `500m` stands for. Raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a quantity; write it like 512Mi, 2Gi, 0.5 or 500m")
    number, unit = float(found["number"]), found["unit"] or ""
    return number * (10.0 ** int(unit[1:]) if unit.startswith("e") else (_DECIMAL | _BINARY)[unit])


def megabytes(text: str) -> int:
    """Return an amount of memory in megabytes, rounded up. Raises ValueError."""
    return max(1, -int(-amount(text) // MIB))


class DefinitionError(Exception):
    """The definition of a service is wrong; the message says where, what, and what to do."""


def completed(document: Any, minio: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Definition:
    """Return the whole definition of what a client sent; `minio` are the settings of the cluster's own storage.

    An update keeps the token of `before`. Raises DefinitionError.
    """
    if not isinstance(document, dict):
        raise DefinitionError("the definition is not a JSON object")
    given = {key: value for key, value in document.items() if key not in _ANSWERED and value is not None}
    found = {**_DEFAULTS, **given}
    _check_name(found)
    _check_amounts(found)
    found["environment"] = _environment(found.get("environment"))
    providers = _providers(found.get("storage_providers"))
    providers["minio"] = {**providers.get("minio", {}), "default": dict(minio)}
    found["storage_providers"] = providers
    for direction in ("input", "output"):
        found[direction] = [_place(found["name"], entry, direction, providers) for entry in found.get(direction) or ()]
    token = before["token"] if before else secrets.token_hex(32)
    return {**found, "token": token, "owner": OWNER, "namespace": NAMESPACE}


def shown(definition: Mapping[str, Any]) -> Definition:
    """Return the definition as OSCAR shows it: without secrets, with the token and the script."""
    own = dict.fromkeys(definition["storage_providers"]["minio"]["default"], "hidden")
    minio = {**definition["storage_providers"]["minio"], "default": own}
    environment = definition["environment"]
    return {
        **definition,
        "storage_providers": {**definition["storage_providers"], "minio": minio},
        "environment": {**environment, "secrets": dict.fromkeys(environment["secrets"], "")},
    }


def buckets(definition: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """Yield the provider and bucket of every input and output in storage of a kind."""
    for entry in (*definition["input"], *definition["output"]):
        if entry["storage_provider"].partition(".")[0] == kind:
            yield entry["storage_provider"], entry["path"].partition("/")[0]


def starts(definition: Mapping[str, Any], bucket: str, key: str) -> bool:
    """Return whether a new object of the cluster's storage starts the service."""
    return any(_covers(entry, bucket, key) for entry in definition["input"])


def _covers(entry: Mapping[str, Any], bucket: str, key: str) -> bool:
    place, _, folder = entry["path"].partition("/")
    inside = key.startswith(f"{folder}/") if folder else True
    name = key.removeprefix(f"{folder}/")
    of_us = entry["storage_provider"] == OWN_STORAGE and place == bucket
    begins = not entry["prefix"] or name.startswith(tuple(entry["prefix"]))
    ends = not entry["suffix"] or name.endswith(tuple(entry["suffix"]))
    return of_us and inside and bool(name) and not key.endswith("/") and begins and ends


def _check_name(found: Mapping[str, Any]) -> None:
    name = found.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > SERVICE_NAME_CHARACTERS:
        raise DefinitionError(
            f"name: {name!r} is not a valid name; use up to {SERVICE_NAME_CHARACTERS} of a-z, 0-9 and '-'"
        )
    if not found.get("image") and not found.get("image_file"):
        raise DefinitionError("image: is missing; give the service's image")


def _check_amounts(found: Mapping[str, Any]) -> None:
    for key, read in (("cpu", amount), ("memory", megabytes)):
        value = found[key]
        if not isinstance(value, str):
            raise DefinitionError(f"{key}: {value!r} is not a string; quote it")
        try:
            read(value)
        except ValueError as error:
            raise DefinitionError(f"{key}: {error}") from None


def _environment(value: Any) -> dict[str, dict[str, str]]:
    # The keys are those of a Go structure, which does not tell upper from lower case.
    given = {str(key).lower(): entry for key, entry in (value or {}).items()}
    return {key: {str(k): str(v) for k, v in (given.get(key) or {}).items()} for key in ("variables", "secrets")}


def _providers(value: Any) -> dict[str, dict[str, Any]]:
    return {kind: dict(entries) for kind, entries in (value or {}).items() if isinstance(entries, dict)}


def _place(service: str, entry: Any, direction: str, providers: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or not entry["path"].strip("/"):
        raise DefinitionError(f"{direction}: {entry!r} has no path; write bucket/folder")
    kind, _, identifier = str(entry.get("storage_provider") or OWN_STORAGE).partition(".")
    provider, path = f"{kind}.{identifier or 'default'}", entry["path"].strip("/")
    if direction == "input" and kind not in _STARTS_SERVICES:
        raise DefinitionError(f"input: {provider} cannot start services of a local cluster; use {OWN_STORAGE}")
    if (identifier or "default") not in providers.get(kind, {}):
        raise DefinitionError(f"{direction}: storage provider {provider} is not defined; add it to storage_providers")
    if kind == "minio" and "/" not in path:
        path = f"{service}/{path}"
    if kind in ("minio", "s3") and not _BUCKET.fullmatch(path.partition("/")[0]):
        raise DefinitionError(f"{direction}: {path!r} does not begin with a valid bucket name of 3 to 63 characters")
    filters = {key: [str(text) for text in entry.get(key) or ()] for key in ("prefix", "suffix")}
    return {**entry, "storage_provider": provider, "path": path, **filters}
