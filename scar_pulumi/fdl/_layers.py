"""Laying defaults below and overrides above the functions and services of a document."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scar_pulumi.fdl._merge import merge, merge_at
from scar_pulumi.fdl._nodes import Entry, ListNode, MapNode, Node, ScalarNode
from scar_pulumi.fdl._overrides import Override
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl.problems import Report


class _Unit(NamedTuple):
    """A function, or a service with the id of its cluster."""

    node: Node
    cluster: str | None

    @property
    def name(self) -> str | None:
        keys = ("lambda", "name") if self.cluster is None else ("name",)
        name = self.node.get(*keys) if isinstance(self.node, MapNode) else None
        return name.text if isinstance(name, ScalarNode) else None


def with_defaults(root: MapNode, defaults: MapNode) -> MapNode:
    """The document with defaults below every function and service, and below its storage providers and clusters."""
    aws, oscar = defaults.get("aws"), defaults.get("oscar")
    clusters = oscar if isinstance(oscar, MapNode) else None

    def below(unit: _Unit) -> Node:
        default = aws if unit.cluster is None else clusters and clusters.get(unit.cluster)
        return merge(default, unit.node) if isinstance(default, MapNode) else unit.node

    root = _each(root, below)
    for section in ("storage_providers", "clusters"):
        if (given := defaults.entries.get(section)) is not None:
            own = root.entries.get(section)
            value = merge(given.value, own.value) if own else given.value
            root = MapNode(root.mark, {**root.entries, section: Entry((own or given).mark, value)})
    return root


def with_overrides(root: MapNode, overrides: Sequence[Override], report: Report) -> MapNode:
    """The document with overrides above it; those for one function win over those for all."""
    for override in sorted(overrides, key=lambda one: one.function is not None):
        if override.of == "document":
            laid = merge_at(root, override.path, override.node)
            root = laid if isinstance(laid, MapNode) else root
        else:
            root = _laid(root, override, report)
    return root


def service_names(root: MapNode) -> frozenset[str]:
    """Names of the services on OSCAR clusters."""
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
        return merge_at(unit.node, override.path, override.node)

    return _each(root, above)


def _each(root: MapNode, change: Callable[[_Unit], Node]) -> MapNode:
    """The document with every function and service that is a map changed."""
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
