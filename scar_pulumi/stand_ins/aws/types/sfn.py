"""Step Functions: state machines."""

import time

from scar_foundation.limits import Range
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import pause, show_progress
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING, LOG_GROUP_ARN, STATE_MACHINE_NAME
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Tags,
    boolean,
    integer,
    json_text,
    nested,
    output,
    string,
)

_ARN = "arn:{partition}:states:{region}:{account}:stateMachine:{name}"
_ADDRESS = {"stateMachineArn": _ARN}


def _until_gone(cloud: Cloud, values: Properties, timeout: float) -> None:
    """Wait until a machine is gone: AWS deletes it once its running executions have ended.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    deadline, step = time.monotonic() + timeout, 0.02
    show_progress("waiting for the running executions to end")
    while True:
        try:
            cloud.call("stepfunctions", "describe_state_machine", values.get("region"), stateMachineArn=values["arn"])
        except CallError as error:
            if error.missing:
                return
            raise
        if time.monotonic() > deadline:
            raise ProviderError(f"state machine {values['name']} still has running executions after {timeout:g} s")
        pause(step)
        step = min(step * 2, 1)


def _log_destination(operation: str, request: Properties, values: Properties) -> Properties:  # noqa: ARG001
    """Wrap the ARN of the log group as AWS takes it; without one, there is no destination."""
    logging = dict(request.get("loggingConfiguration") or {})
    if not logging:
        return request
    arn = logging.pop("destinations", None)
    if arn:
        logging["destinations"] = [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]
    return {**request, "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, **logging}}


def _document(_: Cloud, answer: Properties, __: Properties) -> Properties:
    logging = dict(answer.get("loggingConfiguration") or {})
    destinations = logging.pop("destinations", None) or [{}]
    if arn := destinations[0].get("cloudWatchLogsLogGroup", {}).get("logGroupArn"):
        logging["destinations"] = arn
    return {**answer, "loggingConfiguration": logging}


STATE_MACHINE = ResourceType(
    "aws:sfn/stateMachine:StateMachine",
    service="stepfunctions",
    camel=True,
    documentation="https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html",
    identity="{arn}",
    lookup=_ARN,
    unique="{name}",
    name=AutoName("name", 80, prefix="namePrefix"),
    properties={
        "name": string(computed=True, replace=True, form=STATE_MACHINE_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=STATE_MACHINE_NAME),
        "definition": json_text(required=True),
        "roleArn": string(required=True, form=ARN_OR_NOTHING),
        "type": string(default="STANDARD", replace=True, one_of=("STANDARD", "EXPRESS")),
        "publish": boolean(default=False, unread=True),
        "loggingConfiguration": nested(
            {
                "includeExecutionData": boolean(),
                "level": string(one_of=("ALL", "ERROR", "FATAL", "OFF")),
                "logDestination": string("destinations", form=LOG_GROUP_ARN),
            },
            computed=True,
        ),
        "tracingConfiguration": nested({"enabled": boolean()}, computed=True),
        "encryptionConfiguration": nested(
            {
                "type": string(one_of=("AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY")),
                "kmsKeyId": string(),
                "kmsDataKeyReusePeriodSeconds": integer(between=Range(60, 900)),
            },
            computed=True,
        ),
        "arn": output(template=_ARN),
        "creationDate": output(),
        "description": output(),
        "revisionId": output(volatile="always"),
        "stateMachineVersionArn": output(volatile="publish"),
        "status": output(),
        "versionDescription": output(),
    },
    create=Call("create_state_machine"),
    read=Call("describe_state_machine", extra=_ADDRESS),
    updates=("update_state_machine",),
    delete=Call("delete_state_machine", extra=_ADDRESS),
    amend_request=lambda operation, request, values: _log_destination(
        operation,
        {**request, "stateMachineArn": values["arn"]} if operation == "update_state_machine" else request,
        values,
    ),
    to_document=_document,
    await_deletion=_until_gone,
    tags=Tags(
        {"resourceArn": "{arn}"},
        "list_tags_for_resource",
        "tag_resource",
        "untag_resource",
        at="tags",
        pairs=("key", "value"),
    ),
    idempotent=True,
    created="creationDate",
)
