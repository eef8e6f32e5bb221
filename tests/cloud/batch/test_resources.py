"""Compute environments, queues, definitions, tags and lists, as boto3 sees them."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.batch.conftest import Batch
from tests.world.fake_cloud import wait_for


def refusal(call: Any, **request: Any) -> str:
    """Return the message of Batch's ClientException."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    assert raised.value.response["Error"]["Code"] == "ClientException"
    return str(raised.value.response["Error"]["Message"])


def test_environments_and_queues_come_and_go_in_the_order_that_aws_wants(batch: Batch) -> None:
    client, name = batch.client, f"e-{uuid.uuid4().hex[:8]}"
    resources = {"type": "EC2", "maxvCpus": 4, "minvCpus": 0, "instanceTypes": ["m5.large"],
                 "subnets": ["subnet-1"], "instanceRole": "r"}  # fmt: skip
    request = {"computeEnvironmentName": name, "type": "MANAGED", "computeResources": resources, "tags": {"a": "b"}}
    arn = client.create_compute_environment(**request)["computeEnvironmentArn"]
    assert arn == f"arn:aws:batch:us-east-1:000000000000:compute-environment/{name}"
    assert refusal(client.create_compute_environment, **request) == "Object already exists"
    first = client.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"][0]
    assert (first["status"], first["state"]) in {("CREATING", "ENABLED"), ("VALID", "ENABLED")}
    wait_for(lambda: batch._status("compute_environments", "computeEnvironments", arn) == "VALID")
    queue = batch.queue(name)
    client.update_compute_environment(computeEnvironment=name, computeResources={"maxvCpus": 8})
    wait_for(lambda: batch._status("compute_environments", "computeEnvironments", name) == "VALID")
    found = client.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"][0]
    assert found["computeResources"]["maxvCpus"] == 8
    assert found["computeResources"]["instanceTypes"] == ["m5.large"]
    assert "must be disabled" in refusal(client.delete_compute_environment, computeEnvironment=name)
    client.update_compute_environment(computeEnvironment=name, state="DISABLED")
    wait_for(lambda: batch._status("compute_environments", "computeEnvironments", name) == "VALID")
    assert "existing JobQueue" in refusal(client.delete_compute_environment, computeEnvironment=name)
    assert "must be disabled" in refusal(client.delete_job_queue, jobQueue=queue)
    client.update_job_queue(jobQueue=queue, state="DISABLED")
    wait_for(lambda: batch._status("job_queues", "jobQueues", queue) == "VALID")
    assert "DISABLED" in refusal(client.submit_job, jobName="j", jobQueue=queue, jobDefinition=batch.definition("true"))
    client.delete_job_queue(jobQueue=queue)
    wait_for(lambda: batch._status("job_queues", "jobQueues", queue) == "")
    client.delete_compute_environment(computeEnvironment=name)
    wait_for(lambda: batch._status("compute_environments", "computeEnvironments", name) == "")
    client.delete_compute_environment(computeEnvironment=name)


def test_wrong_requests_are_refused_with_what_is_wrong(batch: Batch, queue: str) -> None:
    client = batch.client
    create = client.create_compute_environment
    assert "subnets" in refusal(create, computeEnvironmentName="x", type="MANAGED",
                                computeResources={"type": "EC2", "maxvCpus": 1})  # fmt: skip
    assert "minvCpus" in refusal(
        create, computeEnvironmentName="x", type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": 1, "minvCpus": 2, "subnets": ["s"], "securityGroupIds": ["g"]},
    )  # fmt: skip
    assert "not one of MANAGED" in refusal(create, computeEnvironmentName="x", type="SOMETHING")
    assert "valid pattern" in refusal(create, computeEnvironmentName="no spaces", type="UNMANAGED")
    order = [{"order": 1, "computeEnvironment": "none"}]
    assert "none does not exist" in refusal(
        client.create_job_queue, jobQueueName="q", priority=1, computeEnvironmentOrder=order
    )
    register = client.register_job_definition
    assert "memory" in refusal(register, jobDefinitionName="d", type="container",
                               containerProperties={"image": "i", "vcpus": 1})  # fmt: skip
    short = {"attemptDurationSeconds": 0}
    assert "at least" in refusal(register, jobDefinitionName="d", type="container", timeout=short,
                                 containerProperties=batch.container("true"))  # fmt: skip
    submit = client.submit_job
    definition = batch.definition("true")
    assert "can not be found" in refusal(submit, jobName="j", jobQueue="none", jobDefinition=definition)
    assert "was not found" in refusal(submit, jobName="j", jobQueue=queue, jobDefinition="none")
    assert "no job 0" in refusal(
        submit, jobName="j", jobQueue=queue, jobDefinition=definition, dependsOn=[{"jobId": "0"}]
    )
    large = {"environment": [{"name": "EVENT", "value": "x" * 31 * 1024}]}
    assert "larger than 30720" in refusal(
        submit, jobName="j", jobQueue=queue, jobDefinition=definition, containerOverrides=large
    )
    assert "does not exist" in refusal(client.terminate_job, jobId="none", reason="r")
    assert "does not have this operation" in refusal(client.list_service_jobs)


