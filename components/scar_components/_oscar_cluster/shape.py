"""Arguments against their types: they may come from a stack's configuration, which nobody has type-checked."""

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NotRequired


def shape_mistakes(value: Any, hint: Any, where: str = "") -> Iterator[str]:
    """Yield what is unknown, missing or of another kind than a TypedDict says; outputs are taken as they are."""
    if typing.get_origin(hint) is NotRequired:
        (hint,) = typing.get_args(hint)
    if typing.is_typeddict(hint):
        yield from _section(value, hint, where)
    elif mistake := _mistake(value, hint):
        yield f"{where}: {mistake}"


def _section(value: Any, hint: Any, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: {value!r} is not a map; write its settings below it"
        return
    hints = hint.__annotations__
    for key in value:
        place = f"{where}.{key}" if where else str(key)
        if key in hints:
            yield from shape_mistakes(value[key], hints[key], place)
        else:
            near = difflib.get_close_matches(str(key), hints, 1)
            known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(hints))}"
            yield f"{place}: is unknown; {known}"
    for key in sorted(hint.__required_keys__ - value.keys()):
        yield f"{f'{where}.{key}' if where else key}: is missing; give it"


def _mistake(value: Any, hint: Any) -> str | None:
    origin = typing.get_origin(hint)
    if origin is Mapping:
        return None if isinstance(value, Mapping) else f"{value!r} is not a map"
    if origin is Sequence:
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return None if is_list else f"{value!r} is not a list; write [{value}]"
    if hint in {bool, int}:
        is_right = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
        return None if is_right else f"{value!r} is not {'true or false' if hint is bool else 'a whole number'}"
    if isinstance(value, bool | int | float | Mapping | Sequence) and not isinstance(value, str):
        return f'{value!r} is not text; write it in quotes, such as "{value}"'
    return None
