"""Machines made at random: whatever they are, they end, and interrupted anywhere they end as if nothing had been."""

import asyncio
import copy
import itertools
import json
import random
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.states.data_flow import as_text
from scar_pulumi.cloud.states.definitions import mistakes
from scar_pulumi.cloud.states.failures import StateFailureError
from scar_pulumi.cloud.states.interpreter import Interpreter
from scar_pulumi.cloud.states.map_items import Objects
from scar_pulumi.cloud.states.map_runs import MapRuns
from scar_pulumi.cloud.states.store import Execution, StatesStore
from scar_pulumi.cloud.states.tasks import Tasks
from tests.world.fake_cloud import ROLE

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:random"
PATHS: tuple[str | None, ...] = ("$", "$.x", "$.list", "$.list[0]", "$.list[*]", "$$.Execution.Id", "$..x", None)
PLACES: tuple[str | None, ...] = ("$", "$.x", "$.out", "$.list[0]", "$.a.b", None)
TEMPLATES: tuple[dict[str, Any], ...] = (
    {"a": 1},
    {"a.$": "$.x"},
    {"a.$": "States.ArrayLength($.list)"},
    {"a": [{"b.$": "$$.State.Name"}]},
    {"a.$": "States.Format('{}', $.x)"},
)
INPUTS: tuple[Any, ...] = ({"x": 1, "list": [1, {"q": 1}], "t": "2020-01-01T00:00:00Z"}, {"x": 1}, [1, 2, 3], "s", None)


