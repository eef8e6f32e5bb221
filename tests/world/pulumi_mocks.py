"""Pulumi's mocks: every resource is recorded, and ids and the outputs that a provider would compute are made up."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi
import pytest


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Records what a program declares."""

    resources: dict[str, pulumi.runtime.MockResourceArgs] = field(default_factory=dict)
    calls: list[pulumi.runtime.MockCallArgs] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources[args.name] = args
        return f"{args.name}-id", {**args.inputs, **_computed(args)}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        self.calls.append(args)
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getPartition:getPartition": {"partition": "aws"},
            "aws:index/getRegion:getRegion": {"region": "eu-west-1"},
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:ssm/getParameter:getParameter": {"value": f"of {args.args.get('name')}"},
            "aws:ec2/getVpcs:getVpcs": {"ids": ["vpc-default"]},
            "aws:ec2/getSubnets:getSubnets": {"ids": ["subnet-default-b", "subnet-default-a"]},
            "aws:ec2/getSubnet:getSubnet": {"vpcId": "vpc-mine"},
            "aws:ec2/getSecurityGroup:getSecurityGroup": {
                "id": "sg-default" if args.args.get("vpcId") == "vpc-default" else f"sg-of-{args.args.get('vpcId')}"
            },
            "aws:efs/getAccessPoint:getAccessPoint": {"fileSystemId": "fs-1"},
        }
        return answers[args.token], []

    def types(self) -> dict[str, str]:
        """Return the type of each resource by its name."""
        return {name: args.typ for name, args in self.resources.items()}

    def inputs(self, name: str) -> dict[str, Any]:
        """Return what a resource was declared with."""
        inputs: dict[str, Any] = self.resources[name].inputs
        return inputs

    def arn(self, name: str) -> str:
        """Return the ARN that was made up for a resource."""
        return str(_computed(self.resources[name])["arn"])


def _computed(args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
    name = args.inputs.get("name", args.name)
    region = "arn:aws:{}:eu-west-1:123456789012:{}"
    known: dict[str, dict[str, Any]] = {
        "aws:apigatewayv2/api:Api": {
            "apiEndpoint": f"https://{args.name}-id.execute-api.eu-west-1.amazonaws.com",
            "executionArn": region.format("execute-api", f"{args.name}-id"),
        },
        "aws:lambda/function:Function": {"arn": region.format("lambda", f"function:{name}")},
        "scar:index:LogGroup": {"arn": region.format("logs", f"log-group:{args.inputs.get('log_group_name')}")},
        "aws:iam/role:Role": {"arn": f"arn:aws:iam::123456789012:role/{name}"},
        "kubernetes:core/v1:Service": {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}},
        "kubernetes:storage.k8s.io/v1:StorageClass": {"provisioner": "nfs.csi.k8s.io"},
        "scar:index:GeneratedPassword": {"value": "generated"},
        "scar:index:SecretRevision": {"mark": "0123456789abcdef"},
        "scar:index:ImageRepository": {
            "repository_url": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{args.inputs.get('repository_name')}"
        },
        "aws:iam/instanceProfile:InstanceProfile": {"arn": f"arn:aws:iam::123456789012:instance-profile/{name}"},
        "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 3},
        "aws:s3/bucket:Bucket": {"bucket": name},
        "aws:sfn/stateMachine:StateMachine": {"arn": region.format("states", f"stateMachine:{name}")},
        "aws:batch/computeEnvironment:ComputeEnvironment": {
            "arn": region.format("batch", f"compute-environment/{name}")
        },
        "aws:batch/jobQueue:JobQueue": {"arn": region.format("batch", f"job-queue/{name}")},
        "aws:batch/jobDefinition:JobDefinition": {
            "arn": region.format("batch", f"job-definition/{name}:4"),
            "arnPrefix": region.format("batch", f"job-definition/{name}"),
        },
    }
    return known.get(args.typ, {})


@pytest.fixture(autouse=True, scope="module")
def leftovers_collected() -> Iterator[None]:
    """Collect the coroutines that the SDK leaves behind.

    Where the collector meets them inside `ast.parse`, as pytest and hypothesis call it, CPython 3.11 raises SystemError
    "AST constructor recursion depth mismatch" (https://github.com/python/cpython/issues/106905).
    """
    yield
    gc.collect()


@pytest.fixture
def recorder() -> Recorder:
    """Run the test's program under mocks, in stack `dev` of project `photos`."""
    mocks = Recorder()
    use_mocks(mocks, "dev")
    return mocks


def use_mocks(mocks: Recorder, stack: str) -> None:
    """Run the programs that follow under mocks, in a stack of project `photos`.

    They get an event loop, which the SDK expects and which `asyncio.run` of an earlier test has taken away.
    """
    asyncio.set_event_loop(_event_loop())
    pulumi.runtime.set_mocks(mocks, project="photos", stack=stack, preview=False)


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def run_program(program: Callable[[], Any]) -> None:
    """Run a program and wait for everything that it declares."""
    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # the SDK's decorator has no types
