"""What stacks make in AWS, or take over because it is there already: whose it is, and what is said of it.

AWS makes some resources by itself (Lambda the log group of a function that has none), and another tool, or an earlier
stack, may have left them. They are adopted: used as they are, never tagged, and kept when the stack is destroyed.
"""

from collections.abc import Mapping
from typing import Any

from scar_foundation.plugin.provider import tell

OWNER_TAG = "scar-pulumi:stack"
"""Tag of what a stack has created; its value is `organization/project/stack`."""


def wanted_tags(props: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a resource that its stack has created."""
    return {**(props.get("tags") or {}), OWNER_TAG: props["owner"]}


def is_ours(tags: Mapping[str, str], props: Mapping[str, Any]) -> bool:
    """Whether an existing resource was created by this stack, in an `up` that was interrupted or before a `destroy`."""
    return tags.get(OWNER_TAG) == str(props["owner"])


def say_adopted(what: str, more: str = "") -> None:
    """Say in the output of `up` or a preview that something exists and is used as it is."""
    tell(f"{what} exists already: it is adopted, and stays when the stack is destroyed{more}")
