import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.exceptions
import click
import pytest

from scar_foundation.errors import ScarError
from scar_pulumi.cli.main import GROUPS
from scar_pulumi.cli.stack import ChosenStack
from scar_pulumi.client.cloud_errors import about, translated
from scar_pulumi.engine import OperationFailedError
from tests.world.waiting import wait_for

from .conftest import Scar

VERBS = {verb.name: verb for verbs in GROUPS.values() for verb in verbs}


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_describes_itself(name: str, scar: Scar) -> None:
    answer = scar(name, "--help")
    assert answer.status == 0
    assert f"Usage: scar-pulumi {name}" in answer.stdout
    command = VERBS[name].load()
    actions = command.commands if isinstance(command, click.Group) else {name: command}
    assert all(any("--json" in param.opts for param in action.params) for action in actions.values())


@pytest.mark.parametrize("name", VERBS)
def test_the_list_of_verbs_says_what_the_verb_itself_says(name: str) -> None:
    command = VERBS[name].load()
    assert (command.name, (command.help or "").partition("\n")[0]) == (name, VERBS[name].summary)


def test_help_lists_the_verbs_and_the_version_is_the_packages(scar: Scar) -> None:
    answer = scar("--help")
    assert answer.status == 0
    for name, verb in VERBS.items():
        assert name in answer.stdout
        assert verb.summary in answer.stdout
    assert scar("--version").stdout.split()[0] == "scar-pulumi"


@pytest.mark.parametrize("arguments", [[], *([verb] for verb in VERBS), ["jobs", "ls"], ["fdl", "check"]])
def test_help_imports_nothing_that_takes_long(arguments: list[str]) -> None:
    script = (
        f"import sys\nfrom scar_pulumi.cli.main import main\nmain([*{arguments}, '--help'])\n"
        "heavy = {'boto3', 'botocore', 'pulumi', 'yaml', 'asyncio', 'ssl', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no verb is given"),
        (["uup"], "did you mean up?"),
        (["invoke"], "Missing argument 'NAME'"),
        (["invoke", "f", "--dat", "x"], "No such option '--dat'"),
        (["invoke", "f", "--data", "x", "--file", "y"], "--file: not allowed with --data; leave out one of the two"),
        (["local"], "no action is given (there are: start, stop, status, logs, reset, run, env)"),
        (["put", "bucket"], "Missing argument 'FILE...'"),
        (["deploy", "x.yaml"], "deploy: no such verb; did you mean up? (there are:"),
        (["delete"], "did you mean destroy?"),
        (["destory"], "did you mean destroy?"),
        (["destiny"], "destiny: no such verb (there are:"),
        (["jobs", "list"], "did you mean ls?"),
        (["local", "strat"], "strat: no such action; did you mean start?"),
        (["jobs", "ls", "--status", "lost"], "'lost' is not one of"),
        (["ls", "--fdl", "a.yaml", "--project", "b"], "--project: not allowed with --fdl"),
        (["put", "/x", __file__], "no bucket is given"),
        (["put", "bucket", "/no/such/file"], "/no/such/file: no such file or folder"),
        (["invoke", "f", "--file", "/no/such/file"], "/no/such/file: No such file"),
        (["invoke", "f", "--async", "--output", "x"], "--output"),
        (["logs", "f", "--since", "yesterday"], "--since: yesterday is not a time"),
        (["ls", "--fdl", "/no/such/file"], "/no/such/file: no such file"),
        (["local", "env", "--stack", "prod"], "prod is not local"),
        (["up", "/no/such/file.yaml"], "/no/such/file.yaml"),
    ],
)
def test_wrong_input_is_told_with_exit_code_two(arguments: list[str], told: str, scar: Scar) -> None:
    answer = scar(*arguments)
    assert answer.status == 2, answer.stderr
    assert told in answer.stderr
    assert answer.stdout == ""


def test_wrong_input_is_one_json_document_as_well(scar: Scar) -> None:
    answer = scar("logs", "f", "--since", "yesterday", "--json")
    assert answer.status == 2
    assert answer.json["error"]["message"].startswith("--since: yesterday is not a time")
    assert scar("logs", "--json").json["error"]["problems"] == []


def failing(error: BaseException) -> Any:
    def run(*_: object) -> None:
        raise error

    return run


@pytest.mark.parametrize(("error", "status"), [(ScarError("f: it broke; mend it"), 1), (KeyboardInterrupt(), 130)])
def test_errors_have_their_exit_codes(
    error: BaseException, status: int, scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChosenStack, "open", failing(error))
    answer = scar("outputs", "f.yaml")
    assert answer.status == status
    assert "Traceback" not in answer.stderr
    if status == 1:
        assert answer.stderr == "error: f: it broke; mend it\n"


