"""Runs of a MapReduce, stage after stage in this process, over the real S3 and with real mappers and reducers."""

import itertools
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from supervisor.configuration import Image, read_configuration
from supervisor.function import Context, Function
from supervisor.log import Log
from supervisor.mapreduce import stages
from supervisor.mapreduce.settings import Settings, read_settings
from supervisor.storage import Storages

_numbers = itertools.count(1)


def in_the_file(source: str) -> str:
    """Return an awk program as a mapper: a shell script that runs it on the input."""
    return f"#!/bin/sh\nexec awk '{source}' \"$INPUT_FILE_PATH\"\n"


WORDS = in_the_file('{ for (i = 1; i <= NF; i++) print $i "\\t1" }')
SUMS = '#!/usr/bin/awk -f\nBEGIN { FS = OFS = "\\t" }\n{ n[$1] += $2 }\nEND { for (w in n) print w, n[w] }\n'


@dataclass
class MapReduce:
    """A deployed MapReduce whose state machine is this test."""

    s3: Any
    folder: Path
    environment: Mapping[str, str]
    bucket: str
    mapper: str = WORDS
    reducer: str = SUMS
    combiner: str | None = None
    section: dict[str, Any] = field(default_factory=dict)
    memory: int = 1024
    output: str = "s3"
    inputs: tuple[str, ...] = ("in",)
    seconds: float = 120.0
    providers: dict[str, Any] = field(default_factory=dict)

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def function(self, stage: str) -> Function:
        section = {
            "name": "counties",
            "work": f"{self.bucket}/work",
            "state_machine": "arn:aws:states:us-east-1:000000000000:stateMachine:counties",
            "digest": "d",
            "combiner": "none" if self.combiner is None else "script",
            **self.section,
            "stage": stage,
        }
        document = {
            "name": f"counties-{stage}",
            "timeout_threshold": 1,
            "inputs": [{"storage_provider": "s3", "path": f"{self.bucket}/{folder}"} for folder in self.inputs],
            "storage_providers": self.providers,
            "outputs": [{"storage_provider": self.output, "path": f"{self.bucket}/out"}],
            "mapreduce": section,
        }
        environment = {**self.environment, "SCAR_FUNCTION": json.dumps(document)}
        environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(self.memory)
        configuration = read_configuration(environment)
        return Function(configuration, self._image(stage), environment, Log(), Storages(configuration))

    def settings(self, stage: str) -> Settings:
        return read_settings(self.function(stage).configuration.mapreduce or {})

    def _image(self, stage: str) -> Image:
        texts = {"map": self.mapper, "reduce": self.reducer}
        if stage not in texts:
            return Image()
        path = self.folder / f"{stage}-script"
        path.write_text(texts[stage])
        path.chmod(0o755)
        return Image(script=str(path), working_directory=str(self.folder))

    def call(self, stage: str, event: Mapping[str, Any]) -> Any:
        """Invoke one of the functions, and return its answer."""
        context = Context(f"request-{next(_numbers)}-{random.random()}", time.time() + self.seconds)  # noqa: S311
        answer = stages.handle(self.function(stage), json.dumps(event).encode(), context, Log())
        return json.loads(answer)

    def lines(self, place: Mapping[str, str]) -> list[Any]:
        """Return the items of a JSONL object."""
        return [json.loads(line) for line in self.read(place["key"]).splitlines()]

    def run_of(self, key: str) -> dict[str, Any]:
        """Return the description of a run, as the planner gives it to the state machine."""
        from supervisor.mapreduce.objects import Bucket
        from supervisor.mapreduce.run import Run

        bucket = Bucket(self.function("plan").storages, "s3.default", self.bucket)
        return Run.of(self.bucket, key, bucket.head(key), "d")._asdict()

    def plan(self, run: Mapping[str, Any]) -> Any:
        """Plan, and scan where the planner wants that."""
        plan = self.call("plan", {"mapreduce": "plan", "run": run})
        if plan["scan"]:
            for event in self.lines(plan["scan"]):
                self.call("plan", event)
            plan = self.call("plan", {"mapreduce": "splits", "run": run})
        return plan

    def execute(self, key: str, *, order: Callable[[list[Any]], list[Any]] = list) -> dict[str, Any]:
        """Do all that the state machine does, and return the content of _SUCCESS."""
        run = self.run_of(key)
        plan = self.plan(run)
        for tasks, stage in ((plan["tasks"], "map"), (plan["reduce_tasks"], "reduce")):
            for event in order(self.lines(tasks)) if plan["map_count"] else []:
                assert len(json.dumps(self.call(stage, event))) <= 200
        return dict(self.call("commit", {"mapreduce": "commit", "run": run}))

    def read(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def keys(self, folder: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder)
        return sorted(found["Key"].removeprefix(folder) for page in pages for found in page.get("Contents", []))

    def parts(self, key: str) -> list[bytes]:
        """Return the published parts of an input's run, in order."""
        folder = f"out/{key.removeprefix('in/')}/"
        return [self.read(folder + name) for name in self.keys(folder) if name.startswith("part-")]

    def result(self, key: str) -> dict[str, str]:
        """Return the published pairs of an input's run."""
        lines = [line for part in self.parts(key) for line in part.decode().splitlines()]
        found = dict(line.split("\t", 1) for line in lines)
        assert len(found) == len(lines)
        return found

    def total(self, key: str) -> int:
        return sum(map(int, self.result(key).values()))


@pytest.fixture
def mapreduce(
    s3: Any, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., MapReduce]:
    """Make a MapReduce in a bucket of its own."""
    from supervisor import disk
    from supervisor.mapreduce import objects, programs

    monkeypatch.setattr(objects, "_PAUSE", 0.01)
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(disk, "TMP", str(tmp_path))
    shim = Path(stages.__file__).with_name("marla.py")
    monkeypatch.setattr(programs, "MARLA", str(shim))

    def make(**settings: Any) -> MapReduce:
        bucket = f"mapreduce-{next(_numbers)}-{random.randrange(1 << 32):08x}"  # noqa: S311
        s3.create_bucket(Bucket=bucket)
        folder = tmp_path / bucket
        folder.mkdir()
        environment = {**credentials, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        made = MapReduce(s3, folder, environment, bucket, **settings)
        if made.combiner is not None:
            path = folder / "combiner"
            path.write_text(made.combiner)
            path.chmod(0o755)
            monkeypatch.setattr(programs, "COMBINER", str(path))
        return made

    return make
