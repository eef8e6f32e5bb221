"""Rules about storage: providers are known and complete, paths name buckets."""

import os
from collections.abc import Iterator
from typing import Any

from scar_foundation.loopback import is_loopback_url
from scar_foundation.oscar_limits import INPUT_STORAGE
from scar_pulumi.fdl.document import (
    AwsOwner,
    BadPathError,
    Document,
    Link,
    MapReduceValues,
    Owner,
    Provider,
    ServiceValues,
    split_provider,
    storage_path,
)
from scar_pulumi.fdl.model import StoragePath
from scar_pulumi.fdl.problems import closest, join, quoted
from scar_pulumi.fdl.tables.storage import STORAGE_TYPES

_OWN = Provider("s3", "default")
_CLUSTERS_OWN = Provider("minio", "default")
# https://docs.oscar.grycap.net/fdl/#storageioconfig and what its server refuses.

_Said = tuple[str, str | None] | None


def storage_is_known(document: Document) -> None:
    """Check that every input and output names a provider that can be used and a bucket that can exist."""
    for owner in document.owners():
        for direction, links in (("input", document.inputs), ("output", document.outputs)):
            path, entries = owner.links(direction)
            for index, entry in enumerate(entries):
                if isinstance(entry, dict):
                    _check_place(document, owner, f"{path}[{index}]", entry, links)


def _check_place(document: Document, owner: Owner, path: str, entry: dict[str, Any], links: list[Link]) -> None:
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
    """Return whose buckets they are: S3 bucket names are unique among all accounts, MinIO's on a server."""
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
    for key, names in (("prefix", link.place.prefix), ("suffix", link.place.suffix)):
        for index, name in enumerate(names):
            if "*" in name:
                hint = f"write {quoted(name.replace('*', ''))}"
                document.warning(f"{link.path}.{key}[{index}]", "'*' is an ordinary character in file names", hint)
    if is_input and link.place.per_request:
        document.warning(f"{link.path}.per_request", "has no effect: only outputs have it")
    if isinstance(link.owner, ServiceValues):
        if is_input and provider.type == "minio" and not link.store.startswith("minio of"):
            message = f"starts the service only if 'minio.{provider.id}' is the cluster's own server"
            document.warning(f"{link.path}.storage_provider", message, "write 'minio' to mean that server")
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
    if isinstance(owner, MapReduceValues) and provider.type in STORAGE_TYPES and provider != _OWN:
        problem = f"{quoted(text)}: a MapReduce reads and writes buckets of its own account only", "use 's3'"
    if problem is None and is_input:
        problem = _starts_nothing(owner, text, provider)
    if problem is not None:
        document.error(f"{path}.storage_provider", *problem)
    return problem is None


def _unknown(document: Document, owner: Owner, text: str, provider: Provider) -> _Said:
    own = "minio" if isinstance(owner, ServiceValues) else "s3"
    if provider.type not in STORAGE_TYPES:
        match = closest(provider.type, STORAGE_TYPES)
        hint = f"did you mean '{match}'?" if match else f"use '{own}'"
        return f"{quoted(text)} is not a storage provider", hint
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
        if provider.type in INPUT_STORAGE:
            return None
        return f"{quoted(text)} cannot start a service on an OSCAR cluster", f"use {', '.join(INPUT_STORAGE)}"
    if provider.type == "s3" and provider != _OWN:
        return f"{quoted(text)}: only buckets of its own account can start a function", "use 's3'"
    return None


# What the supervisor asks for: supervisor_image/supervisor/storage/.
_NEEDED = {
    "s3": ("access_key", "secret_key"),
    "minio": ("endpoint", "access_key", "secret_key"),
    "onedata": ("oneprovider_host", "token", "space"),
    "webdav": ("hostname", "login", "password"),
    "rucio": ("host", "account", "access_token"),
}
# Its own supervisor gets an access token with a refresh token.
_NEEDED_ON_CLUSTERS = {**_NEEDED, "rucio": ("host", "account")}


