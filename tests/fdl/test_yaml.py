"""YAML's corners have a defined meaning or a defined problem, never a traceback and never a long wait."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scar_pulumi.fdl import Fdl, FdlError, load

Load = Callable[..., Fdl]
Mistakes = Callable[..., list[str]]

GOOD = "functions: {aws: [{lambda: {name: a, description: ä, container: {image: debian}}}]}\n"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("utf-16"),
        GOOD.replace("\n", "\r\n").encode(),
        ("---\n" + GOOD + "...\n").encode(),
        ("%YAML 1.2\n---\n" + GOOD).encode(),
        GOOD.encode() + b"# the end",
    ],
    ids=["utf-8", "byte order mark", "utf-16", "windows line ends", "markers", "directive", "no final line end"],
)
def test_usual_encodings_and_markers_are_read(load_text: Load, data: bytes) -> None:
    assert load_text(data).functions[0].description == "ä"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"functions:\n  \xff\xfe: a", "2:3: byte 0xff is not UTF-8 text; save the file as UTF-8"),
        ("a: ä\nb: ü".encode("latin-1"), "1:4: byte 0xe4 is not UTF-8 text; save the file as UTF-8"),
        (b"\xff\xfea\x00:", "1:2: byte 0x3a is not UTF-16 text; save the file as UTF-8"),
        (b"\x7fELF\x02\x01", "1:1: contains the control character U+007F"),
        (b"a: b\nc: \x00d", "2:4: contains the control character U+0000"),
        (b"\x1f\x8b\x08\x00", "1:2: byte 0x8b is not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_what_is_not_text_is_said_to_be_so(mistakes: Mistakes, data: bytes, said: str) -> None:
    (problem,) = mistakes(data)
    assert problem.startswith(said)


def _problem(path: Path | str) -> str:
    with pytest.raises(FdlError) as caught:
        load(path)
    (problem,) = caught.value.problems
    return str(problem)


def test_what_is_no_file_is_said_to_be_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert _problem(tmp_path / "gone.yaml").startswith(f"{tmp_path}/gone.yaml: no such file")
    assert _problem(tmp_path).startswith(f"{tmp_path}: is a directory")
    assert _problem(tmp_path / "pipe").startswith(f"{tmp_path}/pipe: is not a regular file")
    assert _problem(tmp_path / "loop").startswith(f"{tmp_path}/loop: cannot be read")
    assert _problem("/dev/zero").startswith("/dev/zero: is not a regular file")
    assert _problem("a\0b") == "a\\x00b: cannot be read: embedded null byte"
    assert _problem("caf\udce9.yaml").startswith("caf\\udce9.yaml: no such file")
    assert "cannot be read" in _problem("x" * 5000)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(10**12)
    assert "is larger than 8 MB" in _problem(path)


def test_anchors_aliases_and_merge_keys_may_be_used(load_text: Load) -> None:
    one, two = load_text("""\
x-common: &common
  memory: 1024
  timeout: 60
x-more: &more {timeout: 90, description: more}
functions:
  aws:
  - lambda:
      <<: [*common, *more]
      name: one
      memory: 2048
      container: &image {image: debian}
  - lambda: {<<: *more, name: two, container: *image}
""").functions
    assert (one.memory, one.timeout, one.description) == (2048, 60, "more")
    assert (two.memory, two.timeout, two.image) == (512, 90, "debian")


def test_a_mistake_behind_an_anchor_is_reported_once_where_it_stands(mistakes: Mistakes) -> None:
    said = mistakes("""\
x-common: &common {image: debian, timeout_threshold: -1}
functions:
  aws:
  - lambda: {name: one, container: *common}
  - lambda: {name: two, container: *common}
""")
    assert said == [
        "1:54 functions.aws[0].lambda.container.timeout_threshold: -1 is below the minimum of 0 (s)",
    ]


def test_a_bomb_of_anchors_is_refused(mistakes: Mistakes) -> None:
    levels = [f"x-{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 30)]
    (said,) = mistakes("\n".join(["x-0: &x0 [lol, lol]", *levels, GOOD]))
    assert "has more than 250,000 values, anchors expanded" in said.replace("the document ", "")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "functions: " + "[" * 70 + "]" * 70,
        "\n".join([f"{' ' * n}a:" for n in range(3_000)]),
        "\n".join(["x-0: &x0 []", *(f"x-{n}: &x{n} [*x{n - 1}]" for n in range(1, 1_000))]),
    ],
    ids=["brackets", "braces", "dashes", "keys", "just too deep", "indentation", "by anchors"],
)
def test_deep_nesting_is_refused(mistakes: Mistakes, text: str) -> None:
    (said,) = mistakes(text)
    assert said.endswith("is nested deeper than 64 levels")


def test_many_mistakes_are_cut_off_and_do_not_take_long(mistakes: Mistakes, file_around: Callable[[str], str]) -> None:
    said = mistakes(file_around("\n".join(f"memor{n}: 1" for n in range(20_000))))
    assert len(said) == 500


def test_an_error_after_five_hundred_warnings_is_still_reported(load_text: Load) -> None:
    function = "  - lambda: {name: f%d, layers: [a], container: {image: debian}}\n"
    text = "functions:\n  aws:\n" + "".join(function % n for n in range(600))
    assert len(load_text(text).warnings) == 500
    with pytest.raises(FdlError, match="64 is below Lambda's minimum"):
        load_text(text + "  - lambda: {name: last, memory: 64, container: {image: debian}}\n")


def test_words_that_other_yaml_versions_read_as_values_stay_text(load_text: Load) -> None:
    fdl = load_text("""\
functions:
  aws:
  - lambda:
      name: no
      container: {image: off}
      input: [{path: yes/on, suffix: [y, 12:30, 2024-01-01]}]
""")
    assert (fdl.functions[0].name, fdl.functions[0].image) == ("no", "off")
    assert fdl.functions[0].input[0].suffix == ("y", "12:30", "2024-01-01")


def test_json_is_yaml(load_text: Load) -> None:
    text = '{"functions": {"aws": [{"lambda": {"name": "a", "container": {"image": "debian"}}}]}}'
    assert load_text(text).functions[0].name == "a"


def test_without_the_c_library_all_is_the_same(mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar_pulumi.fdl.yaml_text._Parser", yaml.SafeLoader)
    table = yaml.safe_load(Path(__file__).with_name("wrong_files.yaml").read_text())
    for case in table:
        if "file" in case:
            assert mistakes(case["file"]) == [problem.strip() for problem in case["problems"]]


@pytest.mark.parametrize("value", ["a\0b", "caf\udce9"])
def test_characters_that_no_process_can_be_given_are_refused(mistakes: Mistakes, value: str) -> None:
    (said,) = mistakes(GOOD, {"lambda.description": value})
    assert f"has the character U+{'0000' if chr(0) in value else 'DCE9'}, which cannot be passed on" in said
    assert said.isprintable()


def test_a_message_is_one_line_without_escape_sequences(mistakes: Mistakes) -> None:
    (said,) = mistakes('"a\\nb\\e[31m": 1\n' + GOOD)
    assert "the key 'a\\nb\\x1b[31m' is unknown" in said
