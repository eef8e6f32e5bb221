"""What a function finds in its container is what Lambda gives."""

import os
import re

import pytest

from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local
from tests.world.waiting import wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can keep the image's owners")


def test_the_function_is_an_unprivileged_user_without_capabilities(local: Local, function: Configure) -> None:
    answer = local.answer(function(), "id -u; id -g; grep -E '^(Cap|NoNewPrivs)' /proc/self/status")
    assert answer.split()[:2] == ["993", "990"]
    assert set(re.findall(r"Cap\w+:\s*(\w+)", answer)) == {"0" * 16}
    assert re.search(r"NoNewPrivs:\s*1", answer)


@needs_root
def test_files_for_root_only_stay_closed_to_the_function(local: Local, function: Configure) -> None:
    assert local.answer(function(), "cat /public; cat /private && echo read; stat -c %u:%a /private") == "hello0:600\n"


@needs_root
def test_the_function_is_that_user_for_the_machine_too(local: Local, function: Configure, nap: str) -> None:
    running = local.begin(function(), f"grep -q x /dev/null; sleep {nap}")

    def owner() -> int | None:
        return next((path.stat().st_uid for path in images.sleeping(nap)), None)

    try:
        assert wait_for(owner, 10, "the function runs") == 993
    finally:
        local.run(local.runner.retire(function().name))
        running.cancel()


def test_the_root_is_read_only_and_tmp_is_writable(local: Local, function: Configure) -> None:
    script = (
        "touch /x 2>/dev/null || echo refused; touch /bin/x 2>/dev/null || echo refused; echo a >/tmp/b; cat /tmp/b"
    )
    assert local.answer(function(), script) == "refused\nrefused\na\n"


def test_tmp_holds_the_configured_size_and_not_more(local: Local, function: Configure) -> None:
    script = (
        "df -k /tmp | tail -n 1; dd if=/dev/zero of=/tmp/a bs=1M count=700 2>&1 | grep 'No space'; stat -c %s /tmp/a"
    )
    table, full, size = local.answer(function(ephemeral_storage=640), script).splitlines()
    assert 640 * 1024 - 64 <= int(table.split()[3]) <= 640 * 1024  # the runtime has two files there
    assert "No space left on device" in full
    assert 638 * 2**20 <= int(size) <= 640 * 2**20


def test_tmp_does_not_count_as_memory(local: Local, function: Configure) -> None:
    """500 MB pass through a function of 256 MB."""
    script = "dd if=/dev/zero of=/tmp/a bs=1M count=500 2>/dev/null; cat /tmp/a | wc -c"
    result = local.invoke(function(memory=256, ephemeral_storage=1024, timeout=60), script)
    assert (result.error, result.payload) == (None, b"524288000\n")
    assert result.max_memory_mb < 128


@needs_root
def test_the_users_mask_keeps_the_function_from_nothing(local: Local, function: Configure) -> None:
    before = os.umask(0o077)
    try:
        assert local.answer(function(), "touch /tmp/made; stat -c %a /tmp/made") == "644\n"
    finally:
        os.umask(before)


def test_the_container_sees_its_own_processes_only(local: Local, function: Configure) -> None:
    names = local.answer(function(), "cat /proc/[0-9]*/comm").split()
    assert set(names) <= {"bwrap", "runtime", "sh", "cat"}


def test_devices_are_the_few_that_lambda_has(local: Local, function: Configure) -> None:
    answer = local.answer(
        function(), "ls /dev; echo gone >/dev/null; head -c 4 /dev/urandom | wc -c; echo hi >/dev/stderr"
    )
    expected = ["fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero", "4"]
    assert answer.split() == expected


def test_nothing_of_the_runner_is_open_in_the_container(local: Local, function: Configure) -> None:
    answer = local.answer(function(), "for n in /proc/$PPID/fd/*; do readlink $n; done")
    files = {line for line in answer.split() if not line.startswith(("/bin/", "/tmp/", "/proc/", "/dev/null"))}
    assert len(files) == 1  # the pipe of the log
    assert files.pop().startswith("pipe:")


def test_names_and_limits_are_lambdas(local: Local, function: Configure) -> None:
    answer = local.answer(function(), "hostname; ulimit -n; ulimit -Hn; ulimit -c; cat /etc/hosts")
    assert answer.split()[:4] == ["169.254.1.1", "1024", "1024", "0"]
    assert "localhost" in answer


def test_environment_is_the_images_then_the_functions_then_lambdas(local: Local, function: Configure) -> None:
    tricky = {"SPACE": "a b\nc", "QUOTES": "'\"$", "AWS_REGION": "mars", "AWS_ACCESS_KEY_ID": "mine"}
    chosen = function(environment={**function().environment, **tricky})
    lines = local.answer(chosen, 'env; printf \'%s|%s\' "$SPACE" "$QUOTES"')
    found = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
    assert lines.endswith("a b\nc|'\"$")
    expected = {
        "PATH": "/bin",
        "FROM_IMAGE": "yes",
        "FROM_FUNCTION": "yes",
        "BOTH": "function",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": chosen.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": chosen.log_group,
        "LAMBDA_TASK_ROOT": "/var/task",
        "TZ": ":UTC",
    }
    assert expected.items() <= found.items()
    assert not {"_HANDLER", "AWS_EXECUTION_ENV"} & found.keys()


def test_secrets_do_not_show_in_the_machines_process_list(local: Local, function: Configure) -> None:
    chosen = function(environment={"TOKEN": "hunter2-in-the-list"})
    assert local.answer(chosen, "echo $TOKEN") == "hunter2-in-the-list\n"
    assert not images.processes(b"hunter2-in-the-list")


def test_entry_point_command_and_folder_can_be_overridden(
    local: Local, function: Configure, store: images.Store, base: bytes
) -> None:
    digest = store.add([base, images.layer([images.directory("work")])], Entrypoint=["/missing"], Cmd=["also"])
    chosen = function(
        image=digest,
        entry_point=("/bin/sh", "-c"),
        command=("exec runtime",),
        working_directory="/work",
        environment={"PATH": "/bin"},
    )
    assert local.answer(chosen, "readlink /proc/$PPID/cwd") == "/work\n"


def test_an_empty_image_has_the_places_to_mount_on(local: Local, function: Configure, store: images.Store) -> None:
    """FROM scratch: no /proc, /dev, /tmp, /etc of its own."""
    digest = store.add([images.layer([images.Entry("unrelated")])], Entrypoint=["/nothing"])
    result = local.invoke(function(image=digest), "")
    assert result.error == "Unhandled"
    assert b"Runtime.InvalidEntrypoint" in result.payload
    assert b"fork/exec /nothing: no such file or directory" in result.payload


def test_processes_are_limited(local: Local, function: Configure) -> None:
    if "cgroup" not in str(local.runner.describe()["process_limit"]):
        pytest.skip("control groups cannot be written here")
    bomb = "n=0; while :; do sleep 30 >/dev/null 2>&1 & n=$((n+1)); echo $n >/tmp/n; done"
    script = f"setsid sh -c '{bomb}' >/dev/null 2>&1 & wait $!; read n </tmp/n; kill -9 -$!; echo $n"
    assert 900 < int(local.answer(function(memory=1024), script)) < 1024
