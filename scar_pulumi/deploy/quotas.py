"""What a file makes together, against AWS's quotas, before the engine starts: the documents that are deployed.

They are made by the functions that the components use. What only a deployment knows (account, names with digits of the
aws provider, values of `${config:…}` and `${ssm:…}`) is as long as AWS makes it, or left out where nobody can know.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from scar_foundation.limits import (
    BATCH_DEFINITION_BYTES,
    IAM_ROLE_POLICY_CHARACTERS,
    LAMBDA_ENVIRONMENT_BYTES,
    LAMBDA_POLICY_BYTES,
    S3_BUCKET_CHARACTERS,
)
from scar_pulumi.fdl import Fdl, Function, Problem, Reference, split_references

# Each function imports what makes its documents: most files are far below every quota, and their check needs no Pulumi.
# ruff: noqa: PLC0415

_DIGITS = "0" * 7
"""As the engine appends them to names: https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming"""
_MUCH = 3000
"""Characters of a function's places and variables below which no quota is near; the rest takes some 2,500."""
_MANY_BUCKETS = 15


@dataclass(frozen=True)
class Surroundings:
    """What documents name beside what the file says; the longest that AWS has where it is unknown."""

    project: str
    stack: str
    region: str = "ap-northeast-1"
    organization: str = "organization"
    account: str = "123456789012"

    @property
    def identity(self) -> str:
        """The stack, as names of parameters and roles have it."""
        return f"{self.organization}/{self.project}/{self.stack}"

    def partition(self, region: str) -> str:
        """Return the partition of a region: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html"""
        return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


class Size(NamedTuple):
    """A document of a function: what it is, how large, and what AWS allows."""

    what: str
    size: int
    limit: int
    unit: str
    hint: str
    key: str


_SHORTER_PLACES = "use folders that have others in them, split the function, or give iam.role"
_FILE_INSTEAD = "put large values into a file in the image or in a bucket"
_FEWER_BUCKETS = "use folders of fewer buckets, or several functions"


def beyond_quotas(fdl: Fdl, around: Surroundings) -> tuple[Problem, ...]:
    """Return an error for each document of the file that AWS would refuse for its size, in the order of the file."""
    return tuple(
        _problem(fdl, function, size)
        for function in fdl.functions
        if _may_be_large(function)
        for size in sizes(fdl, function, around)
        if size.size > size.limit
    )


def _may_be_large(function: Function) -> bool:
    places = [str(path) for path in (*function.input, *function.output)]
    variables = {**function.environment, **function.container_environment}
    variables |= function.batch.environment if function.batch else {}
    names = [text for path in (*function.input, *function.output) for text in (*path.prefix, *path.suffix)]
    texts = [*places, *places, *names, *variables, *map(_known, variables.values()), function.description]
    return (
        sum(len(json.dumps(text)) for text in texts if text) > _MUCH // 2
        or len(places) > _MANY_BUCKETS
        or len(function.tags) > _MANY_BUCKETS
    )


def _problem(fdl: Fdl, function: Function, size: Size) -> Problem:
    path = function.path + size.key
    file, line, column = fdl.mark(path)
    message = f"{size.what} '{function.name}' has {size.size:,} {size.unit}; AWS allows {size.limit:,}"
    return Problem(file, line, column, path, message, size.hint)


def sizes(fdl: Fdl, function: Function, around: Surroundings) -> Iterator[Size]:
    """Yield the documents of a function with the size that AWS counts.

    Policies of roles: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (without white space)
    """
    documents = Documents(fdl, function, around)
    for what, policy in documents.role_policies():
        size = len(_compact(policy))
        yield Size(what, size, IAM_ROLE_POLICY_CHARACTERS, "characters", _SHORTER_PLACES, "")
    size = len(_compact(documents.permissions()).encode())
    yield Size("the list of who may start", size, LAMBDA_POLICY_BYTES, "bytes", _FEWER_BUCKETS, ".lambda.input")
    size = len(_compact(documents.environment(), ascii_only=False).encode())
    key = ".lambda.environment" if function.environment else ".lambda"
    yield Size("the environment of", size, LAMBDA_ENVIRONMENT_BYTES, "bytes", _FILE_INSTEAD, key)
    if function.batch:
        size = len(_compact(documents.job_definition()).encode())
        yield Size("the job definition of", size, BATCH_DEFINITION_BYTES, "bytes", _FILE_INSTEAD, ".batch")


