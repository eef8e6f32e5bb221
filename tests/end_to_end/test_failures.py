import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.world.waiting import wait_for

from .conftest import Project, Terminal

pytestmark = pytest.mark.xdist_group("main_job")

COPY = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/copy"'


def test_a_failing_script_is_a_failed_invocation_that_shows_what_it_printed(
    project: Project, terminal: Terminal
) -> None:
    project.function("fails", "echo this is why; exit 7")
    terminal.up(project.write())
    answer = terminal.scar("invoke", "fails", "--data", "{}", check=False)
    assert answer.status == 1
    assert "this is why" in answer.stdout + answer.stderr


def test_mistakes_in_the_file_are_all_told_with_their_places_and_nothing_is_changed(
    project: Project, terminal: Terminal
) -> None:
    section = project.function("wrong", COPY)
    section["memory"] = 64
    section["timout"] = 10
    answer = terminal.scar("up", project.write(), "--yes", check=False)
    assert answer.status == 2
    assert "memory" in answer.stderr
    assert "128" in answer.stderr
    assert "timout" in answer.stderr
    assert answer.stderr.count(f"{project.fdl.name}:") >= 2


def test_a_killed_up_converges_when_run_again(project: Project, terminal: Terminal) -> None:
    project.function("one", COPY, "killed/one", "killed/out")
    project.function("two", COPY, "killed/two", "killed/out")
    project.write()
    for made in (3, 8, 14):
        process = subprocess.Popen(
            terminal.command("up", project.fdl, "--yes"),
            env=terminal.environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda made=made: len(_resources(project, terminal)) >= made, 60, f"{made} resources")  # type: ignore[misc]
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    terminal.up(project.fdl)
    assert terminal.up(project.fdl)["changes"]["same"] == len(_resources(project, terminal))
    functions = terminal.scar("ls", "--json").json["functions"]
    assert sorted(function["name"] for function in functions if function["name"] in {"one", "two"}) == ["one", "two"]
    assert terminal.scar("invoke", "one", "--data", "x").status == 0


def _resources(project: Project, terminal: Terminal) -> list[Any]:
    """Return what the engine has recorded of the stack; nothing while there is no record."""
    path = terminal.state / "pulumi/.pulumi/stacks" / project.fdl.stem / "local.json"
    try:
        resources: list[Any] = json.loads(path.read_text())["checkpoint"]["latest"]["resources"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [resource for resource in resources if not resource["type"].startswith("pulumi:providers:")]


def test_killing_the_local_cloud_loses_nothing(project: Project, terminal: Terminal) -> None:
    project.function("survivor", COPY, "survivors/in", "survivors/out")
    terminal.up(project.write())
    terminal.scar("invoke", "survivor", "--data", "x")
    pid = terminal.scar("local", "status", "--json").json["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not _alive(pid), 10, "the killed process is gone")

    assert terminal.scar("invoke", "survivor", "--data", "x").status == 0
    (project.folder / "f").write_text("f")
    terminal.scar("put", "survivors/in", project.folder / "f")
    assert terminal.wait_for_keys("survivors/out", 1) == ["out/copy"]
    assert terminal.up(project.fdl)["changes"]["create"] == 0


def test_notifications_of_others_on_an_existing_bucket_stay(project: Project, terminal: Terminal) -> None:
    section = project.function("guest", COPY, "theirs/guest", "guest-results")
    terminal.scar("local", "start")
    import boto3

    endpoint = terminal.scar("local", "status", "--json").json["endpoint"]
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    s3, sqs = session.client("s3", endpoint_url=endpoint), session.client("sqs", endpoint_url=endpoint)
    queue = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
        f'"Action":"sqs:SendMessage","Resource":"{arn}"}}]}}'
    )
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    s3.create_bucket(Bucket="theirs")
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "mine/"}]}}
    theirs = {"Id": "theirs", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule}
    s3.put_bucket_notification_configuration(
        Bucket="theirs", NotificationConfiguration={"QueueConfigurations": [theirs]}
    )

    terminal.up(project.write())
    configuration = s3.get_bucket_notification_configuration(Bucket="theirs")
    assert [entry["Id"] for entry in configuration["QueueConfigurations"]] == ["theirs"]
    assert len(configuration["LambdaFunctionConfigurations"]) == 1

    section["input"][0]["path"] = "theirs/mine/too"
    refused = terminal.scar("up", project.write(), "--yes", check=False)
    assert refused.status == 1
    assert "'theirs'" in refused.stderr

    terminal.scar("destroy", project.fdl, "--yes")
    configuration = s3.get_bucket_notification_configuration(Bucket="theirs")
    assert [entry["Id"] for entry in configuration["QueueConfigurations"]] == ["theirs"]
    assert "LambdaFunctionConfigurations" not in configuration


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_buckets_go_with_the_stack_only_when_it_says_so(project: Project, terminal: Terminal) -> None:
    project.function("short", COPY, "short-lived/in", "short-lived/out")
    terminal.up(project.write())
    (project.folder / "f").write_text("f")
    terminal.scar("put", "short-lived/in", project.folder / "f")
    terminal.wait_for_keys("short-lived/out", 1)
    answer = terminal.scar("destroy", project.fdl, "--yes", "--json", "--config", "scar:deleteBuckets=true").json
    assert answer["remaining"] == []
    assert "short-lived" not in [bucket["name"] for bucket in terminal.scar("ls", "--json").json["buckets"]]


