"""Reading an FDL file: text, tree with positions, defaults and overrides, checks, data."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from scar_foundation.limits import BATCH_FARGATE_MEMORY, BATCH_MEMORY
from scar_pulumi.fdl.checker import Checker, Missing
from scar_pulumi.fdl.document import (
    Document,
    FunctionValues,
    MapReduceValues,
    ServiceValues,
    is_serverless,
    storage_path,
)
from scar_pulumi.fdl.format_2019 import from_2019, is_2019_format
from scar_pulumi.fdl.kinds import Items, Kind, Section, Text
from scar_pulumi.fdl.layers import read_defaults, read_overrides, service_names, with_defaults, with_overrides
from scar_pulumi.fdl.model import Fdl, Function, MapReduce, OscarService, StoragePath
from scar_pulumi.fdl.problems import FdlError, Report
from scar_pulumi.fdl.rules import RULES
from scar_pulumi.fdl.tables import AWS_FUNCTION, DOCUMENT, MAPREDUCE, SERVICE
from scar_pulumi.fdl.tree import MapNode
from scar_pulumi.fdl.yaml_text import read_tree

_THRESHOLD = 10


def load(path: str | Path, overrides: Mapping[str, Any] | None = None, *, overrides_from: str = "--set") -> Fdl:
    """Read and check an FDL file.

    Args:
        path: The file; relative paths in it start at its directory.
        overrides: Values that win over the file's: "lambda.memory" for all functions,
            "functions.<name>.lambda.memory" for one. Text is read as the file would read it without quotes.
        overrides_from: What problems call the origin of the overrides.

    Raises:
        FdlError: The file cannot be read or has mistakes; all of them are in `problems`.
    """
    return build(resolve(path, overrides, overrides_from=overrides_from))


def resolve(path: str | Path, overrides: Mapping[str, Any] | None = None, *, overrides_from: str = "--set") -> Document:
    """Read and check a file; return the document that `load` makes data of, with every value's position."""
    report = Report()
    root = read_tree(Path(path), report)
    if root is None:
        raise FdlError(report.problems())
    if is_2019_format(root):
        root = from_2019(root, report)
    defaults = read_defaults(report)
    root = with_defaults(root, defaults) if defaults is not None else root
    given = read_overrides(overrides or {}, overrides_from, report, service_names(root))
    document = _check(with_overrides(root, given, report), Path(path), report)
    if report.failed:
        raise FdlError(report.problems())
    return document


def _fill_in(document: Document) -> None:
    """Fill in the defaults that depend on another value."""
    for function in document.on_aws():
        timeout, batch = function.settings.get("timeout"), function.values.get("batch")
        if timeout is not None and function.container:  # a MapReduce has one for each stage, further down
            function.container.setdefault("timeout_threshold", min(_THRESHOLD, timeout // 2))
        if batch is not None and not document.given(f"{function.path}.batch.memory"):
            batch["memory"] = _job_memory(batch)


def _job_memory(batch: dict[str, Any]) -> int:
    """Return the memory of a job that asks for none: Batch's default, or the least that Fargate has instead."""
    fitting = BATCH_FARGATE_MEMORY.get(batch.get("vcpus", 1), ()) if is_serverless(batch) else ()
    least = BATCH_MEMORY.default or 0
    return fitting[0] if fitting and least not in fitting else least


def _check(root: MapNode, path: Path, report: Report) -> Document:
    checker = Checker(report)
    values = checker.check(DOCUMENT, root, "")
    found = {} if isinstance(values, Missing) else values
    document = Document(path.absolute(), str(path), found, checker.places, report, references=checker.references)
    _fill_in(document)
    for rule in RULES:
        rule(document)
    return document


def build(document: Document) -> Fdl:
    """Return the file as data; every default is in the document already."""
    return Fdl(
        path=document.path,
        functions=tuple(_function(document, function) for function in document.functions()),
        storage_providers=document.values.get("storage_providers", {}),
        warnings=document.report.problems(),
        elsewhere=document.report.problems_elsewhere(),
        oscar=tuple(_service(document, service) for service in document.services()),
        mapreduces=tuple(_mapreduce(document, one) for one in document.mapreduces()),
        clusters=document.values.get("clusters", {}),
        places=document.places,
    )


def _function(document: Document, function: FunctionValues) -> Function:
    values = dict(function.values)
    if not function.uses_batch:
        values.pop("batch", None)
    if not values.get("api_gateway", {}).get("name"):
        values.pop("api_gateway", None)
    return Function(path=function.path, **_Builder(document).fields_of(AWS_FUNCTION, Function, values))


def _mapreduce(document: Document, mapreduce: MapReduceValues) -> MapReduce:
    values = dict(mapreduce.values)
    if not mapreduce.uses_batch:
        values.pop("batch", None)
    return MapReduce(path=mapreduce.path, **_Builder(document).fields_of(MAPREDUCE, MapReduce, values))


def _service(document: Document, service: ServiceValues) -> OscarService:
    builder = _Builder(document, service.name)
    found = builder.fields_of(SERVICE, OscarService, service.values)
    return OscarService(cluster=service.cluster, path=service.path, **found)


class _Builder:
    """Fills the dataclasses of the model with checked values, as the tables say which value is which field."""

    def __init__(self, document: Document, service: str | None = None) -> None:
        self._document = document
        self._service = service

    def fields_of(self, section: Section, made: type, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a dataclass that a section's values are."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            key = section.keys.get(name)
            if key is not None and isinstance(key.kind, Section) and key.kind.inline:
                found |= self.fields_of(key.kind, made, value)
            elif key is not None and (field := key.field or name) in _field_names(made):
                if not key.unused:
                    found[field] = self._made(key.kind, value)
            elif section.rest is not None:
                found.setdefault(section.rest, {})[name] = value
        return found

    def _made(self, kind: Kind, value: Any) -> Any:
        if isinstance(kind, Text) and kind.is_file:
            return value if kind.or_content and "\n" in value else self._document.absolute(value)
        if isinstance(kind, Items):
            items = tuple(self._made(kind.of, one) for one in value)
            return items if kind.most != 1 else next(iter(items), None)
        if not isinstance(kind, Section) or kind.makes is None:
            return value
        if kind.makes is StoragePath:
            return storage_path(value, self._service)
        return kind.makes(**self.fields_of(kind, kind.makes, value)) if value else None


@cache
def _field_names(made: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(made))
