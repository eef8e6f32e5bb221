"""The supervisor beside the released one and a bare loop over boto3: start, memory, the price of an event, its storage.

Each runs as the first process of a container, against the same Runtime API and the same S3 on loopback, in turns.
"""

import base64
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from bench import released_supervisor
from bench.world import World, print_table
from tests.world.runtime_api import Event, RuntimeApi

STARTS, EVENTS = 12, 60
# As in a container: what it does after each event grows with the number of processes that it sees.
_ALONE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
SIZES = {"1 kB": 1 << 10, "10 MB": 10 << 20, "1 GB": 1 << 30}
BUCKET = "bench-supervisor"
_BUNDLE = Path(__file__).resolve().parents[1] / "supervisor_image" / "bundle.py"
_LOOP = """
import base64, json, os, subprocess, tempfile, urllib.request
import boto3
s3 = boto3.client("s3")
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
output = json.loads(os.environ["SCAR_FUNCTION"])["outputs"][0]["path"].split("/", 1)
while True:
    with urllib.request.urlopen(f"{api}/next") as response:
        request, event = response.headers["Lambda-Runtime-Aws-Request-Id"], json.load(response)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/out")
        variables = {**os.environ, "TMP_OUTPUT_DIR": f"{folder}/out", "INPUT_FILE_PATH": f"{folder}/in"}
        if "Records" in event:
            record = event["Records"][0]["s3"]
            s3.download_file(record["bucket"]["name"], record["object"]["key"], f"{folder}/in")
        command = ["/bin/sh", "-c", base64.b64decode(event["script"])]
        subprocess.run(command, env=variables, stdout=subprocess.PIPE)
        for name in os.listdir(f"{folder}/out"):
            s3.upload_file(f"{folder}/out/{name}", output[0], f"{output[1]}/{name}")
    urllib.request.urlopen(f"{api}/{request}/response", json.dumps({"statusCode": 200}).encode()).close()
"""


def run(world: World) -> None:
    """Measure each, and obstore alone for what storage costs at least."""
    endpoint = world.client("s3").meta.endpoint_url
    world.client("s3").create_bucket(Bucket=BUCKET)
    with tempfile.TemporaryDirectory() as folder:
        commands = {"supervisor": _supervisor(Path(folder)), "boto3 loop": [sys.executable, "-c", _LOOP]}
        if released := released_supervisor.command():
            commands[f"faas-supervisor {released_supervisor.VERSION}"] = released
        rows = [(name, *_start_and_memory(command, endpoint)) for name, command in commands.items()]
        print_table("Start of the process → first poll, and memory then", ("what", "p50 ms", "min ms", "RSS MB"), rows)
        empty = {name: _overhead(command, endpoint) for name, command in commands.items()}
        alone = statistics.median(
            _timed(lambda: subprocess.run(["/bin/sh", "-c", ":"], check=True)) for _ in range(EVENTS)
        )
        warm = [(name, f"{seconds * 1000:.2f}") for name, seconds in empty.items()]
        warm.append(("running an empty script alone", f"{alone * 1000:.2f}"))
        print_table("One warm event that runs an empty script", ("what", "p50 ms"), warm)
        _storage(commands, endpoint, Path(folder), empty)


def _supervisor(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, _BUNDLE, "--output", folder / "layer.tar.gz"], capture_output=True, text=True, check=True
    )
    with tarfile.open(folder / "layer.tar.gz") as archive:
        archive.extractall(folder, filter="tar")
    entrypoint: list[str] = json.loads(done.stdout)["entrypoint"]
    return [word.replace("/opt/scar", f"{folder}/opt/scar") for word in entrypoint]


@contextmanager
def _running(command: list[str], endpoint: str) -> Iterator[tuple[RuntimeApi, subprocess.Popen[bytes]]]:
    api = RuntimeApi()
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "SCAR_FUNCTION": json.dumps({"log_level": "ERROR", "outputs": [{"path": f"{BUCKET}/out"}]}),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        **(released_supervisor.environment(f"{BUCKET}/out") if "faassupervisor.supervisor" in command else {}),
    }
    process = subprocess.Popen([*_ALONE, *command], env=environment, cwd="/")
    try:
        yield api, process
    finally:
        process.kill()
        process.wait()
        api.close()


def _start_and_memory(command: list[str], endpoint: str) -> tuple[str, str, str]:
    times, memory = [], 0.0
    for _ in range(STARTS):
        started = time.perf_counter()
        with _running(command, endpoint) as (api, process):
            assert api.polled.wait(30)
            times.append((time.perf_counter() - started) * 1000)
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            status = Path(f"/proc/{child}/status").read_text()
            memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return f"{statistics.median(times):.0f}", f"{min(times):.0f}", f"{memory:.0f}"


def _overhead(command: list[str], endpoint: str) -> float:
    event = {"script": _script(":")}
    with _running(command, endpoint) as (api, _):
        times = [_timed(lambda: _event(api, event)) for _ in range(EVENTS)]
    return statistics.median(times[5:])


def _storage(commands: Mapping[str, list[str]], endpoint: str, folder: Path, empty: Mapping[str, float]) -> None:
    store = S3Store(
        BUCKET, endpoint=endpoint, access_key_id="test", secret_access_key="test", region="us-east-1",  # noqa: S106
        client_options={"allow_http": True, "timeout": "15min"},
    )  # fmt: skip
    rows = []
    for name, size in SIZES.items():
        source = folder / "source"
        with source.open("wb") as file:
            for _ in range(max(1, size >> 20)):
                file.write(os.urandom(min(size, 1 << 20)))
        obstore.put(store, "in/file", source, chunk_size=8 << 20)
        repeats = 1 if size >= 1 << 28 else 12
        base = statistics.median(_timed(lambda: _alone(store, folder)) for _ in range(repeats))
        rows.append((name, "obstore alone", f"{base * 1000:.1f}", "1.00", "1.00"))
        for what, command in commands.items():
            taken = _in_and_out(command, endpoint, repeats)
            storage = max(taken - empty[what], 0.001)
            rows.append((name, what, f"{taken * 1000:.1f}", f"{base / taken:.2f}", f"{base / storage:.2f}"))
    head = ("size", "what", "p50 ms", "share of obstore's speed", "without what an empty event takes")
    print_table("An object in and out again", head, rows)


def _alone(store: S3Store, folder: Path) -> None:
    with (folder / "copy").open("wb") as file:
        for block in obstore.get(store, "in/file").stream(min_chunk_size=1 << 20):
            file.write(block)
    obstore.put(store, "out/file", folder / "copy", chunk_size=8 << 20)


def _in_and_out(command: list[str], endpoint: str, repeats: int) -> float:
    record = {
        "eventSource": "aws:s3",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": {"bucket": {"name": BUCKET, "arn": f"arn:aws:s3:::{BUCKET}"}, "object": {"key": "in/file"}},
    }
    event = {"Records": [record], "script": _script('ln -s "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/file"')}
    with _running(command, endpoint) as (api, _):
        _event(api, event)
        times = [_timed(lambda: _event(api, event)) for _ in range(repeats)]
    return statistics.median(times)


def _script(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _event(api: RuntimeApi, event: Any) -> None:
    api.send(Event("bench", json.dumps(event).encode(), 800, None))
    outcome = api.outcome("bench", 800)
    assert not outcome.failed, outcome


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
