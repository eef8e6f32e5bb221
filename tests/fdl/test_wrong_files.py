"""Every wrong file of the table gets exactly the problems that stand there, at their lines and columns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scar_pulumi.fdl import FdlError, load

_TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("wrong_files.yaml").read_text())


@pytest.mark.parametrize("case", _TABLE, ids=[case["name"] for case in _TABLE])
def test_exactly_these_problems_are_reported(
    case: dict[str, Any], mistakes: Callable[..., list[str]], file_around: Callable[[str], str]
) -> None:
    if "function" in case:
        text = file_around("") + "".join(f"    {line}\n" for line in case["function"].splitlines())
    else:
        text = case["file"] if "file" in case else file_around(case["lambda"])
    assert mistakes(text) == [problem.strip() for problem in case["problems"]]


def test_all_mistakes_of_a_file_are_reported_at_once(mistakes: Callable[..., list[str]]) -> None:
    text = """\
functions:
  aws:
  - lambda:
      name: first function
      memory: 64
      timeout: "60"
      container:
        image: debian
        colour: red
      output:
      - path: Photos/out
  - lambda:
      name: second
      init_script: gone.sh
      container: {}
"""
    places = [said.partition(" ")[0] for said in mistakes(text)]
    assert places == ["4:13", "5:15", "6:16", "9:9", "11:15", "14:20", "15:18"]


def test_a_problem_reads_as_one_line(tmp_path: Path) -> None:
    path = tmp_path / "video.yaml"
    path.write_text(
        "functions:\n  aws:\n  - lambda: {name: ok, container: {image: debian}}\n"
        "  - lambda: {name: small, memory: 64, container: {image: debian}}\n"
    )
    with pytest.raises(FdlError) as caught:
        load(path)
    said = "functions.aws[1].lambda.memory: 64 is below Lambda's minimum of 128 (MB)"
    assert str(caught.value) == f"{path}:4:35 {said}"
    assert caught.value.exit_code == 2


def test_secrets_are_never_part_of_a_message(mistakes: Callable[..., list[str]], file_around: Any) -> None:
    secrets = "storage_providers:\n  s3:\n    one: {access_key: [hunter1], secret_key: 1234567, region: hunter2}\n"
    misplaced = "  webdav:\n    password: hunter3\n    login: hunter4\n"
    variables = "environment: {Variables: {PASSWORD: '${env:hunter5', OTHER: [hunter6]}}"
    said = "\n".join(mistakes(file_around(variables) + secrets + misplaced))
    assert said.count("storage_providers") == 4
    assert "hunter" not in said
    assert "1234567" not in said
