"""What differs between two objects, and what of that was declared."""

from collections.abc import Iterator, Mapping
from typing import Any

from scar_pulumi.stand_ins.kubernetes.api import Object
from scar_pulumi.stand_ins.kubernetes.objects import decoded
from scar_pulumi.stand_ins.plugin.paths import joined


def changed_paths(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Property paths that differ, each with "add", "delete" or "update"."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if not key.startswith("__"):
                yield from changed_paths(old.get(key), new.get(key), joined(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before, after = (items[place] if place < len(items) else None for items in (old, new))
            yield from changed_paths(before, after, f"{path}[{place}]")
    elif old in (None, {}, []) and new in (None, {}, []):
        return
    else:
        yield path, "add" if old is None else "delete" if new is None else "update"


def drifted(declared: Any, wanted: Any, live: Any) -> Any:
    """What was declared, with the live value wherever applying it again would change something.

    `wanted` is what applying it again would give: quantities, defaults and the like are spelled there as in `live`.
    """
    if wanted == live:
        return declared
    if isinstance(declared, dict) and isinstance(wanted, dict) and isinstance(live, dict):
        return {
            name: drifted(value, wanted.get(name), live.get(name))
            for name, value in declared.items()
            if name in live or name not in wanted
        }
    if all(isinstance(items, list) for items in (declared, wanted, live)) and len(declared) == len(live) == len(wanted):
        return [drifted(*items) for items in zip(declared, wanted, live, strict=True)]
    return live


def drifted_strings(declared: Mapping[str, str], live: Object) -> dict[str, str]:
    """A Secret's `stringData` as its live `data` has it."""
    data = live.get("data") or {}
    return {name: decoded(data[name]) for name in declared if name in data}