def test_a_mistyped_key_of_the_configuration_is_refused(project: Project, terminal: Terminal) -> None:
    project.function("typo", COPY)
    answer = terminal.scar("up", project.write(), "--yes", "-c", "scar:deletebuckets=true", check=False)
    assert answer.status == 2
    assert "scar:deletebuckets" in answer.stderr
    assert "scar:deleteBuckets" in answer.stderr


def test_a_broken_image_is_told_before_anything_is_made(project: Project, terminal: Terminal) -> None:
    project.function("good", COPY, "broken-image/in", "broken-image/out")
    broken = project.folder / "broken.tar"
    broken.write_bytes(project.image.read_bytes()[:100_000])
    project.function("broken", COPY)["container"]["image_file"] = str(broken)
    answer = terminal.scar("up", project.write(), "--yes", check=False)
    assert answer.status == 2
    assert "broken.tar" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert [resource["type"] for resource in _resources(project, terminal)] in ([], ["pulumi:pulumi:Stack"])


def test_the_files_that_failed_are_listed_once_each_with_the_reason_and_run_again(
    project: Project, terminal: Terminal
) -> None:
    store = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"'
    project.function("picky", f'grep -q good "$INPUT_FILE_PATH" || {{ echo not good; exit 4; }}\n{store}')
    project.functions[0]["input"] = [{"storage_provider": "s3", "path": "picky/in"}]
    project.functions[0]["output"] = [{"storage_provider": "s3", "path": "picky/out"}]
    terminal.up(project.write())
    for name, content in (("a b.txt", "good"), ("c+d.txt", "bad")):
        (project.folder / name).write_text(content)
        terminal.scar("put", "picky/in", project.folder / name)

    def tried_out() -> Any:
        found = terminal.scar("failures", "picky", "--json").json["failures"]
        return found if found and found[0]["tries"] == 3 else None

    (failure,) = wait_for(tried_out, 60, "the last try has failed")
    assert failure["input"] == "picky/in/c+d.txt"
    assert "exit code 4" in failure["reason"]
    assert "picky/in/c+d.txt" in terminal.scar("failures", "picky").stdout
    log = terminal.scar("logs", "picky").stdout
    assert " picky/in/c+d.txt: " in next(line for line in log.splitlines() if " ERROR " in line)
    assert "\\n" not in log

    (project.folder / "picky.sh").write_text(f"#!/bin/sh\nset -eu\n{store}\n")
    terminal.up(project.fdl)
    assert "runs again as request" in terminal.scar("failures", "picky", "--again").stdout
    assert terminal.wait_for_keys("picky/out", 2) == ["out/a b.txt", "out/c+d.txt"]
    wait_for(lambda: terminal.scar("failures", "picky", "--json").json["failures"] == [], 30, "no failure is left")


def test_a_missing_subnet_is_named_with_its_key_once_and_without_a_traceback(
    project: Project, terminal: Terminal
) -> None:
    project.function("heavy", COPY, execution_mode="batch")
    project.beside = {"heavy": {"batch": {"compute_resources": {"subnets": ["subnet-1"]}}}}
    answer = terminal.scar("up", project.write(), "--yes", check=False)
    assert answer.status == 1
    assert answer.stderr.count("heavy-environment: subnet_ids: subnet-1 is not found") == 1
    assert "compute_resources.subnets" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stderr.endswith("error: up of stack local failed; the reasons are above\n")
