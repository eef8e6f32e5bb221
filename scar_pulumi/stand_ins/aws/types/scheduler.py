"""EventBridge Scheduler: schedules."""

from scar_foundation.limits import UNLIMITED, Range
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING, EVENT_NAME, MOMENT
from scar_pulumi.stand_ins.aws.model import AutoName, Call, ResourceType, integer, nested, output, string

_SOMETHING = Range(1, UNLIMITED)
_TARGET = {
    "arn": string(required=True, form=ARN_OR_NOTHING),
    "roleArn": string(required=True, form=ARN_OR_NOTHING),
    "input": string(length=_SOMETHING),
    "deadLetterConfig": nested({"arn": string(required=True, form=ARN_OR_NOTHING)}),
    "retryPolicy": nested(
        {
            "maximumEventAgeInSeconds": integer(default=86_400, between=Range(60, 86_400)),
            "maximumRetryAttempts": integer(default=185, between=Range(0, 185)),
        },
        computed=True,
    ),
    "sqsParameters": nested({"messageGroupId": string(length=Range(1, 128))}),
    "eventbridgeParameters": nested(
        {
            "detailType": string(required=True, length=Range(1, 128)),
            "source": string(required=True, length=Range(1, 256)),
        },
        "EventBridgeParameters",
    ),
}

SCHEDULE = ResourceType(
    "aws:scheduler/schedule:Schedule",
    service="scheduler",
    documentation="https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html",
    identity="{groupName}/{name}",
    name=AutoName("name", 64, prefix="namePrefix"),
    properties={
        "name": string(computed=True, replace=True, form=EVENT_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=EVENT_NAME),
        "groupName": string(default="default", replace=True, length=Range(1, 64)),
        "scheduleExpression": string(required=True, length=Range(1, 256)),
        "scheduleExpressionTimezone": string(default="UTC", length=Range(1, 50)),
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
        "description": string(length=Range(0, 512)),
        "startDate": string(form=MOMENT),
        "endDate": string(form=MOMENT),
        "kmsKeyArn": string(form=ARN_OR_NOTHING),
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