def providers_are_complete(document: Document) -> None:
    """Check that functions and services can sign in to all storage that they use, and can write to their outputs."""
    used = [(link.owner, Provider(link.place.provider, link.place.provider_id), link.path) for link in document.links()]
    reported: set[str] = set()
    for owner, provider, path in (*used, *_mounts(document)):
        if isinstance(owner, AwsOwner):
            _knows_the_cluster(document, provider, path)
        if not (isinstance(owner, ServiceValues) and provider in (_CLUSTERS_OWN, Provider("minio", owner.cluster))):
            _check_settings(document, owner, provider, reported)
            _check_addresses(document, owner, provider, reported)
    for link in document.outputs:
        if isinstance(link.owner, AwsOwner) and link.place.provider == "rucio":
            hint = "use the WebDAV address of its storage"
            document.error(f"{link.path}.storage_provider", "functions can read from Rucio but not write to it", hint)


def _mounts(document: Document) -> Iterator[tuple[Owner, Provider, str]]:
    """Return what services mount, of those providers that exist; report the others."""
    for service in document.services():
        text, path = service.values.get("mount", {}).get("storage_provider"), f"{service.path}.mount"
        if not text:
            continue
        provider = split_provider(text)
        problem = _unknown(document, service, text, provider)
        if problem is None:
            yield service, provider, path
        else:
            document.error(f"{path}.storage_provider", *problem)


def _knows_the_cluster(document: Document, provider: Provider, path: str) -> None:
    """Report uses of a cluster's MinIO: only its operator knows the address where functions on AWS reach it."""
    declared = document.values.get("storage_providers", {}).get(provider.type, {})
    if provider != _OWN and provider.id not in declared:
        message = f"functions on AWS do not know where the MinIO of the cluster '{provider.id}' is"
        hint = f"declare its endpoint and keys below storage_providers.{provider.type}.{provider.id}"
        document.elsewhere(f"{path}.storage_provider", message, hint)


def _check_settings(document: Document, owner: Owner, provider: Provider, reported: set[str]) -> None:
    settings = document.values.get("storage_providers", {}).get(provider.type, {}).get(provider.id)
    path = join(f"storage_providers.{provider.type}", provider.id)
    if settings is None or path in reported:
        return
    reported.add(path)
    needed = (_NEEDED_ON_CLUSTERS if isinstance(owner, ServiceValues) else _NEEDED)[provider.type]
    missing = [key for key in needed if not document.given(join(path, key)) or settings.get(key) == ""]
    if missing:
        what = ", ".join(f"'{key}'" for key in missing)
        are = "is" if len(missing) == 1 else "are"
        hint = "without them nobody can sign in" if len(missing) > 1 else "without it nobody can sign in"
        document.error(path, f"{what} {are} missing, and '{owner.name}' uses this storage", hint)


_ADDRESSES = {
    "minio": ("endpoint",),
    "onedata": ("oneprovider_host",),
    "webdav": ("hostname",),
    "rucio": ("host", "auth_host", "token_endpoint"),
}
"""Settings that name a server, by the type of storage."""


def _check_addresses(document: Document, owner: Owner, provider: Provider, reported: set[str]) -> None:
    """Check that passwords and files are not sent over plain http, except within this machine.

    A service may speak so to a MinIO server: those of its cluster have no certificates, and it signs without telling
    its key.
    """
    if isinstance(owner, ServiceValues) and provider.type == "minio":
        return
    settings = document.values.get("storage_providers", {}).get(provider.type, {}).get(provider.id) or {}
    for key in _ADDRESSES.get(provider.type, ()):
        path, address = join(join(f"storage_providers.{provider.type}", provider.id), key), settings.get(key) or ""
        if path in reported or not address.lower().startswith("http://") or is_loopback_url(address):
            continue
        reported.add(path)
        what = "files are" if provider.type == "minio" else "a password or token is"
        document.error(path, f"{quoted(address)}: {what} not sent over plain http", "use an https URL")


def references_exist(document: Document) -> None:
    """Check that referenced environment variables are set; other references are resolved when deploying."""
    for path, reference in document.references:
        if reference.source == "env" and reference.name not in os.environ:
            message = f"the environment variable '{reference.name}' is not set"
            document.error(path, message, "set it where this command runs")
