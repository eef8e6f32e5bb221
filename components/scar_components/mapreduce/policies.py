"""What each part of a MapReduce may do, and nothing else: policy documents as plain data.

Heads and pinned reads of objects need the right to get them; a version is another right.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from scar_components.iam_policies import PolicyDocument, allow, object_arns

_READ = ["s3:GetObject", "s3:GetObjectVersion"]
_WRITE = ["s3:AbortMultipartUpload", "s3:PutObject"]
# The managed rule through which Step Functions learns that a job has ended:
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
_JOB_RULE = "rule/StepFunctionsGetEventsForBatchJobsRule"

STATES_ASSUME_ROLE: PolicyDocument = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class Places:
    """Where a MapReduce reads and writes; `inputs` and `output` are bucket and prefix, `work` is a bucket."""

    partition: str
    account: str
    inputs: Sequence[str]
    output: str
    work: str
    state_machine: str


def stage_policy(stage: str, places: Places, log_group_arn: Optional[str]) -> PolicyDocument:
    """Return the policy of the functions or jobs of a stage; the containers of jobs write no log themselves."""
    log = [f"{log_group_arn}:*"] if log_group_arn else []
    statements = [
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log),
        *(_RIGHTS[stage](places)),
    ]
    return _document(statements)


def _plan(places: Places) -> list[Optional[Mapping[str, Any]]]:
    return [
        _input(places),
        _objects("Work", [*_READ[:1], *_WRITE], places, places.work),
        _listed("ListWork", places, places.work),
        # Whether the results of a run are still there.
        allow("FindOutput", _READ[:1], _markers(places), _owned(places)),
        _listed("ListOutput", places, places.output),
        allow("StartRun", ["states:StartExecution"], [places.state_machine]),
        allow("FindRun", ["states:DescribeExecution"], [f"{_executions(places)}:*"]),
    ]


def _map(places: Places) -> list[Optional[Mapping[str, Any]]]:
    return [_input(places), *_work(places)]


def _reduce(places: Places) -> list[Optional[Mapping[str, Any]]]:
    return _work(places)


def _commit(places: Places) -> list[Optional[Mapping[str, Any]]]:
    """Results are published by the commit alone, which looks once more whether the input is still the same."""
    published = _objects("Output", [*_READ[:1], *_WRITE, "s3:DeleteObject"], places, places.output)
    return [_input(places), *_work(places), published, _listed("ListOutput", places, places.output)]


_RIGHTS = {"plan": _plan, "map": _map, "reduce": _reduce, "commit": _commit}


def _input(places: Places) -> Optional[Mapping[str, Any]]:
    return allow("ReadInput", _READ, object_arns(places.partition, places.inputs), _owned(places))


def _work(places: Places) -> list[Optional[Mapping[str, Any]]]:
    return [
        _objects("Work", [*_READ[:1], *_WRITE, "s3:DeleteObject"], places, places.work),
        _listed("ListWork", places, places.work),
    ]


def _objects(sid: str, actions: list[str], places: Places, path: str) -> Optional[Mapping[str, Any]]:
    return allow(sid, actions, object_arns(places.partition, [path]), _owned(places))


def _listed(sid: str, places: Places, path: str) -> Optional[Mapping[str, Any]]:
    """Return the statement without which S3 says of a missing object that it is forbidden.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    bucket = path.strip("/").partition("/")[0]
    return allow(sid, ["s3:ListBucket"], [f"arn:{places.partition}:s3:::{bucket}"], _owned(places))


def _markers(places: Places) -> list[str]:
    """Return the ARNs of what tells of a run that has succeeded, one in each folder of results."""
    return [f"{arn}/_SUCCESS" for arn in object_arns(places.partition, [places.output])]


def _executions(places: Places) -> str:
    return places.state_machine.replace(":stateMachine:", ":execution:")


def _owned(places: Places) -> dict[str, Any]:
    """Somebody else may create a bucket that was deleted."""
    return {"StringEquals": {"s3:ResourceAccount": places.account}}


def machine_policy(
    places: Places, region: str, functions: Sequence[str], jobs: Sequence[str], job_queue: Optional[str]
) -> PolicyDocument:
    """Return the policy of the state machine: invoke its functions, run its maps over the lines of the work bucket,
    submit its jobs.

    `functions` and `jobs` are ARNs, those of job definitions without a revision.
    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    """
    machine = places.state_machine
    # The page has them after a colon; children that a Map Run has started have its label and a colon after a slash.
    children = [f"{_executions(places)}:*", f"{_executions(places)}/*"]
    definitions = [arn for one in jobs for arn in (one, f"{one}:*")]
    submitting = [job_queue, *definitions] if job_queue else []
    anything = ["*"] if job_queue else []  # these actions have no resource types
    rule = [f"arn:{places.partition}:events:{region}:{places.account}:{_JOB_RULE}"] if job_queue else []
    return _document(
        [
            allow("InvokeStages", ["lambda:InvokeFunction"], list(functions)),
            allow("StartMaps", ["states:StartExecution"], [machine]),
            allow(
                "FollowMaps",
                ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
                children,
            ),
            _objects("ReadTasks", ["s3:GetObject"], places, places.work),
            allow("SubmitJobs", ["batch:SubmitJob"], submitting),
            allow("FollowJobs", ["batch:DescribeJobs", "batch:TerminateJob"], anything),
            allow("LearnOfJobs", ["events:DescribeRule", "events:PutRule", "events:PutTargets"], rule),
        ]
    )


def _document(statements: Sequence[Optional[Mapping[str, Any]]]) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": [statement for statement in statements if statement]}
