"""Results that would overwrite each other are told before they do."""

from collections.abc import Callable

import pytest

from scar_pulumi.fdl import Fdl

OUT = "output: [{storage_provider: s3, path: bkt/out}]\n"


def warned(load_lambda: Callable[[str], Fdl], section: str) -> list[str]:
    return [warning.message for warning in load_lambda(section).warnings]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("{path: bkt/a}, {path: bkt/c}", True),
        ("{path: bkt/a}, {path: other/c}", True),
        ("{path: bkt/a, suffix: [.png]}, {path: bkt/c, suffix: [.jpg, .png]}", True),
        ("{path: bkt/a, suffix: [.png]}, {path: bkt/c, suffix: [.jpg]}", False),
        ("{path: bkt/a, prefix: [x]}, {path: bkt/c, prefix: [y]}", False),
        ("{path: bkt/a}", False),
    ],
)
def test_inputs_with_files_of_one_name_and_one_output_are_told(
    load_lambda: Callable[[str], Fdl], inputs: str, said: bool
) -> None:
    section = f"input: [{inputs}]\n".replace("{path", "{storage_provider: s3, path")
    found = warned(load_lambda, section + OUT)
    assert [text.endswith("may overwrite each other in 'bkt/out'") for text in found] == [True] * said


def test_a_folder_for_each_request_keeps_results_apart(load_lambda: Callable[[str], Fdl]) -> None:
    inputs = "input: [{storage_provider: s3, path: bkt/a}, {storage_provider: s3, path: bkt/c}]\n"
    assert warned(load_lambda, inputs + OUT.replace("bkt/out", "bkt/out, per_request: true")) == []


def test_two_functions_that_write_to_one_place_are_told(load_text: Callable[[str], Fdl]) -> None:
    function = "  - lambda: {name: NAME, container: {image: debian}, output: [{storage_provider: s3, path: bkt/out}]}\n"
    text = "functions:\n  aws:\n" + function.replace("NAME", "a") + function.replace("NAME", "c")
    (warning,) = load_text(text).warnings
    assert warning.message == "'a' also writes to 'bkt/out': files with the same name overwrite each other"
