"""IAM policy documents around Batch, as plain data.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scar_components._iam import PolicyDocument, allow, object_arns

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<name>[^:@]+)")


def _assumed_by(service: str) -> PolicyDocument:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


INSTANCE_ASSUME_ROLE = _assumed_by("ec2.amazonaws.com")
TASK_ASSUME_ROLE = _assumed_by("ecs-tasks.amazonaws.com")


def delegation_statements(
    partition: str, account: str, job_queue: str, job_definition_prefix: str, event_path: str | None
) -> list[Mapping[str, Any]]:
    """Return what a function needs to hand its events over: to its own queue, as its own job definition.

    `job_definition_prefix` is the definition's ARN without a revision, `event_path` where large events are kept.
    """
    definition = [job_definition_prefix, f"{job_definition_prefix}:*"]
    submit = allow("SubmitJob", ["batch:SubmitJob"], [job_queue, *definition])
    # It has no resource that could be named: the supervisor looks for the job of an event that Lambda repeats.
    find = allow("FindJob", ["batch:ListJobs"], ["*"])
    keep = allow("KeepEvent", ["s3:PutObject"], _kept(partition, event_path), _owned(account))
    return [statement for statement in (submit, find, keep) if statement]


def mount_statements(
    partition: str, account: str, file_systems: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any] | None]:
    """Return what mounting file systems through their access points takes; without one, it takes nothing."""
    ids = [one["file_system_id"] for one in file_systems if one.get("access_point_id")]
    arns = [f"arn:{partition}:elasticfilesystem:*:{account}:file-system/{one}" for one in ids]
    return [allow("MountFileSystem", ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], arns)]


def _repository_arns(partition: str, image_uri: str) -> list[str]:
    """Return the ARN of the ECR repository that an image is in; none for an image elsewhere."""
    found = _ECR.match(image_uri)
    return [f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"] if found else []


def job_policy(partition: str, account: str, event_path: str | None, storage: Sequence[Any]) -> PolicyDocument:
    """Return what a job may do: what the function may do with files (`storage`), and read the event kept for it."""
    read = allow("ReadEvent", ["s3:GetObject"], _kept(partition, event_path), _owned(account))
    return {"Version": "2012-10-17", "Statement": [statement for statement in (*storage, read) if statement]}


def start_policy(
    image_uri: str, log_group_arn: str, secrets: Sequence[str], *, partition: str, region: str, account: str
) -> PolicyDocument:
    """Return what it takes to start a job's container: its image, its log, and the values of its secrets.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    # The ARN of a secret may name a key in it, which is no part of the resource.
    kept = [":".join(secret.split(":")[:7]) for secret in secrets if ":secretsmanager:" in secret]
    parameters = f"arn:{partition}:ssm:{region}:{account}:parameter"
    named = [secret for secret in secrets if ":secretsmanager:" not in secret]
    statements = [
        allow("LogIn", ["ecr:GetAuthorizationToken"], ["*"]),  # it has no resource that could be named
        allow("PullImage", pull, _repository_arns(partition, image_uri)),
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"]),
        allow("ReadParameters", ["ssm:GetParameters"], [_arn(parameters, name) for name in named]),
        allow("ReadSecrets", ["secretsmanager:GetSecretValue"], kept),
    ]
    return {"Version": "2012-10-17", "Statement": [statement for statement in statements if statement]}


def _arn(parameters: str, name: str) -> str:
    return name if name.startswith("arn:") else f"{parameters}/{name.lstrip('/')}"


def _kept(partition: str, event_path: str | None) -> list[str]:
    return object_arns(partition, [event_path]) if event_path else []


def _owned(account: str) -> dict[str, Any]:
    return {"StringEquals": {"s3:ResourceAccount": account}}
