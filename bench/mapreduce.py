"""MapReduce in pieces: readers of records, what the supervisor adds to mappers, growth, and word counts elsewhere.

Each stage runs in a container of its own, over the local cloud's S3, as on Lambda. `SCAR_BENCH_MEGABYTES` is the size
of the word count (256); Lithops is installed into a folder of the benchmark, and left out where that cannot be had.
"""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.world import World, print_table
from tests.supervisor.container import Container, Deployment
from tests.world import root_filesystems

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "supervisor_image"))
from supervisor.mapreduce.quotes import Dialect, crossings, starts
from supervisor.mapreduce.records import Range, RecordReader, Rules

_BUNDLE = Path(__file__).resolve().parents[1] / "supervisor_image" / "bundle.py"
_BUCKET = "bench-mapreduce"
_MEGABYTE = 1_000_000
_TASK = 64 * _MEGABYTE
_CORES = os.cpu_count() or 1
_LITHOPS = "lithops==3.8.0"
_TICKS = os.sysconf("SC_CLK_TCK")

_PYTHON = (
    "#!/usr/bin/env python3\nimport os\nfrom collections import Counter\nlines = open(os.environ['INPUT_FILE_PATH'])\n"
)
_AWK = "#!/bin/sh\nexec awk '{ for (i = 1; i <= NF; i++) %s' \"$INPUT_FILE_PATH\"\n"
MAPPERS = {
    "python, one pair a distinct word": f"{_PYTHON}counts = Counter(word for line in lines for word in line.split())\n"
    "for word, count in counts.items():\n    print(word, count, sep='\\t')\n",
    "python, one pair a word": f"{_PYTHON}for line in lines:\n"
    "    for word in line.split():\n        print(word, 1, sep='\\t')\n",
    "python, one distinct pair a line": f"{_PYTHON}for number, line in enumerate(lines):\n"
    "    fields = line.split()\n    print(fields[0], number * 0.37, sep='\\t')\n",
    "awk, one pair a distinct word": _AWK % 'n[$i]++ } END { for (word in n) print word "\\t" n[word] }',
    "awk, one pair a word": _AWK % 'print $i "\\t1" }',
}
SUMS = '#!/usr/bin/awk -f\nBEGIN { FS = OFS = "\\t" }\n{ n[$1] += $2 }\nEND { for (word in n) print word, n[word] }\n'


def run(world: World) -> None:
    """Measure each piece, and print tables."""
    _readers()
    with tempfile.TemporaryDirectory(prefix="bench-mapreduce-") as folder:
        stages = _Stages(Path(folder), world)
        _overhead(stages)
        _growth(stages)
        _word_counts(stages, int(os.environ.get("SCAR_BENCH_MEGABYTES", "256")) * _MEGABYTE)


def words(size: int) -> Iterator[bytes]:
    """Yield text of that size, the same each time: lines of twelve words, a few of them frequent."""
    chance = random.Random(1)  # noqa: S311 not a secret
    known = [f"{chance.getrandbits(20 + number % 20):x}"[: 3 + number % 9] for number in range(20_000)]
    chosen = chance.choices(known, [1 / (place + 1) for place in range(len(known))], k=240_000)
    lines = (" ".join(chosen[begin : begin + 12]) for begin in range(0, len(chosen), 12))
    block = "".join(f"{line}\n" for line in lines).encode()
    for begin in range(0, size, len(block)):
        yield block[: size - begin]


def _readers() -> None:
    data = b"".join(words(32 * _MEGABYTE))
    quoted = b"".join(b'"' + line + b'\n",x\n' for line in data.split(b"\n")[:300_000])
    shapes = [
        ("lines", data, Dialect()),
        ("csv, each record with quotes and a newline in them", quoted, Dialect(b'"')),
        ("the same with an escape character", quoted, Dialect(b'"', b"\\")),
    ]
    rows = []
    for name, content, dialect in shapes:
        seconds, records = _read(content, dialect)
        rows.append((name, f"{len(content) / seconds / 1e6:.0f}", f"{records / seconds / 1e6:.1f}"))
    print_table("Readers of records, one core, from memory, with the scan", ("what", "MB/s", "million records/s"), rows)


def _read(content: bytes, dialect: Dialect) -> tuple[float, int]:
    def read(start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, 1 << 20):
            yield content[at : min(end, at + (1 << 20))]

    started, size, records = time.process_time(), 8 << 20, 0
    places = [(at, min(at + size, len(content))) for at in range(0, len(content), size)]
    begins: list[Any] = [None] * len(places)
    if dialect.quote:
        begins = starts([crossings(read(*place), dialect) for place in places])[0]
    for (start, end), begin in zip(places, begins, strict=True):
        reader = RecordReader(read, Range(start, end, len(content), begin), Rules(dialect))
        for _ in reader.blocks():
            pass
        records += reader.records
    return time.process_time() - started, records


class Used(NamedTuple):
    """What a call took: seconds on the clock, of processor by the supervisor and by its programs, and megabytes."""

    wall: float
    own: float
    programs: float
    memory: float


