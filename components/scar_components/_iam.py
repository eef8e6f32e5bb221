"""IAM policy documents of a function, as plain data: who may assume its role and the least that it needs.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

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
) -> PolicyDocument:
    """Return what a function may do: write its log, read its input prefixes, write its output prefixes; nothing else.

    `inputs` and `outputs` are storage paths, `bucket/prefix` or `bucket`. With `account`, only that account's buckets
    count: the name of one that is gone can be anybody's. `settings` are where storage providers are kept, `ssm:/name`
    or `secretsmanager:ARN`.
    """
    owner = {"StringEquals": {"s3:ResourceAccount": account}} if account else None
    statements = [
        _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"]),
        _allow("ReadInput", ["s3:GetObject"], _object_arns(partition, inputs), owner),
        _allow("WriteOutput", ["s3:AbortMultipartUpload", "s3:PutObject"], _object_arns(partition, outputs), owner),
        _VPC_STATEMENT if vpc else None,
        _file_system_statement(file_system_arn),
        _failure_statement(failure_destination),
        *_settings_statements(f"arn:{partition}:ssm:*:{account or '*'}:parameter", sorted(settings)),
    ]
    return {"Version": "2012-10-17", "Statement": [statement for statement in statements if statement]}


def _settings_statements(parameter_arn: str, settings: list[str]) -> list[Mapping[str, Any] | None]:
    """Return who may read the settings; the key that parameters are encrypted with by default needs no permission.

    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    places = [place.partition(":")[::2] for place in settings]
    parameters = [f"{parameter_arn}/{name.lstrip('/')}" for kind, name in places if kind == "ssm"]
    secrets = [name for kind, name in places if kind == "secretsmanager"]
    return [
        _allow("ReadParameters", ["ssm:GetParameter"], parameters),
        _allow("ReadSecrets", ["secretsmanager:GetSecretValue"], secrets),
    ]


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    if not resources:
        return None
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def _object_arns(partition: str, paths: Iterable[str]) -> list[str]:
    return sorted({f"arn:{partition}:s3:::{_literal(path.rstrip('/'))}/*" for path in paths})


def _literal(path: str) -> str:
    """Escape what a policy would read as a pattern or a variable.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return "".join({"*": "${*}", "?": "${?}", "$": "${$}"}.get(character, character) for character in path)


def _file_system_statement(arn: str | None) -> Mapping[str, Any] | None:
    if arn is None:
        return None
    # The actions are the file system's; the access point, whose ARN differs only in the last part, is a condition.
    file_systems = arn.rpartition(":")[0] + ":file-system/*"
    through = {"StringEquals": {"elasticfilesystem:AccessPointArn": arn}}
    actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    return _allow("MountFileSystem", actions, [file_systems], through)


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
            f"failure_destination {destination}: it is not the ARN of a queue, topic, bus, function or bucket"
        )
    resource = f"{destination}/*" if service == "s3" else destination
    return _allow("ReportFailure", [_DESTINATION_ACTIONS[service]], [resource])
