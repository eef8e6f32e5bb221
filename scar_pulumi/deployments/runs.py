"""Runs of deployed MapReduces: found by id or as those of a MapReduce, and what they have logged."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scar_foundation.errors import InputError
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.logs import LogLine, attributed, read
from scar_pulumi.client.mapreduce import MapReduceRuns, Run
from scar_pulumi.client.outputs import DeployedMapReduce
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.stacks import no_such_stack

_STAGES = ("plan", "map", "reduce", "commit")
_AFTER = 60_000
"""How long after a run's end its last lines may come, in ms."""


@dataclass(frozen=True)
class FoundRun:
    """A run, the MapReduce that it is one of, and what can be asked about it."""

    run: Run
    mapreduce: DeployedMapReduce
    runs: MapReduceRuns


class Runs:
    """The runs of the MapReduces of some deployments."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def mapreduces(self, name: str | None = None) -> list[DeployedMapReduce]:
        """Return all MapReduces, or the named one.

        Raises:
            InputError: There is no such MapReduce.
            ScarError: Nothing is deployed.
        """
        if name is not None:
            return [self._deployments.mapreduce(name)]
        if not self._deployments.stacks:
            raise no_such_stack(self._deployments.stack)
        return [one for stack in self._deployments.stacks for one in stack.outputs.mapreduces.values()]

    def of(self, mapreduce: DeployedMapReduce) -> MapReduceRuns:
        """Return the runs of a MapReduce."""
        clients = self._deployments.clients
        return MapReduceRuns(mapreduce, lambda service: clients.client(service, mapreduce.region))

    def listed(self, mapreduces: Sequence[DeployedMapReduce], most: int | None = None) -> list[Run]:
        """Return runs, newest first."""
        found: list[Run] = []
        for mapreduce in mapreduces:
            with about(f"runs of {mapreduce.name}"):
                found += self.of(mapreduce).listed(most)
        return sorted(found, key=lambda run: run.created, reverse=True)

    def find(self, target: str) -> FoundRun | None:
        """Find a run by its id, or the newest run of a MapReduce; None when there is no such run.

        Raises:
            InputError: The MapReduce has no runs.
        """
        if self._deployments.has_mapreduce(target):
            return self._newest(self._deployments.mapreduce(target))
        for mapreduce in self.mapreduces() if self._deployments.stacks else ():
            runs = self.of(mapreduce)
            with about(f"run {target}"):
                run = runs.find(target)
            if run is not None:
                return FoundRun(run, mapreduce, runs)
        return None

    def meant(self, target: str) -> list[FoundRun] | None:
        """Return a run by its id, or all runs of a MapReduce that have not ended; None for what is neither."""
        if not self._deployments.has_mapreduce(target):
            found = self.find(target)
            return None if found is None else [found]
        mapreduce = self._deployments.mapreduce(target)
        runs = self.of(mapreduce)
        return [FoundRun(run, mapreduce, runs) for run in self.listed([mapreduce]) if not run.has_ended]

    def cancel(self, found: FoundRun, reason: str) -> None:
        """End a run, and say so in its output."""
        with about(f"run {found.run.id}"):
            found.runs.stop(found.run, reason)

    def resume(self, found: FoundRun) -> FoundRun:
        """Start a run that has failed again: the same one, or a new one over its object if the MapReduce has changed.

        Raises:
            InputError: It still runs, or has succeeded.
        """
        with about(f"run {found.run.id}"):
            run = found.runs.resume(found.run)
        return FoundRun(run, found.mapreduce, found.runs)

    def start(self, mapreduce: DeployedMapReduce, bucket: str, key: str) -> FoundRun:
        """Start the run over an object, or find it where the object's own event was faster.

        Raises:
            ScarError: The planner refuses the object.
        """
        runs = self.of(mapreduce)
        with about(f"MapReduce {mapreduce.name}"):
            run = runs.find(runs.start(bucket, key))
        assert run is not None, "the planner has started it"
        return FoundRun(run, mapreduce, runs)

    def lines(self, found: FoundRun) -> Iterator[LogLine]:
        """Return what the functions or jobs of a run have logged, stage by stage, oldest first.

        A stage's log has the lines of all runs: those of a request that names this run are chosen.
        """
        client = self._deployments.clients.client("logs", found.mapreduce.region)
        end = found.run.stopped + _AFTER if found.run.stopped else int(time.time() * 1000) + _AFTER
        for stage in _STAGES:
            group = found.mapreduce.log_group(stage)
            with about(f"log group {group}"):
                lines = list(attributed(read(client, group, found.run.created - _AFTER, end=end)))
            yield from _of_run(lines, found.run.id)

    def _newest(self, mapreduce: DeployedMapReduce) -> FoundRun:
        listed = self.listed([mapreduce], most=1)
        if not listed:
            raise InputError(f"{mapreduce.name}: has no runs yet; `scar-pulumi invoke {mapreduce.name} --file FILE`")
        return FoundRun(listed[0], mapreduce, self.of(mapreduce))


def _of_run(lines: Sequence[LogLine], run: str) -> Iterator[LogLine]:
    """Return the lines of the requests in which the run is named, and of job logs that name it."""
    named = [line for line in lines if run in line.message]
    requests = {line.request_id for line in named if line.request_id}
    streams = {line.stream for line in named if not line.request_id}
    return (line for line in lines if line.request_id in requests or line.stream in streams)
