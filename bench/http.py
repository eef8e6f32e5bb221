"""What the supervisor costs a call over HTTP, beside functions without it behind the same gateway; and nothing is lost.

`bare` answers with the body it got; `loop` starts the same script as the supervisor does, the shortest way. Both are
plain loops over the Runtime API in the supervisor's own interpreter, and take turns with it in one run.
"""

import http.client
import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from bench.bare import deploy_bare
from bench.world import World, print_table

CALLS = {1: 2000, 8: 4000, 32: 4000}
"""Calls of the supervisor by number of clients; a fifth of each of those that it is set against."""
ROUNDS = 5


def run(world: World) -> None:
    """Measure all three at each number of clients."""
    # The functions take turns: all their containers stay, or each turn would begin with cold ones.
    world.set(SCAR_LOCAL_IDLE_CONTAINERS="128", SCAR_LOCAL_CONTAINER_MEMORY="65536")
    fdl = _fdl(world.folder)
    function = world.scar("up", fdl, "--yes")["outputs"]["functions"]["echo"]
    urls = {name: deploy_bare(world, name, function) for name in ("bare", "loop")} | {"supervisor": function["url"]}
    rows: list[tuple[object, ...]] = []
    wrong = 0
    for clients, calls in CALLS.items():
        measured: dict[str, list[float]] = {name: [] for name in urls}
        for url in urls.values():
            _calls(url, clients, clients * 2)  # containers start
        for _ in range(ROUNDS):
            for name, url in urls.items():
                times, bad = _calls(url, clients, calls // ROUNDS // (1 if name == "supervisor" else 5))
                measured[name] += times
                wrong += bad
        rows += [(clients, name, *_figures(times, measured["bare"], clients)) for name, times in measured.items()]
    columns = ("clients", "function", "calls", "p50 ms", "p99 ms", "p50 over bare", "p99 over bare", "calls/s")
    print_table("A call over HTTP, its body unlike all others", columns, rows)
    print(f"  {sum(CALLS.values())} calls of the supervisor; of all, lost or answered with another's body: {wrong}")


def _fdl(folder: Path) -> str:
    (folder / "echo.sh").write_text('#!/bin/sh\nexec /bin/busybox cat "$INPUT_FILE_PATH"\n')
    container = {"image_file": str(folder / "busybox.tar")}
    section = {"name": "echo", "memory": 256, "timeout": 29, "init_script": "echo.sh", "container": container}
    path = folder / "http.yaml"
    path.write_text(yaml.safe_dump({"functions": {"aws": [{"lambda": section, "api_gateway": {"name": "bench"}}]}}))
    return str(path)


def _calls(url: str, clients: int, calls: int) -> tuple[list[float], int]:
    """Seconds of each call, and how many went wrong."""
    with ThreadPoolExecutor(clients) as pool:
        outcomes = list(pool.map(lambda _: _client(url, calls // clients), range(clients)))
    return [seconds for times, _ in outcomes for seconds in times], sum(wrong for _, wrong in outcomes)


def _client(url: str, calls: int) -> tuple[list[float], int]:
    host, path = urlsplit(url).netloc, urlsplit(url).path
    connection = http.client.HTTPConnection(host, timeout=60)
    times, wrong = [], 0
    for _ in range(calls):
        body = f"{uuid.uuid4()} {'x' * 200}".encode()
        started = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "text/plain"})
        answer = connection.getresponse()
        got = answer.read()
        times.append(time.perf_counter() - started)
        wrong += answer.status != 200 or got != body
    connection.close()
    return times, wrong


def _figures(times: list[float], base: list[float], clients: int) -> tuple[object, ...]:
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[-1]
    more50, more99 = p50 - statistics.median(base), p99 - statistics.quantiles(base, n=100)[-1]
    shown = (f"{value * 1000:.1f}" for value in (p50, p99, more50, more99))
    return len(times), *shown, f"{clients * len(times) / sum(times):.0f}"
