"""The arguments of a MapReduce, what is wrong with them, and the supervisor's configuration that follows from them."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi
from pulumi import Input

from scar_components.lambda_container_function_arguments import FunctionBatch, FunctionStorage
from scar_components.supervised_image import BaseImageArgs
from scar_foundation.limits import (
    LAMBDA_NAME_PATTERN,
    MAP_CONCURRENCY,
    MAPREDUCE_NAME_CHARACTERS,
    MAPREDUCE_RECORD,
    MAPREDUCE_REDUCERS,
    MAPREDUCE_SPLIT,
    MIB,
    Range,
)


class MapReduceStage(TypedDict):
    """What one of the two stages runs, and what each of its tasks gets."""

    image: NotRequired[str]
    """Base image of this stage alone: a registry reference. Default: that of the MapReduce."""
    image_file: NotRequired[str]
    """Base image of this stage alone, as a file. Default: that of the MapReduce."""
    script: NotRequired[str]
    """Path of the script that each task runs. Default: what the base image starts."""
    memory: NotRequired[Input[int]]
    """Memory of a task in MB, 128 to 10240. Default: 1769, one whole vCPU. In AWS Batch, `batch` says it."""
    timeout: NotRequired[Input[int]]
    """Time limit of a task in seconds, 1 to 900. Default: 300. In AWS Batch, `batch` says it."""
    ephemeral_storage: NotRequired[Input[int]]
    """Size of `/tmp` in MB, 512 to 10240. Default: 512. In AWS Batch, `batch` says it."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Environment variables of a task. Default: none."""


class MapReduceReducer(MapReduceStage):
    """The reduce stage."""

    count: NotRequired[int]
    """Number of partitions, each of which becomes one file of results: 1 to 10000. Default: 1."""


class MapReduceFormat(TypedDict):
    """How the input is divided into records."""

    type: NotRequired[str]
    """`lines`; `csv`, whose quoted fields may have line ends; `jsonl`; or `whole`: each object is one record.
    Default: `lines`."""
    header: NotRequired[str]
    """What is done with the first record: `none`, it is like the others, or `skip`. Default: `none`."""
    separator: NotRequired[str]
    """Character between the fields of `csv`. Default: `,`."""
    quote: NotRequired[str]
    """Character around fields of `csv` that have separators, line ends or quotes in them. Default: `"`."""
    escape: NotRequired[str]
    """Character that takes the meaning from the next one in `csv`. Default: none; quotes in a field are doubled."""
    max_record: NotRequired[int]
    """Size of the largest record in MB, 1 to 1024: a larger one fails the run. Default: 64."""


class MapReduceSplit(TypedDict):
    """How the input is divided among map tasks."""

    size: NotRequired[int]
    """MB that one task reads, 1 to 10240; more where an object would have over 10,000 tasks. Default: 64."""
    max_parallel: NotRequired[int]
    """Number of tasks that run at once in Lambda, 1 to 10000. Default: 200. In AWS Batch, the compute environment
    says it."""


class MapReduceArgs(TypedDict):
    """Arguments of a MapReduce."""

    state_machine_name: NotRequired[str]
    """Name of the state machine, which the names of its functions start with: 1 to 57 letters, digits, `-` and `_`.
    Default: the component's name."""
    inputs: Sequence[FunctionStorage]
    """Storage whose objects it may read, in the function's own S3. BucketTriggers with the function `<name>-plan`
    declares what starts it."""
    output: FunctionStorage
    """Where results go, in the function's own S3: below it, each object has a folder of its name."""
    image: NotRequired[str]
    """Base image of both stages: a registry reference, such as `python:3.13-slim`."""
    image_file: NotRequired[str]
    """Base image of both stages: path of a `docker save` archive, an OCI image layout, or a directory with a
    Dockerfile."""
    architecture: NotRequired[str]
    """Instruction set: `x86_64` or `arm64`. Default: `x86_64`."""
    mapper: MapReduceStage
    """The map stage: it prints pairs for the records in the file `$INPUT_FILE_PATH`."""
    reducer: MapReduceReducer
    """The reduce stage: it reads pairs, sorted by their keys, and prints results."""
    combiner: NotRequired[str]
    """What reduces the pairs of one map task before they are stored: `none`, or `reducer` where the reducer may also
    reduce its own results. Default: `none`."""
    combiner_script: NotRequired[str]
    """Path of a script that does so; it runs in the image of the map stage. Default: none."""
    format: NotRequired[MapReduceFormat]
    """How the input is divided into records. Default: lines."""
    split: NotRequired[MapReduceSplit]
    """How the input is divided among map tasks. Default: 64 MB each."""
    partition: NotRequired[str]
    """How keys are divided among reduce tasks: `hash`, or `range` for results that are sorted throughout.
    Default: `hash`."""
    pairs: NotRequired[str]
    """How pairs are written: `text`, key and value with a tab between them, or `json`, `["key", value]`.
    Default: `text`."""
    contract: NotRequired[str]
    """What scripts are: `streaming`, programs of any language, or `marla`, Python files with functions `mapper` and
    `reducer` as MARLA has them. Default: `streaming`."""
    bad_pairs: NotRequired[str]
    """What is done about a line of the mapper that is no pair: `fail`, or `skip`, which counts it. Default: `fail`."""
    engine: NotRequired[str]
    """Where tasks run: `lambda` or `batch`. Default: `batch` if `batch` is given, else `lambda`."""
    batch: NotRequired[FunctionBatch]
    """AWS Batch, for `batch`. Default: none."""
    work_expiration: NotRequired[Input[int]]
    """Days after which what tasks hand to each other is deleted; a run cannot be resumed later. Default: 7."""
    region: NotRequired[Input[str]]
    """Region of all resources. Default: the aws provider's."""
    log_level: NotRequired[str]
    """Level of the supervisor's own log lines: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. Default: `INFO`."""
    log_format: NotRequired[str]
    """Format of the supervisor's own log lines: `text` or `json`. Default: `text`."""
    log_retention: NotRequired[Input[int]]
    """Days for which logs are kept. Default: 30."""
    role_arn: NotRequired[Input[str]]
    """ARN of the role of all functions and jobs. Default: new ones with the least rights that each of them needs."""
    tags: NotRequired[Input[Mapping[str, Input[str]]]]
    """Tags of all resources. Default: none."""


