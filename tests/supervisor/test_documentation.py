"""docs/supervisor.md names all that a function may meet."""

from pathlib import Path

import pytest

from supervisor import errors
from supervisor.configuration import FALSE_WORDS, MODES, STORAGE_KINDS
from supervisor.errors import SupervisorError

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "supervisor.md").read_text()
ERRORS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and kind is not SupervisorError]
VARIABLES = ["INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "STORAGE_OBJECT_KEY", "EVENT", "EVENT_TIME"]


@pytest.mark.parametrize("word", [*ERRORS, *STORAGE_KINDS, *MODES[1:], *FALSE_WORDS, *VARIABLES])
def test_it_is_named(word: str) -> None:
    assert f"`{word}`" in TEXT or f": {word}`" in TEXT


def test_every_error_is_in_the_tree_of_its_module() -> None:
    assert errors.__doc__
    assert all(f"── {name} " in errors.__doc__ for name in ERRORS)
