"""Single jobs, from submission to their end."""

from tests.local.batch.conftest import Batch


def test_a_job_runs_and_its_log_is_in_cloudwatch(batch: Batch, queue: str) -> None:
    job = batch.run(queue, "echo hello; id -u; touch /written && echo wrote; env | sort")
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    lines = batch.log(job)
    assert lines[:3] == ["hello", "0", "wrote"]
    assert f"AWS_BATCH_JOB_ID={job['jobId']}" in lines