FORMATS = ("lines", "csv", "jsonl", "whole")
COMBINERS = ("none", "reducer")
PARTITIONS = ("hash", "range")
PAIRS = ("text", "json")
CONTRACTS = ("streaming", "marla")
BAD_PAIRS = ("fail", "skip")
ENGINES = ("lambda", "batch")
HEADERS = ("none", "skip")


def engine_of(args: MapReduceArgs) -> str:
    """Return where the tasks run."""
    return args.get("engine") or ("batch" if args.get("batch") else "lambda")


def check_values(name: str, args: MapReduceArgs) -> None:
    """Raise RunError with every value that cannot work."""
    found = [*_names(name, args), *_choices(args), *_numbers(args), *_images(args), *_storage(args)]
    if found:
        raise pulumi.RunError("\n".join(f"{name}: {mistake}" for mistake in found))


def _names(name: str, args: MapReduceArgs) -> Iterator[str]:
    chosen = args.get("state_machine_name", name)
    if len(chosen) > MAPREDUCE_NAME_CHARACTERS or not re.fullmatch(LAMBDA_NAME_PATTERN, chosen):
        yield (
            f"state_machine_name: {chosen!r} cannot start the names of its functions; use 1 to "
            f"{MAPREDUCE_NAME_CHARACTERS} letters, digits, '-' and '_'"
        )


def _choices(args: MapReduceArgs) -> Iterator[str]:
    form: Mapping[str, Any] = args.get("format", {})
    chosen: Mapping[str, Any] = args
    known: dict[str, tuple[str, ...]] = {
        "combiner": COMBINERS,
        "partition": PARTITIONS,
        "pairs": PAIRS,
        "contract": CONTRACTS,
        "bad_pairs": BAD_PAIRS,
        "engine": ENGINES,
    }
    given: list[tuple[str, Any, tuple[str, ...]]] = [
        *((key, chosen.get(key), values) for key, values in known.items()),
        ("format.type", form.get("type"), FORMATS),
        ("format.header", form.get("header"), HEADERS),
    ]
    for key, value, values in given:
        if value is not None and value not in values:
            yield f"{key}: {value!r} is unknown; use {' or '.join(values)}"
    for key in ("separator", "quote", "escape"):
        if len(str(form.get(key, ",")).encode()) != 1:
            yield f"format.{key}: {form[key]!r} is not one ASCII character"
    if engine_of(args) == "batch" and not args.get("batch"):
        yield "engine: batch needs a job queue; give batch.job_queue"


def _numbers(args: MapReduceArgs) -> Iterator[str]:
    given: list[tuple[str, Optional[int], Range]] = [
        ("reducer.count", args["reducer"].get("count"), MAPREDUCE_REDUCERS),
        ("split.size", args.get("split", {}).get("size"), MAPREDUCE_SPLIT),
        ("split.max_parallel", args.get("split", {}).get("max_parallel"), MAP_CONCURRENCY),
        ("format.max_record", args.get("format", {}).get("max_record"), MAPREDUCE_RECORD),
    ]
    for key, value, allowed in given:
        if value is not None and value not in allowed:
            yield f"{key}: {value} is not within {allowed}"


