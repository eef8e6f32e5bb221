"""The buckets that a destroyed stack has left."""

from collections.abc import Mapping, Sequence
from typing import Any

from scar_pulumi.cli._clusters import local_storage
from scar_pulumi.cli._target import is_local, open_clients, stack_hint
from scar_pulumi.cli.console import Console
from scar_pulumi.client.outputs import read_clusters


def remaining_buckets(outputs: Mapping[str, Any], stack: str, console: Console) -> list[dict[str, Any]]:
    """Return which of a stack's buckets are still there, and the command that removes each."""
    buckets = outputs.get("buckets") or []
    clients = open_clients(stack, console) if buckets or outputs.get("oscar") else None
    s3 = clients.client("s3") if clients and buckets else None
    found = [bucket for bucket in buckets if _exists(s3, bucket["name"])]
    if clients and is_local(stack) and (kept := _of_clusters(outputs)):
        minio = clients.storage(local_storage())
        found += [{"name": f"minio.default/{name}", "managed": True} for name in kept if _exists(minio, name)]
    command = f"scar-pulumi rm {{}} --recursive{stack_hint(stack)}"
    return [{**bucket, "command": command.format(bucket["name"])} for bucket in found]


def _of_clusters(outputs: Mapping[str, Any]) -> list[str]:
    """Return the buckets of the storage of clusters; what is left in others than the local ones cannot be looked at."""
    services = [
        service for cluster in read_clusters(outputs.get("oscar")).values() for service in cluster.services.values()
    ]
    paths = [path for service in services for path in (*service.inputs, *service.outputs)]
    return sorted({path.path.partition("/")[0] for path in paths if path.provider.startswith("minio.")})


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
