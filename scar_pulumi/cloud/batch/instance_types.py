"""What EC2's instance types have: enough to tell whether a job fits into a compute environment.

https://aws.amazon.com/ec2/instance-types/
"""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True)
class InstanceType:
    """An instance type; `memory` in MiB. What is not known of one is None."""

    vcpus: int | None = None
    memory: int | None = None
    gpus: int = 0


def instance_types(names: list[str]) -> list[InstanceType]:
    """What the instance types of a compute environment have; of `optimal` and most families nothing is known."""
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
