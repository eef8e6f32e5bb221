"""Intrinsic functions, such as States.Format('{}.csv', $.name): their grammar and what each does.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import base64
import binascii
import functools
import hashlib
import json
import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scar_pulumi.cloud.states.failures import INTRINSIC, PARAMETER_PATH, StateFailureError
from scar_pulumi.cloud.states.paths import PathError, compiled, select

_NESTED = 10
_LONGEST_HASHED = 10_000
_LONGEST_CODED = 10_000
_LONGEST_RANGE = 1000


@dataclass(frozen=True)
class Literal:
    """A text, number, true, false or null."""

    value: Any


@dataclass(frozen=True)
class Path:
    """A path whose value is an argument."""

    text: str


@dataclass(frozen=True)
class Function:
    """A call of an intrinsic function."""

    name: str
    arguments: tuple["Literal | Path | Function", ...]


_TOKENS = re.compile(
    r"""\s*(?:(?P<name>States\.[A-Za-z0-9]+)\s*\(|(?P<text>'(?:[^'\\]|\\.)*')|(?P<close>\))|(?P<comma>,)
    |(?P<path>\$(?:[^,()\[\]\s']|\[(?:'[^']*'|[^\]'])*\])*(?:\([^)]*\))?)
    |(?P<word>[^,()\s']+))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Function:
    """Read a call of an intrinsic function. Raises PathError."""
    tokens = _tokens(text)
    kind, name = tokens.pop()
    if kind != "name":
        raise PathError(f"{text!r} is not an intrinsic function; one looks like States.Format('{{}}', $.name)")
    function = _function(name, tokens, text, 1)
    if tokens:
        raise PathError(f"{text!r}: there is something behind the last parenthesis")
    return function


def evaluate(function: Function, data: Any, context: Mapping[str, Any]) -> Any:
    """Return the value of a call. Raises StateFailureError."""
    values = [_value(argument, data, context) for argument in function.arguments]
    operation, _ = FUNCTIONS[function.name]
    try:
        return operation(*values)
    except (TypeError, ValueError, IndexError, binascii.Error, AttributeError) as error:
        raise StateFailureError(INTRINSIC, f"{function.name}: {error}") from None


def _value(argument: Literal | Path | Function, data: Any, context: Mapping[str, Any]) -> Any:
    if isinstance(argument, Function):
        return evaluate(argument, data, context)
    return select(argument.text, data, context, PARAMETER_PATH) if isinstance(argument, Path) else argument.value


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return the tokens of a call, the first one last."""
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKENS.match(text, place)
        if not match or not match.lastgroup:
            raise PathError(f"{text!r}: cannot be read from {text[place : place + 20]!r} on")
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found[::-1] or [("", "")]


def _function(name: str, tokens: list[tuple[str, str]], text: str, depth: int) -> Function:
    if name not in FUNCTIONS:
        raise PathError(f"{text!r}: there is no intrinsic function {name}; there are {', '.join(FUNCTIONS)}")
    if depth > _NESTED:
        raise PathError(f"{text!r}: functions are nested deeper than {_NESTED}")
    arguments: list[Literal | Path | Function] = []
    while tokens and (tokens[-1] != ("close", ")") or arguments):
        arguments.append(_argument(tokens, text, depth))
        kind, _ = tokens[-1] if tokens else ("", "")
        if kind == "close":
            break
        if kind != "comma":
            raise PathError(f"{text!r}: a comma or a parenthesis is missing")
        tokens.pop()
    if not tokens:
        raise PathError(f"{text!r}: a parenthesis is missing")
    tokens.pop()
    _, (least, most) = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        wanted = str(least) if least == most else f"{least} or more" if most > least + 2 else f"{least} to {most}"
        raise PathError(f"{text!r}: {name} takes {wanted} arguments, not {len(arguments)}")
    return Function(name, tuple(arguments))


def _argument(tokens: list[tuple[str, str]], text: str, depth: int) -> Literal | Path | Function:
    kind, token = tokens.pop()
    match kind:
        case "name":
            return _function(token, tokens, text, depth + 1)
        case "text":
            return Literal(_ESCAPES.sub(r"\1", token[1:-1]) if "\\" in token else token[1:-1])
        case "path":
            compiled(token)
            return Path(token)
        case "word":
            try:
                return Literal(json.loads(token))
            except ValueError:
                raise PathError(f"{text!r}: {token!r} is no argument; texts stand in single quotes") from None
    raise PathError(f"{text!r}: an argument is missing")


def _format(template: str, *values: Any) -> str:
    parts = template.split("{}")
    if len(parts) != len(values) + 1:
        raise ValueError(f"{template!r} has {len(parts) - 1} places for {len(values)} values")
    return "".join(part + text for part, text in zip(parts, [*map(_plain, values), ""], strict=True))


def _plain(value: Any) -> str:
    if isinstance(value, dict | list):
        raise TypeError("only texts, numbers, true, false and null can be formatted")
    return value if isinstance(value, str) else json.dumps(value)


def _partition(values: list[Any], size: int) -> list[list[Any]]:
    if _whole(size) < 1:
        raise ValueError("the size of a chunk must be 1 or more")
    return [values[start : start + size] for start in range(0, len(_list(values)), size)]


def _range(first: int, last: int, step: int) -> list[int]:
    if not _whole(step):
        raise ValueError("the step must not be 0")
    found = list(range(_whole(first), _whole(last) + (1 if step > 0 else -1), step)[: _LONGEST_RANGE + 1])
    if len(found) > _LONGEST_RANGE:
        raise ValueError(f"an array has at most {_LONGEST_RANGE} numbers")
    return found


def _item(values: list[Any], number: int) -> Any:
    if not 0 <= _whole(number) < len(_list(values)):
        raise IndexError(f"there is no item {number}")
    return values[number]


def _unique(values: list[Any]) -> list[Any]:
    return list({json.dumps(value, sort_keys=True): value for value in reversed(_list(values))}.values())[::-1]


def _encode(text: str) -> str:
    return base64.b64encode(_short(text, _LONGEST_CODED).encode()).decode()


def _decode(text: str) -> str:
    return base64.b64decode(_short(text, _LONGEST_CODED), validate=True).decode()


def _hash(value: Any, algorithm: str) -> str:
    names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    if algorithm not in names:
        raise ValueError(f"{algorithm!r} is none of {', '.join(names)}")
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(names[algorithm], _short(text, _LONGEST_HASHED).encode(), usedforsecurity=False).hexdigest()


def _merge(first: dict[str, Any], second: dict[str, Any], deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise ValueError("the third argument must be false: only shallow merging is there")
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise TypeError("both must be objects")
    return {**first, **second}


def _random(start: int, end: int, seed: int | None = None) -> int:
    return random.Random(seed).randrange(_whole(start), _whole(end))  # noqa: S311 - a function of the language


def _split(text: str, marks: str) -> list[str]:
    return [part for part in re.split(f"[{re.escape(marks)}]", text) if part] if marks else [text]


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError(f"{value!r} is not a whole number")
    return int(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{json.dumps(value)[:50]} is not an array")
    return value


def _short(text: str, most: int) -> str:
    if len(text) > most:
        raise ValueError(f"takes at most {most} characters")
    return text


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], tuple[int, int]]] = {
    "States.Format": (_format, (1, 1000)),
    "States.StringToJson": (json.loads, (1, 1)),
    "States.JsonToString": (lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False), (1, 1)),
    "States.Array": (lambda *values: list(values), (0, 1000)),
    "States.ArrayPartition": (_partition, (2, 2)),
    "States.ArrayContains": (lambda values, wanted: wanted in _list(values), (2, 2)),
    "States.ArrayRange": (_range, (3, 3)),
    "States.ArrayGetItem": (_item, (2, 2)),
    "States.ArrayLength": (lambda values: len(_list(values)), (1, 1)),
    "States.ArrayUnique": (_unique, (1, 1)),
    "States.Base64Encode": (_encode, (1, 1)),
    "States.Base64Decode": (_decode, (1, 1)),
    "States.Hash": (_hash, (2, 2)),
    "States.JsonMerge": (_merge, (3, 3)),
    "States.MathRandom": (_random, (2, 3)),
    "States.MathAdd": (lambda one, other: _whole(one) + _whole(other), (2, 2)),
    "States.StringSplit": (_split, (2, 2)),
    "States.UUID": (lambda: str(uuid.uuid4()), (0, 0)),
}
"""Each function with how many arguments it takes."""