class _Stages:
    """Starts stages in containers that have this machine's programs."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.s3 = world.client("s3")
        self.s3.create_bucket(Bucket=_BUCKET)
        done = subprocess.run(
            [sys.executable, _BUNDLE, "--output", folder / "layer.tar.gz"], capture_output=True, text=True, check=True
        )
        self._layer = folder / "layer"
        with tarfile.open(folder / "layer.tar.gz") as archive:
            archive.extractall(self._layer, filter="tar")
        self._layer.chmod(0o755)
        self._entrypoint = json.loads(done.stdout)["entrypoint"]
        self._root = _root_filesystem(folder / "root")
        self._number = 0

    def put(self, key: str, size: int) -> Path:
        """Store a text of that size, and return a file with the same."""
        path = self.folder / key.replace("/", "-")
        with path.open("wb") as file:
            file.writelines(words(size))
        self.s3.upload_file(str(path), _BUCKET, key)
        return path

    def start(self, stage: str, script: str | None = None, **section: Any) -> Container:
        """Start the function of a stage."""
        self._number += 1
        folder = self.folder / f"container-{self._number}"
        folder.mkdir(mode=0o755)
        configuration = {
            "log_level": "ERROR",
            "inputs": [{"storage_provider": "s3", "path": f"{_BUCKET}/in"}],
            "outputs": [{"storage_provider": "s3", "path": f"{_BUCKET}/out"}],
            "mapreduce": {"work": f"{_BUCKET}/work", "stage": stage, **section},
        }
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_ENDPOINT_URL": self.s3.meta.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        layers = (self._root, self._layer)
        deployment = Deployment(layers, self._entrypoint, configuration, None, script, environment)
        return Container(deployment, folder)

    def run_of(self, key: str) -> dict[str, Any]:
        """Return a new run over an object."""
        head = self.s3.head_object(Bucket=_BUCKET, Key=key)
        known = {"bucket": _BUCKET, "key": key, "version": None, "etag": head["ETag"], "size": head["ContentLength"]}
        return {"run": os.urandom(16).hex(), **known}

    def plan(self, run: dict[str, Any], **section: Any) -> dict[str, Any]:
        """Plan a run."""
        return self.once("plan", {"mapreduce": "plan", "run": run}, **section)

    def once(self, stage: str, event: dict[str, Any], **section: Any) -> dict[str, Any]:
        """Start a function for one event."""
        container = self.start(stage, **section)
        try:
            return _answer(container, event)
        finally:
            container.close()


def _root_filesystem(folder: Path) -> Path:
    """Make a root with this machine's shell, awk and Python."""
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    root_filesystems.glibc(folder, ("awk", "env", "sh"))
    for file in (python, *root_filesystems.linked(python)):
        (folder / str(file)[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / str(file)[1:])
    library = Path(sys.base_prefix) / "lib" / python.name
    unneeded = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__", "*.a")
    shutil.copytree(library, folder / str(library)[1:], ignore=unneeded)
    (folder / "usr/bin/python3").symlink_to(python)
    root_filesystems.open_to_all(folder)
    return folder


def _answer(container: Container, event: dict[str, Any]) -> dict[str, Any]:
    assert container.api.polled.wait(60), container.log
    outcome = container.finish(container.start(event, 3600), 3600)
    assert not outcome.failed, outcome
    return dict(outcome.document)


def _used(container: Container, event: dict[str, Any]) -> Used:
    assert container.api.polled.wait(60)
    process = Path(f"/proc/{container.supervisor_pid}")
    before, started = _times(process), time.perf_counter()
    _answer(container, event)
    wall, after = time.perf_counter() - started, _times(process)
    status = (process / "status").read_text()
    return Used(wall, after[0] - before[0], after[1] - before[1], int(status.split("VmHWM:")[1].split()[0]) / 1024)


def _times(process: Path) -> tuple[float, float]:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    own, children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return own / _TICKS, children / _TICKS


def _map_task(stages: _Stages, key: str, mapper: str) -> Used:
    section = {"reducers": 8, "split": {"size": 10**12}}
    run = stages.run_of(key)
    stages.plan(run, **section)
    container = stages.start("map", mapper, **section)
    try:
        return _used(container, {"mapreduce": "map", "run": run["run"], "task": 0})
    finally:
        container.close()


def _overhead(stages: _Stages) -> None:
    stages.put("in/task", _TASK)
    rows = []
    for name, mapper in MAPPERS.items():
        used = _map_task(stages, "in/task", mapper)
        share = f"{used.own / used.programs:.0%}"
        rows.append((name, f"{used.programs:.2f}", f"{used.own:.2f}", share, f"{used.memory:.0f}"))
    head = ("mapper", "its CPU s", "supervisor's CPU s", "share", "supervisor's peak MB")
    print_table(f"One map task of {_TASK // _MEGABYTE} MB, 8 reducers", head, rows)


def _growth(stages: _Stages) -> None:
    rows = []
    for megabytes in (64, 256, 1000):
        stages.put("in/growth", megabytes * _MEGABYTE)
        used = _map_task(stages, "in/growth", MAPPERS["awk, one pair a word"])
        per_gigabyte = used.own / megabytes * 1000
        rows.append((megabytes, f"{used.own:.2f}", f"{per_gigabyte:.1f}", f"{used.memory:.0f}"))
    head = ("MB", "supervisor's CPU s", "CPU s per GB", "supervisor's peak MB")
    print_table("Growth of one map task with one pair a word", head, rows)


_ONE_PROCESS = """
import sys
from collections import Counter
counts = Counter()
for line in open(sys.argv[1]):
    counts.update(line.split())
print(len(counts))
"""
_IN_LITHOPS = """
import sys
from collections import Counter
import lithops

def count(obj):
    return Counter(word for line in obj.data_stream.read().decode().splitlines() for word in line.split())

def total(results):
    found = Counter()
    for result in results:
        found.update(result)
    return len(found)

if __name__ == "__main__":
    settings = {"lithops": {"backend": "localhost", "storage": "localhost"}, "localhost": {"worker_processes": WORKERS}}
    with lithops.FunctionExecutor(config=settings, log_level="ERROR") as executor:
        executor.map_reduce(count, sys.argv[1], total, obj_chunk_size=CHUNK)
        print(executor.get_result())
"""


def _word_counts(stages: _Stages, size: int) -> None:
    path = stages.put("in/words", size)
    awk = "{ for (i = 1; i <= NF; i++) n[$i]++ } END { c = 0; for (w in n) c++; print c }"
    ways: dict[str, Callable[[], Used]] = {
        "one python process": lambda: _process([sys.executable, "-c", _ONE_PROCESS, str(path)]),
        "awk": lambda: _process(["awk", awk, str(path)]),
        f"MapReduce, python, {_CORES} at once": lambda: _whole(stages, MAPPERS["python, one pair a distinct word"]),
        f"MapReduce, awk, {_CORES} at once": lambda: _whole(stages, MAPPERS["awk, one pair a distinct word"]),
    }
    if lithops := _lithops(stages.folder):
        program = _IN_LITHOPS.replace("CHUNK", str(16 * _MEGABYTE)).replace("WORKERS", str(_CORES))
        (stages.folder / "count.py").write_text(program)
        ways[_LITHOPS] = lambda: _process([str(lithops), str(stages.folder / "count.py"), str(path)])
    found = {name: way() for name, way in ways.items()}
    base = found[_LITHOPS].wall if _LITHOPS in found else None
    rows = [
        (name, f"{used.wall:.1f}", f"{used.own + used.programs:.1f}", f"{used.wall / base:.2f}" if base else "-")
        for name, used in found.items()
    ]
    print_table(f"Word count of {size // _MEGABYTE} MB", ("what", "wall s", "CPU s", "wall, Lithops = 1"), rows)


def _process(command: list[str]) -> Used:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # Lithops starts the first `python` that it finds.
    search_path = f"{Path(command[0]).parent}:{os.environ['PATH']}"
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": search_path})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(time.perf_counter() - started, 0.0, seconds, 0.0)


def _whole(stages: _Stages, mapper: str) -> Used:
    """Run all stages of a word count, tasks side by side on all cores."""
    section = {"reducers": _CORES, "split": {"size": 16 * _MEGABYTE}}
    run = stages.run_of("in/words")
    functions = {stage: [stages.start(stage, script, **section) for _ in range(_CORES)]
                 for stage, script in (("map", mapper), ("reduce", SUMS))}  # fmt: skip
    for container in (one for some in functions.values() for one in some):
        assert container.api.polled.wait(60)
    started, used = time.perf_counter(), [0.0, 0.0]
    plan = stages.plan(run, **section)
    for stage, count in (("map", plan["map_count"]), ("reduce", plan["reduce_count"])):
        events = iter([{"mapreduce": stage, "run": run["run"], "task": task} for task in range(count)])
        with ThreadPoolExecutor(_CORES) as pool:
            for own, programs in pool.map(lambda one, left=events: _work(one, left), functions[stage]):
                used = [used[0] + own, used[1] + programs]
    stages.once("commit", {"mapreduce": "commit", "run": run}, **section)
    wall = time.perf_counter() - started
    for container in (one for some in functions.values() for one in some):
        container.close()
    return Used(wall, used[0], used[1], 0.0)


def _work(container: Container, events: Iterator[dict[str, Any]]) -> tuple[float, float]:
    own = programs = 0.0
    for event in events:
        used = _used(container, event)
        own, programs = own + used.own, programs + used.programs
    return own, programs


def _lithops(folder: Path) -> Path | None:
    """Return a Python that has Lithops, in an environment of its own."""
    venv.create(folder / "lithops", with_pip=True)
    python = folder / "lithops" / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", _LITHOPS], capture_output=True, check=False)
    return None if done.returncode else python
