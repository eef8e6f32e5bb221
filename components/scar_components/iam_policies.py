"""IAM policy documents as plain data: who may assume a role, and the least that it needs.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi

from scar_components.lambda_container_function_arguments import FunctionStorage

PolicyDocument = dict[str, Any]

LAMBDA_ASSUME_ROLE: PolicyDocument = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
_VPC_STATEMENT = {
    "Sid": "AttachToVpc",
    "Effect": "Allow",
    "Action": [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ],
    "Resource": "*",
}


def execution_policy(
    partition: str,
    log_group_arn: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    account: str | None = None,
    vpc: bool = False,
    file_system_arn: str | None = None,
    failure_destination: str | None = None,
    settings: Iterable[str] = (),
    delegation: Iterable[Mapping[str, Any]] = (),
    itself: str | None = None,
) -> PolicyDocument:
    """Return the policy of a function: write its log, read its inputs, write its outputs, and what it is given here.

    Args:
        partition: AWS partition, such as `aws`.
        log_group_arn: ARN of the function's log group.
        inputs: Storage paths to read, `bucket/prefix` or `bucket`.
        outputs: Storage paths to write.
        account: Account that the buckets must belong to: somebody else may create a bucket that was deleted.
        vpc: Whether the function is attached to a VPC.
        file_system_arn: ARN of the EFS access point that it mounts.
        failure_destination: ARN of what receives failed events.
        settings: Where settings of storage providers are kept, `ssm:/name` or `secretsmanager:ARN`.
        delegation: Statements for submitting events to Batch.
        itself: The function's own ARN, if it invokes itself.
    """
    statements = [
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"]),
        *storage_statements(partition, inputs, outputs, account),
        _VPC_STATEMENT if vpc else None,
        file_system_statement(file_system_arn),
        _failure_statement(failure_destination),
        *delegation,
        *settings_statements(partition, account, settings),
        allow("InvokeItself", ["lambda:InvokeFunction"], [itself] if itself else []),
    ]
    return {"Version": "2012-10-17", "Statement": [statement for statement in statements if statement]}


def storage_statements(
    partition: str, inputs: Iterable[str], outputs: Iterable[str], account: str | None
) -> list[Mapping[str, Any] | None]:
    """Return the statements for reading inputs and writing outputs."""
    owner = {"StringEquals": {"s3:ResourceAccount": account}} if account else None
    return [
        allow("ReadInput", ["s3:GetObject"], object_arns(partition, inputs), owner),
        allow("WriteOutput", ["s3:AbortMultipartUpload", "s3:PutObject"], object_arns(partition, outputs), owner),
    ]


def settings_statements(partition: str, account: str | None, settings: Iterable[str]) -> list[Mapping[str, Any] | None]:
    """Return the statements for reading settings; the default key of encrypted parameters needs no permission.

    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    places = [place.partition(":")[::2] for place in sorted(settings)]
    parameter_arn = f"arn:{partition}:ssm:*:{account or '*'}:parameter"
    parameters = [f"{parameter_arn}/{name.lstrip('/')}" for kind, name in places if kind == "ssm"]
    secrets = [name for kind, name in places if kind == "secretsmanager"]
    return [
        allow("ReadParameters", ["ssm:GetParameter"], parameters),
        allow("ReadSecrets", ["secretsmanager:GetSecretValue"], secrets),
    ]


