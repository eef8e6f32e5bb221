"""Files that have broken readers of YAML: data or problems within a moment, whatever is asked of them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.fdl import FdlError, Problem, load
from scar_pulumi.fdl.format_2019 import convert
from scar_pulumi.fdl.graph import as_mermaid, as_svg, as_text, graph_of
from scar_pulumi.fdl.showing import show

_ONE = "functions:\n  aws:\n  - lambda:\n      name: a\n      container: {image: debian}\n"
_LAUGHS = "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
_MERGES = "".join(f"x-{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 12))
CORPUS: dict[str, bytes] = {
    "billion laughs": f"x-0: &a0 [lol]\n{_LAUGHS}{_ONE}".encode(),
    "merged laughs": f"x-0: &m0 {{k: 1}}\n{_MERGES}{_ONE}".encode(),
    "ten thousand brackets": b"functions: " + b"[" * 10_000,
    "ten thousand braces": b"{a: " * 10_000,
    "ten thousand dashes": b"- " * 10_000,
    "an endless key": b"? " * 5_000,
    "a megabyte of one word": b"functions: " + b"x" * 1_000_000,
    "a thousand digits": f"{_ONE}      memory: {'9' * 1000}\n".encode(),
    "a thousand dots": f"{_ONE}      input: [{{path: {'a.' * 1000}}}]\n".encode(),
    "a thousand slashes": f"{_ONE}      output: [{{path: b{'/a' * 500}}}]\n".encode(),
    "a reference without end": f"{_ONE}      environment: {{Variables: {{KEY: '{'${env:' * 1000}'}}}}\n".encode(),
    "a map as a function": b"functions: {aws: {a: {}}}",
    "a list in a list": b"functions: {aws: [[[{}]]]}",
    "nothing at all": b"",
    "nothing but null": b"~",
    "null everywhere": b"functions: {aws: [~, {lambda: ~}], oscar: [~, {c: ~}]}\nclusters: ~\nstorage_providers: ~",
    "windows line ends": _ONE.replace("\n", "\r\n").encode(),
    "old mac line ends": _ONE.replace("\n", "\r").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + _ONE.encode(),
    "UTF-16": _ONE.encode("utf-16"),
    "half of a letter": _ONE.encode() + b"# \xc3",
    "NUL": _ONE.encode() + b"\x00",
    "an escaped surrogate": f'{_ONE}      description: "\\uD800"\n'.encode(),
    "right-to-left": f"{_ONE}      description: '\u202egnp.exe'\n".encode(),
    "a name of emoji": _ONE.replace("name: a", "name: \U0001f44d").encode(),
    "a key of emoji": f"{_ONE}      \U0001f44d: 1\n".encode(),
    "keys twice": f"{_ONE}    lambda: {{name: b}}\n".encode(),
    "two documents": f"{_ONE}---\n{_ONE}".encode(),
    "a tab": _ONE.replace("      name", "\tname").encode(),
    "an object of Python": b"functions: !!python/object/apply:os.system [id]",
    "a binary": b"functions: !!binary aGVsbG8=",
    "a date": f"{_ONE}      description: 2024-01-01\n".encode(),
    "a sexagesimal": f"{_ONE}      timeout: 1:30\n".encode(),
    "the old format with lists": b"functions: {a: {image: [x], s3: [1], environment: 5, batch: [], memory: {}}}",
    "the old format with nulls": b"functions: {a: {image: ~, s3: {input_bucket: ~}, lambda_environment: ~}, b: ~}",
    "the old format with maps": b"functions: {a: {image: x, s3: {input_bucket: {}, output_bucket: []}}}",
    "the old format, half of a storage": (
        b"functions: {a: {image: x, lambda_environment: {STORAGE_AUTH_S3_HOST_1: x, STORAGE_PATH_INPUT_: y}}}"
    ),
    "aliases between clusters": b"functions: {oscar: [{c: &c {name: a, image: x}, d: *c}, {e: *c}]}",
}


@pytest.mark.parametrize("name", CORPUS)
def test_nothing_but_problems_comes_of_it_and_soon(name: str, tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(CORPUS[name])
    began = time.monotonic()
    for ask in (load, show, convert, _graph):
        _ask(ask, path)
    # Far above what any of them takes, and far below what an expanded bomb would.
    assert time.monotonic() - began < 20


def _ask(ask: Callable[[Path], Any], path: Path) -> None:
    problems: tuple[Problem, ...] | None = None
    try:
        ask(path)
    except FdlError as error:
        problems = error.problems
    assert problems != ()
    assert all(str(problem).isprintable() for problem in problems or ())


def _graph(path: Path) -> None:
    graph = graph_of(load(path))
    assert [as_text(graph), as_mermaid(graph), as_svg(graph)]


def test_a_chain_of_a_thousand_functions_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    functions = (
        f"  - lambda: {{name: f{n}, container: {{image: x}}, input: [{{path: bkt{n % 50}/{n}}}], "
        f"output: [{{path: bkt{(n + 1) % 50}/{n + 1}}}]}}\n"
        for n in range(1000)
    )
    path.write_text("functions:\n  aws:\n" + "".join(functions))
    graph = graph_of(load(path))
    assert len(graph.nodes) == 2001
    assert len(as_text(graph)) == 2001
    assert len(as_svg(graph)) == 2 + 2000 + 2001 + 1
