"""Failed jobs of services, with the input that their logs name."""

from typing import Any

from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.outputs import DeployedService, StoragePath
from scar_pulumi.client.service_failures import failures_of_service

SERVICE = DeployedService("lab", "sort", False, "", "", (StoragePath("minio.default", "letters/in"),), ())


def job(status: str, second: int) -> dict[str, Any]:
    finished = {} if status == "Running" else {"finish_time": f"2026-12-01T00:00:{second:02}Z"}
    return {"status": status, "creation_time": "2026-12-01T00:00:00Z", **finished}


def lines(name: str, *messages: str) -> list[LogLine]:
    return [LogLine(f"{name}/{n}", n, name, f"2026-12-01T00:00:00Z {text}", name) for n, text in enumerate(messages)]


def test_a_failed_job_is_told_with_its_input_and_can_be_run_again() -> None:
    jobs = {"j1": job("Failed", 1), "j2": job("Succeeded", 2), "j3": job("Running", 3), "j4": job("Failed", 4)}
    log = [
        *lines("j1", "INFO j1 downloaded letters/in/a b (3 bytes)", "ERROR j1 ScriptFailed: letters/in/a b: it broke"),
        *lines("j2", "INFO j2 downloaded letters/in/c (3 bytes)"),
        *lines("j4", "what OSCAR's own supervisor prints"),
        *lines("unknown", "ERROR u nothing: x"),
    ]
    last, first = failures_of_service(SERVICE, jobs, log, 0)
    assert (first.input, first.reason, first.job) == ("letters/in/a b", "it broke", "j1")
    assert first.event["Records"][0]["s3"]["object"]["key"] == "in/a+b"
    assert first.event["Records"][0]["eventSource"] == "minio:s3"
    assert (last.input, last.reason, last.event) == ("", "the job failed", None)
    assert [one.job for one in failures_of_service(SERVICE, jobs, log, last.when)] == ["j4"]


def test_an_input_that_has_succeeded_since_is_no_failure() -> None:
    log = [
        *lines("j1", "INFO j1 downloaded letters/in/a (3 bytes)"),
        *lines("j2", "INFO j2 downloaded letters/in/a (3 bytes)"),
    ]
    assert failures_of_service(SERVICE, {"j1": job("Failed", 1), "j2": job("Succeeded", 2)}, log, 0) == []
    (one,) = failures_of_service(SERVICE, {"j1": job("Failed", 3), "j2": job("Succeeded", 2)}, log, 0)
    assert one.input == "letters/in/a"
