"""The local cloud: AWS's interfaces and container functions on one machine, on loopback only.

Importing this package is cheap; the daemon's own modules are imported by the daemon alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scar_pulumi.cloud.client import LocalCloud, Status

__all__ = ["LocalCloud", "Status", "is_local_stack"]


def is_local_stack(name: str) -> bool:
    """Whether a stack of this name lives on the local cloud: `local`, or anything that starts with `local-`.

    A fully qualified name (`organization/project/local`) counts by its last part.
    """
    stack = name.rsplit("/", maxsplit=1)[-1]
    return stack == "local" or stack.startswith("local-")


def __getattr__(name: str) -> Any:
    if name in ("LocalCloud", "Status"):
        from scar_pulumi.cloud import client  # noqa: PLC0415 - keeps `import scar_pulumi.cloud` cheap

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
