"""The jobs of a function: their definition, made from the function's image, their roles and their log group."""

import json
from collections.abc import Mapping
from typing import Any, Optional, cast

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.batch.job_definition import (
    container_properties,
    document,
    node_properties,
    retry_strategy,
    secret_places,
)
from scar_components.iam_policies import (
    TASK_ASSUME_ROLE,
    PolicyDocument,
    delegation_statements,
    job_policy,
    mount_statements,
    s3_paths,
    settings_statements,
    start_policy,
    storage_statements,
)
from scar_components.lambda_container_function_arguments import (
    FunctionBatch,
    LambdaContainerFunctionArgs,
    known_arguments,
    supervisor_configuration,
)
from scar_components.log_group import LogGroup, LogGroupArgs
from scar_components.naming import batch_name, role_name, stack_identity
from scar_foundation.limits import LAMBDA_ARCHITECTURES


class FunctionJob:
    """Declares the resources of a function's jobs, as children of the function's component."""

    definition: aws.batch.JobDefinition
    """The job definition. All revisions stay active: a function submits to the one that it was deployed with."""
    log_group: Output[str]
    """Name of the jobs' CloudWatch log group."""

    def __init__(
        self,
        parent: ComponentResource,
        name: str,
        function_name: str,
        args: LambdaContainerFunctionArgs,
        image_uri: Output[str],
    ) -> None:
        """Declare the log group, the roles and the job definition."""
        self._parent, self._name, self._function_name = parent, name, function_name
        self._args, self._batch = args, args["batch"]
        self._image_uri = image_uri
        invoke = pulumi.InvokeOutputOptions(parent=parent)
        self._partition = aws.get_partition_output(opts=invoke).partition
        self._account = aws.get_caller_identity_output(opts=invoke).account_id
        self._region: Output[str] = aws.get_region_output(region=args.get("region"), opts=invoke).region
        log_group = self._log_group()
        self.log_group = log_group.log_group_name
        self.definition = self._definition(log_group)

    @property
    def supervisor_settings(self) -> Output[Mapping[str, Any]]:
        """The part of the supervisor's configuration that submitting jobs takes."""
        settings: dict[str, Any] = {
            "job_queue": self._batch["job_queue"],
            "job_definition": self.definition.arn,
            "event_path": self._batch.get("event_path"),
            "multi_node": self._batch.get("number_nodes") is not None or None,
        }
        known = {key: value for key, value in settings.items() if value is not None}
        return Output.from_input(known)

    @property
    def delegation(self) -> Output[list[Mapping[str, Any]]]:
        """The policy statements that the function's role needs to submit jobs."""
        return Output.all(
            self._partition,
            self._account,
            self._batch["job_queue"],
            self.definition.arn_prefix,
            self._batch.get("event_path"),
        ).apply(lambda values: delegation_statements(*values))

    def _child(self, *depends_on: pulumi.Resource) -> ResourceOptions:
        return ResourceOptions(parent=self._parent, depends_on=list(depends_on) or None)

    def _log_group(self) -> LogGroup:
        args: LogGroupArgs = {
            "log_group_name": f"/aws/batch/{self._function_name}",
            "log_retention": self._args.get("log_retention"),
            "region": self._args.get("region"),
            "tags": self._args.get("tags"),
        }
        return LogGroup(f"{self._name}-job-log-group", args, self._child())

    def _definition(self, log_group: LogGroup) -> aws.batch.JobDefinition:
        batch, nodes = self._batch, self._batch.get("number_nodes")
        job_role, grants = self._role("job", batch.get("job_role_arn"), self._job_policy())
        execution_role, more = self._execution_role(log_group)
        container = self._container(job_role, execution_role)

        def as_nodes(properties: Mapping[str, Any]) -> str:
            return document(node_properties(properties, nodes or 1, batch.get("main_node_index", 0)))

        return aws.batch.JobDefinition(
            # Without a fixed name: a replacement would be a revision of the old definition, and be deleted with it.
            batch_name(self._name, "job-definition"),
            type="multinode" if nodes else "container",
            container_properties=None if nodes else container.apply(document),
            node_properties=container.apply(as_nodes) if nodes else None,
            platform_capabilities=None if nodes else [batch.get("platform", "EC2")],
            retry_strategy=cast(Any, retry_strategy(batch)),
            timeout=cast(Any, {"attempt_duration_seconds": batch["timeout"]} if "timeout" in batch else None),
            # The function uses the old revision until it is updated itself.
            deregister_on_new_revision=False,
            propagate_tags=True,
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(log_group, *grants, *more),
        )

    def _container(self, job_role: Output[str], execution_role: Optional[Output[str]]) -> Output[Mapping[str, Any]]:
        # Without the queue: a new queue needs no new revision.
        given = {key: value for key, value in self._batch.items() if key not in {"job_queue", "event_path"}}
        facts = {
            "image": self._image_uri,
            "environment": self._environment(),
            "job_role": job_role,
            "execution_role": execution_role,
            "log_group": self.log_group,
            "region": self._region,
            "name": self._function_name,
            "architecture": self._args.get("architecture", LAMBDA_ARCHITECTURES[0]),
        }
        return Output.all(given, facts).apply(lambda values: container_properties(values[0], values[1]))

    def _environment(self) -> dict[str, Input[str]]:
        variables: dict[str, Input[str]] = {
            **self._args.get("environment", {}),
            **self._batch.get("environment", {}),
            "AWS_LAMBDA_FUNCTION_NAME": self._function_name,
            # Batch sets it on Fargate only.
            "AWS_REGION": self._region,
            "SCAR_FUNCTION": known_arguments(self._args).apply(
                lambda args: supervisor_configuration(self._function_name, args)
            ),
        }
        return {key: value for key, value in variables.items() if key not in self._batch.get("secrets", {})}

    def _role(
        self, kind: str, given: Optional[Input[str]], policy: Output[PolicyDocument]
    ) -> tuple[Output[str], list[pulumi.Resource]]:
        """Return the role's ARN, and what must exist before a job can use it."""
        if given:
            return Output.from_input(given), []
        role = aws.iam.Role(
            f"{self._name}-{kind}-role",
            name=role_name(f"{self._function_name}-{kind}", stack_identity()),
            assume_role_policy=json.dumps(TASK_ASSUME_ROLE),
            tags=self._args.get("tags"),
            opts=self._child(),
        )
        attached = aws.iam.RolePolicy(
            f"{self._name}-{kind}-role-policy",
            name=kind,
            role=role.name,
            policy=policy.apply(json.dumps),
            opts=self._child(),
        )
        return role.arn, [attached]

    def _job_policy(self) -> Output[PolicyDocument]:
        batch = self._batch

        def policy(values: Any) -> PolicyDocument:
            partition, account, event_path, file_systems, args = values
            inputs, outputs = s3_paths(args.get("inputs", ())), s3_paths(args.get("outputs", ()))
            statements = [
                *storage_statements(partition, inputs, outputs, account),
                *settings_statements(partition, account, args.get("storage_providers", {}).values()),
                *mount_statements(partition, account, file_systems),
            ]
            return job_policy(partition, account, event_path, statements)

        mounted = list(batch.get("file_systems", ()))
        return Output.all(
            self._partition, self._account, batch.get("event_path"), mounted, known_arguments(self._args)
        ).apply(policy)

    def _execution_role(self, log_group: LogGroup) -> tuple[Optional[Output[str]], list[pulumi.Resource]]:
        batch = self._batch
        if batch.get("platform") != "FARGATE" and not batch.get("secrets") and not batch.get("execution_role_arn"):
            return None, []  # the instance's own role starts the container
        policy = Output.all(
            image_uri=self._image_uri,
            log_group_arn=log_group.arn,
            partition=self._partition,
            region=self._region,
            account=self._account,
        ).apply(lambda known: start_policy(secrets=secret_places(batch), **known))
        return self._role("job-start", batch.get("execution_role_arn"), policy)


def required_rights(name: str, statements: list[Mapping[str, Any]]) -> str:
    """Return a message about what a role given by the user must allow."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return f"{name}: role_arn: to submit events to Batch, the role must have this policy: {policy}"


def checked_execution_mode(name: str, mode: Optional[str], batch: Optional[FunctionBatch]) -> str:
    """Return the execution mode of a function. Raises RunError if it is unknown or lacks a job queue."""
    mode = mode or ("batch" if batch else "lambda")
    if mode not in ("lambda", "batch", "lambda-batch"):
        raise pulumi.RunError(f"{name}: execution_mode: {mode!r} is unknown; use lambda, batch or lambda-batch")
    if mode != "lambda" and not batch:
        raise pulumi.RunError(f"{name}: execution_mode: {mode} needs a job queue; give batch.job_queue")
    return mode
