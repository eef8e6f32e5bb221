"""Paths of the Amazon States Language: what they select, and where a result goes.

https://states-language.net/#path and https://states-language.net/#ref-paths
"""

import copy
import functools
from collections.abc import Mapping
from typing import Any

import jsonpath

from scar_pulumi.cloud.states.failures import RESULT_PATH, RUNTIME, StateFailureError


class PathError(ValueError):
    """A text is not a path."""


@functools.lru_cache(maxsize=4096)
def compiled(path: str) -> Any:
    """Return a path ready for use; `$$` starts one in the context object. Raises PathError."""
    text = path[1:] if path.startswith("$$") else path
    if not text.startswith("$"):
        raise PathError(f"{path!r} does not start with $")
    try:
        return jsonpath.compile(text)
    except jsonpath.JSONPathError as error:
        raise PathError(f"{path!r} is not a JSONPath: {str(error).splitlines()[0]}") from None


@functools.lru_cache(maxsize=4096)
def steps(path: str) -> tuple[str | int, ...]:
    """Return the names and numbers of a reference path, which means one place. Raises PathError."""
    query = compiled(path)
    if not query.singular_query() or path.startswith("$$"):
        raise PathError(f"{path!r} is not a reference path; it must mean one place of the data")
    found = (segment.selectors[0] for segment in query.segments)
    return tuple(getattr(selector, "name", None) or selector.index for selector in found)


def select(path: str, data: Any, context: Mapping[str, Any], error: str = RUNTIME) -> Any:
    """Return what a path selects; a list, if it may select several things.

    Raises StateFailureError with `error` when a path that means one place finds nothing.
    """
    query = compiled(path)
    found = query.findall(context if path.startswith("$$") else data)
    if not query.singular_query():
        return found
    if not found:
        raise StateFailureError(error, f"The JSONPath '{path}' could not be found in the input.")
    return found[0]


def is_present(path: str, data: Any, context: Mapping[str, Any]) -> bool:
    """Return whether a path selects anything."""
    return bool(compiled(path).findall(context if path.startswith("$$") else data))


def placed(path: str, data: Any, result: Any) -> Any:
    """Return a copy of the data with a result at a reference path; objects on the way are made.

    Raises StateFailureError when something is in the way.
    """
    way = steps(path)
    if not way:
        return result
    changed = here = copy.copy(data)
    for number, step in enumerate(way):
        if isinstance(step, int) or not isinstance(here, dict):
            return _placed_in_list(path, here, way[number:], result, changed)
        if number == len(way) - 1:
            here[step] = result
        else:
            here[step] = here = copy.copy(here[step]) if here.get(step) is not None else {}
    return changed


def _placed_in_list(path: str, here: Any, rest: tuple[str | int, ...], result: Any, changed: Any) -> Any:
    step = rest[0]
    if isinstance(here, list) and isinstance(step, int) and -len(here) <= step < len(here):
        deeper = "$" + "".join(f"[{part!r}]" for part in rest[1:])
        here[step] = placed(deeper, here[step], result) if rest[1:] else result
        return changed
    raise StateFailureError(RESULT_PATH, f"Unable to apply ReferencePath {path} to the input.")
