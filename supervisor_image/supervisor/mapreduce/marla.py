"""Call the functions of a MARLA program: `marla.py map|reduce FILE`, with any Python from 3.6 on.

The file defines `mapper(chunk)`, which returns pairs of name and value, and `reducer(pairs)`, which takes them sorted
and returns lists of name and value. Earlier forms take lists to be filled as further arguments: `mapper(chunk, names,
values)`, `mapper(chunk, pairs)` and `reducer(pairs, results)`. As MARLA does, the reducer runs on each mapper's pairs
too, and more than once on what does not fit into memory: https://github.com/grycap/marla
"""

import importlib.machinery
import importlib.util
import json
import os
import sys
from typing import Any, Callable, Iterator, List, Tuple  # noqa: UP035 Python 3.6 has no others

Pairs = List[Tuple[str, Any]]  # noqa: UP006
_AT_ONCE = 100000  # pairs; MARLA has a limit in bytes


def main(arguments: List[str]) -> None:  # noqa: UP006
    """Run one stage: chunk → JSON pairs, or sorted JSON pairs → `name,value` lines."""
    stage, path = arguments
    functions = _module(path)
    # What the functions print themselves belongs into the log.
    with open(os.dup(1), "w", encoding="utf-8", errors="surrogateescape", newline="\n") as output:
        os.dup2(2, 1)
        if stage == "map":
            _map(functions, output)
        else:
            _reduce(functions, output)


def _module(path: str) -> Any:
    loader = importlib.machinery.SourceFileLoader("user_functions", path)
    specification = importlib.util.spec_from_loader("user_functions", loader)
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["user_functions"] = module
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def _map(functions: Any, output: Any) -> None:
    with open(os.environ["INPUT_FILE_PATH"], encoding="utf-8", errors="surrogateescape", newline="") as file:
        pairs = _mapped(functions.mapper, file.read())
    pairs.sort()
    for name, value in _reduced(functions.reducer, pairs):
        output.write(f"{json.dumps([str(name), str(value)])}\n")


def _mapped(mapper: Callable[..., Any], chunk: str) -> Pairs:
    count = _arguments(mapper)
    if count == 1:
        return list(mapper(chunk))
    filled = [[] for _ in range(count - 1)]  # type: List[List[Any]]
    mapper(chunk, *filled)
    return list(zip(filled[0], filled[1])) if count > 2 else [tuple(pair) for pair in filled[0]]  # noqa: B905


def _reduced(reducer: Callable[..., Any], pairs: Pairs) -> Pairs:
    if _arguments(reducer) == 1:
        return [(found[0], found[1]) for found in reducer(pairs)]
    results = []  # type: List[Any]
    reducer(pairs, results)
    return [(found[0], found[1]) for found in results]


def _arguments(function: Callable[..., Any]) -> int:
    return function.__code__.co_argcount


def _reduce(functions: Any, output: Any) -> None:
    for results in _results(functions.reducer):
        for name, value in results:
            output.write(f"{name},{value}\n")


def _results(reducer: Callable[..., Any]) -> Iterator[Pairs]:
    """Yield the results of some names at a time; a name with very many pairs is reduced in several steps."""
    held = []  # type: Pairs
    for line in sys.stdin.buffer:
        name, value = json.loads(line.decode("utf-8", "surrogateescape"))
        if len(held) >= _AT_ONCE:
            results = _reduced(reducer, held)
            done, held = _apart(results, name)
            yield done
        held.append((name, value))
    if held:
        yield _reduced(reducer, held)


def _apart(results: Pairs, name: str) -> Tuple[Pairs, Pairs]:  # noqa: UP006
    """Return the results that are final, and those of the name that goes on, as the reducer would read them again."""
    done = [result for result in results if str(result[0]) != name]
    return done, [(name, str(value)) for found, value in results if str(found) == name]


if __name__ == "__main__":
    main(sys.argv[1:])
