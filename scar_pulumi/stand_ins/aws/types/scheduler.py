"""EventBridge Scheduler: schedules."""

from functools import partial

from scar_foundation.limits import Range
from scar_pulumi.stand_ins.aws.model import AutoName, Call, ResourceType, integer, nested, output, string

_number = partial(integer, computed=True)

_TARGET = {
    "arn": string(required=True),
    "roleArn": string(required=True),
    "input": string(),
    "deadLetterConfig": nested({"arn": string(required=True)}),
    "retryPolicy": nested(
        {
            "maximumEventAgeInSeconds": _number(between=Range(60, 86_400)),
            "maximumRetryAttempts": _number(between=Range(0, 185)),
        },
        computed=True,
    ),
    "sqsParameters": nested({"messageGroupId": string()}),
    "eventbridgeParameters": nested(
        {"detailType": string(required=True), "source": string(required=True)}, "EventBridgeParameters"
    ),
}

SCHEDULE = ResourceType(
    "aws:scheduler/schedule:Schedule",
    service="scheduler",
    documentation="https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html",
    identity="{groupName}/{name}",
    name=AutoName("name", 64, prefix="namePrefix"),
    properties={
        "name": string(computed=True, replace=True),
        "namePrefix": string(local=True, computed=True, replace=True),
        "groupName": string(default="default", replace=True),
        "scheduleExpression": string(required=True),
        "scheduleExpressionTimezone": string(default="UTC"),
        "flexibleTimeWindow": nested(
            {
                "mode": string(required=True, one_of=("OFF", "FLEXIBLE")),
                "maximumWindowInMinutes": integer(between=Range(1, 1440)),
            },
            required=True,
        ),
        "target": nested(_TARGET, required=True),
        "state": string(default="ENABLED", one_of=("ENABLED", "DISABLED")),
        "actionAfterCompletion": string(computed=True, one_of=("NONE", "DELETE")),
        "description": string(),
        "startDate": string(),
        "endDate": string(),
        "kmsKeyArn": string(),
        "arn": output(template="arn:{partition}:scheduler:{region}:{account}:schedule/{groupName}/{name}"),
    },
    create=Call("create_schedule"),
    read=Call("get_schedule"),
    updates=("update_schedule",),
    delete=Call("delete_schedule"),
    # An update has the whole schedule: what it does not say is taken away.
    amend_request=lambda operation, request, _: (
        {name: value for name, value in request.items() if value != ""} if operation == "update_schedule" else request
    ),
    created="CreationDate",
)
