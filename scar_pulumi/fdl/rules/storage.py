"""Rules about storage: providers are known and usable, paths name buckets."""

from typing import Any

from scar_pulumi.fdl._document import Document, Link, Owner, ServiceValues
from scar_pulumi.fdl._storage_path import BadPathError, Provider, split_provider, storage_path
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl._words import quoted
from scar_pulumi.fdl.model import StoragePath
from scar_pulumi.fdl.tables import STORAGE_PROVIDERS

_TYPES = STORAGE_PROVIDERS.kind.keys  # type: ignore[union-attr] # it is a section
_OWN = Provider("s3", "default")
_CLUSTERS_OWN = Provider("minio", "default")
# https://docs.oscar.grycap.net/fdl/#storageioconfig and what its server refuses.
_STARTS_SERVICES = ("minio", "webdav", "rucio")

_Said = tuple[str, str | None] | None


def storage_is_known(document: Document) -> None:
    """Every input and output names a provider that can be used and a bucket that can exist."""
    for owner in document.owners():
        for direction, links in (("input", document.inputs), ("output", document.outputs)):
            path, entries = owner.links(direction)
            for index, entry in enumerate(entries):
                if isinstance(entry, dict):
                    _check(document, owner, f"{path}[{index}]", entry, links)


def _check(document: Document, owner: Owner, path: str, entry: dict[str, Any], links: list[Link]) -> None:
    usable = _provider_is_usable(document, owner, path, entry, is_input=links is document.inputs)
    if entry.get("path") is None:
        return
    service = owner.name if isinstance(owner, ServiceValues) else None
    try:
        place = storage_path({"storage_provider": "s3", **entry}, service)
    except BadPathError as error:
        if usable:
            document.error(f"{path}.path", str(error), error.hint)
        return
    if usable and {"prefix", "suffix"} <= entry.keys():
        links.append(link := Link(owner, path, place, _store(document, owner, place)))
        _note(document, link, is_input=links is document.inputs)


def _store(document: Document, owner: Owner, place: StoragePath) -> str:
    """Whose buckets they are: names of S3 buckets are unique among all accounts, those of MinIO on a server."""
    kind, name = place.provider, place.provider_id
    if kind == "s3":
        return "s3"
    if isinstance(owner, ServiceValues) and (kind, name) == _CLUSTERS_OWN:
        return f"minio of cluster {owner.cluster}"
    return f"minio of cluster {name}" if kind == "minio" and name in document.clusters else f"{kind}.{name}"


def _note(document: Document, link: Link, *, is_input: bool) -> None:
    provider = Provider(link.place.provider, link.place.provider_id)
    if "*" in link.place.path:
        hint = "use 'prefix' and 'suffix' to choose files"
        document.warning(f"{link.path}.path", "'*' is an ordinary character in paths", hint)
    if is_input and link.place.per_request:
        document.warning(f"{link.path}.per_request", "has no effect: it is about outputs")
    if isinstance(link.owner, ServiceValues):
        if is_input and provider.type == "minio" and not link.store.startswith("minio of"):
            message = f"starts the service only if 'minio.{provider.id}' is the cluster's own server"
            document.warning(f"{link.path}.storage_provider", message, "write 'minio' for that")
    elif is_input and provider != _OWN:
        message = f"nothing on AWS starts the function for files in storage of type {provider.type}"
        hint = "send it the storage's events (`invoke --data`, or its HTTP endpoint), use 's3', or an OSCAR service"
        document.warning(f"{link.path}.storage_provider", message, hint)


def _provider_is_usable(document: Document, owner: Owner, path: str, entry: dict[str, Any], *, is_input: bool) -> bool:
    text = entry.get("storage_provider")
    if text is None:
        return False
    provider = split_provider(text)
    problem = _unknown(document, owner, text, provider)
    if problem is None and is_input:
        problem = _starts_nothing(owner, text, provider)
    if problem is not None:
        document.error(f"{path}.storage_provider", *problem)
    return problem is None


def _unknown(document: Document, owner: Owner, text: str, provider: Provider) -> _Said:
    own = "minio" if isinstance(owner, ServiceValues) else "s3"
    if provider.type not in _TYPES:
        match = closest(provider.type, _TYPES)
        hint = f"did you mean '{match}'?" if match else f"use '{own}'"
        return f"{quoted(text)} is no storage provider", hint
    declared = document.values.get("storage_providers", {}).get(provider.type, {})
    if provider == Provider(own, "default") or provider.id in declared:
        return None
    if provider.type == "minio" and provider.id in document.clusters:
        return None
    match = closest(provider.id, declared)
    meant = f"{provider.type}.{match}"
    hint = f"did you mean '{meant}'?" if match else f"declare it below storage_providers.{provider.type}.{provider.id}"
    return f"{quoted(text)} is not declared in this file", hint


def _starts_nothing(owner: Owner, text: str, provider: Provider) -> _Said:
    if isinstance(owner, ServiceValues):
        if provider.type in _STARTS_SERVICES:
            return None
        return f"{quoted(text)} cannot start a service on an OSCAR cluster", f"use {', '.join(_STARTS_SERVICES)}"
    if provider.type == "s3" and provider != _OWN:
        return f"{quoted(text)}: functions are started by buckets of their own account only", "use 's3'"
    return None
