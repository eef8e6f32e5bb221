"""A password that nobody has to think of."""

import secrets
import string
from typing import Any, Optional

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

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
