"""Reading an FDL file: text, positioned tree, defaults and overrides, checks, data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar_pulumi.fdl._build import build
from scar_pulumi.fdl._check import Checker
from scar_pulumi.fdl._defaults import read_defaults
from scar_pulumi.fdl._dialect import is_2019_format
from scar_pulumi.fdl._document import Document
from scar_pulumi.fdl._format_2019 import from_2019
from scar_pulumi.fdl._layers import service_names, with_defaults, with_overrides
from scar_pulumi.fdl._nodes import MapNode
from scar_pulumi.fdl._overrides import read_overrides
from scar_pulumi.fdl._read_tree import read_tree
from scar_pulumi.fdl._values import Missing
from scar_pulumi.fdl.model import Fdl
from scar_pulumi.fdl.problems import FdlError, Report
from scar_pulumi.fdl.rules import RULES
from scar_pulumi.fdl.tables import DOCUMENT

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
    """The checked document that `load` makes data of, with every value's position."""
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
    """The one default that depends on another value."""
    for function in document.functions():
        timeout = function.settings.get("timeout")
        if timeout is not None and function.container:
            function.container.setdefault("timeout_threshold", min(_THRESHOLD, timeout // 2))


def _check(root: MapNode, path: Path, report: Report) -> Document:
    checker = Checker(report)
    values = checker.check(DOCUMENT, root, "")
    found = {} if isinstance(values, Missing) else values
    document = Document(path.absolute(), str(path), found, checker.places, report, references=checker.references)
    _fill_in(document)
    for rule in RULES:
        rule(document)
    return document
