"""Secret values that the stack makes: passwords, and marks that change when a secret does."""

import secrets
import string
from collections.abc import Mapping
from typing import Any, Optional

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 32


class GeneratedPasswordProvider(ResourceProvider):
    """Makes a password once and keeps it in the state, encrypted."""

    # There is nothing in it, secret or not; a secret would hide every diff of the resource.
    serialize_as_secret_always = False

    def create(self, _props: dict[str, Any]) -> CreateResult:
        """Return a new password: 32 letters and digits, 190 bits."""
        value = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        return CreateResult("generated", {"value": value})


class GeneratedPassword(Resource, module="scar", name="GeneratedPassword"):
    """A password that is made once and stays until the resource is replaced (`pulumi up --replace URN`)."""

    value: Output[str]
    """The password; a secret."""

    def __init__(self, name: str, opts: Optional[ResourceOptions] = None) -> None:
        hidden = ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(GeneratedPasswordProvider(), name, {"value": None}, ResourceOptions.merge(hidden, opts))


class SecretRevisionProvider(ResourceProvider):
    """Draws a new mark whenever the values change.

    A hash of them would be as good a mark, and a way to guess passwords for whoever may look at Deployments.
    """

    # There is nothing in it, secret or not; a secret would hide every diff of the resource.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Draw the first mark."""
        return CreateResult("revision", {**props, "mark": secrets.token_hex(8)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the values."""
        return DiffResult(changes=_olds.get("values") != _news.get("values"))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Draw another mark."""
        return UpdateResult({**_news, "mark": secrets.token_hex(8)})


class SecretRevision(Resource, module="scar", name="SecretRevision"):
    """A mark that changes with secret values and says nothing about them."""

    mark: Output[str]

    def __init__(self, name: str, values: Mapping[str, Any], opts: Optional[ResourceOptions] = None) -> None:
        properties = {"values": Output.secret(dict(values)), "mark": None}
        super().__init__(SecretRevisionProvider(), name, properties, opts)
