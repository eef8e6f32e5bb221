"""One event on a no-op script: from the start of the S3 put until its output object is visible."""

import statistics
import time
from typing import Any

import botocore.exceptions

from bench.world import World, print_table

COLD = 8
WARM = 30
BUCKET = "bench-latency"
OUTPUT = "noop/out/done"


def run(world: World) -> None:
    """Measure cold and warm events, and a plain put and get on the same cloud to set them against."""
    fdl = world.fdl("latency", ["noop"])
    world.scar("up", fdl, "--yes")
    s3, functions = world.client("s3"), world.client("lambda")
    _event(s3)
    cold = []
    for number in range(COLD):
        # A changed configuration needs a new container, as on AWS.
        functions.update_function_configuration(FunctionName="noop", Description=f"cold {number}")
        cold.append(_event(s3))
    warm = [_event(s3) for _ in range(WARM)]
    plain = [_plain(s3) for _ in range(WARM)]
    base = statistics.median(plain)
    rows = [(name, len(values), *_figures(values, base)) for name, values in (("cold", cold), ("warm", warm))]
    print_table(
        "S3 put → output visible (a plain put and get is 1)",
        ("event", "runs", "p50 ms", "p95 ms", "times a plain put and get"),
        [*rows, ("plain", WARM, *_figures(plain, base))],
    )


def _figures(values: list[float], base: float) -> tuple[str, str, str]:
    p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
    return f"{p50 * 1000:.0f}", f"{p95 * 1000:.0f}", f"{p50 / base:.1f}"


def _event(s3: Any) -> float:
    s3.delete_object(Bucket=BUCKET, Key=OUTPUT)
    started = time.perf_counter()
    s3.put_object(Bucket=BUCKET, Key="noop/in/file", Body=b"x")
    while not _visible(s3):
        time.sleep(0.002)
    return time.perf_counter() - started


def _visible(s3: Any) -> bool:
    try:
        s3.head_object(Bucket=BUCKET, Key=OUTPUT)
    except botocore.exceptions.ClientError:
        return False
    return True


def _plain(s3: Any) -> float:
    started = time.perf_counter()
    s3.put_object(Bucket=BUCKET, Key="elsewhere/file", Body=b"x")
    s3.get_object(Bucket=BUCKET, Key="elsewhere/file")["Body"].read()
    return time.perf_counter() - started
