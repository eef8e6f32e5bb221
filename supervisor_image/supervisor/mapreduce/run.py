"""A run and its plan, and where in the work bucket its documents lie."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from supervisor.configuration import StoragePath
from supervisor.errors import ConfigurationInvalid, EventInvalid
from supervisor.function import Function
from supervisor.mapreduce.objects import Bucket, Head
from supervisor.mapreduce.quotes import Start
from supervisor.mapreduce.records import Range
from supervisor.mapreduce.settings import Settings

LARGEST_PLAN = 10_000
"""Tasks of a stage: children of a Distributed Map at once, and of a job array.

https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
"""
_WORK = "s3.default"
PLAN = "plan.json"


class Run(NamedTuple):
    """One version of one object, to be mapped and reduced."""

    run: str
    bucket: str
    key: str
    version: str | None
    etag: str
    size: int

    @classmethod
    def of(cls, bucket: str, key: str, head: Head, digest: str) -> "Run":
        """Return the run of an object under a configuration: the same things give the same id."""
        what = json.dumps([bucket, key, head.version or head.etag, digest])
        return cls(sha256(what.encode()).hexdigest()[:32], bucket, key, head.version, head.etag, head.size)

    @classmethod
    def read(cls, document: Any) -> "Run":
        """Return the run of an event. Raises EventInvalid."""
        try:
            version = document.get("version")
            texts = [document[name] for name in ("run", "bucket", "key", "etag")]
            run, bucket, key, etag = (text for text in texts if isinstance(text, str))
            return cls(checked_id(run), bucket, key, version or None, etag, int(document["size"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EventInvalid(f"the event does not describe a run: {error!r}") from error

    @property
    def uri(self) -> str:
        """The input as messages name it."""
        return f"s3://{self.bucket}/{self.key}"


def checked_id(text: Any) -> str:
    """Return a run's id, which becomes part of keys. Raises EventInvalid."""
    if not isinstance(text, str) or len(text) != 32 or not set(text) <= set("0123456789abcdef"):
        raise EventInvalid(f"{text!r} is not the id of a run")
    return text


class Plan(NamedTuple):
    """How a run is divided; every task reads it. `starts` has a digit for each task of quoted CSV.

    `records` is their number where a scan has counted them. `started` is in seconds since the epoch.
    """

    run: Run
    split_size: int
    map_count: int
    reduce_count: int
    output_provider: str
    output_bucket: str
    output_prefix: str
    started: float
    starts: str = ""
    records: int | None = None

    def range(self, task: int) -> Range:
        """Return the range of a task."""
        begin = Start.decoded(self.starts[task]) if self.starts else None
        end = min((task + 1) * self.split_size, self.run.size)
        return Range(task * self.split_size, end, self.run.size, begin)

    def document(self) -> dict[str, Any]:
        """Return the plan as it is stored."""
        output = {"provider": self.output_provider, "bucket": self.output_bucket, "prefix": self.output_prefix}
        own = self._asdict()
        kept = ("split_size", "map_count", "reduce_count", "started", "starts", "records")
        return {**self.run._asdict(), **{name: own[name] for name in kept}, "output": output}

    @classmethod
    def read(cls, content: bytes) -> "Plan":
        """Return a stored plan."""
        found = json.loads(content)
        kept = ("split_size", "map_count", "reduce_count", "started", "starts", "records")
        output = found["output"]
        where = {f"output_{name}": output[name] for name in ("provider", "bucket", "prefix")}
        return cls(Run.read(found), **{name: found[name] for name in kept}, **where)


class Work:
    """A run's folder in the work bucket; names are relative to it."""

    def __init__(self, function: Function, settings: Settings, run: str) -> None:
        self.bucket = Bucket(function.storages, _WORK, settings.work_bucket)
        self.folder = f"{settings.work_prefix}{run[:2]}/{run}/"

    def key(self, name: str) -> str:
        """Return the key of a name."""
        return self.folder + name

    def plan(self) -> Plan:
        """Return the run's plan. Raises InputFailed."""
        return Plan.read(self.bucket.get(self.key(PLAN)))

    def read(self, name: str) -> Any:
        """Return a document. Raises InputFailed."""
        return json.loads(self.bucket.get(self.key(name)))

    def find(self, name: str) -> Any:
        """Return a document, or None where there is none. Raises InputFailed."""
        content = self.bucket.find(self.key(name))
        return None if content is None else json.loads(content)

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document. Raises OutputFailed."""
        self.bucket.put(self.key(name), as_json(document))

    def settle(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest of a task unless another attempt has, and return the one that counts."""
        if self.bucket.create(self.key(name), as_json(document)):
            return dict(document)
        return dict(self.read(name))

    def names(self, folder: str) -> list[str]:
        """Return the names of documents in a folder of the run, in order. Raises InputFailed."""
        return self.bucket.names(self.key(folder))


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document's JSON."""
    return json.dumps(document, separators=(",", ":")).encode()


def input_of(function: Function, bucket: str, key: str) -> StoragePath:
    """Return the input of the function that an object belongs to. Raises ConfigurationInvalid."""
    of_bucket = [entry for entry in function.configuration.inputs if entry.path.partition("/")[0] == bucket]
    fitting = [entry for entry in of_bucket if f"{bucket}/{key}".startswith(f"{entry.path}/")]
    if not fitting:
        raise ConfigurationInvalid(f"{bucket}/{key} lies in none of the function's inputs; deploy again")
    return max(fitting, key=lambda entry: len(entry.path))


def provider_of(function: Function, bucket: str, key: str) -> str:
    """Return the storage provider of an object, which is S3 itself where no input says otherwise."""
    try:
        return input_of(function, bucket, key).provider
    except ConfigurationInvalid:
        return _WORK


def output_of(function: Function, bucket: str, key: str) -> tuple[str, str, str]:
    """Return provider, bucket and folder of a run's results: one folder for each object.

    With several inputs the folder has the whole key in it, and the bucket: files may have the same name in two of them.
    Raises ConfigurationInvalid.
    """
    outputs = function.configuration.outputs
    if len(outputs) != 1:
        raise ConfigurationInvalid(f"a MapReduce has one output, this one has {len(outputs)}; deploy again")
    source = input_of(function, bucket, key)
    several = len(function.configuration.inputs) > 1
    relative = f"{bucket}/{key}"[0 if several else len(source.path) + 1 :]
    target, _, folder = outputs[0].path.partition("/")
    return outputs[0].provider, target, f"{folder}/{relative}/".lstrip("/")
