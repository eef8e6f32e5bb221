import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("scar-pulumi l", ["ls", "logs", "local"]),
        ("scar-pulumi local st", ["start", "stop", "status"]),
        ("scar-pulumi up --s", ["--stack", "--set"]),
        ("scar-pulumi jobs ls --status fa", ["failed"]),
    ],
)
def test_bash_completes_verbs_actions_options_and_values(words: str, expected: list[str], directories: Path) -> None:
    environment = {
        "_SCAR_PULUMI_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "SCAR_STATE_DIR": str(directories / "state"),
    }
    command = [sys.executable, "-m", "scar_pulumi"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == expected
    assert done.stderr == ""


def test_the_script_for_bash_is_printed(directories: Path) -> None:
    environment = {"_SCAR_PULUMI_COMPLETE": "bash_source", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "scar_pulumi"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "complete -o nosort -F" in done.stdout
