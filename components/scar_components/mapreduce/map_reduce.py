"""MapReduce as a Pulumi component: a state machine over four functions, or two functions and two job definitions."""

import json
from collections.abc import Mapping
from typing import Any, Optional, cast

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.batch.function_job import FunctionJob
from scar_components.batch.job_definition import check_job
from scar_components.function_image import function_image
from scar_components.iam_policies import LAMBDA_ASSUME_ROLE, TASK_ASSUME_ROLE
from scar_components.images import EMPTY
from scar_components.lambda_container_function import LambdaContainerFunction
from scar_components.lambda_container_function_arguments import LambdaContainerFunctionArgs
from scar_components.mapreduce.arguments import (
    MapReduceArgs,
    check_values,
    engine_of,
    settings,
    stage_image,
    stage_settings,
)
from scar_components.mapreduce.definition import Functions, Jobs, definition
from scar_components.mapreduce.policies import STATES_ASSUME_ROLE, Places, machine_policy, stage_policy
from scar_components.naming import bucket_prefix, role_name, stack_identity
from scar_components.provider_in_force import ProviderInForce
from scar_components.supervised_image import BaseImageArgs, digest_in_force
from scar_foundation.limits import (
    LAMBDA_TIMEOUT,
    MAP_CONCURRENCY,
    MAPREDUCE_MEMORY,
    MAPREDUCE_RETRIES,
    MAPREDUCE_WORK_DAYS,
)

_TASKS = ("map", "reduce")
_SERVICES = ("plan", "commit")


