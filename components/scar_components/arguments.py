"""Checks of a component's arguments against their types: unknown keys, missing ones, wrong types, misplaced outputs.

Arguments may come from a stack's configuration or another language, which no type checker of Python sees.
"""

import difflib
import inspect
import types
import typing
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NotRequired, Required, Union

import pulumi


def check_arguments(name: str, args: Any, kind: Any) -> None:
    """Raise RunError with every argument that does not fit the TypedDict `kind`."""
    if mistakes := list(shape_mistakes(args, kind)):
        raise pulumi.RunError("\n".join(f"{name}: {mistake}" for mistake in mistakes))


def shape_mistakes(value: Any, hint: Any, where: str = "") -> Iterator[str]:
    """Yield what in a value does not fit its type. Outputs fit where the type is an Input."""
    allowed = _alternatives(hint)
    kinds = [kind for kind in allowed if not _is_pending(kind)]
    if isinstance(value, pulumi.Output) or inspect.isawaitable(value):
        if len(kinds) == len(allowed) and Any not in kinds:
            yield f"{where}: is an Output, but decides which resources there are; give a value that the program knows"
    elif not any(_fits(value, kind) for kind in kinds):
        yield f"{where or 'args'}: {_wanted(value, kinds[0])}"
    else:
        kind = next(kind for kind in kinds if _fits(value, kind))
        yield from _members(value, kind, where)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return what to say of a key that is not among the known ones."""
    near = difflib.get_close_matches(key, known, 1)
    return f"is unknown; did you mean {near[0]!r}?" if near else f"is unknown; use one of {', '.join(sorted(known))}"


def _alternatives(hint: Any) -> list[Any]:
    origin = typing.get_origin(hint)
    if origin in {NotRequired, Required}:
        return _alternatives(typing.get_args(hint)[0])
    if origin in {Union, types.UnionType}:
        return [kind for member in typing.get_args(hint) for kind in _alternatives(member)]
    return [hint]


def _is_pending(kind: Any) -> bool:
    if isinstance(kind, typing.ForwardRef):  # `Input` names `Output` as a string
        return kind.__forward_arg__.startswith("Output[")
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, (pulumi.Output, Awaitable))


def _fits(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    if value is None or origin is Any or typing.is_typeddict(origin) or origin in {Mapping, dict}:
        return origin is Any or isinstance(value, Mapping) if value is not None else kind in {Any, type(None)}
    if origin in {Sequence, list}:
        return isinstance(value, Sequence) and not isinstance(value, str)
    if origin in {int, float}:
        # Pulumi has one kind of number.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (origin is float or value == int(value))
    if not isinstance(origin, type):
        return True
    return isinstance(value, origin)


def _wanted(value: Any, kind: Any) -> str:
    origin = typing.get_origin(kind) or kind
    if value is None:
        return "is None; give a value, or leave it out"
    if typing.is_typeddict(origin):
        return f"{value!r} is not a map; write its keys below it"
    if origin in {Mapping, dict}:
        return f"{value!r} is not a map"
    if origin in {Sequence, list}:
        return f"{value!r} is not a list; write [{value}]"
    if origin is str:
        return f'{value!r} is not text; write it in quotes, such as "{value}"'
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    return f"{value!r} is not {names.get(origin, getattr(origin, '__name__', origin))}"


def _members(value: Any, kind: Any, where: str) -> Iterator[str]:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if typing.is_typeddict(origin):
        yield from _section(value, origin, where)
    elif origin in {Mapping, dict} and inner:
        for key in value:
            yield from shape_mistakes(value[key], inner[1], f"{where}.{key}")
    elif origin in {Sequence, list} and inner:
        for index, one in enumerate(value):
            yield from shape_mistakes(one, inner[0], f"{where}[{index}]")


def _section(value: Mapping[str, Any], kind: Any, where: str) -> Iterator[str]:
    hints = kind.__annotations__
    for key in value:
        place = f"{where}.{key}" if where else str(key)
        if key not in hints:
            yield f"{place}: {unknown_key(str(key), hints)}"
        elif value[key] is not None or key in kind.__required_keys__:
            yield from shape_mistakes(value[key], hints[key], place)
    for key in sorted(kind.__required_keys__ - value.keys()):
        yield f"{f'{where}.{key}' if where else key}: is missing; give it"
