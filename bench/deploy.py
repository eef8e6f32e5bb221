"""Deploying 1, 10 and 50 functions: seconds of the engine and calls of the cloud, first, unchanged and destroyed."""

import math
import time
from typing import Any

from bench.world import World, print_table

SIZES = (1, 10, 50)


def run(world: World) -> None:
    """Deploy each size on a fresh stack and print what each operation costs, and how it grows."""
    world.scar("local", "start")
    rows, seconds = [], {}
    for size in SIZES:
        fdl = world.fdl(f"n{size}", [f"n{size}-f{number}" for number in range(size)])
        for operation in ("up", "up again", "destroy"):
            answer, elapsed, calls = _measured(world, operation, fdl)
            seconds[operation, size] = elapsed
            engine = sum(answer["seconds"].values())
            changes = {key: count for key, count in answer["changes"].items() if count and key != "same"}
            rows.append((size, operation, f"{elapsed:.1f}", f"{engine:.1f}", calls, calls // size, _text(changes)))
    print_table(
        "deploying functions",
        ("functions", "operation", "seconds", "in the engine", "cloud calls", "per function", "changes"),
        rows,
    )
    low, high = SIZES[1], SIZES[-1]
    for operation in ("up", "up again", "destroy"):
        ratio = seconds[operation, high] / seconds[operation, low]
        exponent = math.log(ratio) / math.log(high / low)
        print(
            f"  {operation}: {high} functions take {ratio:.1f} times as long as {low} (growth exponent {exponent:.2f})"
        )


def _measured(world: World, operation: str, fdl: str) -> tuple[Any, float, int]:
    before = sum(world.requests().values())
    started = time.perf_counter()
    answer = world.scar(operation.split(maxsplit=1)[0], fdl, "--yes")
    elapsed = time.perf_counter() - started
    return answer, elapsed, sum(world.requests().values()) - before


def _text(changes: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in changes.items()) or "none"
