"""A checked document, as the rules and the builder see it: values, where they stand, and the report."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from scar_pulumi.fdl.kinds import Rule
from scar_pulumi.fdl.model import StoragePath
from scar_pulumi.fdl.problems import Mark, Report, join
from scar_pulumi.fdl.references import Reference
from scar_pulumi.fdl.tables.names import BUCKET

# Checked in order on the whole path as written; the first that is broken is reported.
_RULES = (
    Rule(r"^[a-zA-Z0-9]+://", "starts with a URL scheme", "write bucket/folder without it"),
    Rule(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "has a control character or a line end", "remove it"),
    Rule(r"//", "has an empty folder name ('//')", "write one '/'"),
    Rule(
        r"(?:^|/)\.{1,2}(?:/|$)",
        "has '.' or '..' as a folder name, which S3 tools cannot address",
        "write the path without it",
    ),
    Rule(r"^/?$", "names no bucket", "write bucket or bucket/folder"),
)


class BadPathError(Exception):
    """A storage path that cannot be used: what is wrong, and as `hint` what to do."""

    def __init__(self, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.hint = hint


class Provider(NamedTuple):
    """Type and name of a storage provider: "minio.mine" is ("minio", "mine"), "s3" is ("s3", "default")."""

    type: str
    id: str


def split_provider(text: str) -> Provider:
    """Return the type and the name; the name is "default" where none is given."""
    kind, _, name = text.partition(".")
    return Provider(kind, name or "default")


def split_path(text: str, *, in_bucket: bool = True) -> tuple[str, str]:
    """Return bucket and folder; a slash at either end is ignored. Storage without buckets has folders only.

    Raises:
        BadPathError: The path or its bucket's name cannot be used.
    """
    shown = repr(text if len(text) <= 60 else f"{text[:60]}…")
    for rule in _RULES:
        if re.search(rule.pattern, text):
            raise BadPathError(f"{shown} {rule.says}", rule.hint)
    bucket, _, folder = text.strip("/").partition("/")
    if in_bucket:
        _check_bucket(bucket)
    return bucket, folder


def storage_path(values: dict[str, Any], service: str | None = None) -> StoragePath:
    """Return an `input` or `output` as data; to OSCAR, a path of one part is a folder in the service's own bucket.

    Raises:
        BadPathError: The path or its bucket's name cannot be used.
    """
    provider, text = split_provider(values["storage_provider"]), values["path"]
    if service is not None and provider.type == "minio" and text and "/" not in text:
        text = f"{service}/{text}"
    bucket, folder = split_path(text, in_bucket=provider.type in ("s3", "minio"))
    return StoragePath(
        *provider,
        bucket,
        folder,
        prefix=tuple(values.get("prefix", ())),
        suffix=tuple(values.get("suffix", ())),
        per_request=values.get("per_request", False),
    )


def _check_bucket(bucket: str) -> None:
    if BUCKET.longest is not None and len(bucket) > BUCKET.longest:
        raise BadPathError(
            f"the bucket name has {len(bucket)} characters, more than the {BUCKET.longest} allowed", "shorten it"
        )
    for rule in BUCKET.rules:
        found = re.search(rule.pattern, bucket) if rule.forbid else re.fullmatch(rule.pattern, bucket)
        if bool(found) == rule.forbid:
            raise BadPathError(f"the bucket {bucket!r} {rule.says}", rule.hint)


@dataclass(frozen=True)
class Owner:
    """A function or a service: its place in the document and its checked values; wrong values are missing."""

    path: str
    values: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The section that has its name, input and output."""
        return self.values

    @property
    def settings_path(self) -> str:
        """The path of that section."""
        return self.path

    @property
    def name(self) -> str:
        """Its name in messages."""
        return str(self.settings.get("name", self.path))

    @property
    def allow_loop(self) -> bool:
        """Whether its outputs may start it again."""
        return bool(self.settings.get("allow_loop"))

    def links(self, direction: str) -> tuple[str, list[Any]]:
        """Return the path and the entries of `input` or `output`."""
        return f"{self.settings_path}.{direction}", self.settings.get(direction, [])


class AwsOwner(Owner):
    """A function or a MapReduce on AWS; its settings stand in a section of their own."""

    section: ClassVar[str]
    """Name of that section."""

    @property
    def settings(self) -> dict[str, Any]:
        """That section; empty if it was wrong."""
        return self.values.get(self.section, {})  # type: ignore[no-any-return] # the checker has seen that it is a map

    @property
    def settings_path(self) -> str:
        """The path of that section."""
        return f"{self.path}.{self.section}"

    @property
    def container(self) -> dict[str, Any]:
        """The section `container` in it; empty if it was wrong."""
        return self.settings.get("container", {})  # type: ignore[no-any-return] # likewise

    @property
    def uses_batch(self) -> bool:
        """Whether some of it runs in AWS Batch."""
        raise NotImplementedError