def test_a_bug_is_one_line_and_its_traceback_a_private_file(
    scar: Scar, monkeypatch: pytest.MonkeyPatch, directories: Path
) -> None:
    monkeypatch.setattr(ChosenStack, "open", failing(ZeroDivisionError("by\nzero")))
    answer = scar("outputs", "f.yaml", "--json")
    assert answer.status == 1
    assert answer.json["error"]["message"].startswith("ZeroDivisionError: by zero; this is a bug in scar-pulumi")
    assert len(answer.stderr.splitlines()) == 1
    (saved,) = (directories / "cache" / "errors").iterdir()
    assert str(saved) in answer.stderr
    assert "Traceback" in saved.read_text()
    assert saved.stat().st_mode & 0o777 == 0o600


def test_folders_that_cannot_be_made_are_told_with_the_variable_that_chooses_others(
    scar: Scar, monkeypatch: pytest.MonkeyPatch, directories: Path
) -> None:
    (directories / "home").write_text("a file")
    for name in ("SCAR_STATE_DIR", "SCAR_CACHE_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(directories / "home"))
    answer = scar("ls")
    assert answer.status == 2
    assert answer.stderr == (
        f"error: {directories}/home/.local/state/scar-pulumi: the folder cannot be made (Not a directory); "
        "set SCAR_STATE_DIR to one that you may write to\n"
    )
    assert "set SCAR_CACHE_DIR" in scar("engine").stderr


def test_a_place_without_permission_is_told_with_what_to_do(scar: Scar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChosenStack, "open", failing(PermissionError(13, "Permission denied", "/x")))
    assert scar("outputs").stderr.startswith("error: /x: Permission denied; choose another place, or let this user")


def test_reasons_that_were_shown_as_they_came_are_in_the_document_and_not_shown_again(
    scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationFailedError("up of stack local failed: f: no", "up of stack local failed; the reasons are above")
    monkeypatch.setattr(ChosenStack, "open", failing(error))
    answer = scar("outputs", "--json")
    assert answer.stderr == "error: up of stack local failed; the reasons are above\n"
    assert answer.json["error"]["message"] == "up of stack local failed: f: no"


def test_mistakes_in_a_file_are_all_told_and_listed_in_the_document(scar: Scar, directories: Path) -> None:
    file = directories / "wrong.yaml"
    file.write_text("functions:\n  aws:\n  - lambda:\n      name: f\n      memory: 64\n      timout: 3\n")
    answer = scar("up", file)
    assert answer.status == 2
    assert "wrong.yaml:5:" in answer.stderr
    assert "wrong.yaml:6:" in answer.stderr
    assert "nothing was changed" in answer.stderr
    problems = scar("up", file, "--json").json["error"]["problems"]
    assert {problem["line"] for problem in problems} >= {5, 6}


@pytest.mark.parametrize("arguments", [["--help"], ["logs", "f", "--since", "x", "--json"]])
def test_a_reader_that_goes_away_is_no_traceback(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "scar_pulumi", *arguments]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in told
    assert "Exception ignored" not in told


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_verb_cleanly(number: signal.Signals, status: int, directories: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom scar_pulumi.cli.stack import ChosenStack\n"
        "from scar_pulumi.cli.main import main\n"
        "def wait(*_):\n    Path('ready').touch()\n    time.sleep(60)\n"
        "ChosenStack.open = wait\nsys.exit(main(['outputs', 'x.yaml', '--json']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for((directories / "ready").exists, 30, "the verb runs")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == status
    assert b"Traceback" not in stderr
    assert "error" in json.loads(stdout)


def client_error(code: str, message: str = "") -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def test_errors_of_the_cloud_are_sentences() -> None:
    with (
        pytest.raises(ScarError, match="bucket b: does not exist; `scar-pulumi ls` lists what exists"),
        about("bucket b"),
    ):
        raise client_error("NoSuchBucket")
    assert str(translated(client_error("Odd", "It is so."))) == "Operation: It is so. (Odd)"
    assert "aws configure" in str(translated(botocore.exceptions.NoCredentialsError()))
    unreachable = botocore.exceptions.EndpointConnectionError(endpoint_url="https://s3")
    assert "the cloud cannot be reached" in str(translated(unreachable))
    assert translated(ValueError()) is None
    with pytest.raises(ValueError, match="not the cloud's"), about("bucket b"):
        raise ValueError("not the cloud's")


def test_ctrl_c_ends_what_is_followed_without_an_error(directories: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nimport scar_pulumi.cloud\n"
        "from scar_pulumi.cli.main import main\n"
        "class Cloud:\n    def logs(self, follow):\n        yield 'one'\n        Path('ready').touch()\n"
        "        time.sleep(60)\n"
        "scar_pulumi.cloud.LocalCloud = Cloud\nsys.exit(main(['local', 'logs', '-f']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for((directories / "ready").exists, 30, "the log is followed")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, b"one\n", b"")


def test_debug_prints_the_traceback_of_any_error(scar: Scar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChosenStack, "open", failing(ScarError("it: broke; mend it")))
    monkeypatch.setenv("SCAR_DEBUG", "")
    assert scar("outputs").stderr == "error: it: broke; mend it\n"
    shown = scar("outputs", "--debug").stderr
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("error: it: broke; mend it\n")
