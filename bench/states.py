"""Distributed Maps of ten thousand children: what one costs, and how much memory the local cloud has meanwhile."""

import json
import time
from typing import Any

from bench.world import World, memory_of, print_table

CHILDREN = 10_000
ROLE = "arn:aws:iam::000000000000:role/bench"
STATES: dict[str, dict[str, Any]] = {
    "a Pass state": {"Type": "Pass", "Result": {}, "End": True},
    "a function": {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "noop", "Payload": {}},
        "OutputPath": None,
        "End": True,
    },
}


def run(world: World) -> None:
    """Measure children that do nothing themselves, of both types."""
    world.scar("up", world.fdl("states", ["noop"]), "--yes")
    s3, daemon = world.client("s3"), world.scar("local", "status")["pid"]
    s3.create_bucket(Bucket="bench-items")
    lines = (json.dumps({"mapreduce": "map", "run": "r" * 32, "task": task}) for task in range(CHILDREN))
    s3.put_object(Bucket="bench-items", Key="items.jsonl", Body="\n".join(lines).encode())
    rows = [
        (what, kind, *_measured(world.client("stepfunctions"), f"{kind}-{number}", state, kind, daemon))
        for number, (what, state) in enumerate(STATES.items())
        for kind in ("STANDARD", "EXPRESS")
    ]
    columns = ("each child", "type", "ended", "ms for each", "daemon's MB before", "and at most")
    print_table(f"A Distributed Map of {CHILDREN:,} children", columns, rows)


def _measured(states: Any, name: str, state: dict[str, Any], kind: str, daemon: int) -> tuple[object, ...]:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, "StartAt": "Each"}
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"}}
    place = {"Bucket": "bench-items", "Key": "items.jsonl"}
    mapped = {
        "Type": "Map",
        "ItemReader": {**reader, "Parameters": place},
        "ItemProcessor": {**processor, "States": {"Each": state}},
        "MaxConcurrency": 200,
        "End": True,
    }
    text = json.dumps({"StartAt": "Map", "States": {"Map": mapped}})
    machine = states.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"]
    before = most = memory_of(daemon)
    started = time.perf_counter()
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        most = max(most, memory_of(daemon))
        time.sleep(0.5)
    seconds = time.perf_counter() - started
    (run_,) = states.list_map_runs(executionArn=execution)["mapRuns"]
    counts = states.describe_map_run(mapRunArn=run_["mapRunArn"])["itemCounts"]
    return counts["succeeded"], f"{seconds / CHILDREN * 1000:.2f}", before, most
