"""Whole runs of MapReduce, from a file that is put to `_SUCCESS`: how long they take, and what kills do to them.

Everything is deployed as a user would; `SCAR_BENCH_MEGABYTES` is the size of the larger word count (256), and
`SCAR_BENCH_KILLS` how often the local cloud is killed at random moments (30).
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bench.mapreduce import words
from bench.world import World, print_table

_MEGABYTE = 1_000_000
_COUNT = "{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print w %s n[w] }"
_MAP = f"#!/bin/sh\nexec /bin/busybox awk '{_COUNT}' \"$INPUT_FILE_PATH\"\n"
_REDUCE = """#!/bin/sh
exec /bin/busybox awk -F '\\t' '{ n[$1] += $2 } END { for (w in n) print w "\\t" n[w] }'
"""
_NAP = "/bin/busybox sleep 1\n"
_ENGINES = ("lambda", "batch")
_PARTS = 2
_LONGEST = 900
"""Seconds until a run is given up."""


def run(world: World) -> None:
    """Measure runs on both engines, then runs whose cloud is killed."""
    _deploy(world)
    sizes = sorted({64, int(os.environ.get("SCAR_BENCH_MEGABYTES", "256"))})
    rows = [row for size in sizes for row in _compared(world, size)]
    columns = ("MB", "what", "seconds", "awk = 1", "map tasks", "records")
    print_table("Word counts from the put of the file to _SUCCESS", columns, rows)
    kills = int(os.environ.get("SCAR_BENCH_KILLS", "30"))
    found = [_killed(world, engine, kills // len(_ENGINES)) for engine in _ENGINES]
    print_table("Runs while the local cloud is killed", ("engine", "runs", "kills", "wrong", "resumed"), found)


def _deploy(world: World) -> None:
    for name, text in {"map": _MAP % '"\\t"', "reduce": _REDUCE}.items():
        (world.folder / f"{name}.sh").write_text(text)
    (world.folder / "slow.sh").write_text((_MAP % '"\\t"').replace("exec", f"{_NAP}exec", 1))
    entries: list[dict[str, Any]] = []
    for engine in _ENGINES:
        batch = {"batch": {"memory": 1024, "compute_resources": {"max_v_cpus": os.cpu_count()}}}
        for kind, mapper, split in (("count", "map.sh", 16), ("slow", "slow.sh", 1)):
            section = _section(world, f"{kind}-{engine}", mapper, split) | {"engine": engine}
            entries.append({"mapreduce": section, **(batch if engine == "batch" else {})})
    path = world.folder / "mapreduce.yaml"
    path.write_text(yaml.safe_dump({"functions": {"aws": entries}}))
    world.scar("up", str(path), "--yes")


def _section(world: World, name: str, mapper: str, split: int) -> dict[str, Any]:
    return {
        "name": name,
        "input": [{"path": f"bench-{name}/in"}],
        "output": [{"path": f"bench-{name}/out"}],
        "container": {"image_file": str(world.image)},
        "mapper": mapper,
        "reducer": {"init_script": "reduce.sh", "count": _PARTS},
        "split": split,
    }


def _compared(world: World, megabytes: int) -> Iterator[tuple[object, ...]]:
    path = world.folder / f"words-{megabytes}"
    _write(path, megabytes * _MEGABYTE)
    started = time.perf_counter()
    subprocess.run(["busybox", "awk", _COUNT % '"\\t"', str(path)], check=True, stdout=subprocess.DEVNULL)
    alone = time.perf_counter() - started
    yield megabytes, "awk, one process", f"{alone:.1f}", "1.00", "-", "-"
    for engine in _ENGINES:
        found = world.scar("invoke", f"count-{engine}", "--file", str(path))["run"]
        seconds = (found["stoppedAt"] - found["createdAt"]) / 1000
        tasks, records = found["tasks"]["map"]["total"], f"{found['records']:,}"
        yield megabytes, f"MapReduce, {engine}", f"{seconds:.1f}", f"{seconds / alone:.2f}", tasks, records


def _write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for block in words(size):
            file.write(block)


def _killed(world: World, engine: str, kills: int) -> tuple[object, ...]:
    """Run until the cloud was killed so often, and count the runs whose result is wrong."""
    chance, done, runs, wrong, resumed = random.Random(engine), 0, 0, 0, 0  # noqa: S311 - the same each time
    while done < kills:
        path = world.folder / f"kills-{runs}"
        _write(path, 12 * _MEGABYTE + runs)
        identifier = world.scar("invoke", f"slow-{engine}", "--file", str(path), "--async")["run"]["id"]
        while done < kills and _job(world, identifier)["status"] == "RUNNING":
            time.sleep(chance.random() * 2)
            os.kill(world.scar("local", "status")["pid"], signal.SIGKILL)
            world.scar("local", "start")
            done += 1
        ended = _ended(world, identifier)
        runs, resumed = runs + 1, resumed + ended["resumed"]
        wrong += ended["status"] != "SUCCEEDED" or _counted(world, engine, path) != _expected(path)
    return engine, runs, done, wrong, resumed


def _job(world: World, identifier: str) -> Any:
    return world.scar("jobs", "show", identifier)["job"]


def _ended(world: World, identifier: str) -> Any:
    until = time.monotonic() + _LONGEST
    while (found := _job(world, identifier))["status"] == "RUNNING" and time.monotonic() < until:
        time.sleep(1)
    return found


def _counted(world: World, engine: str, path: Path) -> dict[bytes, int]:
    s3, bucket, prefix = world.client("s3"), f"bench-slow-{engine}", f"out/{path.name}"
    parts = [s3.get_object(Bucket=bucket, Key=f"{prefix}/part-{part:05d}")["Body"].read() for part in range(_PARTS)]
    pairs = [line.split(b"\t") for part in parts for line in part.splitlines()]
    return {word: int(count) for word, count in pairs}


def _expected(path: Path) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for word in path.read_bytes().split():
        found[word] = found.get(word, 0) + 1
    return found
