"""The resources of our own types, as Python programs declare them."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi


class OwnResource(pulumi.CustomResource):
    """A resource that the plugin `pulumi-resource-scar` creates, reads, updates and deletes.

    Stacks that were made while these resources were dynamic ones keep them: the aliases name their former types.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        properties: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        former: str = "",
    ) -> None:
        """Declare the resource `scar:index:<kind>`; properties that only the provider knows are given as None.

        `former` is the type that it had in states made before; default: that of a dynamic resource.
        """
        alias = pulumi.Alias(type_=former or FORMER_TYPES + kind)
        ours = pulumi.ResourceOptions(version=version("scar-pulumi"), aliases=[alias])
        super().__init__(f"scar:index:{kind}", name, dict(properties), pulumi.ResourceOptions.merge(ours, opts))


FORMER_TYPES = "pulumi-python:dynamic/scar:"
"""What the types of these resources began with while they were dynamic ones."""
