"""A container image as an AWS Lambda function that turns input files into output files."""

import json
from collections.abc import Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.batch.function_job import FunctionJob, checked_execution_mode, required_rights
from scar_components.batch.job_definition import check_job
from scar_components.function_image import function_image
from scar_components.iam_policies import LAMBDA_ASSUME_ROLE, execution_policy, s3_paths
from scar_components.lambda_container_function_arguments import (
    LambdaContainerFunctionArgs,
    base_image,
    known_arguments,
    supervisor_configuration,
)
from scar_components.log_group import LogGroup, LogGroupArgs
from scar_components.naming import role_name, stack_identity
from scar_foundation.limits import (
    LAMBDA_ARCHITECTURES,
    LAMBDA_EPHEMERAL_STORAGE,
    LAMBDA_MEMORY,
    LAMBDA_TIMEOUT,
)


class LambdaContainerFunction(ComponentResource):
    """A container image as a Lambda function.

    A supervisor is added to the image. For each event it fetches the input file, runs the script or the image's entry
    point on it, and stores the output files. The base image is not rebuilt and needs nothing installed.
    """

    function_name: Output[str]
    """Name of the function."""
    arn: Output[str]
    """ARN of the function."""
    image_uri: Output[str]
    """Image of the function, pinned by its digest."""
    log_group: Output[str]
    """Name of the function's CloudWatch log group."""
    role_arn: Output[str]
    """ARN of the function's role."""
    job_definition_arn: Output[Optional[str]]
    """ARN of the Batch job definition's revision that events are submitted to; none without Batch."""
    job_log_group: Output[Optional[str]]
    """Name of the CloudWatch log group of the jobs; none without Batch."""

    def __init__(self, name: str, args: LambdaContainerFunctionArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the log group, the role, the image and the function."""
        check_arguments(name, args, LambdaContainerFunctionArgs)
        self._execution_mode = checked_execution_mode(name, args.get("execution_mode"), args.get("batch"))
        check_job(name, args.get("batch", {}))
        super().__init__("scar:index:LambdaContainerFunction", name, None, opts)
        self._name = name
        self._args = args
        self._function_name = args.get("function_name", name)
        log_group = self._log_group()
        self.image_uri = self._image()
        self._job = FunctionJob(self, name, self._function_name, args, self.image_uri) if "batch" in args else None
        self.role_arn, grants = self._role(log_group)
        function = self._function(log_group, grants)
        self._event_configuration(function)
        self.function_name = function.name
        self.arn = function.arn
        self.log_group = log_group.log_group_name
        self.job_definition_arn = Output.from_input(self._job.definition.arn if self._job else None)
        self.job_log_group = Output.from_input(self._job.log_group if self._job else None)
        self.register_outputs({key: getattr(self, key) for key in LambdaContainerFunction.__annotations__})

    def _child(self, *depends_on: pulumi.Resource) -> ResourceOptions:
        return ResourceOptions(parent=self, depends_on=list(depends_on) or None)

    def _log_group(self) -> LogGroup:
        args: LogGroupArgs = {
            "log_group_name": f"/aws/lambda/{self._function_name}",
            "log_retention": self._args.get("log_retention"),
            "region": self._args.get("region"),
            "tags": self._args.get("tags"),
        }
        return LogGroup(f"{self._name}-log-group", args, self._child())

    def _role(self, log_group: LogGroup) -> tuple[Output[str], list[pulumi.Resource]]:
        """Return the role's ARN, and what must exist before the function can use it."""
        if given := self._args.get("role_arn"):
            if self._job:
                self._job.delegation.apply(lambda needed: pulumi.log.info(required_rights(self._name, needed), self))
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

    def _policy(self, log_group: LogGroup) -> Output[str]:
        invoke = pulumi.InvokeOutputOptions(parent=self)
        partition = aws.get_partition_output(opts=invoke).partition
        account = aws.get_caller_identity_output(opts=invoke).account_id

        def document(values: Sequence[Any]) -> str:
            known_partition, log_group_arn, file_system_arn, account_id, delegation, args = values
            policy = execution_policy(
                str(known_partition),
                str(log_group_arn),
                s3_paths(args.get("inputs", ())),
                s3_paths(args.get("outputs", ())),
                account=account_id,
                vpc="subnet_ids" in self._args,
                file_system_arn=file_system_arn,
                failure_destination=args.get("failure_destination"),
                settings=self._args.get("storage_providers", {}).values(),
                delegation=delegation,
                itself=self._own_arn(str(log_group_arn)) if self._args.get("asynchronous_http") else None,
            )
            return json.dumps(policy)

        args = self._args
        file_system = args["file_system"]["arn"] if "file_system" in args else None
        delegation: Input[Any] = self._job.delegation if self._job else []
        return Output.all(partition, log_group.arn, file_system, account, delegation, known_arguments(args)).apply(
            document
        )

    def _own_arn(self, log_group_arn: str) -> str:
        # Not taken from the function, which needs the role first.
        _, partition, _, region, account, *_ = log_group_arn.split(":")
        return f"arn:{partition}:lambda:{region}:{account}:function:{self._function_name}"

    def _image(self) -> Output[str]:
        if given := self._args.get("image_uri"):
            return Output.from_input(given)
        args = self._args
        return function_image(
            self, self._name, self._function_name, base_image(args), region=args.get("region"), tags=args.get("tags")
        )

    def _function(self, log_group: LogGroup, grants: list[pulumi.Resource]) -> aws.lambda_.Function:
        args = self._args
        return aws.lambda_.Function(
            f"{self._name}-function",
            name=self._function_name,
            package_type="Image",
            image_uri=self.image_uri,
            role=self.role_arn,
            architectures=[args.get("architecture", LAMBDA_ARCHITECTURES[0])],
            memory_size=args.get("memory", LAMBDA_MEMORY.default),
            timeout=args.get("timeout", LAMBDA_TIMEOUT.default),
            ephemeral_storage={"size": args.get("ephemeral_storage", LAMBDA_EPHEMERAL_STORAGE.default)},
            description=args.get("description"),
            environment={"variables": self._environment()},
            reserved_concurrent_executions=args.get("reserved_concurrency"),
            vpc_config=self._vpc_config(),
            file_system_config=args.get("file_system"),
            region=args.get("region"),
            tags=args.get("tags"),
            # Without a log group, Lambda would create one without retention at the function's first invocation.
            opts=self._child(log_group, *grants),
        )

    def _environment(self) -> dict[str, Input[str]]:
        return {
            **self._args.get("environment", {}),
            "SCAR_FUNCTION": self._supervisor_configuration(),
        }

    def _supervisor_configuration(self) -> Input[str]:
        name, known = self._function_name, known_arguments(self._args)
        if self._job is None:
            return known.apply(lambda args: supervisor_configuration(name, args))
        mode = self._execution_mode
        return Output.all(known, self._job.supervisor_settings).apply(
            lambda values: supervisor_configuration(name, values[0], mode, values[1])
        )

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
