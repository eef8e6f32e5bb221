"""What a run costs on AWS, about: list prices of one region, without free tiers and discounts."""

from dataclasses import dataclass
from typing import Any, Protocol

from scar_foundation.limits import GIB, MIB
from scar_pulumi.client.outputs import DeployedMapReduce

REGION = "us-east-1"
# https://aws.amazon.com/lambda/pricing/
_GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
_INVOCATION = 0.20 / 1e6
# https://aws.amazon.com/step-functions/pricing/
_TRANSITION = 0.025 / 1000
# https://aws.amazon.com/s3/pricing/
_PUT, _GET = 0.005 / 1000, 0.0004 / 1000

_TRANSITIONS_OF_TASK = 3
_TRANSITIONS_OF_RUN = 8
_WRITES_OF_TASK = 2
_READS_OF_TASK = 2


class _Tasks(Protocol):
    @property
    def done(self) -> int: ...


class _Totals(Protocol):
    @property
    def bytes(self) -> int: ...
    @property
    def map_seconds(self) -> float: ...
    @property
    def reduce_seconds(self) -> float: ...


@dataclass(frozen=True)
class Cost:
    """US dollars, so far and for each GiB of input; None where less than 1 MiB was read, which says little."""

    total: float
    per_gib: float | None

    def document(self) -> dict[str, Any]:
        """Return the cost as a JSON document."""
        each = None if self.per_gib is None else round(self.per_gib, 6)
        return {"currency": "USD", "region": REGION, "total": round(self.total, 6), "perGiB": each}


def cost_of_run(mapreduce: DeployedMapReduce, mapped: _Tasks, reduced: _Tasks, totals: _Totals) -> Cost | None:
    """Return what a run in Lambda costs so far; None in AWS Batch, where instances are paid, not tasks."""
    if mapreduce.engine != "lambda":
        return None
    tasks = mapped.done + reduced.done
    seconds = {"map": totals.map_seconds, "reduce": totals.reduce_seconds}
    gib_seconds = sum(mapreduce.memory.get(stage, 0) / 1024 * spent for stage, spent in seconds.items())
    total = (
        gib_seconds * _GB_SECOND.get(mapreduce.architecture, _GB_SECOND["x86_64"])
        + tasks * _INVOCATION
        + (tasks * _TRANSITIONS_OF_TASK + _TRANSITIONS_OF_RUN) * _TRANSITION
        + tasks * _WRITES_OF_TASK * _PUT
        # Each reduce task reads its part of what each map task has stored.
        + (tasks * _READS_OF_TASK + mapped.done * reduced.done) * _GET
    )
    return Cost(total, total / (totals.bytes / GIB) if totals.bytes >= MIB else None)
