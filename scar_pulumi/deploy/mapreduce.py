"""What the MapReduces of an FDL file become on AWS: components, what starts them, and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from scar_components import BatchGpuEnvironment
from scar_components import MapReduce as Component
from scar_components.lambda_container_function_arguments import FunctionBatch
from scar_components.mapreduce.arguments import MapReduceArgs, MapReduceStage, stage_image
from scar_components.supervised_image import planned_digest
from scar_pulumi.deploy.arguments import (
    function_storage,
    given_arguments,
    job_arguments,
    script_file,
    shared_arguments,
)
from scar_pulumi.deploy.aws import Started
from scar_pulumi.deploy.secrets import with_values
from scar_pulumi.fdl import Fdl
from scar_pulumi.fdl.model import MapReduce, Stage


@dataclass(frozen=True)
class Declared:
    """A declared MapReduce: what new files start, and what the stack exports of it."""

    started: Started
    outputs: Mapping[str, Any]


def check_images(fdl: Fdl) -> None:
    """Plan the images of all stages. Raises RunError for a broken one, before anything is made."""
    for mapreduce in fdl.mapreduces:
        arguments = mapreduce_arguments(mapreduce)
        for stage in ("map", "reduce"):
            planned_digest(f"{mapreduce.name}-{stage}", stage_image(arguments, stage))


def declare_mapreduces(fdl: Fdl, environments: Mapping[str, BatchGpuEnvironment]) -> dict[str, Declared]:
    """Declare every MapReduce; return them by name."""
    return {mapreduce.name: _declare(mapreduce, environments) for mapreduce in fdl.mapreduces}


def _declare(mapreduce: MapReduce, environments: Mapping[str, BatchGpuEnvironment]) -> Declared:
    arguments = mapreduce_arguments(mapreduce)
    if mapreduce.batch is not None:
        arguments["batch"] = _jobs(mapreduce, environments[mapreduce.name])
    component = Component(mapreduce.name, arguments)
    started = Started(f"{mapreduce.name}-plan", component.plan_function_arn)
    return Declared(started, _outputs(mapreduce, component, environments))


def mapreduce_arguments(mapreduce: MapReduce) -> MapReduceArgs:
    """Return what the component takes of a MapReduce, except for Batch."""
    combiner = mapreduce.combiner
    arguments = {
        **shared_arguments(mapreduce, MapReduceArgs),
        "role_arn": mapreduce.role,
        "inputs": [function_storage(path) for path in mapreduce.input],
        "output": function_storage(mapreduce.output[0]),
        "mapper": _stage(mapreduce, mapreduce.mapper),
        "reducer": {**_stage(mapreduce, mapreduce.reducer), "count": mapreduce.reducer.count},
        "combiner": combiner and combiner.by,
        "combiner_script": combiner and script_file(combiner.init_script),
        "batch": None,
    }
    return cast(MapReduceArgs, given_arguments(arguments))


def _stage(mapreduce: MapReduce, stage: Stage) -> dict[str, Any]:
    variables = {**mapreduce.environment, **stage.environment}
    arguments = {
        **shared_arguments(stage, MapReduceStage),
        "script": script_file(stage.init_script),
        "environment": with_values(variables) or None,
    }
    return given_arguments(arguments)


def _jobs(mapreduce: MapReduce, environment: BatchGpuEnvironment) -> FunctionBatch:
    """Return what tasks in Batch get. A task that fails is tried again, also where instances may be taken away."""
    assert mapreduce.batch is not None, mapreduce.name
    # Variables of the container win: they are the more specific ones.
    specific = {*mapreduce.environment, *mapreduce.mapper.environment, *mapreduce.reducer.environment}
    variables = {name: text for name, text in mapreduce.batch.environment.items() if name not in specific}
    return {
        **job_arguments(mapreduce.batch),
        "retry_only_if_host_ends": False,
        "job_queue": environment.job_queue_arn,
        "environment": with_values(variables),
    }


def _outputs(
    mapreduce: MapReduce, component: Component, environments: Mapping[str, BatchGpuEnvironment]
) -> dict[str, Any]:
    """Return what the data plane needs to know of a MapReduce; the contract of stack outputs."""
    functions: dict[str, Any] = {"plan": component.plan_function_arn, "commit": component.commit_function_arn}
    jobs: dict[str, Any] = {}
    if mapreduce.batch is None:
        functions |= {"map": component.map_function_arn, "reduce": component.reduce_function_arn}
    else:
        definitions = {"map": component.map_job_definition_arn, "reduce": component.reduce_job_definition_arn}
        jobs = {"batch": {"jobQueue": environments[mapreduce.name].job_queue_arn, "jobDefinitions": definitions}}
    return {
        "arn": component.state_machine_arn,
        "region": component.state_machine_arn.apply(lambda arn: arn.split(":")[3]),
        "functions": functions,
        **jobs,
        "inputs": [function_storage(path) for path in mapreduce.input],
        "outputs": [function_storage(path) for path in mapreduce.output],
        "reducers": mapreduce.reducer.count,
        "engine": mapreduce.engine,
        "memory": {"map": mapreduce.mapper.memory, "reduce": mapreduce.reducer.memory},
        "architecture": mapreduce.architecture,
        "workBucket": component.work_bucket,
    }
