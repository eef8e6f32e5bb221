"""Settings of a storage provider: where they are kept, and what must be among them."""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from supervisor.configuration import truth
from supervisor.errors import ConfigurationInvalid


class Settings(NamedTuple):
    """The settings of one provider, named as people name it."""

    provider: str
    values: Mapping[str, Any]

    def needed(self, *keys: str) -> list[str]:
        """The values of keys that must be there. Raises ConfigurationInvalid with all that are not."""
        missing = [key for key in keys if self.values.get(key) in (None, "")]
        if missing:
            raise ConfigurationInvalid(
                f"storage provider {self.provider!r} is incomplete: {', '.join(missing)} missing; "
                f"declare it among the storage providers"
            )
        return [str(self.values[key]) for key in keys]

    def get(self, key: str, default: str = "") -> str:
        """The value of a key that need not be there."""
        value = self.values.get(key)
        return default if value in (None, "") else str(value)

    @property
    def verify(self) -> bool:
        """Whether certificates are checked."""
        return truth(self.values.get("verify", True))

    def address(self, host: str) -> str:
        """The address of a host that is given with or without its scheme; https is meant where none is."""
        from urllib.parse import urlsplit  # noqa: PLC0415 costs milliseconds of start

        address = host.rstrip("/") if "://" in host else f"https://{host.strip('/')}"
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            raise ConfigurationInvalid(f"storage provider {self.provider!r}: {host!r} is no address of a server")
        return address


def looked_up(provider: str, given: Any) -> Mapping[str, Any]:
    """The settings themselves, where what is given is only where they are."""
    if given is None:
        return {}
    found = _document(_text(provider, given)) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise ConfigurationInvalid(f"storage provider {provider!r}: its settings are not a JSON object; deploy again")
    return {key: _value(provider, value) for key, value in found.items()}


def _value(provider: str, value: Any) -> Any:
    secret = isinstance(value, str) and value.startswith(("ssm:", "secretsmanager:"))
    return _text(provider, value) if secret else value


def _text(provider: str, reference: str) -> str:
    kind, _, name = reference.partition(":")
    if kind in ("ssm", "secretsmanager"):
        from supervisor import secrets  # noqa: PLC0415 only who keeps secrets there needs it

        return secrets.value(provider, kind, name)
    try:
        if kind == "env":
            return os.environ[name]
        if kind == "file":
            with open(name, encoding="utf-8") as file:  # noqa: PTH123
                return file.read()
    except (KeyError, OSError) as error:
        raise ConfigurationInvalid(f"storage provider {provider!r}: {reference} is not there") from error
    raise ConfigurationInvalid(
        f"storage provider {provider!r}: {kind}: is unknown; settings are at ssm:, secretsmanager:, env: or file:"
    )


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
