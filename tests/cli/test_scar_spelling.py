"""SCAR's own spelling, as its manual has it, and what it means today."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scar_pulumi.cli import scar_spelling
from scar_pulumi.cli.main import command_line
from scar_pulumi.cli.scar_file import file_of_flags
from scar_pulumi.fdl import load

from .conftest import FUNCTION, OUTPUTS, FakeEngine, Scar, write_fdl, write_state

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "from-scar.md"
ANSWER = {"statusCode": 200, "requestId": "r-1", "logGroup": "/g", "logStream": "s", "body": "moo\n"}


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note today's lines in place of carrying them out."""
    lines: list[str] = []

    def run(_: Any, verb: str, *words: object, show: bool = True, tell: bool = True) -> Any:
        lines.append(" ".join([verb, *map(str, words)]))
        return {"events": [], **ANSWER, "outputs": OUTPUTS}

    monkeypatch.setattr(scar_spelling.Today, "run", run)
    return lines


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("init -f cow.yaml", "up cow.yaml"),
        ("init -f cow.yaml -y", "up cow.yaml --yes"),
        ("update -f cow.yaml", "up cow.yaml"),
        ("init -n scar-cowsay -i grycap/cowsay", "up scar-cowsay.yaml"),
        ("init -s cow.yaml -n scar-cowsay -i grycap/cowsay", "up scar-cowsay.yaml"),
        ("init -i grycap/cowsay", "up scar-cowsay.yaml"),
        ("run -n cow", "invoke cow --direct"),
        ("run -f cow.yaml", "invoke cow --direct --fdl cow.yaml"),
        ("run -n cow -a", "invoke cow --direct --async"),
        ("run -n cow -o out.txt", "invoke cow --direct --output out.txt"),
        ("run -f cow.yaml df -h", 'invoke cow --direct --data {"cmd_args": "[\\"df\\", \\"-h\\"]"} --fdl cow.yaml'),
        ("run -f cow.yaml -s say.sh", 'invoke cow --direct --data {"script": "ZWNobwo="} --fdl cow.yaml'),
        ("invoke -f cow.yaml", "invoke cow --fdl cow.yaml"),
        ("invoke -f cow.yaml -a", "invoke cow --async --fdl cow.yaml"),
        ("invoke -n cow -db homer.png -o grey.png", "invoke cow --data-binary homer.png --output grey.png"),
        ("invoke -n cow -jd {} -p {}", "invoke cow --json-data {} --parameters {}"),
        ("log -n cow", "logs cow --since 1000w"),
        ("log -f cow.yaml", "logs cow --since 1000w --fdl cow.yaml"),
        ("log -n cow -ri r-1", "logs cow --request-id r-1"),
        ("log -n cow -ls s -ri r-1", "logs cow --request-id r-1"),
        ("put -b scar-plants/input -p daisy.jpg", "put scar-plants/input daisy.jpg"),
        ("get -b scar-plants/output -p .", "get scar-plants/output ."),
        ("ls -b scar-plants", "ls scar-plants"),
        ("rm -f cow.yaml", "destroy cow.yaml"),
        ("rm -f cow.yaml -y", "destroy cow.yaml --yes"),
    ],
)
def test_what_the_manual_has_means_today(
    scar: Scar, today: list[str], directories: Path, typed: str, means: str
) -> None:
    write_fdl(directories / "cow.yaml", "cow")
    (directories / "say.sh").write_text("echo\n")
    answer = scar(*typed.split())
    assert (answer.status, today) == (0, [means]), answer


def test_an_answer_is_shown_as_scar_shows_it(scar: Scar, today: list[str]) -> None:
    head = "Request Id: r-1\nLog Group Name: /g\nLog Stream Name: s\n"
    assert scar("run", "-n", "cow").stdout == head + "moo\n"
    assert scar("run", "-n", "cow", "-a").stdout == "Request Id: r-1\nFunction 'cow' launched correctly\n"
    assert scar("run", "-n", "cow", "-j").json == {
        "LambdaOutput": {
            "StatusCode": 200,
            "Payload": "moo\n",
            "LogGroupName": "/g",
            "LogStreamName": "s",
            "RequestId": "r-1",
        }
    }
    assert scar("run", "-n", "cow", "-v").json["body"] == "moo\n"


def test_the_script_that_a_file_has_for_run_is_used(scar: Scar, today: list[str], directories: Path) -> None:
    entry = {"lambda": {"name": "cow", "run_script": "say.sh", "container": {"image": "x"}}}
    (directories / "sub").mkdir()
    (directories / "sub" / "cow.yaml").write_text(yaml.safe_dump({"functions": {"aws": [entry]}}))
    (directories / "sub" / "say.sh").write_text("echo\n")
    assert scar("run", "-f", "sub/cow.yaml").status == 0
    assert '{"script": "ZWNobwo="}' in today[0]
    assert scar("run", "-f", "sub/cow.yaml", "ls").status == 0
    assert "script" not in today[1], "arguments go before it, as in SCAR"


ALL_FLAGS: dict[str, Any] = {
    "image_file": "box.tar",
    "init_script": "say.sh",
    "memory": 256,
    "timeout": 60,
    "timeout_threshold": 5,
    "log_level": "debug",
    "environment": ("A1=x=y", "B1="),
    "lambda_environment": ("CC=z",),
    "input_bucket": "photos/in",
    "output_bucket": "photos/out",
    "iam_role": "arn:aws:iam::123456789012:role/mine",
    "api_gateway_name": "api",
    "batch_memory": 2048,
    "batch_vcpus": 2,
    "execution_mode": "lambda-batch",
    "description": "größer",
    "enable_gpu": False,
}