def _images(args: MapReduceArgs) -> Iterator[str]:
    for stage, key in (("map", "mapper"), ("reduce", "reducer")):
        base = stage_image(args, stage)
        if ("image" in base) == ("image_file" in base):
            yield f"{key}: has no image; give one of image and image_file, or to both stages together"
        own = args["mapper"] if stage == "map" else args["reducer"]
        # What most images start is a shell, which would take pairs for commands.
        if not _script(args, stage) and "image" not in own and "image_file" not in own:
            yield f"{key}.script: is missing; give it, or an image of its own that starts the program"
    if args.get("combiner") == "reducer" and args.get("contract") != "marla" and "script" not in args["reducer"]:
        yield "combiner: reducer needs a reducer that is a script; give reducer.script"
    if args.get("combiner_script") and args.get("combiner", "none") != "none":
        yield "combiner_script: cannot be given with combiner; give one of them"
    if args.get("contract") == "marla" and args.get("pairs", "text") != "text":
        yield "pairs: marla has its own form of pairs; leave it out"


def _storage(args: MapReduceArgs) -> Iterator[str]:
    if not args["inputs"]:
        yield "inputs: is empty; give the storage whose objects are read"
    for place in (*args["inputs"], args["output"]):
        if place["provider"] not in {"s3", "s3.default"}:
            yield f"{place['provider']}: only buckets of the function's own account can be read and written; use s3"


def stage_image(args: MapReduceArgs, stage: str) -> BaseImageArgs:
    """Return what the image of stage `map` or `reduce` is made of."""
    own = args["mapper"] if stage == "map" else args["reducer"]
    source = own if "image" in own or "image_file" in own else args
    base: BaseImageArgs = {}
    for key in ("image", "image_file"):
        if key in source:
            base[key] = source[key]
    if "architecture" in args:
        base["architecture"] = args["architecture"]
    if script := _script(args, stage):
        base["script"] = script
    if stage == "map" and (combiner := _combiner(args)):
        base["combiner"] = combiner
    return base


def _script(args: MapReduceArgs, stage: str) -> Optional[str]:
    """Return a stage's script; a file of MARLA has both functions, so one is enough."""
    mapper, reducer = args["mapper"].get("script"), args["reducer"].get("script")
    return mapper if stage == "map" else reducer or (mapper if args.get("contract") == "marla" else None)


def _combiner(args: MapReduceArgs) -> Optional[str]:
    """Return the script that the map image needs beside the mapper; a file of MARLA has the reducer in it already."""
    if script := args.get("combiner_script"):
        return script
    if args.get("combiner") != "reducer":
        return None
    reducer = _script(args, "reduce")
    return None if args.get("contract") == "marla" and reducer == _script(args, "map") else reducer


def settings(args: MapReduceArgs, digests: Sequence[str]) -> dict[str, Any]:
    """Return the part of the supervisor's configuration that all stages share.

    `digests` are those of the images of both stages. With the rest they make the digest that a run's id depends on:
    the same object with other scripts is another run.
    """
    form, split = args.get("format", {}), args.get("split", {})
    shared: dict[str, Any] = {
        "reducers": args["reducer"].get("count", MAPREDUCE_REDUCERS.default),
        "combiner": "script" if args.get("combiner_script") else args.get("combiner", "none"),
        "partition": args.get("partition", PARTITIONS[0]),
        "pairs": "marla" if args.get("contract") == "marla" else args.get("pairs", PAIRS[0]),
        "bad_pairs": args.get("bad_pairs", BAD_PAIRS[0]),
        "engine": engine_of(args),
        "format": {
            "type": form.get("type", FORMATS[0]),
            "header": form.get("header", HEADERS[0]),
            **{key: form[key] for key in ("separator", "quote", "escape") if key in form},
            "max_record": form.get("max_record", MAPREDUCE_RECORD.default or 0) * MIB,
        },
        "split": {
            "size": split.get("size", MAPREDUCE_SPLIT.default or 0) * MIB,
            "max_parallel": split.get("max_parallel", MAP_CONCURRENCY.default),
        },
    }
    return {**shared, "digest": _digest([shared, *digests])}


def _digest(facts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def stage_settings(shared: Mapping[str, Any], stage: str, own: Mapping[str, Any]) -> str:
    """Return what the supervisor of one stage is told, as JSON.

    `own` has `name`, `work` (the bucket) and, for the planner that starts executions, `state_machine`; of jobs also
    their `memory` in MB, which no variable of Batch tells.
    """
    given = {key: value for key, value in own.items() if value is not None}
    return json.dumps({"stage": stage, **given, **shared}, separators=(",", ":"), ensure_ascii=False)