def _compact(document: Any, *, ascii_only: bool = True) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=ascii_only)


def _known(text: str) -> str:
    """Return a text with the references that this machine can fill in; others may stand for anything."""
    return "".join(_value(part) if isinstance(part, Reference) else part for part in split_references(text))


def _value(reference: Reference) -> str:
    return os.environ.get(reference.name, "") if reference.source == "env" else ""


class Documents:
    """The documents of one function, as its component makes them."""

    def __init__(self, fdl: Fdl, function: Function, around: Surroundings) -> None:
        from scar_pulumi.deploy.arguments import function_storage
        from scar_pulumi.deploy.secrets import VERSIONS, parameter_name, providers

        self._function = function
        self._account = around.account
        self._identity = around.identity
        self._region = function.region or around.region
        self._partition = around.partition(self._region)
        self._inputs = [function_storage(path) for path in function.input]
        self._outputs = [function_storage(path) for path in function.output]
        names = providers(fdl, function)
        self._settings = {name: f"ssm:{parameter_name(name, around.identity)}" for name in names}
        self._versions = {VERSIONS: ",".join(f"{name}:999" for name in names)} if names else {}

    def role_policies(self) -> Iterator[tuple[str, Any]]:
        """Yield the policies of the roles that are generated."""
        if not self._function.role:
            yield "the policy of the role of", self._execution_policy()
        if self._function.batch:
            yield "the policy of the role of the jobs of", self._job_policy()

    def _execution_policy(self) -> Any:
        from scar_components.iam_policies import execution_policy, s3_paths

        function = self._function
        return execution_policy(
            self._partition,
            self._arn("logs", f"log-group:/aws/lambda/{function.name}"),
            s3_paths(self._inputs),
            s3_paths(self._outputs),
            account=self._account,
            vpc=function.vpc is not None,
            file_system_arn=function.file_system.arn if function.file_system else None,
            failure_destination=function.failure_destination,
            settings=self._settings.values(),
            delegation=self._delegation(),
            itself=self._arn("lambda", f"function:{function.name}") if function.api_gateway else None,
        )

    def _delegation(self) -> Iterable[Mapping[str, Any]]:
        from scar_components.iam_policies import delegation_statements

        if self._function.batch is None:
            return []
        definition = self._job_definition_arn.rpartition(":")[0]
        return delegation_statements(self._partition, self._account, self._queue, definition, self._event_path)

    def _job_policy(self) -> Any:
        from scar_components.iam_policies import (
            job_policy,
            mount_statements,
            s3_paths,
            settings_statements,
            storage_statements,
        )

        place = self._partition, self._account
        storage = [
            *storage_statements(self._partition, s3_paths(self._inputs), s3_paths(self._outputs), self._account),
            *settings_statements(*place, self._settings.values()),
            *mount_statements(*place, self._file_systems),
        ]
        return job_policy(*place, self._event_path, storage)

    def permissions(self) -> Any:
        """Return the policy that Lambda makes of the permissions of buckets and of an HTTP endpoint.

        https://docs.aws.amazon.com/lambda/latest/dg/with-s3-example.html
        """
        from scar_components.naming import statement_id

        own = {path.bucket for path in self._function.input if path.provider == "s3" and path.provider_id == "default"}
        sources = {f"bucket-{name}": ("s3", f"arn:{self._partition}:s3:::{name}") for name in sorted(own)}
        if self._function.api_gateway:
            sources["endpoint"] = ("apigateway", self._arn("execute-api", f"{'a' * 10}/*/*/{self._function.name}/*"))
        statements = [
            {
                "Sid": statement_id(name),
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": self._arn("lambda", f"function:{self._function.name}"),
                "Condition": {
                    "StringEquals": {"AWS:SourceAccount": self._account},
                    "ArnLike": {"AWS:SourceArn": source},
                },
            }
            for name, (service, source) in sources.items()
        ]
        return {"Version": "2012-10-17", "Id": "default", "Statement": statements}

    def environment(self) -> Mapping[str, str]:
        """Return the variables of the function on Lambda."""
        function = self._function
        inside = {} if function.execution_mode == "batch" else function.container_environment
        variables = {name: _known(text) for name, text in {**function.environment, **inside}.items()}
        return {**variables, **self._versions, "SCAR_FUNCTION": self._configuration(for_jobs=False)}

    def job_definition(self) -> Any:
        """Return the request that registers the job definition."""
        from scar_components.batch.job_definition import container_properties, node_properties, retry_strategy
        from scar_components.naming import repository_name, role_name
        from scar_foundation.limits import LAMBDA_ARCHITECTURES
        from scar_pulumi.deploy.arguments import job_arguments

        function, batch = self._function, self._function.batch
        assert batch is not None, function.name
        repository = f"{self._account}.dkr.ecr.{self._region}.amazonaws.com/{repository_name(function.name)}"
        role = f"arn:{self._partition}:iam::{self._account}:role/"
        arguments: dict[str, Any] = {**job_arguments(batch), "file_systems": self._file_systems}
        on_fargate = arguments.get("platform") == "FARGATE"
        facts = {
            "image": f"{repository}@sha256:{'0' * 64}" if function.create_image else function.image,
            "environment": self._job_environment(),
            "job_role": role + role_name(f"{function.name}-job", self._identity),
            "execution_role": role + role_name(f"{function.name}-job-start", self._identity) if on_fargate else None,
            "log_group": f"/aws/batch/{function.name}",
            "region": self._region,
            "name": function.name,
            "architecture": function.architecture or LAMBDA_ARCHITECTURES[0],
        }
        container = container_properties(arguments, facts)
        nodes = arguments.get("number_nodes")
        return {
            "jobDefinitionName": self._job_definition_arn.rpartition("/")[2].partition(":")[0],
            "type": "multinode" if nodes else "container",
            "containerProperties": None if nodes else container,
            "nodeProperties": node_properties(container, nodes, arguments.get("main_node_index", 0)) if nodes else None,
            "platformCapabilities": [arguments["platform"]],
            "retryStrategy": retry_strategy(arguments),
            "timeout": {"attemptDurationSeconds": 2**31},
            "propagateTags": True,
            "tags": dict(function.tags),
        }

    def _job_environment(self) -> dict[str, str]:
        function = self._function
        assert function.batch is not None, function.name
        of_jobs = {**function.environment, **function.batch.environment, **function.container_environment}
        return {
            **{name: _known(text) for name, text in of_jobs.items()},
            **self._versions,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_REGION": self._region,
            "SCAR_FUNCTION": self._configuration(for_jobs=True),
        }

    def _configuration(self, *, for_jobs: bool) -> str:
        from scar_components.lambda_container_function_arguments import supervisor_configuration
        from scar_pulumi.deploy.arguments import function_arguments

        # Variables are not part of it, and their references could not be filled in here.
        plain = replace(self._function, environment={}, container_environment={}, init_script=None)
        arguments = function_arguments(plain)
        if self._settings:
            arguments["storage_providers"] = self._settings
        if for_jobs or self._function.batch is None:
            return supervisor_configuration(self._function.name, arguments)
        settings = {
            "job_queue": self._queue,
            "job_definition": self._job_definition_arn,
            "event_path": self._event_path,
            "multi_node": self._function.batch.number_nodes is not None or None,
        }
        given = {key: value for key, value in settings.items() if value is not None}
        return supervisor_configuration(self._function.name, arguments, self._function.execution_mode, given)

    @property
    def _queue(self) -> str:
        from scar_components.naming import batch_name

        return self._arn("batch", f"job-queue/{batch_name(f'{self._function.name}-environment', 'queue')}-{_DIGITS}")

    @property
    def _job_definition_arn(self) -> str:
        from scar_components.naming import batch_name

        return self._arn("batch", f"job-definition/{batch_name(self._function.name, 'job-definition')}-{_DIGITS}:99999")

    @property
    def _event_path(self) -> str:
        return f"{'b' * S3_BUCKET_CHARACTERS}/{self._function.name}"

    @property
    def _file_systems(self) -> list[Mapping[str, Any]]:
        if self._function.file_system is None:
            return []
        point = self._function.file_system.arn.rpartition("/")[2]
        mount = self._function.file_system.local_mount_path
        return [{"file_system_id": "fs-" + "0" * 17, "access_point_id": point, "mount_path": mount}]

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self._partition}:{service}:{self._region}:{self._account}:{resource}"
