"""Which buckets a function's files are in."""

from collections.abc import Sequence

from scar_components.function_arguments import FunctionStorage


def s3_paths(entries: Sequence[FunctionStorage]) -> list[str]:
    """Return the paths that are the role's to open; buckets of others are opened with keys of theirs."""
    return [entry["path"] for entry in entries if entry["provider"] in {"s3", "s3.default"}]