class Maker:
    """Makes definitions, the same ones for the same number."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the same each time
        self._count = 0

    def machine(self, depth: int = 0) -> dict[str, Any]:
        """Return states that follow each other; some open branches and items."""
        names = [self._name() for _ in range(self.chance.randint(2, 5))]
        states = {name: self._state(depth, following) for name, following in itertools.pairwise(names)}
        ends = ({"Type": "Succeed"}, {"Type": "Pass", "End": True}, {"Type": "Fail", "Error": "E"})
        states[names[-1]] = dict(self.chance.choices(ends, (4, 4, 1))[0])
        return {"StartAt": names[0], "States": states}

    def _name(self) -> str:
        self._count += 1
        return f"S{self._count}"

    def _state(self, depth: int, following: str) -> dict[str, Any]:
        choose = self.chance.choice
        kind = choose(("Task", "Pass", "Choice", "Wait", *(("Parallel", "Map", "Distributed") if depth < 2 else ())))
        state: dict[str, Any] = {"Type": kind, "Next": following}
        match kind:
            case "Task":
                parameters = {"FunctionName": "f", **choose(TEMPLATES)}
                state |= {"Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}
                if choose((True, False)):
                    state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": following, "ResultPath": choose(PLACES)}]
            case "Pass":
                more: tuple[dict[str, Any], ...] = ({}, {"Result": {"x": 2, "list": [3, 4]}}, {"Parameters": {"x": 3}})
                state |= choose(more)
            case "Choice":
                rule = {"Variable": "$.x", choose(("IsPresent", "IsNull")): True, "Next": following}
                return {"Type": "Choice", "Choices": [rule], "Default": following}
            case "Wait":
                waits: tuple[dict[str, Any], ...] = ({"Seconds": 0}, {"TimestampPath": "$.t"})
                state |= choose(waits)
            case "Parallel":
                state["Branches"] = [self.machine(depth + 1) for _ in range(self.chance.randint(1, 3))]
            case _:
                state |= self._map(depth, is_distributed=kind == "Distributed")
        return self._filtered(state)

    def _map(self, depth: int, *, is_distributed: bool) -> dict[str, Any]:
        choose, processor = self.chance.choice, self.machine(depth + 1)
        state: dict[str, Any] = {"ItemsPath": choose(("$", "$.list")), "ItemProcessor": processor, "Type": "Map"}
        if is_distributed:
            kind = choose(("STANDARD", "EXPRESS"))
            processor["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
            more: tuple[dict[str, Any], ...] = (
                {},
                {"ToleratedFailurePercentage": 50},
                {"ItemBatcher": {"MaxItemsPerBatch": 2}},
            )
            state |= choose(more)
        return state

    def _filtered(self, state: dict[str, Any]) -> dict[str, Any]:
        fields: list[tuple[str, tuple[str | None, ...]]] = [("InputPath", PATHS), ("OutputPath", PATHS)]
        if state["Type"] in ("Task", "Map", "Parallel"):
            fields += [("ResultPath", PLACES)]
        more = {name: self.chance.choice(values) for name, values in fields if self.chance.random() < 0.2}
        return {**state, **more}


class SteadyTasks:
    """Tasks whose result follows from what they get."""

    async def perform(self, _caller: object, _resource: str, parameters: Any, _job: object, _save: object) -> Any:
        await asyncio.sleep(0)
        kind = zlib.crc32(as_text(parameters).encode()) % 5
        if not kind:
            raise StateFailureError("X", "told to fail")
        return (None, 1, {"x": 1, "list": [1, 2]}, [1, {"x": 2}])[kind - 1]


def made(database: Database) -> tuple[StatesStore, Interpreter]:
    store = StatesStore(database)
    interpreter = Interpreter(store, cast(Tasks, SteadyTasks()))
    interpreter.maps = MapRuns(store, interpreter, cast(Objects, None))
    return store, interpreter


def started(store: StatesStore, definition: Mapping[str, Any], data: Any) -> str:
    arn = f"{MACHINE.replace('stateMachine', 'execution')}:run"
    kept = store.keep_definition(json.dumps(definition))
    execution = Execution(arn, arn, MACHINE, "run", kept, ROLE, "STANDARD", "RUNNING", json.dumps(data), time.time())
    store.add_executions([execution])
    return arn


async def run(store: StatesStore, interpreter: Interpreter, arn: str, interruptions: Iterator[int]) -> Execution:
    """Run an execution to its end, stopped after so many turns of the loop each time."""
    for turns in interruptions:
        task = asyncio.create_task(interpreter.run(_found(store, arn)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if _found(store, arn).status != "RUNNING":
            break
    if _found(store, arn).status == "RUNNING":
        await asyncio.wait_for(interpreter.run(_found(store, arn)), 60)
    return _found(store, arn)


def _found(store: StatesStore, arn: str) -> Execution:
    execution = store.execution(arn)
    assert execution is not None
    return execution


@pytest.mark.parametrize("seed", range(150))
def test_an_execution_that_is_interrupted_ends_like_one_that_is_not(seed: int, tmp_path: Path) -> None:
    maker = Maker(seed)
    definition, data = maker.machine(), maker.chance.choice(INPUTS)
    assert mistakes(json.dumps(definition)) == []
    turns = [maker.chance.randint(0, 25) for _ in range(6)]
    whole = ended(tmp_path / "whole.sqlite", definition, data, [])
    cut = ended(tmp_path / "cut.sqlite", definition, data, turns)
    assert "local cloud" not in (whole.cause or "")
    assert (whole.status, whole.output) == (cut.status, cut.output)


def ended(path: Path, definition: Mapping[str, Any], data: Any, interruptions: list[int]) -> Execution:
    """Run an execution in a database of its own; its history must be whole and nothing may be left running."""
    database = Database(path)
    store, interpreter = made(database)
    arn = started(store, definition, data)
    execution = asyncio.run(run(store, interpreter, arn, iter(interruptions)))
    events = store.events(arn, reverse=False, limit=-1, offset=0)
    assert [number for _, number, *_ in events] == list(range(1, len(events) + 1))
    assert [kind for _, _, _, kind, *_ in events if kind.startswith("Execution")] == [
        "ExecutionStarted",
        f"Execution{execution.status.capitalize()}",
    ]
    assert database.rows("SELECT arn FROM executions WHERE status = 'RUNNING'") == []
    asyncio.run(database.close())
    return execution


WRONG: tuple[Any, ...] = (None, 1, -1, 0.5, "", "$.a[", [], {}, [1], {"a": 1}, True, [None], [[]], 10**30, "States.X()")


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, part in parts:
        yield from places(part, (*path, key))


def test_no_definition_however_wrong_stops_the_check() -> None:
    chance = random.Random(5)  # noqa: S311 - the same each time
    for seed in range(60):
        right = Maker(seed).machine()
        for _ in range(40):
            wrong = copy.deepcopy(right)
            *way, last = chance.choice([path for path in places(wrong) if path])
            parent = wrong
            for step in way:
                parent = parent[step]
            parent[last] = chance.choice(WRONG)
            assert isinstance(mistakes(json.dumps(wrong)), list)
