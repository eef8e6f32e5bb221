"""What lies below and above a file: defaults of SCAR and of the user, and values given beside it.

- SCAR's own configuration file, `scar.cfg` in $SCAR_CONFIG_FOLDER or in ~/.scar, is the lowest layer.
- The defaults file is `~/.config/scar-pulumi/defaults.yaml`, or the one that $SCAR_DEFAULTS names. It has `aws:`, one
  element of `functions.aws` without a name, `oscar:` with a service below each cluster's id, `storage_providers:` and
  `clusters:`.
- The FDL file.
- Overrides, as `--set lambda.memory=1024` or in a stack's configuration: `lambda.memory` (and `iam.…`, `cloudwatch.…`)
  means every function, `functions.<name>.lambda.memory` one of them, `oscar.memory` every service on a cluster,
  `storage_providers.…` and `clusters.…` the credentials. They are checked like the file.

An empty $SCAR_CONFIG_FOLDER or $SCAR_DEFAULTS switches that layer off.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from scar_pulumi.fdl.kinds import Items, Kind, Section, Table
from scar_pulumi.fdl.problems import Mark, Report, closest, quoted
from scar_pulumi.fdl.tables import AWS_FUNCTION, DEFAULTS, DOCUMENT, SERVICE
from scar_pulumi.fdl.tree import (
    Entry,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    is_null,
    merge,
    merge_at,
    plain_kind,
    typed_node,
)
from scar_pulumi.fdl.yaml_text import compose, read_text

# Variables for udocker, which images do not need.
_OF_ZIP_PACKAGES = "UDOCKER_"


def scar_cfg_file() -> Path | None:
    """Return the file to read, or None."""
    folder = os.environ.get("SCAR_CONFIG_FOLDER")
    if folder == "":
        return None
    # Unlike pathlib's, these don't raise without a home or without the right to look into it.
    path = os.path.join(folder or os.path.expanduser("~/.scar"), "scar.cfg")  # noqa: PTH111, PTH118
    return Path(path) if os.path.exists(path) else None  # noqa: PTH110


def read_scar_cfg(report: Report) -> MapNode | None:
    """Return what the file means here, in the words of the defaults file; None if there is no file."""
    path = scar_cfg_file()
    text = None if path is None else read_text(path, str(path), report)
    # JSON is YAML, except for its tabs.
    node = None if text is None else compose(text.replace("\t", " "), str(path), report)
    return _known_settings(DEFAULTS, node) if isinstance(node, MapNode) else None


def _known_settings(kind: Section | Table, node: MapNode) -> MapNode:
    entries = {}
    for name, entry in node.entries.items():
        below = _kind_below(kind, name)
        if below is None or name.startswith(_OF_ZIP_PACKAGES) or _is_empty(entry.value):
            continue
        inside = isinstance(entry.value, MapNode) and isinstance(below, Section | Table)
        value: Node = _known_settings(below, entry.value) if inside else entry.value  # type: ignore[arg-type] # a map in a section
        if not _is_empty(value):
            entries[name] = Entry(entry.mark, value)
    return MapNode(node.mark, entries)


def _kind_below(kind: Section | Table, name: str) -> Kind | None:
    if isinstance(kind, Table):
        return kind.of
    key = kind.keys.get(name)
    return key.kind if key is not None and key.note is None else None


def _is_empty(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return is_null(node) or node.text == ""
    return not (node.items if isinstance(node, ListNode) else node.entries)


def defaults_file() -> Path | None:
    """Return the file to read, or None. One that the environment names must exist, the usual one need not."""
    named = os.environ.get("SCAR_DEFAULTS")
    if named is not None:
        return Path(named) if named else None
    # Unlike pathlib's, these don't raise without a home or without the right to look into it.
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    usual = Path(base, "scar-pulumi", "defaults.yaml")
    return usual if os.path.exists(usual) else None  # noqa: PTH110


def read_defaults(report: Report) -> MapNode | None:
    """Return the defaults of both files as a positioned tree, or None if there are none."""
    own, scar_cfg = _read_own(report), read_scar_cfg(report)
    if own is None or scar_cfg is None:
        return own or scar_cfg
    merged = merge(scar_cfg, own)
    return merged if isinstance(merged, MapNode) else own


def _read_own(report: Report) -> MapNode | None:
    path = defaults_file()
    text = None if path is None else read_text(path, str(path), report)
    node = None if text is None else compose(text, str(path), report)
    if node is None or is_null(node):
        return None
    if not isinstance(node, MapNode):
        report.error(node.mark, "", "the defaults file is not a map", "start it with 'aws:'")
        return None
    for name, entry in node.entries.items():
        if name not in DEFAULTS.keys:
            match = closest(name, DEFAULTS.keys)
            hint = f"did you mean '{match}'?" if match else "use 'aws:', 'oscar:', 'storage_providers:' or 'clusters:'"
            report.error(Mark(*entry.mark), name, f"the key '{name[:60]}' is unknown in the defaults file", hint)
    return node


_OF_DOCUMENT = ("storage_providers", "clusters")


class Override(NamedTuple):
    """One value and where it goes.

    Attributes:
        function: Name of the function it is for; None for all.
        path: Keys below the function, the service, or the document's root.
        of: Which of these.
    """

    function: str | None
    path: tuple[str, ...]
    node: Node
    of: Literal["function", "service", "document"]


def read_overrides(
    overrides: Mapping[str, Any], source: str, report: Report, services: Collection[str] = ()
) -> list[Override]:
    """Return the overrides as positioned trees; what cannot be understood goes to the report.

    `services` are names of services on OSCAR clusters, whose settings are others than a function's.
    """
    read = (_read_override(key, value, source, report, services) for key, value in _flat(overrides))
    return [override for override in read if override is not None]


def _flat(overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in overrides.items():
        # {"lambda": {"memory": 512}} means the same as "lambda.memory"; each value gets a place of its own.
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{below}", one) for below, one in _flat(value))
        else:
            yield str(key), value


def _read_override(key: str, value: Any, source: str, report: Report, services: Collection[str]) -> Override | None:
    mark = Mark(f"{source} {key}={_shown_value(key, value)}")
    function, parts = _split(key)
    of: Literal["function", "service", "document"] = "function"
    if function is None and parts[0] in _OF_DOCUMENT:
        of = "document"
    elif function in services or (function is None and parts[0] == "oscar" and len(parts) > 1):
        of, parts = "service", parts if function else parts[1:]
    root = {"function": AWS_FUNCTION, "service": SERVICE, "document": DOCUMENT}[of]
    if parts[0] not in root.keys or not all(parts):
        match = closest(parts[0], (*root.keys, "functions", *_OF_DOCUMENT))
        usual = "write it like lambda.memory or functions.<name>.lambda.memory"
        report.error(mark, "", f"{quoted(key)} is not a setting", _did_you_mean(match) if match != parts[0] else usual)
        return None
    path, kind = _kind_at(root, parts)
    collection = isinstance(kind, Items | Table | Section)
    node = _parsed_text(value, mark, report) if isinstance(value, str) and collection else _node(value, mark)
    return Override(function, path, node, of) if node is not None else None


def _did_you_mean(match: str | None) -> str | None:
    return f"did you mean '{match}'?" if match else None


def _split(key: str) -> tuple[str | None, tuple[str, ...]]:
    parts = tuple(key.split("."))
    if parts[0] == "functions" and len(parts) > 2:
        return parts[1], parts[2:]
    return None, parts


def _kind_at(kind: Kind | None, parts: tuple[str, ...]) -> tuple[tuple[str, ...], Kind | None]:
    """Return the keys of a dotted path and what belongs there, None if unknown.

    In a map of single values the rest is one key: tags may have dots.
    """
    if not parts or kind is None:
        return parts, kind
    if isinstance(kind, Table) and not isinstance(kind.of, Section):
        return (".".join(parts),), kind.of
    below = kind.of if isinstance(kind, Table) else None
    if isinstance(kind, Section) and parts[0] in kind.keys:
        below = kind.keys[parts[0]].kind
    rest, target = _kind_at(below, parts[1:])
    return (parts[0], *rest), target


def _shown_value(key: str, value: Any) -> str:
    """Return the value as given, unless it may be a secret: positions are printed."""
    words = key.split(".")
    if {*_OF_DOCUMENT, "environment", "auth_password", "headers"} & set(words):
        return "…"
    return str(value) if len(str(value)) <= 40 else f"{str(value)[:40]}…"


def _parsed_text(text: str, mark: Mark, report: Report) -> Node | None:
    """Return the tree of YAML in brackets or braces, given as text where a list or a map belongs."""
    if text[:1] not in ("[", "{"):
        return _node(text, mark)
    own = Report()
    node = compose(text, mark.file, own)
    for problem in own.problems():
        report.error(mark, "", problem.message, problem.hint)
    return None if node is None or own.failed else _placed(node, mark)


def _node(value: Any, mark: Mark) -> Node:
    if isinstance(value, str):
        return ScalarNode(mark, value, plain_kind(value) if value else "text", typed=False)
    return typed_node(value, mark)


def _placed(node: Node, mark: Mark) -> Node:
    if isinstance(node, ScalarNode):
        return ScalarNode(mark, node.text, node.kind, typed=False)
    if isinstance(node, ListNode):
        return ListNode(mark, [_placed(item, mark) for item in node.items])
    return MapNode(mark, {name: Entry(mark, _placed(entry.value, mark)) for name, entry in node.entries.items()})


class _Unit(NamedTuple):
    """A function, or a service with the id of its cluster."""

    node: Node
    cluster: str | None

    @property
    def name(self) -> str | None:
        keys = (self.section, "name") if self.cluster is None else ("name",)
        name = self.node.get(*keys) if isinstance(self.node, MapNode) else None
        return name.text if isinstance(name, ScalarNode) else None

    @property
    def section(self) -> str:
        """The section with the settings of what is on AWS."""
        has_other = isinstance(self.node, MapNode) and _OTHER["lambda"] in self.node.entries
        return _OTHER["lambda"] if has_other else "lambda"

    def has_place_for(self, path: tuple[str, ...]) -> bool:
        """Return whether a setting is one of this unit: those of functions are none of a MapReduce."""
        return self.cluster is not None or path[0] != _OTHER[self.section]


_OTHER = {"lambda": "mapreduce", "mapreduce": "lambda"}
"""Of these sections, an entry of `functions.aws` has one."""


def with_defaults(root: MapNode, defaults: MapNode) -> MapNode:
    """Return the document with defaults below its functions, services, storage providers and clusters."""
    aws, oscar = defaults.get("aws"), defaults.get("oscar")
    clusters = oscar if isinstance(oscar, MapNode) else None

    def below(unit: _Unit) -> Node:
        default = _without_other(aws, unit) if unit.cluster is None else clusters and clusters.get(unit.cluster)
        return merge(default, unit.node) if isinstance(default, MapNode) else unit.node

    root = _each(root, below)
    for section in ("storage_providers", "clusters"):
        if (given := defaults.entries.get(section)) is not None:
            own = root.entries.get(section)
            value = merge(given.value, own.value) if own else given.value
            root = MapNode(root.mark, {**root.entries, section: Entry((own or given).mark, value)})
    return root


def _without_other(aws: Node | None, unit: _Unit) -> Node | None:
    """Return the defaults of what is on AWS that this unit can have."""
    if not isinstance(aws, MapNode):
        return aws
    return MapNode(aws.mark, {name: entry for name, entry in aws.entries.items() if unit.has_place_for((name,))})


def with_overrides(root: MapNode, overrides: Sequence[Override], report: Report) -> MapNode:
    """Return the document with overrides above it; those for one function win over those for all."""
    for override in sorted(overrides, key=lambda one: one.function is not None):
        if override.of == "document":
            laid = merge_at(root, override.path, override.node)
            root = laid if isinstance(laid, MapNode) else root
        else:
            root = _laid(root, override, report)
    return root


def service_names(root: MapNode) -> frozenset[str]:
    """Return the names of the services on OSCAR clusters."""
    return frozenset(unit.name for unit in _units(root) if unit.cluster is not None and unit.name is not None)


def _laid(root: MapNode, override: Override, report: Report) -> MapNode:
    units = [unit for unit in _units(root) if (unit.cluster is None) == (override.of == "function")]
    names = [unit.name for unit in units if unit.name is not None]
    if override.function is not None and override.function not in names:
        match = closest(override.function, names)
        hint = f"did you mean '{match}'?" if match else None
        report.error(override.node.mark, "", f"there is no function '{override.function}' in the file", hint)
        return root

    def above(unit: _Unit) -> Node:
        if (unit.cluster is None) != (override.of == "function") or override.function not in (None, unit.name):
            return unit.node
        if override.function is None and not unit.has_place_for(override.path):
            return unit.node
        return merge_at(unit.node, override.path, override.node)

    return _each(root, above)


def _each(root: MapNode, change: Callable[[_Unit], Node]) -> MapNode:
    """Return the document with every function and service that is a map changed."""
    functions = root.get("functions")
    if not isinstance(functions, MapNode):
        return root
    entries = dict(functions.entries)
    for key, one in ((key, entries[key]) for key in ("aws", "oscar") if key in entries):
        if isinstance(one.value, ListNode):
            items = [_changed(key, item, change) for item in one.value.items]
            entries[key] = Entry(one.mark, ListNode(one.value.mark, items))
    mark = root.entries["functions"].mark
    return MapNode(root.mark, {**root.entries, "functions": Entry(mark, MapNode(functions.mark, entries))})


def _changed(key: str, item: Node, change: Callable[[_Unit], Node]) -> Node:
    if not isinstance(item, MapNode):
        return item
    if key == "aws":
        return change(_Unit(item, None))
    services = dict(item.entries)
    for cluster, (mark, service) in item.entries.items():
        if isinstance(service, MapNode):
            services[cluster] = Entry(mark, change(_Unit(service, cluster)))
    return MapNode(item.mark, services)


def _units(root: MapNode) -> list[_Unit]:
    found: list[_Unit] = []

    def note(unit: _Unit) -> Node:
        found.append(unit)
        return unit.node

    _each(root, note)
    return found
