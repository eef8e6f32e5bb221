"""Five hundred jobs at once on a queue of four vCPUs: whether each ends once, how many run at once, what it costs."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from bench.world import World, memory_of, print_table

JOBS = 500
VCPUS = 4
_AT_ONCE = 100  # jobs that one call describes


def run(world: World) -> None:
    """Measure jobs of a function whose script does nothing."""
    path = Path(world.fdl("jobs", ["noop"]))
    document = yaml.safe_load(path.read_text())
    (function,) = document["functions"]["aws"]
    function["lambda"]["execution_mode"] = "batch"
    resources = {"instance_types": ["m5.large"], "max_v_cpus": VCPUS}
    function["batch"] = {"memory": 128, "compute_resources": resources}
    path.write_text(yaml.safe_dump(document))
    place = world.scar("up", str(path), "--yes")["outputs"]["functions"]["noop"]["batch"]
    batch, daemon = world.client("batch"), world.scar("local", "status")["pid"]
    before, started = memory_of(daemon), time.perf_counter()

    def submit(number: int) -> str:
        request = {"jobName": f"job-{number}", "jobQueue": place["jobQueue"], "jobDefinition": place["jobDefinition"]}
        return str(batch.submit_job(**request)["jobId"])

    with ThreadPoolExecutor(8) as pool:
        identifiers = list(pool.map(submit, range(JOBS)))
    submitted = time.perf_counter() - started
    most = memory_of(daemon)
    while any("stoppedAt" not in job for job in _described(batch, identifiers[-1:])) or _open(batch, place["jobQueue"]):
        most = max(most, memory_of(daemon))
        time.sleep(0.5)
    seconds, jobs = time.perf_counter() - started, _described(batch, identifiers)
    once = sum(job["status"] == "SUCCEEDED" and len(job["attempts"]) == 1 for job in jobs)
    row = (JOBS, once, _most_at_once(jobs), f"{submitted / JOBS * 1000:.1f}", f"{seconds / JOBS * 1000:.0f}")
    print_table(
        f"Jobs on a queue of {VCPUS} vCPUs",
        (
            "jobs",
            "ended once",
            "most at once",
            "ms to submit one",
            "ms for each job",
            "daemon's MB before",
            "and at most",
        ),
        [(*row, before, most)],
    )


def _open(batch: Any, queue: str) -> bool:
    statuses = ("SUBMITTED", "RUNNABLE", "STARTING", "RUNNING")
    return any(batch.list_jobs(jobQueue=queue, jobStatus=status)["jobSummaryList"] for status in statuses)


def _described(batch: Any, identifiers: list[str]) -> list[Any]:
    starts = range(0, len(identifiers), _AT_ONCE)
    return [job for start in starts for job in batch.describe_jobs(jobs=identifiers[start : start + _AT_ONCE])["jobs"]]


def _most_at_once(jobs: list[Any]) -> int:
    # Where one ends in the millisecond in which another starts, the end comes first.
    events = sorted([(job["startedAt"], 1) for job in jobs] + [(job["stoppedAt"], -1) for job in jobs])
    running = most = 0
    for _, change in events:
        running += change
        most = max(most, running)
    return most
