"""Room for jobs: vCPUs, memory and GPUs of compute environments, and of this machine, which stands in for them."""

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.runner import Limits

_SIZE = re.compile(r"(?P<factor>\d*)xlarge")
_SMALL = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2}
_TINY_MEMORY = {"nano": 512, "micro": 1024, "small": 2048, "medium": 4096, "large": 8192}
_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8, "x": 16, "t": 4, "g": 4, "p": 8, "i": 8, "d": 8, "h": 4, "a": 2, "z": 8}

_GPUS = {
    "g3": {"xlarge": 1, "4xlarge": 1, "8xlarge": 2, "16xlarge": 4},
    "g3s": {"xlarge": 1},
    "g4ad": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 2, "16xlarge": 4},
    "g4dn": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1, "metal": 8},
    "g5": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1, "24xlarge": 4,
           "48xlarge": 8},
    "g5g": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 2, "metal": 2},
    "g6": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1, "24xlarge": 4,
           "48xlarge": 8},
    "g6e": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1, "24xlarge": 4,
            "48xlarge": 8},
    "p2": {"xlarge": 1, "8xlarge": 8, "16xlarge": 16},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
}  # fmt: skip
Needs = list[dict[str, float]]


@dataclass(frozen=True)
class InstanceType:
    """An instance type; `memory` is in MiB. What is unknown is None."""

    vcpus: int | None = None
    memory: int | None = None
    gpus: int = 0


def instance_types(names: list[str]) -> list[InstanceType]:
    """Return the instance types of a compute environment; nothing is known about `optimal` and most families."""
    return [found for name in names for found in _types(name)]


def _types(name: str) -> list[InstanceType]:
    family, dot, size = name.partition(".")
    if dot:
        return [_type(family, size)]
    if sizes := _GPUS.get(family):
        return [_type(family, size) for size in sizes]
    return [InstanceType()]


def _type(family: str, size: str) -> InstanceType:
    gpus = _GPUS.get(family, {}).get(size, 0)
    match = _SIZE.fullmatch(size)
    vcpus = 4 * int(match["factor"] or 1) if match else _SMALL.get(size)
    if vcpus is None:
        return InstanceType(gpus=gpus)
    if family.startswith("t"):
        return InstanceType(vcpus, _TINY_MEMORY.get(size, vcpus * 4096), gpus)
    return InstanceType(vcpus, vcpus * _GIB_PER_VCPU.get(family[:1], 16) * 1024, gpus)


@dataclass(frozen=True)
class Allocation:
    """What a job holds while it runs; `devices` are the numbers of this machine's own GPUs, if it has any."""

    environment: str
    vcpus: float
    memory: float
    gpus: int
    devices: tuple[int, ...] = ()


class Machine:
    """This machine: how many jobs it runs at once, the memory for all of them in MiB, and its GPUs."""

    def __init__(self, jobs: int | None = None, memory: int | None = None) -> None:
        text = os.environ.get("SCAR_LOCAL_JOBS", "")
        self.jobs = jobs or (int(text) if text.isdecimal() else max(8, 4 * (os.cpu_count() or 1)))
        self.memory = memory or Limits().container_memory
        self.gpus = tuple(sorted(int(path.name[6:]) for path in Path("/dev").glob("nvidia[0-9]*")))


class Capacity:
    """Counts what runs where. A job that is too large for this machine runs alone."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._held: dict[str, Allocation] = {}

    def used(self, environment: str) -> float:
        """Return how many vCPUs of a compute environment are in use."""
        return sum(held.vcpus for held in self._held.values() if held.environment == environment)

    @property
    def is_full(self) -> bool:
        """Whether this machine takes no other job now."""
        return len(self._held) >= self._machine.jobs

    def admits(self, memory: float) -> bool:
        """Return whether this machine has room for a job with so much memory beside the others."""
        used = sum(held.memory for held in self._held.values())
        return not self._held or (not self.is_full and used + memory <= self._machine.memory)

    def fits(self, environment: Mapping[str, Any], needs: Needs) -> bool:
        """Return whether a compute environment has room now for a job that `could_fit`."""
        arn, total = environment["computeEnvironmentArn"], _total(needs)
        if self.used(arn) + total["vcpus"] > _most_vcpus(environment):
            return False
        gpus = sum(held.gpus for held in self._held.values() if held.environment == arn)
        return gpus + total["gpus"] <= max(most_gpus(environment), total["gpus"])

    def take(self, job: str, environment: str, needs: Needs) -> Allocation:
        """Reserve what a job needs."""
        total = _total(needs)
        busy = {device for held in self._held.values() for device in held.devices}
        free = [number for number in self._machine.gpus if number not in busy]
        gpus = int(total["gpus"])
        taken = Allocation(environment, total["vcpus"], total["memory"], gpus, tuple(free[:gpus]))
        self._held[job] = taken
        return taken

    def give_back(self, job: str) -> None:
        """Release what a job held."""
        self._held.pop(job, None)


def could_fit(environment: Mapping[str, Any], needs: Needs) -> bool:
    """Return whether a compute environment could run a job if it had no others."""
    if _total(needs)["vcpus"] > _most_vcpus(environment):
        return False
    types = _instance_types(environment)
    if not types and _total(needs)["gpus"]:
        return False
    return not types or all(any(_holds(kind, need) for kind in types) for need in needs)


def most_gpus(environment: Mapping[str, Any]) -> int:
    """Return the most GPUs that a compute environment can have with its vCPUs."""
    most = _most_vcpus(environment)
    return max((math.ceil(most / (kind.vcpus or most)) * kind.gpus for kind in _instance_types(environment)), default=0)


def _instance_types(environment: Mapping[str, Any]) -> list[InstanceType]:
    return instance_types((environment.get("computeResources") or {}).get("instanceTypes") or [])


def _most_vcpus(environment: Mapping[str, Any]) -> float:
    return float((environment.get("computeResources") or {}).get("maxvCpus", math.inf))


def _holds(kind: InstanceType, need: Mapping[str, float]) -> bool:
    return (
        need["gpus"] <= kind.gpus
        and (kind.vcpus is None or need["vcpus"] <= kind.vcpus)
        and (kind.memory is None or need["memory"] <= kind.memory)
    )


def _total(needs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    listed = list(needs)
    return {key: sum(need[key] for need in listed) for key in ("vcpus", "memory", "gpus")}
