"""The Dockerfile says the same as the bundler."""

import json
from pathlib import Path

from tests.supervisor.conftest import BUNDLE, Bundle

LINES = Path(BUNDLE.parent / "Dockerfile").read_text().splitlines()


def test_its_entry_point_is_that_of_the_layer(bundle: Bundle) -> None:
    (line,) = (line for line in LINES if line.startswith("ENTRYPOINT "))
    assert json.loads(line.removeprefix("ENTRYPOINT ")) == bundle.facts["entrypoint"]


def test_its_obstore_is_that_of_the_project() -> None:
    project = (BUNDLE.parents[1] / "pyproject.toml").read_text()
    (line,) = (line for line in LINES if line.startswith("ARG OBSTORE="))
    assert f'"obstore=={line.partition("=")[2]}"' in project