def test_every_flag_of_init_reaches_the_file(directories: Path) -> None:
    name, text = file_of_flags("cow", ALL_FLAGS)
    (directories / "box.tar").mkdir()
    (directories / "box.tar" / "Dockerfile").touch()
    (directories / "say.sh").write_text("echo\n")
    file = directories / "cow.yaml"
    file.write_text(text)
    (function,) = load(file).functions
    assert (name, function.name, function.memory, function.timeout, function.timeout_threshold) == (
        "cow",
        "cow",
        256,
        60,
        5,
    )
    assert function.image_file == directories / "box.tar"
    assert function.init_script == directories / "say.sh"
    assert (function.log_level, function.description, function.role) == ("DEBUG", "größer", ALL_FLAGS["iam_role"])
    assert function.container_environment == {"A1": "x=y", "B1": ""}, "SCAR cut values at their second ="
    assert function.environment == {"CC": "z"}
    assert [str(path) for path in (*function.input, *function.output)] == ["photos/in", "photos/out"]
    assert function.api_gateway
    assert function.batch
    assert (function.batch.memory, function.batch.vcpus, function.api_gateway.name) == (2048, 2, "api")


@pytest.mark.parametrize(
    ("image", "name"),
    [("grycap/cowsay", "scar-cowsay"), ("docker.io/a/b:1.2@sha256:0", "scar-b"), ("::", "scar-function")],
)
def test_a_function_without_a_name_is_called_after_its_image(image: str, name: str) -> None:
    assert file_of_flags(None, {"image": image})[0] == name


def test_a_file_of_the_user_s_is_never_overwritten(scar: Scar, today: list[str], directories: Path) -> None:
    flags = ("-n", "cow", "-i", "grycap/cowsay")
    assert scar("init", *flags).status == 0
    written = (directories / "cow.yaml").read_text()
    assert scar("init", *flags).status == 0, "the same flags mean the same file"
    answer = scar("init", *flags, "-m", "1024")
    assert answer.status == 2
    assert "cow.yaml: exists and says something else; edit it and run `scar-pulumi up cow.yaml`" in answer.stderr
    assert (directories / "cow.yaml").read_text() == written
    assert len(today) == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("init", "write -f FILE, or -i IMAGE -n NAME"),
        ("init -n cow", "write -f FILE, or -i IMAGE -n NAME"),
        ("init -f cow.yaml -m 512", "leave out --memory, or write it into the file"),
        ("init -i x -n cow -e A", "--environment A: is not NAME=VALUE"),
        ("run", "write -n NAME or -f FILE"),
        ("run -f two.yaml", "two.yaml: has 2 functions (a, b); choose one with -n NAME"),
        ("run -n cow -s gone.sh", "gone.sh: No such file or directory"),
        ("invoke -f two.yaml", "choose one with -n NAME"),
        ("log", "write -n NAME or -f FILE"),
        ("rm -n cow -a", "write -n NAME, -f FILE or -a"),
        ("rm -n cow -y", "cow: no such function in stack local"),
    ],
)
def test_wrong_input_is_told_with_the_way_out(
    scar: Scar, today: list[str], directories: Path, typed: str, said: str
) -> None:
    write_fdl(directories / "two.yaml", "a", "b")
    answer = scar(*typed.split())
    assert answer.status == 2
    assert said in answer.stderr
    assert today == []


def test_one_of_several_functions_is_not_deleted_with_the_others(
    scar: Scar, today: list[str], directories: Path
) -> None:
    functions = {name: {**FUNCTION, "arn": f"arn:{name}"} for name in ("a", "b")}
    write_state(directories / "state", "two", {**OUTPUTS, "functions": functions})
    answer = scar("rm", "-n", "a", "-y")
    assert answer.status == 2
    assert "a: is not the only function of project two (there are also b)" in answer.stderr
    assert today == []
    assert scar("rm", "-a", "-y").stdout == "Function 'a' successfully deleted.\nFunction 'b' successfully deleted.\n"
    assert today == ["destroy --project two --yes"]


def test_today_s_spelling_is_told_on_one_line_and_carried_out(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    answer = scar("init", "-f", fdl, "-y")
    assert answer.stderr.splitlines()[0] == f"today: scar-pulumi up {fdl} --yes"
    assert answer.stdout.endswith("Function 'upper' successfully created.\n")
    assert engine.asked == ["up"]
    (made,) = [scar("init", "-f", fdl, "-y", "-j").json["LambdaOutput"]]
    assert made["FunctionName"] == "upper"
    assert made["FunctionArn"] == FUNCTION["arn"]


@pytest.mark.parametrize("verb", sorted(scar_spelling.COMMANDS))
def test_the_table_has_every_flag(verb: str) -> None:
    text = DOCUMENTATION.read_text()
    assert re.search(rf"`{verb}\b", text)
    for parameter in scar_spelling.COMMANDS[verb].params:
        for flag in (one for one in parameter.opts if re.fullmatch("-[a-z]+", one)):
            assert re.search(rf"(?<![\w-]){flag}\b", text), f"{verb} {flag}"
        assert getattr(parameter, "help", "") or parameter.param_type_name == "argument"


def test_scar_s_verbs_are_found_among_today_s() -> None:
    resolve: Callable[..., Any] = command_line.resolve_command
    context = command_line.make_context("scar-pulumi", ["--help"], resilient_parsing=True)
    for words, own in (
        (["ls"], False),
        (["ls", "-j"], True),
        (["invoke", "x", "-p", "{}"], False),
        (["rm", "bucket/key", "-r"], False),
        (["rm", "-f", "x"], True),
        (["log"], True),
    ):
        _, command, _ = resolve(context, words)
        assert (command in scar_spelling.COMMANDS.values()) is own, words
