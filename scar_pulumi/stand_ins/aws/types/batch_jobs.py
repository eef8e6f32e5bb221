"""Batch: job definitions, each change of which is a new revision."""

import json

from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    boolean,
    integer,
    json_text,
    mapping,
    nested,
    output,
    string,
    strings,
)
from scar_pulumi.stand_ins.aws.types.batch import BATCH_TAGS
from scar_pulumi.stand_ins.plugin.wire import Properties

_AS_DOCUMENT = ("containerProperties", "nodeProperties")


def _revision_request(operation: str, request: Properties, values: Properties) -> Properties:
    if operation != "register_job_definition":
        return request
    documents = {name: json.loads(request[name]) for name in _AS_DOCUMENT if request.get(name)}
    # Each revision has tags of its own.
    tags = request.get("tags") or values.get("tags")
    return {**request, **documents, **({"tags": tags} if tags else {})}


def _active(cloud: Cloud, values: Properties) -> list[Properties]:
    """The revisions that jobs can be submitted with, the newest first."""
    known = {"jobDefinitionName": values["name"], "status": "ACTIVE"}
    found = cloud.call("batch", "describe_job_definitions", values.get("region"), **known)["jobDefinitions"]
    return sorted(found, key=lambda one: int(one["revision"]), reverse=True)


def _newest(cloud: Cloud, answer: Properties, values: Properties) -> Properties | None:  # noqa: ARG001
    return next(iter(_active(cloud, values)), None)


def _deregister_older(cloud: Cloud, values: Properties, seconds: float) -> Properties:  # noqa: ARG001
    revisions = _active(cloud, values)
    if values.get("deregisterOnNewRevision", True):
        for older in revisions[1:]:
            _deregister(cloud, older, values)
    return revisions[0] if revisions else {}


def _deregister_all(cloud: Cloud, values: Properties) -> None:
    for revision in _active(cloud, values):
        _deregister(cloud, revision, values)


def _deregister(cloud: Cloud, revision: Properties, values: Properties) -> None:
    arn = revision["jobDefinitionArn"]
    cloud.call("batch", "deregister_job_definition", values.get("region"), jobDefinition=arn)


_EXIT = {"action": string(required=True), "onExitCode": string(), "onReason": string(), "onStatusReason": string()}

JOB_DEFINITION = ResourceType(
    "aws:batch/jobDefinition:JobDefinition",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html",
    identity="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string("jobDefinitionName", computed=True, replace=True),
        "type": string(required=True, replace=True, one_of=("container", "multinode")),
        "containerProperties": json_text(),
        "nodeProperties": json_text(),
        "parameters": mapping(),
        "platformCapabilities": strings(replace=True, computed=True),
        "propagateTags": boolean(default=False),
        "retryStrategy": nested(
            {"attempts": integer(between=(1, 10)), "evaluateOnExits": nested(_EXIT, "evaluateOnExit", many=True)}
        ),
        "schedulingPriority": integer(),
        "timeout": nested({"attemptDurationSeconds": integer(between=(60, 2**31 - 1))}),
        "deregisterOnNewRevision": boolean(local=True, default=True),
        "arn": output("jobDefinitionArn", volatile="always"),
        "arnPrefix": output(template="arn:{partition}:batch:{region}:{account}:job-definition/{name}"),
        "revision": integer(output=True, volatile="always"),
    },
    create=Call("register_job_definition"),
    read=Call("describe_job_definitions", extra={"jobDefinitionName": "{name}", "status": "ACTIVE"}),
    rewrite=True,
    delete=Call("deregister_job_definition", extra={"jobDefinition": "{arn}"}),
    amend=_revision_request,
    adapt=_newest,
    settle=_deregister_older,
    empty=_deregister_all,
    tags=BATCH_TAGS,
)