class MapReduce(ComponentResource):
    """MapReduce over the records of files: a mapper and a reducer, any programs, run in parallel on parts of a file.

    Each object that arrives in an input is one run: the object is divided into splits, the mapper makes pairs of their
    records, the pairs are brought together by their keys, and the reducer makes results of them. A run either has all
    of its results, with `_SUCCESS` beside them, or says why not in `_FAILED`.
    """

    state_machine_arn: Output[str]
    """ARN of the state machine; each run is an execution of it."""
    plan_function_name: Output[str]
    """Name of the function that events of objects go to, for BucketTriggers."""
    plan_function_arn: Output[str]
    """ARN of that function, known once runs can start."""
    map_function_arn: Output[Optional[str]]
    """ARN of the function of the map stage; none in AWS Batch."""
    reduce_function_arn: Output[Optional[str]]
    """ARN of the function of the reduce stage; none in AWS Batch."""
    commit_function_arn: Output[str]
    """ARN of the function that ends runs."""
    map_job_definition_arn: Output[Optional[str]]
    """ARN of the job definition of the map stage; none in Lambda."""
    reduce_job_definition_arn: Output[Optional[str]]
    """ARN of the job definition of the reduce stage; none in Lambda."""
    work_bucket: Output[str]
    """Name of the bucket for what tasks hand to each other."""

    def __init__(self, name: str, args: MapReduceArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the work bucket, the stages and the state machine."""
        check_arguments(name, args, MapReduceArgs)
        args = cast(MapReduceArgs, {key: value for key, value in args.items() if value is not None})
        check_values(name, args)
        check_job(name, args.get("batch", {}))
        provider = ProviderInForce(opts)
        digests = [digest_in_force(f"{name}-{stage}", stage_image(args, stage), provider) for stage in _TASKS]
        super().__init__("scar:index:MapReduce", name, None, opts)
        self._name, self._args = name, args
        self._machine_name = args.get("state_machine_name", name)
        self._settings = Output.all(*digests).apply(lambda known: settings(args, known))
        self._grants: list[pulumi.Resource] = []  # what must exist before roles can be used
        invoke = pulumi.InvokeOutputOptions(parent=self)
        self._partition = aws.get_partition_output(opts=invoke).partition
        self._account = aws.get_caller_identity_output(opts=invoke).account_id
        self._region: Output[str] = aws.get_region_output(region=args.get("region"), opts=invoke).region
        self.work_bucket = self._work_bucket()
        services = self._services()
        functions = self._functions() if engine_of(args) == "lambda" else {}
        jobs = {} if functions else self._jobs()
        machine = self._machine({**services, **functions}, jobs)
        self.state_machine_arn = machine.arn
        self.plan_function_name = services["plan"].function_name
        self.plan_function_arn = Output.all(services["plan"].arn, machine.arn).apply(lambda known: str(known[0]))
        self.commit_function_arn = services["commit"].arn
        self.map_function_arn, self.reduce_function_arn = (_arn(functions.get(stage)) for stage in _TASKS)
        self.map_job_definition_arn, self.reduce_job_definition_arn = (
            _arn(jobs[stage].definition if jobs else None) for stage in _TASKS
        )
        self.register_outputs({key: getattr(self, key) for key in MapReduce.__annotations__})

    def _child(self, *depends_on: pulumi.Resource) -> ResourceOptions:
        return ResourceOptions(parent=self, depends_on=list(depends_on) or None)

    @property
    def _shared(self) -> dict[str, Any]:
        """Arguments that all resources of AWS take."""
        return {key: self._args.get(key) for key in ("region", "tags")}

    def _work_bucket(self) -> Output[str]:
        bucket = aws.s3.Bucket(
            f"{self._name}-work",
            bucket_prefix=bucket_prefix(f"{self._machine_name}-work"),
            force_destroy=True,
            **self._shared,
            opts=self._child(),
        )
        days = self._args.get("work_expiration", MAPREDUCE_WORK_DAYS)
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-work-lifecycle",
            bucket=bucket.bucket,
            rules=[
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": days},
                    # Tasks that are stopped leave parts of objects, which no listing shows.
                    "abort_incomplete_multipart_upload": {"days_after_initiation": days},
                }
            ],
            region=self._args.get("region"),
            opts=self._child(),
        )
        return bucket.bucket

    def _services(self) -> dict[str, LambdaContainerFunction]:
        """Declare the functions that are the supervisor alone; they share an image with nothing else in it."""
        base: BaseImageArgs = {"image": EMPTY}
        if "architecture" in self._args:
            base["architecture"] = self._args["architecture"]
        image = function_image(self, self._name, self._machine_name, base, **self._shared)
        return {stage: self._function(stage, image, {"timeout": LAMBDA_TIMEOUT.most}) for stage in _SERVICES}

    def _functions(self) -> dict[str, LambdaContainerFunction]:
        return {stage: self._function(stage, self._image(stage), self._task(stage)) for stage in _TASKS}

    def _image(self, stage: str) -> Output[str]:
        name = f"{self._machine_name}-{stage}"
        return function_image(self, f"{self._name}-{stage}", name, stage_image(self._args, stage), **self._shared)

    def _task(self, stage: str) -> dict[str, Any]:
        """Return what the functions or jobs of a stage are given of its arguments."""
        given = self._args["mapper"] if stage == "map" else self._args["reducer"]
        keys = ("memory", "timeout", "ephemeral_storage", "environment")
        chosen: dict[str, Any] = {"memory": MAPREDUCE_MEMORY}
        return chosen | {key: cast(Mapping[str, Any], given)[key] for key in keys if key in given}

    def _function(self, stage: str, image: Output[str], given: Mapping[str, Any]) -> LambdaContainerFunction:
        role = self._role(stage, LAMBDA_ASSUME_ROLE, self._log_group(stage))
        arguments = {**self._common(stage), **given, "image_uri": image, "role_arn": role}
        return LambdaContainerFunction(
            f"{self._name}-{stage}", cast(LambdaContainerFunctionArgs, arguments), self._child(*self._grants)
        )

    def _jobs(self) -> dict[str, FunctionJob]:
        return {stage: self._job(stage) for stage in _TASKS}

    def _job(self, stage: str) -> FunctionJob:
        role = self._role(stage, TASK_ASSUME_ROLE, None)
        batch = {"attempts": MAPREDUCE_RETRIES + 1, **self._args["batch"], "job_role_arn": role}
        given = {"environment": self._task(stage).get("environment", {})}
        arguments = cast(LambdaContainerFunctionArgs, {**self._common(stage), **given, "batch": batch})
        return FunctionJob(
            self, f"{self._name}-{stage}", f"{self._machine_name}-{stage}", arguments, self._image(stage)
        )

    def _common(self, stage: str) -> dict[str, Any]:
        """Return the arguments that functions and jobs of all stages have."""
        args: Mapping[str, Any] = self._args
        keys = ("architecture", "region", "log_level", "log_format", "log_retention", "tags")
        own = {
            "name": self._machine_name,
            "work": self.work_bucket,
            "state_machine": self._machine_arn if stage == "plan" else None,
            "memory": args["batch"].get("memory") if stage in _TASKS and engine_of(self._args) == "batch" else None,
        }
        told = Output.all(self._settings, own).apply(lambda known: stage_settings(known[0], stage, known[1]))
        return {
            "function_name": f"{self._machine_name}-{stage}",
            "mapreduce": told,
            "inputs": args["inputs"],
            "outputs": [args["output"]],
            **{key: args[key] for key in keys if key in args},
        }

    @property
    def _machine_arn(self) -> Output[str]:
        # Not taken from the state machine, which needs the functions first.
        return self._arn_of("states", f"stateMachine:{self._machine_name}")

    def _log_group(self, stage: str) -> Output[str]:
        return self._arn_of("logs", f"log-group:/aws/lambda/{self._machine_name}-{stage}")

    def _arn_of(self, service: str, rest: str) -> Output[str]:
        return Output.concat("arn:", self._partition, f":{service}:", self._region, ":", self._account, ":", rest)

    def _places(self) -> Output[Places]:
        inputs = [entry["path"] for entry in self._args["inputs"]]
        return Output.all(
            partition=self._partition,
            account=self._account,
            inputs=inputs,
            output=self._args["output"]["path"],
            work=self.work_bucket,
            state_machine=self._machine_arn,
        ).apply(lambda known: Places(**known))

    def _role(self, stage: str, trust: Mapping[str, Any], log_group: Optional[Output[str]]) -> Output[str]:
        """Return the ARN of a stage's role."""
        if given := self._args.get("role_arn"):
            return Output.from_input(given)
        policy = Output.all(self._places(), log_group).apply(lambda known: json.dumps(stage_policy(stage, *known)))
        return self._made_role(stage, trust, policy)

    def _made_role(self, kind: str, trust: Mapping[str, Any], policy: Output[str]) -> Output[str]:
        role = aws.iam.Role(
            f"{self._name}-{kind}-role",
            name=role_name(f"{self._machine_name}-{kind}", stack_identity()),
            assume_role_policy=json.dumps(trust),
            tags=self._args.get("tags"),
            opts=self._child(),
        )
        attached = aws.iam.RolePolicy(
            f"{self._name}-{kind}-role-policy", name=kind, role=role.name, policy=policy, opts=self._child()
        )
        self._grants.append(attached)
        return role.arn

    def _machine(
        self, functions: Mapping[str, LambdaContainerFunction], jobs: Mapping[str, FunctionJob]
    ) -> aws.sfn.StateMachine:
        arns = {stage: function.arn for stage, function in functions.items()}
        queue: Optional[Input[str]] = self._args["batch"]["job_queue"] if jobs else None
        definitions = {stage: job.definition.arn for stage, job in jobs.items()}
        prefixes = [job.definition.arn_prefix for job in jobs.values()]
        policy = Output.all(self._places(), self._region, list(arns.values()), prefixes, queue).apply(
            lambda known: json.dumps(machine_policy(*known))
        )
        role = self._made_role("machine", STATES_ASSUME_ROLE, policy)
        document = Output.all(arns=arns, definitions=definitions, queue=queue).apply(
            lambda known: json.dumps(self._document(**known), sort_keys=True)
        )
        return aws.sfn.StateMachine(
            f"{self._name}-state-machine",
            name=self._machine_name,
            type="STANDARD",
            role_arn=role,
            definition=document,
            **self._shared,
            opts=self._child(*self._grants),
        )

    def _document(
        self, arns: Mapping[str, str], definitions: Mapping[str, str], queue: Optional[str]
    ) -> dict[str, Any]:
        def tasks(stage: str) -> Functions | Jobs:
            if queue is None:
                most = self._args.get("split", {}).get("max_parallel", MAP_CONCURRENCY.default)
                return Functions(arns[stage], most or 0)
            return Jobs(queue, definitions[stage], f"{self._machine_name}-{stage}")

        return definition(arns["plan"], arns["commit"], tasks("map"), tasks("reduce"))


def _arn(resource: Any) -> Output[Optional[str]]:
    return Output.from_input(resource.arn if resource is not None else None)
