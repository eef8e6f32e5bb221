"""Values that are made once and kept in the state: generated passwords, and revisions of secrets."""

import secrets
import string
from collections.abc import Mapping
from typing import Any, Optional

from pulumi import Output, ResourceOptions

from scar_components.own_resource import OwnResource
from scar_components.resource_provider import CreateResult, DiffResult, ResourceProvider, UpdateResult

_CHARACTERS = string.ascii_letters + string.digits
_LENGTH = 32


class GeneratedPassword(OwnResource):
    """A password of 32 letters and digits that is generated once and kept, encrypted, in the state.

    It stays until the resource is replaced: `pulumi up --replace URN`.
    """

    value: Output[str]
    """The password; a secret."""

    def __init__(self, name: str, opts: Optional[ResourceOptions] = None) -> None:
        secret = ResourceOptions(additional_secret_outputs=["value"])
        super().__init__("GeneratedPassword", name, {"value": None}, ResourceOptions.merge(secret, opts))


class GeneratedPasswordProvider(ResourceProvider):
    """Generates passwords."""

    def create(self, _props: dict[str, Any]) -> CreateResult:
        """Return a new password, of 190 bits."""
        value = "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))
        return CreateResult("generated", {"value": value})


class SecretRevision(OwnResource):
    """A random mark that changes whenever some secret values do, and says nothing about them.

    Pods read the variables of a Secret only when they start. With the mark in its pod template, a Deployment starts new
    pods when the Secret changes. A hash of the values would help whoever can read Deployments to guess passwords.
    """

    mark: Output[str]
    """16 hexadecimal digits."""

    def __init__(self, name: str, values: Mapping[str, Any], opts: Optional[ResourceOptions] = None) -> None:
        properties = {"values": Output.secret(dict(values)), "mark": None}
        super().__init__("SecretRevision", name, properties, opts)


class SecretRevisionProvider(ResourceProvider):
    """Draws the marks of revisions."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Draw the first mark."""
        return CreateResult("revision", {**props, "mark": secrets.token_hex(8)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the values."""
        return DiffResult(changes=_olds.get("values") != _news.get("values"))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Draw a new mark."""
        return UpdateResult({**_news, "mark": secrets.token_hex(8)})
