"""Outputs that start functions: chains are fine, ways back are not, unless they are allowed."""

from collections.abc import Callable

import pytest

from scar_pulumi.fdl import Fdl, FdlError

Links = list[tuple[str, str, str]]  # function, input, output


def _file(links: Links, extra: str = "") -> str:
    functions = (
        f"  - lambda: {{name: {name}, container: {{image: debian}}, "
        f"input: [{{path: {source}}}], output: [{{path: {target}}}]{extra}}}\n"
        for name, source, target in links
    )
    return "functions:\n  aws:\n" + "".join(functions)


@pytest.mark.parametrize(
    "links",
    [
        [("one", "bucket/a", "bucket/b"), ("two", "bucket/b", "bucket/c")],
        [("one", "bucket/in", "bucket/input")],
        [("one", "bucket/in", "bucket")],
        [("one", "bucket/in", "other/in")],
        [("one", "bkt/a", "bkt/c"), ("two", "bkt/b", "bkt/c"), ("three", "bkt/c", "bkt/d")],
    ],
    ids=["chain", "common start of a name", "output above", "other bucket", "two into one"],
)
def test_outputs_without_a_way_back_are_fine(load_text: Callable[..., Fdl], links: Links) -> None:
    assert len(load_text(_file(links)).functions) == len(links)


@pytest.mark.parametrize(
    ("links", "line", "chain"),
    [
        ([("one", "bucket/in", "bucket/in")], 3, "'one' → 'one'"),
        ([("one", "bucket", "bucket/out")], 3, "'one' → 'one'"),
        ([("one", "bkt/a", "bkt/b"), ("two", "bkt/b", "bkt/a/x")], 4, "'one' → 'two' → 'one'"),
        (
            [("one", "bkt/a", "bkt/b"), ("two", "bkt/b", "oth/c"), ("three", "oth", "bkt/a")],
            5,
            "'one' → 'two' → 'three' → 'one'",
        ),
    ],
)
def test_a_way_back_is_reported_once_at_the_output_that_closes_it(
    mistakes: Callable[..., list[str]], links: Links, line: int, chain: str
) -> None:
    (said,) = mistakes(_file(links))
    assert said.startswith(f"{line}:")
    assert f"endless loop ({chain})" in said


def test_every_loop_of_a_file_is_reported(mistakes: Callable[..., list[str]]) -> None:
    said = mistakes(_file([("one", "bkt/a", "bkt/a"), ("two", "bkt/b", "bkt/c"), ("three", "bkt/c", "bkt/b")]))
    assert [line[:2] for line in said] == ["3:", "5:"]


def test_a_loop_may_be_allowed(load_text: Callable[..., Fdl]) -> None:
    fdl = load_text(_file([("one", "bucket/in", "bucket/in")], ", allow_loop: true"))
    assert fdl.functions[0].allow_loop


def test_a_loop_through_a_thousand_functions_is_found(mistakes: Callable[..., list[str]]) -> None:
    links = [(f"f{n}", f"bkt-{n}/a", f"bkt-{(n + 1) % 1000}/a") for n in range(1000)]
    (said,) = mistakes(_file(links))
    assert "('f0' → 'f1' → 'f2' → … → 'f999' → 'f0')" in said


def test_inputs_side_by_side_on_one_bucket_are_fine(load_text: Callable[..., Fdl]) -> None:
    fdl = load_text(_file([("one", "bkt/in", "out/1"), ("two", "bkt/in2", "out/2"), ("three", "bkt/i", "out/3")]))
    assert len(fdl.functions) == 3


def test_the_input_of_a_whole_bucket_overlaps_with_every_other(mistakes: Callable[..., list[str]]) -> None:
    (said,) = mistakes(_file([("one", "bucket/in", "other/1"), ("two", "bucket", "other/2")]))
    assert said.startswith("4:")
    assert "'bucket' overlaps with 'bucket/in', an input of 'one' (line 3)" in said


def _entries(inputs: str, outputs: str = "[]") -> str:
    return (
        "functions: {aws: [{lambda: {name: a, container: {image: debian}, "
        f"input: {inputs}, output: {outputs}}}}}]}}"
    )


@pytest.mark.parametrize(
    "inputs",
    [
        "[{path: bkt/in, suffix: [.png]}, {path: bkt/in, suffix: [.jpg]}]",
        "[{path: bkt/in, prefix: [a]}, {path: bkt/in, prefix: [b]}]",
        "[{path: bkt, suffix: [.txt]}, {path: bkt/in, suffix: [.jpg, .png]}]",
        "[{path: bkt/in, prefix: [a, b], suffix: [.png, .jpg]}]",
    ],
)
def test_inputs_that_no_file_can_pass_both_are_fine(load_text: Callable[..., Fdl], inputs: str) -> None:
    assert load_text(_entries(inputs)).functions[0].input


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("[{path: bkt/in, suffix: [.png]}, {path: bkt/in}]", "'bkt/in' is the same place as an input of 'a' (line 1)"),
        ("[{path: bkt/in, suffix: [.gz]}, {path: bkt/in/x, suffix: [.tar.gz]}]", "'bkt/in/x' overlaps with 'bkt/in'"),
        ("[{path: bkt/in, prefix: [a]}, {path: bkt/in, prefix: [ab]}]", "'bkt/in' is the same place as"),
        ("[{path: bkt/in, suffix: [jpg, .jpg]}]", "two of the names in 'prefix' or 'suffix' match the same file"),
        ("[{path: bkt/in, prefix: [a, ab]}]", "two of the names in 'prefix' or 'suffix' match the same file"),
    ],
)
def test_inputs_that_a_file_can_pass_both_are_refused(
    mistakes: Callable[..., list[str]], inputs: str, said: str
) -> None:
    (problem,) = mistakes(_entries(inputs))
    assert said in problem


def test_more_notifications_than_a_bucket_takes_are_refused(mistakes: Callable[..., list[str]]) -> None:
    (said,) = mistakes(_file([(f"f{n}", f"bkt/in-{n}", f"other/out-{n}") for n in range(101)]))
    assert "'bkt' has 101 notifications up to here, and S3 allows 100" in said


@pytest.mark.parametrize(
    ("source", "target", "loops"),
    [
        ("{path: bkt/a, suffix: [.png]}", "{path: bkt/a, suffix: [.txt]}", False),
        ("{path: bkt/a, prefix: [in-]}", "{path: bkt/a, prefix: [out-]}", False),
        ("{path: bkt/a, suffix: [.png]}", "{path: bkt/a}", True),
        ("{path: bkt/a, prefix: [in-]}", "{path: bkt/a}", True),
        ("{path: bkt/a}", "{path: bkt/a, suffix: [.txt]}", True),
        ("{path: bkt/a, suffix: [.gz, .png]}", "{path: bkt/a, suffix: [.tar.gz]}", True),
    ],
)
def test_filters_decide_whether_an_output_comes_back(
    load_text: Callable[..., Fdl], source: str, target: str, *, loops: bool
) -> None:
    text = _entries(f"[{source}]", f"[{target}]")
    if not loops:
        assert load_text(text).functions
        return
    with pytest.raises(FdlError, match="endless loop"):
        load_text(text)
