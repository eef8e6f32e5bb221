"""A container image as an AWS Lambda function that turns input files into output files."""

import json
from collections.abc import Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components._iam import LAMBDA_ASSUME_ROLE, execution_policy
from scar_components._naming import repository_name, role_name, stack_identity
from scar_components._supervisor_configuration import supervisor_configuration
from scar_components.function_arguments import FunctionStorage, LambdaContainerFunctionArgs, base_image
from scar_components.supervised_image import SupervisedImage, SupervisedImageArgs

# What the last pushes leave behind, so that a running deployment never loses the image it starts from.
KEEP_LAST_IMAGES = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Keep the five newest images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
            "action": {"type": "expire"},
        }
    ]
}
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""


class LambdaContainerFunction(ComponentResource):
    """A container image as a Lambda function.

    The image gets a supervisor that fetches the input file of each event, runs the script or the image's entry point on
    it, and stores what it wrote. The base image is not rebuilt and needs nothing installed.
    """

    function_name: Output[str]
    """Name of the function."""
    arn: Output[str]
    """ARN of the function."""
    image_uri: Output[str]
    """Image that the function runs, by digest."""
    log_group: Output[str]
    """Name of its CloudWatch log group."""
    role_arn: Output[str]
    """ARN of the role it runs as."""

    def __init__(self, name: str, args: LambdaContainerFunctionArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the log, the role, the image and the function, in the order in which they need each other."""
        super().__init__("scar:index:LambdaContainerFunction", name, None, opts)
        self._name = name
        self._args = args
        self._function_name = args.get("function_name", name)
        log_group = self._log_group()
        self.role_arn, grants = self._role(log_group)
        self.image_uri = self._image()
        function = self._function(log_group, grants)
        self._event_configuration(function)
        self.function_name = function.name
        self.arn = function.arn
        self.log_group = log_group.name
        self.register_outputs(
            {
                "function_name": self.function_name,
                "arn": self.arn,
                "image_uri": self.image_uri,
                "log_group": self.log_group,
                "role_arn": self.role_arn,
            }
        )

    def _child(self, *depends_on: pulumi.Resource) -> ResourceOptions:
        return ResourceOptions(parent=self, depends_on=list(depends_on) or None)

    def _log_group(self) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{self._name}-log-group",
            name=f"/aws/lambda/{self._function_name}",
            retention_in_days=self._args.get("log_retention", 30),
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )

    def _role(self, log_group: aws.cloudwatch.LogGroup) -> tuple[Output[str], list[pulumi.Resource]]:
        """Return the role's ARN and what has to exist before the function can use it."""
        if given := self._args.get("role_arn"):
            return Output.from_input(given), []
        role = aws.iam.Role(
            f"{self._name}-role",
            name=role_name(self._function_name, stack_identity()),
            assume_role_policy=json.dumps(LAMBDA_ASSUME_ROLE),
            tags=self._args.get("tags"),
            opts=self._child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-role-policy",
            name="execution",
            role=role.name,
            policy=self._policy(log_group),
            opts=self._child(),
        )
        return role.arn, [policy]

    def _policy(self, log_group: aws.cloudwatch.LogGroup) -> Output[str]:
        invoke = pulumi.InvokeOutputOptions(parent=self)
        partition = aws.get_partition_output(opts=invoke).partition
        account = aws.get_caller_identity_output(opts=invoke).account_id
        args = self._args

        def document(values: Sequence[str | None]) -> str:
            known_partition, log_group_arn, file_system_arn, account_id = values
            policy = execution_policy(
                str(known_partition),
                str(log_group_arn),
                _s3_paths(args.get("inputs", ())),
                _s3_paths(args.get("outputs", ())),
                account=account_id,
                vpc="subnet_ids" in args,
                file_system_arn=file_system_arn,
                failure_destination=args.get("failure_destination"),
                settings=args.get("storage_providers", {}).values(),
            )
            return json.dumps(policy)

        file_system = args["file_system"]["arn"] if "file_system" in args else None
        return Output.all(partition, log_group.arn, file_system, account).apply(document)

    def _image(self) -> Output[str]:
        if given := self._args.get("image_uri"):
            return Output.from_input(given)
        repository = aws.ecr.Repository(
            f"{self._name}-repository",
            name=repository_name(self._function_name),
            force_delete=True,
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )
        aws.ecr.LifecyclePolicy(
            f"{self._name}-repository-lifecycle",
            repository=repository.name,
            policy=json.dumps(KEEP_LAST_IMAGES),
            region=self._args.get("region"),
            opts=self._child(),
        )
        image: SupervisedImageArgs = {"repository_url": repository.repository_url, **base_image(self._args)}
        return SupervisedImage(f"{self._name}-image", image, self._child()).image_uri

    def _function(self, log_group: aws.cloudwatch.LogGroup, grants: list[pulumi.Resource]) -> aws.lambda_.Function:
        args = self._args
        return aws.lambda_.Function(
            f"{self._name}-function",
            name=self._function_name,
            package_type="Image",
            image_uri=self.image_uri,
            role=self.role_arn,
            architectures=[args.get("architecture", "x86_64")],
            memory_size=args.get("memory", 512),
            timeout=args.get("timeout", 300),
            ephemeral_storage={"size": args.get("ephemeral_storage", 512)},
            description=args.get("description"),
            environment={"variables": self._environment()},
            reserved_concurrent_executions=args.get("reserved_concurrency"),
            vpc_config=self._vpc_config(),
            file_system_config=args.get("file_system"),
            region=args.get("region"),
            tags=args.get("tags"),
            # Lambda makes a log group without retention for a function that finds none at its first call.
            opts=self._child(log_group, *grants),
        )

    def _environment(self) -> dict[str, Input[str]]:
        return {
            **self._args.get("environment", {}),
            "SCAR_FUNCTION": supervisor_configuration(self._function_name, self._args),
        }

    def _vpc_config(self) -> Optional[aws.lambda_.FunctionVpcConfigArgsDict]:
        if "subnet_ids" not in self._args:
            return None
        return {
            "subnet_ids": list(self._args["subnet_ids"]),
            "security_group_ids": list(self._args.get("security_group_ids", ())),
        }

    def _event_configuration(self, function: aws.lambda_.Function) -> None:
        destination = self._args.get("failure_destination")
        if destination is None and "maximum_retry_attempts" not in self._args:
            return
        aws.lambda_.FunctionEventInvokeConfig(
            f"{self._name}-event-invoke-config",
            function_name=function.name,
            maximum_retry_attempts=self._args.get("maximum_retry_attempts"),
            destination_config={"on_failure": {"destination": destination}} if destination else None,
            region=self._args.get("region"),
            opts=self._child(),
        )


def _s3_paths(entries: Sequence[FunctionStorage]) -> list[str]:
    """Return the paths that are the role's to open; buckets of others are opened with keys of theirs."""
    return [entry["path"] for entry in entries if entry["provider"] in {"s3", "s3.default"}]
