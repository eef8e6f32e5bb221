"""What AWS Batch refuses of a compute environment and of a job: the rules that FDL and the components share.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html
https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scar_foundation.limits import (
    BATCH_ATTEMPTS,
    BATCH_EPHEMERAL_STORAGE,
    BATCH_FARGATE_DEFAULT_MEMORY,
    BATCH_FARGATE_MEMORY,
    BATCH_MEMORY,
    BATCH_NODES,
    BATCH_TIMEOUT,
    BATCH_VCPUS,
)

ON_INSTANCES = ("EC2", "SPOT")
SERVERLESS = ("FARGATE", "FARGATE_SPOT")
ALLOCATION_STRATEGIES = {
    # Those that let AWS change an environment in place.
    # https://docs.aws.amazon.com/batch/latest/userguide/infrastructure-updates.html
    "EC2": ("BEST_FIT_PROGRESSIVE", "BEST_FIT"),
    "SPOT": ("SPOT_PRICE_CAPACITY_OPTIMIZED", "SPOT_CAPACITY_OPTIMIZED", "BEST_FIT_PROGRESSIVE", "BEST_FIT"),
}
"""The allocation strategies of each type; the first one is the default."""
MACHINES_ONLY = (
    *("instance_types", "instance_role", "disk_size", "user_data", "image_id", "min_vcpus", "desired_vcpus"),
    *("allocation_strategy", "spot_fleet_role_arn", "bid_percentage"),
)
"""Arguments of a compute environment that only instances have."""
_GPU_ON_GRAVITON = re.compile(r"g5g\b")
_JOBS_ON_INSTANCES_ONLY = ("gpus", "shared_memory", "number_nodes")
_JOBS_ON_FARGATE_ONLY = ("ephemeral_storage", "assign_public_ip")
_JOB_RANGES = {
    "attempts": BATCH_ATTEMPTS,
    "timeout": BATCH_TIMEOUT,
    "memory": BATCH_MEMORY,
    "ephemeral_storage": BATCH_EPHEMERAL_STORAGE,
    "number_nodes": BATCH_NODES,
}


class Refusal(NamedTuple):
    """An argument that Batch refuses: what is wrong with it, and what to do."""

    key: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}; {self.hint}"


def environment_refusals(args: Mapping[str, Any]) -> Iterator[Refusal]:
    """Find what Batch refuses of a compute environment's arguments; values that are not known yet are not judged."""
    yield from _of_type(args)
    yield from _of_counts(args)
    yield from _of_machines(args)


def _of_type(args: Mapping[str, Any]) -> Iterator[Refusal]:
    kind, management = args.get("type", "EC2"), args.get("management", "MANAGED")
    if kind not in ON_INSTANCES + SERVERLESS:
        yield Refusal("type", f"{kind!r} is unknown", f"use one of {', '.join(ON_INSTANCES + SERVERLESS)}")
    elif management not in ("MANAGED", "UNMANAGED"):
        yield Refusal("management", f"{management!r} is unknown", "use MANAGED or UNMANAGED")
    elif kind in SERVERLESS:
        for key in MACHINES_ONLY:
            if args.get(key) not in (None, 0):
                yield Refusal(key, f"{kind} has no instances", "remove it, or use EC2 or SPOT, which also have GPUs")


def _of_counts(args: Mapping[str, Any]) -> Iterator[Refusal]:
    least, wanted, most = (args.get(key) for key in ("min_vcpus", "desired_vcpus", "max_vcpus"))
    if not isinstance(most, int):
        return
    lowest = least if isinstance(least, int) else 0
    if most < 1:
        yield Refusal("max_vcpus", f"{most} lets no job start", "use 1 or more")
    elif lowest > most:
        yield Refusal("min_vcpus", f"{lowest} is more than max_vcpus, {most}", "raise max_vcpus")
    elif isinstance(wanted, int) and not lowest <= wanted <= most:
        message = f"{wanted} is not between min_vcpus, {lowest}, and max_vcpus, {most}"
        yield Refusal("desired_vcpus", message, "remove it, and Batch chooses a value")


