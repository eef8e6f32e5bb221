"""Room for jobs: vCPUs, memory and GPUs of compute environments, and of the machine that stands in for them all."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.batch.instance_types import InstanceType, instance_types
from scar_pulumi.cloud.runner import Limits

Needs = list[dict[str, float]]


@dataclass(frozen=True)
class Allocation:
    """What a job that starts was given; `devices` are numbers of this machine's own GPUs, where it has any."""

    environment: str
    vcpus: float
    memory: float
    gpus: int
    devices: tuple[int, ...] = ()


class Machine:
    """This machine: so many jobs at once, so much memory (MiB) for them together, and its GPUs."""

    def __init__(self, jobs: int | None = None, memory: int | None = None) -> None:
        text = os.environ.get("SCAR_LOCAL_JOBS", "")
        self.jobs = jobs or (int(text) if text.isdecimal() else max(8, 4 * (os.cpu_count() or 1)))
        self.memory = memory or Limits().container_memory
        self.gpus = tuple(sorted(int(path.name[6:]) for path in Path("/dev").glob("nvidia[0-9]*")))


class Capacity:
    """Counts what runs where. A job for which the machine is too small runs alone."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._held: dict[str, Allocation] = {}

    def used(self, environment: str) -> float:
        """The vCPUs in use in a compute environment."""
        return sum(held.vcpus for held in self._held.values() if held.environment == environment)

    @property
    def is_full(self) -> bool:
        """Whether the machine takes no other job now."""
        return len(self._held) >= self._machine.jobs

    def admits(self, memory: float) -> bool:
        """Whether a job that needs so much memory can run beside the others on this machine."""
        used = sum(held.memory for held in self._held.values())
        return not self._held or (not self.is_full and used + memory <= self._machine.memory)

    def fits(self, environment: Mapping[str, Any], needs: Needs) -> bool:
        """Whether a compute environment has room now; `could_fit` has to be true."""
        arn, total = environment["computeEnvironmentArn"], _total(needs)
        if self.used(arn) + total["vcpus"] > _most_vcpus(environment):
            return False
        gpus = sum(held.gpus for held in self._held.values() if held.environment == arn)
        return gpus + total["gpus"] <= max(most_gpus(environment), total["gpus"])

    def take(self, job: str, environment: str, needs: Needs) -> Allocation:
        """Gives a job what it needs."""
        total = _total(needs)
        busy = {device for held in self._held.values() for device in held.devices}
        free = [number for number in self._machine.gpus if number not in busy]
        gpus = int(total["gpus"])
        taken = Allocation(environment, total["vcpus"], total["memory"], gpus, tuple(free[:gpus]))
        self._held[job] = taken
        return taken

    def give_back(self, job: str) -> None:
        """Takes back what a job had."""
        self._held.pop(job, None)


def could_fit(environment: Mapping[str, Any], needs: Needs) -> bool:
    """Whether a compute environment without other jobs could run one."""
    if _total(needs)["vcpus"] > _most_vcpus(environment):
        return False
    types = _types(environment)
    if not types and _total(needs)["gpus"]:
        return False
    return not types or all(any(_holds(kind, need) for kind in types) for need in needs)


def most_gpus(environment: Mapping[str, Any]) -> int:
    """How many GPUs a compute environment can have, all its vCPUs in the instance type that has most of them."""
    most = _most_vcpus(environment)
    return max((math.ceil(most / (kind.vcpus or most)) * kind.gpus for kind in _types(environment)), default=0)


def _types(environment: Mapping[str, Any]) -> list[InstanceType]:
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
