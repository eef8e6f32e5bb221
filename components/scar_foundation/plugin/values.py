"""The engine's values as plain Python and back: unknown values, secrets, assets, property paths.

Signatures: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
Paths: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/property_path.go
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

Properties: TypeAlias = dict[str, Any]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature, not a password
_ASSETS = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")


def from_struct(struct: "Struct") -> Properties:
    """Return the properties of a request, with secrets still marked; whole numbers become `int`."""
    return {name: _python(value) for name, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Any]) -> "Struct":
    """Return the properties for an answer; leave out `None`, as the genuine provider does."""
    from google.protobuf.struct_pb2 import Struct  # noqa: PLC0415 - the engine reads states without it

    struct = Struct()
    struct.update({name: value for name, value in properties.items() if value is not None})
    return struct


def reveal(value: Any) -> Any:
    """Return `value` with every secret replaced by what it holds."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return reveal(value.get("value"))
        return {name: reveal(item) for name, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def conceal(value: Any, marked: Any) -> Any:
    """Return `value` with whatever is secret at the same place in `marked` (raw properties) made secret again."""
    if isinstance(value, dict) and isinstance(marked, dict) and _SIGNATURE not in marked:
        return {name: conceal(item, marked.get(name)) for name, item in value.items()}
    if isinstance(value, list) and isinstance(marked, list) and len(value) == len(marked):
        return [conceal(item, mark) for item, mark in zip(value, marked, strict=True)]
    return as_secret(value) if has_secret(marked) and value is not None else value


def as_secret(value: Any) -> Properties:
    """Return `value`, marked as secret."""
    return {_SIGNATURE: _SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Return whether a value itself, not something inside it, is marked as secret."""
    return isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET


def has_secret(value: Any) -> bool:
    """Return whether a secret is anywhere inside."""
    return next(secrets(value), None) is not None


def secrets(value: Any) -> Iterator[Any]:
    """Yield everything secret in raw properties, revealed."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            yield reveal(value)
            return
        for item in value.values():
            yield from secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item)


def texts(value: Any) -> Iterator[str]:
    """Yield every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def has_unknown(value: Any) -> bool:
    """Return whether something in it is only known once the program runs for real."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def is_asset(value: Any) -> bool:
    """Return whether it is a `pulumi.Asset` or `pulumi.Archive`."""
    return isinstance(value, dict) and value.get(_SIGNATURE) in _ASSETS


def _python(value: "Value") -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_python(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def join_path(path: str, key: str) -> str:
    """Return a path with a map's key added."""
    if not key or not _PLAIN.issuperset(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


def top_level(path: str) -> str:
    """Return the top-level property of a path."""
    return path.partition(".")[0].partition("[")[0]


def is_within(path: str, fields: Iterable[str]) -> bool:
    """Tell whether a path is at or below one of some others."""
    return any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields)
