"""Storages: where inputs come from and outputs go. One module per kind."""

from typing import Any

from supervisor.configuration import Configuration
from supervisor.errors import ConfigurationInvalid
from supervisor.events.model import Object
from supervisor.storage.model import Storage
from supervisor.storage.settings import Settings, looked_up

__all__ = ["Storage", "Storages"]

KINDS = ("s3", "minio", "onedata", "webdav", "rucio")


class Storages:
    """The storages that a function knows, each made when it is first asked for."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._made: dict[str, Storage] = {}

    def named(self, provider: str) -> Storage:
        """The storage of a provider such as `minio.mine`; without an id it is the default one.

        Raises ConfigurationInvalid for one that is unknown or incomplete, naming it.
        """
        kind, _, identifier = provider.partition(".")
        name = f"{kind}.{identifier or 'default'}"
        if name not in self._made:
            self._made[name] = self._make(kind, name)
        return self._made[name]

    def locate(self, source: Object) -> Object:
        """The object with the provider that the function's inputs or settings give it.

        An event says what kind of storage it comes from, and not by which name the function knows that.
        """
        kind, _, identifier = source.provider.partition(".")
        if identifier not in ("", "default") or source.provider in self._configuration.storage_providers:
            return source
        inputs = [entry for entry in self._configuration.inputs if entry.provider.partition(".")[0] == kind]
        of_container = [entry for entry in inputs if source.container in ("", entry.path.partition("/")[0])]
        known = [name for name in self._configuration.storage_providers if name.partition(".")[0] == kind]
        # The one kind that needs no settings is Amazon's own: only an input on the bucket can mean another account.
        candidates = [entry.provider for entry in of_container]
        if kind != "s3":
            candidates += [entry.provider for entry in inputs] + known
        return source._replace(provider=candidates[0]) if candidates else source

    def _make(self, kind: str, name: str) -> Storage:
        if kind not in KINDS:
            raise ConfigurationInvalid(f"storage provider {name!r} is unknown; known kinds are {', '.join(KINDS)}")
        given = self._configuration.storage_providers.get(name)
        settings = Settings(name, looked_up(name, given))
        if kind == "s3" and given is None and name != "s3.default":
            raise ConfigurationInvalid(f"storage provider {name!r} is unknown; declare it among the storage providers")
        return _made(kind, settings, own_account=given is None)


def _made(kind: str, settings: Settings, *, own_account: bool) -> Storage:
    storage: Any  # each is loaded when an event needs it
    if kind in ("s3", "minio"):
        from supervisor.storage import s3 as storage  # noqa: PLC0415

        if kind == "minio":
            return storage.minio(settings)  # type: ignore[no-any-return]
        return storage.own() if own_account else storage.amazon(settings)  # type: ignore[no-any-return]
    if kind == "onedata":
        from supervisor.storage import onedata as storage  # noqa: PLC0415
    elif kind == "webdav":
        from supervisor.storage import webdav as storage  # noqa: PLC0415
    else:
        from supervisor.storage import rucio as storage  # noqa: PLC0415
    return storage.open_storage(settings)  # type: ignore[no-any-return]
