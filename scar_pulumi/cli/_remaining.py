"""The buckets that a destroyed stack has left."""

from collections.abc import Mapping, Sequence
from typing import Any

from scar_pulumi.cli._console import Console
from scar_pulumi.cli._target import open_clients, stack_hint


def remaining_buckets(outputs: Mapping[str, Any], stack: str, console: Console) -> list[dict[str, Any]]:
    """Return which of a stack's buckets are still there, and the command that removes each."""
    buckets = outputs.get("buckets") or []
    if not buckets:
        return []
    s3 = open_clients(stack, console).client("s3")
    return [
        {**bucket, "command": f"scar-pulumi rm {bucket['name']} --recursive{stack_hint(stack)}"}
        for bucket in buckets
        if _exists(s3, bucket["name"])
    ]


def show_remaining(remaining: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Say which buckets remain and how to remove them."""
    for bucket in remaining:
        origin = "" if bucket.get("managed") else " (which this stack did not make)"
        console.say(f"bucket {bucket['name']}{origin} remains with its files; `{bucket['command']}` removes it")


def _exists(s3: Any, bucket: str) -> bool:
    import botocore.exceptions  # noqa: PLC0415 - only after a destroy

    try:
        s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        return bool(error.response["Error"]["Code"] != "404")
    except botocore.exceptions.BotoCoreError:
        return True  # nobody knows; better said once too often
    return True
