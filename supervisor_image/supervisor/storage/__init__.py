"""Storages: where inputs come from and outputs go. Each kind has a module, which is loaded when an event needs it."""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from supervisor.configuration import STORAGE_KINDS, Configuration, truth
from supervisor.errors import ConfigurationInvalid
from supervisor.events.items import Object

if TYPE_CHECKING:
    from supervisor.storage.webdav import WebDav


class Storage(Protocol):
    """A storage of objects, in containers (buckets, spaces) where it has any."""

    has_containers: bool
    """Whether the first part of an output's path is a container."""

    def download(self, container: str, key: str, path: str) -> int:
        """Write the object to a file, and return its size in bytes. Raises InputFailed."""
        ...

    def upload(self, path: str, container: str, key: str, /) -> None:
        """Store the file as an object, replacing any of that name. Raises OutputFailed."""
        ...


class Storages:
    """The function's storages, each opened when it is first needed."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._opened: dict[str, Storage] = {}

    def named(self, provider: str) -> Storage:
        """Return the storage of a provider such as `minio.mine`; without an id it is the default one.

        Raises ConfigurationInvalid where it is unknown or incomplete.
        """
        kind, _, identifier = provider.partition(".")
        name = f"{kind}.{identifier or 'default'}"
        if name not in self._opened:
            self._opened[name] = self._open(kind, name)
        return self._opened[name]

    def locate(self, source: Object) -> Object:
        """Return the object with the provider that the function's inputs or settings have for it.

        An event says which kind of storage it comes from, but not the function's name for that storage.
        """
        kind, _, identifier = source.provider.partition(".")
        if identifier not in ("", "default") or source.provider in self._configuration.storage_providers:
            return source
        inputs = [entry for entry in self._configuration.inputs if entry.provider.partition(".")[0] == kind]
        of_container = [entry for entry in inputs if source.container in ("", entry.path.partition("/")[0])]
        known = [name for name in self._configuration.storage_providers if name.partition(".")[0] == kind]
        # Only S3 needs no settings: there, only an input on the same bucket can mean another account.
        candidates = [entry.provider for entry in of_container]
        if kind != "s3":
            candidates += [entry.provider for entry in inputs] + known
        return source._replace(provider=candidates[0]) if candidates else source

    def _open(self, kind: str, name: str) -> Storage:
        if kind not in STORAGE_KINDS:
            raise ConfigurationInvalid(
                f"storage provider {name!r} is unknown; known kinds are {', '.join(STORAGE_KINDS)}"
            )
        given = self._configuration.storage_providers.get(name)
        settings = Settings(name, resolve_settings(name, given))
        if kind == "s3" and given is None and name != "s3.default":
            raise ConfigurationInvalid(f"storage provider {name!r} is unknown; declare it among the storage providers")
        if kind == "rucio":
            from supervisor.storage import rucio

            return rucio.open_storage(settings, self._webdav_servers)
        return _open_kind(kind, settings, own_account=given is None)

    def _webdav_servers(self) -> "list[WebDav]":
        """Return the WebDAV servers that the function has credentials for."""
        from supervisor.storage.webdav import WebDav

        names = [name for name in self._configuration.storage_providers if name.partition(".")[0] == "webdav"]
        return [server for server in map(self.named, names) if isinstance(server, WebDav)]


def _open_kind(kind: str, settings: "Settings", *, own_account: bool) -> Storage:
    if kind in ("s3", "minio"):
        from supervisor.storage import s3

        if kind == "minio":
            return s3.minio(settings)
        return s3.own() if own_account else s3.amazon(settings)
    if kind == "onedata":
        from supervisor.storage import onedata

        return onedata.open_storage(settings)
    from supervisor.storage import webdav

    return webdav.open_storage(settings)


class Settings(NamedTuple):
    """The settings of one provider, which has the name that messages use."""

    provider: str
    values: Mapping[str, Any]

    def needed(self, *keys: str) -> list[str]:
        """Return the values of required keys. Raises ConfigurationInvalid, which names all that are missing."""
        missing = [key for key in keys if self.values.get(key) in (None, "")]
        if missing:
            raise ConfigurationInvalid(
                f"storage provider {self.provider!r} is incomplete: {', '.join(missing)} missing; "
                f"declare it among the storage providers"
            )
        return [str(self.values[key]) for key in keys]

    def get(self, key: str, default: str = "") -> str:
        """Return the value of an optional key."""
        value = self.values.get(key)
        return default if value in (None, "") else str(value)

    @property
    def verify(self) -> bool:
        """Whether certificates are checked: unless the settings say no."""
        value = self.values.get("verify")
        return value in (None, "") or truth(value)

    def address(self, host: str) -> str:
        """Return the URL of a host that is given with or without a scheme; without one it is https."""
        from urllib.parse import urlsplit

        address = host.rstrip("/") if "://" in host else f"https://{host.strip('/')}"
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            raise ConfigurationInvalid(
                f"storage provider {self.provider!r}: {host!r} is not a server's URL; "
                "give one such as https://storage.example.org"
            )
        return address

    def secret_address(self, host: str) -> str:
        """Return the URL of a host that is told a password, a token or files, and so not over plain http."""
        from supervisor import http_client

        address = self.address(host)
        if not http_client.keeps_secrets(address):
            raise ConfigurationInvalid(
                f"storage provider {self.provider!r}: {host!r}: passwords, tokens and files are not sent over plain "
                "http; use an https URL"
            )
        return address


def resolve_settings(provider: str, given: Any) -> Mapping[str, Any]:
    """Return the settings, from where they are kept if only that is given. Raises ConfigurationInvalid."""
    if given is None:
        return {}
    found = _parsed(_referenced(provider, given)) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise ConfigurationInvalid(f"storage provider {provider!r}: its settings are not a JSON object; deploy again")
    return {key: _value(provider, value) for key, value in found.items()}


def _value(provider: str, value: Any) -> Any:
    secret = isinstance(value, str) and value.startswith(("ssm:", "secretsmanager:"))
    return _referenced(provider, value) if secret else value


def _referenced(provider: str, reference: str) -> str:
    kind, _, name = reference.partition(":")
    if kind in ("ssm", "secretsmanager"):
        return _secret(provider, kind, name)
    try:
        if kind == "env":
            return os.environ[name]
        if kind == "file":
            with open(name, encoding="utf-8") as file:
                return file.read()
    except (KeyError, OSError) as error:
        raise ConfigurationInvalid(
            f"storage provider {provider!r}: {reference} does not exist; create it, or correct the name"
        ) from error
    raise ConfigurationInvalid(
        f"storage provider {provider!r}: {kind}: is unknown; use ssm:, secretsmanager:, env: or file:"
    )


def _secret(provider: str, kind: str, name: str) -> str:
    from supervisor import aws

    try:
        if kind == "ssm":
            document = {"Name": name, "WithDecryption": True}
            return str(aws.call("ssm", "AmazonSSM.GetParameter", document)["Parameter"]["Value"])
        return str(aws.call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name})["SecretString"])
    except (aws.AwsError, OSError, KeyError, ValueError) as error:
        raise ConfigurationInvalid(
            f"storage provider {provider!r}: {kind}:{name} cannot be read: {error}; let the function's role read it"
        ) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
