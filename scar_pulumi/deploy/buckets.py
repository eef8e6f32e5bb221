"""The buckets that the functions of an FDL file read and write, and which functions their new objects start."""

from collections.abc import Mapping

import pulumi

from scar_components import BucketTriggers, LambdaContainerFunction, StorageBucket
from scar_components.bucket_triggers import BucketTriggersArgs, Trigger
from scar_pulumi.fdl import Fdl


def declare_buckets(fdl: Fdl) -> dict[str, StorageBucket]:
    """Declare every bucket of the deploying account that the file names; return them by name."""
    return {name: _bucket(fdl, name) for name in _bucket_names(fdl)}


def declare_triggers(
    fdl: Fdl, buckets: Mapping[str, StorageBucket], functions: Mapping[str, LambdaContainerFunction]
) -> None:
    """Declare one notification for each bucket that starts functions, because S3 has one for each bucket."""
    for name, bucket in buckets.items():
        if triggers := _triggers(fdl, name, functions):
            given: BucketTriggersArgs = {"bucket": name, "triggers": triggers, "region": _region(fdl, name)}
            BucketTriggers(f"{name}-triggers", given, pulumi.ResourceOptions(depends_on=[bucket]))


def _bucket_names(fdl: Fdl) -> list[str]:
    paths = [path for function in fdl.functions for path in (*function.input, *function.output)]
    # Buckets of other accounts (`s3.<id>`) are theirs to make.
    return sorted({path.bucket for path in paths if (path.provider, path.provider_id) == ("s3", "default")})


def _bucket(fdl: Fdl, name: str) -> StorageBucket:
    return StorageBucket(name, {"bucket": name, "region": _region(fdl, name)})


def _region(fdl: Fdl, bucket: str) -> str | None:
    """Return the region of the functions that read or write a bucket: it has to be the bucket's own."""
    for function in fdl.functions:
        if function.region and any(path.bucket == bucket for path in (*function.input, *function.output)):
            return function.region
    return None


def _triggers(fdl: Fdl, bucket: str, functions: Mapping[str, LambdaContainerFunction]) -> list[Trigger]:
    """Return the triggers of a bucket: one for each pair of prefix and suffix, as S3's rules hold one of each."""
    return [
        {
            "function_name": function.name,
            "function_arn": functions[function.name].arn,
            "prefix": path.key_prefix + start,
            "suffix": end,
        }
        for function in fdl.functions
        for path in function.input
        if path.provider == "s3" and path.bucket == bucket
        for start in path.prefix or ("",)
        for end in path.suffix or ("",)
    ]
