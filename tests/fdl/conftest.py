"""FDL files in a directory of the test's own, and what is said about them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.fdl import Fdl, FdlError, Problem, load

Load = Callable[..., Fdl]
Mistakes = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def no_defaults_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_DEFAULTS", "")
    monkeypatch.setenv("SCAR_CONFIG_FOLDER", "")


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Load text (or bytes) from video.yaml in the test's directory."""

    def load_text(text: str | bytes, overrides: dict[str, Any] | None = None, **more: Any) -> Fdl:
        path = tmp_path / "video.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(path, overrides, **more)

    return load_text


@pytest.fixture
def load_lambda(load_text: Load) -> Load:
    """Load one function from lines of its lambda section."""

    def load_lambda(section: str = "", overrides: dict[str, Any] | None = None, **more: Any) -> Fdl:
        return load_text(one_function(section), overrides, **more)

    return load_lambda


@pytest.fixture
def mistakes(load_text: Load, tmp_path: Path) -> Mistakes:
    """Return what is said about a wrong file, without the file's name."""

    def mistakes(text: str | bytes, *args: Any, **more: Any) -> list[str]:
        with pytest.raises(FdlError) as caught:
            load_text(text, *args, **more)
        return [shown(problem, tmp_path) for problem in caught.value.problems]

    return mistakes


def one_function(section: str) -> str:
    """Return a file with one function, right so far; the lines go into its lambda section from line 6 on."""
    head = "functions:\n  aws:\n  - lambda:\n      name: a\n      container: {image: debian}\n"
    return head + "".join(f"      {line}\n" for line in section.splitlines())


def shown(problem: Problem, directory: Path) -> str:
    """Return a problem as printed, "W " before a warning, without what differs between machines."""
    text = str(problem).replace(f"{directory}/video.yaml:", "").replace(str(directory), "DIRECTORY")
    return f"W {text}" if problem.severity == "warning" else text


@pytest.fixture
def file_around() -> Callable[[str], str]:
    """Return a file with one function, given the lines of its lambda section, which begin in line 6."""
    return one_function