def _of_machines(args: Mapping[str, Any]) -> Iterator[Refusal]:
    kind, strategy = args.get("type", "EC2"), args.get("allocation_strategy")
    known = ALLOCATION_STRATEGIES.get(kind, ())
    if strategy and known and strategy not in known:
        message = f"{strategy!r} is not available for {kind}"
        yield Refusal("allocation_strategy", message, f"use one of {', '.join(known)}")
    if kind == "SPOT" and strategy == "BEST_FIT" and not args.get("spot_fleet_role_arn"):
        yield Refusal("allocation_strategy", "BEST_FIT needs a spot fleet role", "give spot_fleet_role_arn")
    if "instance_types" in args and not args["instance_types"]:
        yield Refusal("instance_types", "an empty list lets no job start", "name a type, such as g4dn.xlarge")
    without = [one for one in args.get("instance_types", ()) if _GPU_ON_GRAVITON.match(one)]
    if without and not args.get("image_id"):
        message = f"AWS has no machine image with GPUs for {', '.join(without)}"
        yield Refusal("instance_types", message, "use another type, or give the component image_id")


def job_refusals(job: Mapping[str, Any]) -> Iterator[Refusal]:
    """Find what Batch refuses of a job's arguments; values that are not known yet are not judged."""
    platform = job.get("platform", "EC2")
    if platform not in ("EC2", "FARGATE"):
        yield Refusal("platform", f"{platform!r} is unknown", "use EC2 or FARGATE")
        return
    yield from _of_ranges(job)
    yield from _of_nodes(job)
    yield from _of_fargate(job) if platform == "FARGATE" else _of_instances(job)


def _of_ranges(job: Mapping[str, Any]) -> Iterator[Refusal]:
    for key, allowed in _JOB_RANGES.items():
        if isinstance(job.get(key), int) and job[key] not in allowed:
            yield Refusal(key, f"{job[key]} is out of Batch's range", f"use {allowed}")


def _of_nodes(job: Mapping[str, Any]) -> Iterator[Refusal]:
    count, main = job.get("number_nodes"), job.get("main_node_index", 0)
    if count is not None and main >= count:
        yield Refusal("main_node_index", f"{main} is not one of the nodes 0 to {count - 1}", "raise number_nodes")


def _of_instances(job: Mapping[str, Any]) -> Iterator[Refusal]:
    for key in _JOBS_ON_FARGATE_ONLY:
        if job.get(key):
            yield Refusal(key, "is for FARGATE only", "remove it")
    vcpus = job.get("vcpus", BATCH_VCPUS.default)
    if isinstance(vcpus, int | float) and (vcpus < 1 or vcpus != int(vcpus)):
        yield Refusal("vcpus", f"{vcpus:g} is not possible on instances", "use a whole number, 1 or more")


def _of_fargate(job: Mapping[str, Any]) -> Iterator[Refusal]:
    for key in _JOBS_ON_INSTANCES_ONLY:
        if job.get(key):
            yield Refusal(key, "is not available on FARGATE", "use EC2")
    vcpus, memory = job.get("vcpus", BATCH_VCPUS.default), job.get("memory", BATCH_FARGATE_DEFAULT_MEMORY)
    if not isinstance(vcpus, int | float):
        return
    fitting = BATCH_FARGATE_MEMORY.get(vcpus)
    if fitting is None:
        known = ", ".join(f"{one:g}" for one in BATCH_FARGATE_MEMORY)
        yield Refusal("vcpus", f"{vcpus:g} is not available on FARGATE", f"use one of {known}")
    elif isinstance(memory, int) and memory not in fitting:
        yield Refusal("memory", f"{memory} MB does not fit {vcpus:g} vCPUs on FARGATE", _nearest(memory, fitting))


def _nearest(memory: int, fitting: tuple[int, ...]) -> str:
    """Return which sizes there are: their range, and the next one for a size between two of them."""
    larger = [one for one in fitting if one > memory]
    between = larger and memory > fitting[0]
    return f"the next is {larger[0]}" if between else f"use {fitting[0]} to {fitting[-1]}"