def allow(
    sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """Return a statement that allows the actions on the resources; None if there are no resources."""
    if not resources:
        return None
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def object_arns(partition: str, paths: Iterable[str]) -> list[str]:
    """Return the ARNs of all objects under storage paths."""
    return sorted({f"arn:{partition}:s3:::{_literal(path.rstrip('/'))}/*" for path in paths})


def _literal(path: str) -> str:
    """Escape the characters that are patterns or variables in a policy.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return "".join({"*": "${*}", "?": "${?}", "$": "${$}"}.get(character, character) for character in path)


def file_system_statement(arn: str | None) -> Mapping[str, Any] | None:
    """Return the statement for mounting a file system through its access point."""
    if arn is None:
        return None
    # The actions apply to the file system; the access point, whose ARN differs only in its last part, is a condition.
    file_systems = arn.rpartition(":")[0] + ":file-system/*"
    through = {"StringEquals": {"elasticfilesystem:AccessPointArn": arn}}
    actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    return allow("MountFileSystem", actions, [file_systems], through)


# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-async-destinations
_DESTINATION_ACTIONS = {
    "events": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
    "s3": "s3:PutObject",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
}


def _failure_statement(destination: str | None) -> Mapping[str, Any] | None:
    if destination is None:
        return None
    service = [*destination.split(":"), "", ""][2]
    if service not in _DESTINATION_ACTIONS:
        raise pulumi.RunError(
            f"failure_destination {destination}: is not the ARN of a queue, topic, bus, function or bucket; use one"
        )
    resource = f"{destination}/*" if service == "s3" else destination
    return allow("ReportFailure", [_DESTINATION_ACTIONS[service]], [resource])


_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<name>[^:@]+)")


def _assumed_by(service: str) -> PolicyDocument:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


INSTANCE_ASSUME_ROLE = _assumed_by("ec2.amazonaws.com")
TASK_ASSUME_ROLE = _assumed_by("ecs-tasks.amazonaws.com")


def delegation_statements(
    partition: str, account: str, job_queue: str, job_definition_prefix: str, event_path: str | None
) -> list[Mapping[str, Any]]:
    """Return the statements for submitting events to the function's own queue with its own job definition.

    `job_definition_prefix` is the definition's ARN without a revision, `event_path` where large events are kept.
    """
    definition = [job_definition_prefix, f"{job_definition_prefix}:*"]
    submit = allow("SubmitJob", ["batch:SubmitJob"], [job_queue, *definition])
    # The supervisor looks for the job of an event that Lambda retries; ListJobs has no resource types.
    find = allow("FindJob", ["batch:ListJobs"], ["*"])
    keep = allow("KeepEvent", ["s3:PutObject"], _kept(partition, event_path), _owned(account))
    return [statement for statement in (submit, find, keep) if statement]


def mount_statements(
    partition: str, account: str, file_systems: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any] | None]:
    """Return the statement for mounting file systems through access points; others need none."""
    ids = [one["file_system_id"] for one in file_systems if one.get("access_point_id")]
    arns = [f"arn:{partition}:elasticfilesystem:*:{account}:file-system/{one}" for one in ids]
    return [allow("MountFileSystem", ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], arns)]


def _repository_arns(partition: str, image_uri: str) -> list[str]:
    """Return the ARN of the image's ECR repository; none for an image elsewhere."""
    found = _ECR.match(image_uri)
    return [f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"] if found else []


def job_policy(partition: str, account: str, event_path: str | None, storage: Sequence[Any]) -> PolicyDocument:
    """Return the policy of a job: what the function may do with files (`storage`), and read the event kept for it."""
    read = allow("ReadEvent", ["s3:GetObject"], _kept(partition, event_path), _owned(account))
    return {"Version": "2012-10-17", "Statement": [statement for statement in (*storage, read) if statement]}


def start_policy(
    image_uri: str, log_group_arn: str, secrets: Sequence[str], *, partition: str, region: str, account: str
) -> PolicyDocument:
    """Return the policy for starting a job's container: pull its image, write its log, read its secrets.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    """
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    # The ARN of a secret may end in a key, which is not part of the resource.
    kept = [":".join(secret.split(":")[:7]) for secret in secrets if ":secretsmanager:" in secret]
    parameters = f"arn:{partition}:ssm:{region}:{account}:parameter"
    named = [secret for secret in secrets if ":secretsmanager:" not in secret]
    statements = [
        allow("LogIn", ["ecr:GetAuthorizationToken"], ["*"]),  # it has no resource types
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


def s3_paths(entries: Sequence[FunctionStorage]) -> list[str]:
    """Return the paths that need rights of the role; other providers are opened with keys of their own."""
    return [str(entry["path"]) for entry in entries if entry["provider"] in {"s3", "s3.default"}]
