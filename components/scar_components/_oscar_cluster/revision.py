"""What tells a Deployment that its Secret has changed: its variables reach only pods that start afterwards."""

import secrets
from collections.abc import Mapping
from typing import Any, Optional

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


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