def test_definitions_have_revisions(batch: Batch, queue: str) -> None:
    client, name = batch.client, f"d-{uuid.uuid4().hex[:8]}"
    arns = [batch.definition(f"echo {number}", name) for number in range(3)]
    assert arns[2] == f"arn:aws:batch:us-east-1:000000000000:job-definition/{name}:3"
    client.deregister_job_definition(jobDefinition=arns[2])
    found = client.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    assert [item["revision"] for item in found] == [2, 1]
    assert "not ACTIVE" in refusal(client.submit_job, jobName="j", jobQueue=queue, jobDefinition=f"{name}:3")
    assert batch.log(batch.end(batch.submit(queue, name))) == ["1"], "the newest active one"
    assert batch.log(batch.end(batch.submit(queue, f"{name}:1"))) == ["0"]
    pages = client.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=name, PaginationConfig={"PageSize": 1}
    )
    assert [item["revision"] for page in pages for item in page["jobDefinitions"]] == [3, 2, 1]
    assert [item["revision"] for item in client.describe_job_definitions(jobDefinitions=[f"{name}:2"])[
        "jobDefinitions"]] == [2]  # fmt: skip


def test_everything_can_be_tagged(batch: Batch, queue: str) -> None:
    client = batch.client
    definition = batch.definition("true", tags={"a": "1"})
    job = client.submit_job(jobName="j", jobQueue=queue, jobDefinition=definition, tags={"a": "1"})
    batch.end(job["jobId"])
    queue_arn = client.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["jobQueueArn"]
    for arn in (definition, job["jobArn"], queue_arn):
        client.tag_resource(resourceArn=arn, tags={"b": "2", "c": "é"})
        client.untag_resource(resourceArn=arn, tagKeys=["b", "none"])
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] in ({"a": "1", "c": "é"}, {"c": "é"})
    assert batch.job(job["jobId"])["tags"] == {"a": "1", "c": "é"}
    assert "does not exist" in refusal(client.tag_resource, resourceArn=f"{queue_arn}x", tags={"a": "b"})


def test_jobs_are_listed_by_status_and_by_filters(batch: Batch) -> None:
    client, queue = batch.client, batch.queue()
    name = f"d{uuid.uuid4().hex[:8]}"
    definition = batch.definition("exit $CODE", name)
    code: Any = {"environment": [{"name": "CODE", "value": "1"}]}
    jobs = [batch.submit(queue, definition, jobName=f"A_{number}") for number in range(5)]
    failing = batch.submit(queue, definition, jobName="B", containerOverrides=code)
    for identifier in (*jobs, failing):
        batch.end(identifier)

    def listed(**request: Any) -> list[str]:
        pages = client.get_paginator("list_jobs").paginate(jobQueue=queue, PaginationConfig={"PageSize": 2}, **request)
        return [item["jobName"] for page in pages for item in page["jobSummaryList"]]

    def filtered(kind: str, value: object) -> list[str]:
        return listed(filters=[{"name": kind, "values": [str(value)]}])

    assert listed() == []
    assert listed(jobStatus="FAILED") == ["B"]
    newest = ["A_4", "A_3", "A_2", "A_1", "A_0"]
    assert listed(jobStatus="SUCCEEDED") == newest
    assert filtered("JOB_NAME", "a_*") == newest
    assert filtered("JOB_NAME", "a_3") == ["A_3"]
    assert filtered("JOB_NAME", "a%") == filtered("JOB_NAME", "Ax*") == []
    assert filtered("JOB_DEFINITION", name) == filtered("JOB_DEFINITION", f"{name}:1") == ["B", *newest]
    assert filtered("JOB_DEFINITION", definition) == filtered("JOB_DEFINITION", f"{name[:5]}*") == ["B", *newest]
    middle = batch.job(jobs[2])["createdAt"]
    assert set(filtered("AFTER_CREATED_AT", middle)) | set(filtered("BEFORE_CREATED_AT", middle)) <= {"B", *newest}
    assert "B" in filtered("AFTER_CREATED_AT", middle - 1)
    assert "one of jobQueue" in refusal(client.list_jobs)
    summary = client.list_jobs(jobQueue=queue, jobStatus="FAILED")["jobSummaryList"][0]
    assert (summary["container"]["exitCode"], summary["jobDefinition"]) == (1, definition)


def test_accounts_and_regions_are_apart(batch: Batch) -> None:
    name = batch.environment()
    other = batch.cloud.client("batch", "eu-west-1")
    assert other.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"] == []
    assert other.describe_job_queues()["jobQueues"] == []


def test_a_queue_that_goes_takes_its_jobs_along(batch: Batch) -> None:
    queue = batch.queue()
    definition = batch.definition("sleep 600", vcpus=4)
    running, waiting = batch.submit(queue, definition), batch.submit(queue, definition)
    batch.wait(running, "RUNNING")
    batch.client.update_job_queue(jobQueue=queue, state="DISABLED")
    wait_for(lambda: batch._status("job_queues", "jobQueues", queue) == "VALID")
    batch.client.delete_job_queue(jobQueue=queue)
    wait_for(lambda: batch._status("job_queues", "jobQueues", queue) == "", 40)
    for identifier in (running, waiting):
        job = batch.end(identifier)
        assert (job["status"], job["statusReason"]) == ("FAILED", "Job Queue deleted")
