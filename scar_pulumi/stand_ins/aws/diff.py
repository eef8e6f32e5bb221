"""What an update would change, property by property."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.stand_ins.aws.model import Property, ResourceType
from scar_pulumi.stand_ins.plugin.paths import joined, top
from scar_pulumi.stand_ins.plugin.wire import UNKNOWN, is_asset


@dataclass
class Difference:
    """Changed property paths as "add", "delete" or "update", and the top-level properties that force a replacement."""

    paths: dict[str, str] = field(default_factory=dict)
    replaces: list[str] = field(default_factory=list)

    @property
    def changed(self) -> frozenset[str]:
        """The top-level properties that changed."""
        return frozenset(map(top, self.paths))

    def ignore(self, paths: Iterable[str]) -> None:
        """Leave out what the program told the engine to ignore."""
        tops = frozenset(paths)
        self.paths = {path: kind for path, kind in self.paths.items() if not {path, top(path)} & tops}
        self.replaces = [name for name in self.replaces if name not in tops]


def difference(type_: ResourceType, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Difference:
    """Compare checked inputs. Leaving out what AWS chooses itself is no change; nor is another spelling of the same."""
    found = Difference()
    for name, property_ in type_.properties.items():
        old, new = (_settled(values.get(name), property_) for values in (olds, news))
        if property_.output or (new is None and property_.computed):
            continue
        paths = dict(_compare(name, old, new, property_))
        if paths and property_.replace:
            found.replaces.append(name)
        found.paths |= paths
    if type_.replaced:
        found.replaces += sorted((type_.replaced(olds, news) & found.changed) - {*found.replaces})
    return found


def baseline(type_: ResourceType, olds: Mapping[str, Any], old_inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What new inputs are compared with: the old inputs, and what AWS had chosen where there were none."""
    computed = {name: olds.get(name) for name, property_ in type_.properties.items() if property_.computed}
    return {**computed, **(old_inputs or olds)}


def same(old: Any, new: Any, property_: Property) -> bool:
    """Whether two values of a property mean the same."""
    return not any(_compare("", _settled(old, property_), _settled(new, property_), property_))


def _settled(value: Any, property_: Property) -> Any:
    """`value` without what says nothing: empty structures, and defaults left out."""
    if value is None:
        return property_.default
    if property_.kind == "json":
        return _canonical(value)
    if is_asset(value):
        return value.get("hash") or value
    if property_.fields:
        items = [_settled_fields(item, property_) for item in (value if isinstance(value, list) else [value])]
        return (items if isinstance(value, list) else items[0]) or None
    if property_.unordered and isinstance(value, list):
        return sorted(value, key=str) or None
    return None if value in ({}, [], "") else value


def _settled_fields(value: Any, property_: Property) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _settled(value.get(name), field) for name, field in property_.fields.items() if not field.output}
    return {name: item for name, item in inner.items() if item is not None}


def _canonical(value: Any) -> Any:
    try:
        return json.dumps(json.loads(value), sort_keys=True) if value else None
    except (TypeError, ValueError):
        return value


def _compare(path: str, old: Any, new: Any, property_: Property) -> Iterator[tuple[str, str]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = property_.fields.get(key)
            if inner is None or not (inner.computed and new.get(key) is None):
                yield from _compare(joined(path, key), old.get(key), new.get(key), inner or property_)
    elif isinstance(old, list) and isinstance(new, list) and not property_.unordered:
        for place in range(max(len(old), len(new))):
            before, after = (items[place] if place < len(items) else None for items in (old, new))
            yield from _compare(f"{path}[{place}]", before, after, property_)
    else:
        yield path, _kind(old, new)


def _kind(old: Any, new: Any) -> str:
    if old is None:
        return "add"
    return "delete" if new is None and new != UNKNOWN else "update"