class FunctionValues(AwsOwner):
    """A function on AWS."""

    section = "lambda"

    @property
    def uses_batch(self) -> bool:
        """Whether some of its events run in AWS Batch."""
        return self.settings.get("execution_mode") in ("batch", "lambda-batch")


class MapReduceValues(AwsOwner):
    """A mapper and a reducer on AWS."""

    section = "mapreduce"

    @property
    def uses_batch(self) -> bool:
        """Whether its tasks run in AWS Batch."""
        return bool(self.settings.get("engine") == "batch")


def is_serverless(batch: dict[str, Any]) -> bool:
    """Return whether a section `batch` asks for Fargate."""
    return str(batch.get("compute_resources", {}).get("type")).startswith("FARGATE")


@dataclass(frozen=True)
class ServiceValues(Owner):
    """A service on an OSCAR cluster."""

    cluster: str


class Link(NamedTuple):
    """An input or output of a function or a service, and its path in the document.

    Attributes:
        store: Whose buckets they are: the same text and the same bucket's name mean the same bucket.
    """

    owner: Owner
    path: str
    place: StoragePath
    store: str


@dataclass
class Document:
    """Everything known about a file after its values have been checked one by one.

    Attributes:
        path: The FDL file, absolute; relative paths in it start at its directory.
        file: The FDL file as it was given, which positions name.
        values: Checked values of the whole document.
        places: Where the value at each path stands.
        inputs: Filled by the rules about storage, read by those about triggers and by the builder.
        outputs: Likewise.
        references: Every `${…}` in the document, and the path of its value.
    """

    path: Path
    file: str
    values: dict[str, Any]
    places: dict[str, Mark]
    report: Report
    inputs: list[Link] = field(default_factory=list)
    outputs: list[Link] = field(default_factory=list)
    references: list[tuple[str, Reference]] = field(default_factory=list)

    def on_aws(self) -> Iterator[AwsOwner]:
        """Return all functions and MapReduces on AWS that are at least maps."""
        for index, values in enumerate(self.values.get("functions", {}).get("aws", ())):
            if isinstance(values, dict):
                made = MapReduceValues if MapReduceValues.section in values else FunctionValues
                yield made(f"functions.aws[{index}]", values)

    def functions(self) -> Iterator[FunctionValues]:
        """Return all functions on AWS that are at least maps."""
        return (one for one in self.on_aws() if isinstance(one, FunctionValues))

    def mapreduces(self) -> Iterator[MapReduceValues]:
        """Return all MapReduces that are at least maps."""
        return (one for one in self.on_aws() if isinstance(one, MapReduceValues))

    def services(self) -> Iterator[ServiceValues]:
        """Return all services on OSCAR clusters that are at least maps."""
        for index, clusters in enumerate(self.values.get("functions", {}).get("oscar", ())):
            for cluster, values in clusters.items() if isinstance(clusters, dict) else ():
                yield ServiceValues(join(f"functions.oscar[{index}]", cluster), values, cluster)

    def owners(self) -> Iterator[Owner]:
        """Return all functions, MapReduces and services."""
        yield from self.on_aws()
        yield from self.services()

    def links(self) -> Iterator[Link]:
        """Return all inputs and outputs that name a place."""
        yield from self.inputs
        yield from self.outputs

    @cached_property
    def clusters(self) -> frozenset[str]:
        """Ids of all clusters that the file mentions."""
        return frozenset((*(service.cluster for service in self.services()), *self.values.get("clusters", {})))

    def absolute(self, text: str) -> Path:
        """Return the absolute path of a file that the document names."""
        return Path(os.path.abspath(self.path.parent / text))  # noqa: PTH100 - resolve() would follow links

    def error(self, path: str, message: str, hint: str | None = None) -> None:
        """Report an error at the value with this path."""
        self.report.error(self._mark(path), path, message, hint)

    def warning(self, path: str, message: str, hint: str | None = None) -> None:
        """Report a warning at the value with this path."""
        self.report.warning(self._mark(path), path, message, hint)

    def elsewhere(self, path: str, message: str, hint: str | None = None) -> None:
        """Report what only local stacks accept at the value with this path."""
        self.report.elsewhere(self._mark(path), path, message, hint)

    def given(self, path: str) -> bool:
        """Return whether a value was given at this path: defaults are not."""
        return path in self.places

    def is_own(self, path: str) -> bool:
        """Return whether a value stands in the file itself, not in somebody's defaults."""
        return self._mark(path).file == self.file

    def line(self, path: str) -> str:
        """Return where another value stands, for a sentence: "line 12"."""
        mark = self._mark(path)
        return f"line {mark.line}" if mark.line else mark.file

    def _mark(self, path: str) -> Mark:
        while path not in self.places and "." in path:
            path = path.rpartition(".")[0]
        return self.places.get(path, Mark(str(self.path)))
