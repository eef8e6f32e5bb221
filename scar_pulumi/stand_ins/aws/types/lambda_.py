"""Lambda: functions, who may call them, what becomes of failed events, their URLs, and the queues they read."""

import json
import time
from typing import Any

from scar_foundation import limits
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import pause
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import CallError, Cloud
from scar_pulumi.stand_ins.aws.forms import (
    ACCOUNT,
    ARN_OR_NOTHING,
    EVENT_SOURCE_TOKEN,
    FUNCTION_NAME,
    LAMBDA_ACTION,
    LOG_GROUP_NAME,
    MOUNT_PATH,
    QUALIFIER,
    STATEMENT_ID,
)
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    mapping,
    nested,
    output,
    string,
    strings,
)

_INVOKE = "arn:{partition}:apigateway:{region}:lambda:path"
_SOMETHING = limits.Range(1, limits.UNLIMITED)
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, with those that are no more.
_RUNTIMES = tuple(
    f"{language}{version}"
    for language, versions in {
        "dotnet": ("10", "6", "8"),
        "dotnetcore": ("1.0", "2.0", "2.1", "3.1"),
        "go": ("1.x",),
        "java": ("11", "17", "21", "25", "8", "8.al2"),
        "nodejs": ("", "4.3", "4.3-edge", "6.10", "8.10", *(f"{number}.x" for number in range(10, 25, 2))),
        "provided": ("", ".al2", ".al2023"),
        "python": ("2.7", *(f"3.{number}" for number in range(6, 15))),
        "ruby": ("2.5", "2.7", "3.2", "3.3", "3.4", "4.0"),
    }.items()
    for version in versions
)
_SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def _function_document(cloud: Cloud, answer: Properties, values: Properties) -> Properties:
    """Return GetFunction's answer in the form of CreateFunction's, with code, tags and concurrency."""
    document = {**answer["Configuration"], "Code": answer.get("Code", {}), "Tags": answer.get("Tags", {})}
    document |= answer.get("Concurrency", {})
    if values.get("publish"):
        versions = cloud.call(
            "lambda", "list_versions_by_function", values.get("region"), FunctionName=document["FunctionName"]
        )["Versions"]
        document["Version"] = versions[-1]["Version"]
    return document


def _wait_until_ready(cloud: Cloud, values: Properties, timeout: float) -> Properties:
    """Wait for the end of a create or update, which goes on after the call."""
    deadline, step = time.monotonic() + timeout, 0.02
    while True:
        state = cloud.call("lambda", "get_function_configuration", values.get("region"), FunctionName=values["name"])
        states = (state.get("State"), state.get("LastUpdateStatus"))
        if "Failed" in states:
            reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or "no reason given"
            raise ProviderError(f"function {values['name']} did not become ready: {reason}")
        if states[0] != "Pending" and states[1] != "InProgress":
            # The version that an operation published is in its own answer, not here.
            return {} if values.get("publish") else state
        if time.monotonic() > deadline:
            raise ProviderError(f"function {values['name']} was not ready after {timeout:g} s: {states}")
        pause(step)
        step = min(step * 2, 0.1)


FUNCTION = ResourceType(
    "aws:lambda/function:Function",
    service="lambda",
    documentation="https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html",
    identity="{name}",
    name=AutoName("name", limits.LAMBDA_NAME_CHARACTERS),
    properties={
        "name": string("FunctionName", computed=True, replace=True, form=FUNCTION_NAME),
        "role": string(required=True, form=ARN_OR_NOTHING),
        "packageType": string(default="Zip", one_of=("Image", "Zip"), replace=True),
        "imageUri": string(("Code.ImageUri", "ImageUri")),
        "imageConfig": nested(
            {"commands": strings("Command"), "entryPoints": strings("EntryPoint"), "workingDirectory": string()},
            ("ImageConfig", "ImageConfigResponse.ImageConfig"),
        ),
        "s3Bucket": string(("Code.S3Bucket", "S3Bucket"), unread=True),
        "s3Key": string(("Code.S3Key", "S3Key"), unread=True),
        "s3ObjectVersion": string(("Code.S3ObjectVersion", "S3ObjectVersion"), unread=True),
        "handler": string(length=limits.Range(1, 128)),
        "runtime": string(one_of=_RUNTIMES),
        "architectures": strings(computed=True, one_of=("x86_64", "arm64")),
        "description": string(),
        "memorySize": integer(default=128, between=limits.LAMBDA_MEMORY),
        "timeout": integer(default=3, between=limits.LAMBDA_TIMEOUT),
        "ephemeralStorage": nested(
            {"size": integer(computed=True, between=limits.LAMBDA_EPHEMERAL_STORAGE)}, computed=True
        ),
        "environment": nested({"variables": mapping()}),
        "loggingConfig": nested(
            {
                "logFormat": string(required=True, one_of=("JSON", "Text")),
                "logGroup": string(computed=True, length=limits.Range(1, 512), form=LOG_GROUP_NAME),
                "applicationLogLevel": string(computed=True, one_of=_LEVELS),
                "systemLogLevel": string(computed=True, one_of=_SYSTEM_LEVELS),
            },
            computed=True,
        ),
        "vpcConfig": nested(
            {
                "subnetIds": strings(required=True, unordered=True),
                "securityGroupIds": strings(required=True, unordered=True),
                "ipv6AllowedForDualStack": boolean(default=False),
                "vpcId": string(computed=True, output=True),
            }
        ),
        "fileSystemConfig": nested(
            {
                "arn": string(required=True, form=ARN_OR_NOTHING),
                "localMountPath": string(required=True, form=MOUNT_PATH),
            },
            "FileSystemConfigs.0",
        ),
        "deadLetterConfig": nested({"targetArn": string(required=True, form=ARN_OR_NOTHING)}),
        "tracingConfig": nested({"mode": string(required=True, one_of=("Active", "PassThrough"))}, computed=True),
        "kmsKeyArn": string("KMSKeyArn", form=ARN_OR_NOTHING),
        "reservedConcurrentExecutions": integer(default=-1, between=limits.Range(-1, limits.UNLIMITED)),
        "publish": boolean(default=False, unread=True),
        "skipDestroy": boolean(local=True, default=False),
        "sourceCodeHash": string(local=True, computed=True),
        "arn": output(template="arn:{partition}:lambda:{region}:{account}:function:{name}"),
        "invokeArn": output(template=f"{_INVOKE}/2015-03-31/functions/{{arn}}/invocations"),
        "responseStreamingInvokeArn": output(
            template=f"{_INVOKE}/2021-11-15/functions/{{arn}}/response-streaming-invocations"
        ),
        "version": output(volatile="publish"),
        "qualifiedArn": output(template="{arn}:{version}", volatile="publish"),
        "qualifiedInvokeArn": output(
            template=f"{_INVOKE}/2015-03-31/functions/{{qualifiedArn}}/invocations", volatile="publish"
        ),
        "lastModified": output(volatile="always"),
        "codeSha256": output(volatile="always"),
        "sourceCodeSize": integer("CodeSize", output=True),
        "signingJobArn": output(),
        "signingProfileVersionArn": output(),
    },
    create=Call("create_function"),
    read=Call("get_function"),
    updates=("update_function_code", "update_function_configuration"),
    settings=(
        Setting("reservedConcurrentExecutions", "put_function_concurrency", "delete_function_concurrency", unset=-1),
    ),
    delete=Call("delete_function"),
    tags=Tags({"Resource": "{arn}"}, "list_tags", "tag_resource", "untag_resource"),
    to_document=_function_document,
    await_change=_wait_until_ready,
    created="LastModified",
)


def _statement(cloud: Cloud, answer: Properties, values: Properties) -> Properties | None:  # noqa: ARG001
    """Return one statement of a function's policy as the parameters of AddPermission."""
    statements = json.loads(answer["Policy"]).get("Statement", [])
    found = next((item for item in statements if item.get("Sid") == values["statementId"]), None)
    return found and {
        "FunctionName": values["function"],
        "StatementId": found["Sid"],
        "Action": found["Action"],
        "Principal": _principal(found.get("Principal")),
        "SourceArn": _condition(found, "aws:SourceArn"),
        "SourceAccount": _condition(found, "aws:SourceAccount"),
        "PrincipalOrgID": _condition(found, "aws:PrincipalOrgID"),
        "EventSourceToken": _condition(found, "lambda:EventSourceToken"),
        "FunctionUrlAuthType": _condition(found, "lambda:FunctionUrlAuthType"),
    }


def _principal(principal: Any) -> Any:
    return next(iter(principal.values())) if isinstance(principal, dict) else principal


def _condition(statement: Properties, key: str) -> Any:
    tests = statement.get("Condition", {}).values()
    return next((test[name] for test in tests for name in test if name.lower() == key.lower()), None)


PERMISSION = ResourceType(
    "aws:lambda/permission:Permission",
    service="lambda",
    documentation="https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html",
    identity="{statementId}",
    lookup="{function}/{statementId}[:{qualifier}]",
    name=AutoName("statementId", 100, prefix="statementIdPrefix"),
    properties={
        "function": string(
            "FunctionName", required=True, replace=True, length=limits.Range(1, 140), form=FUNCTION_NAME
        ),
        "statementId": string(computed=True, replace=True, form=STATEMENT_ID),
        "statementIdPrefix": string(local=True, computed=True, replace=True, form=STATEMENT_ID),
        "qualifier": string(replace=True, length=limits.Range(1, 128), form=QUALIFIER),
        "action": string(required=True, replace=True, form=LAMBDA_ACTION),
        "principal": string(required=True, replace=True),
        "principalOrgId": string("PrincipalOrgID", replace=True),
        "sourceArn": string(replace=True, form=ARN_OR_NOTHING),
        "sourceAccount": string(replace=True, form=ACCOUNT),
        "eventSourceToken": string(replace=True, length=limits.Range(1, 256), form=EVENT_SOURCE_TOKEN),
        "functionUrlAuthType": string(replace=True, one_of=("AWS_IAM", "NONE")),
        "invokedViaFunctionUrl": boolean(replace=True, unread=True),
    },
    create=Call("add_permission"),
    read=Call("get_policy"),
    delete=Call("remove_permission"),
    to_document=_statement,
)

EVENT_INVOKE_CONFIG = ResourceType(
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    service="lambda",
    documentation="https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html",
    identity="{functionName}[:{qualifier}]",
    properties={
        "functionName": string("FunctionName", required=True, replace=True, length=_SOMETHING),
        "qualifier": string(replace=True, length=_SOMETHING),
        "maximumRetryAttempts": integer(default=2, between=limits.LAMBDA_RETRY_ATTEMPTS),
        "maximumEventAgeInSeconds": integer(between=limits.LAMBDA_EVENT_AGE),
        "destinationConfig": nested(
            {
                "onFailure": nested({"destination": string(required=True, form=ARN_OR_NOTHING)}),
                "onSuccess": nested({"destination": string(required=True, form=ARN_OR_NOTHING)}),
            }
        ),
    },
    create=Call("put_function_event_invoke_config"),
    read=Call("get_function_event_invoke_config"),
    rewrite=True,
    delete=Call("delete_function_event_invoke_config"),
    to_document=lambda _, answer, values: {**answer, "FunctionName": values["functionName"]},
)

FUNCTION_URL = ResourceType(
    "aws:lambda/functionUrl:FunctionUrl",
    service="lambda",
    documentation="https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html",
    identity="{functionName}[/{qualifier}]",
    properties={
        "functionName": string("FunctionName", required=True, replace=True),
        "qualifier": string(replace=True),
        "authorizationType": string("AuthType", required=True, one_of=("AWS_IAM", "NONE")),
        "invokeMode": string(default="BUFFERED", one_of=("BUFFERED", "RESPONSE_STREAM")),
        "cors": nested(
            {
                "allowCredentials": boolean(),
                "allowHeaders": strings(unordered=True),
                "allowMethods": strings(unordered=True),
                "allowOrigins": strings(unordered=True),
                "exposeHeaders": strings(unordered=True),
                "maxAge": integer(between=limits.Range(0, 86400)),
            }
        ),
        "functionArn": output(),
        "functionUrl": output(),
        "urlId": output("FunctionUrl", part=r"//([^.]+)"),
    },
    create=Call("create_function_url_config"),
    read=Call("get_function_url_config"),
    updates=("update_function_url_config",),
    delete=Call("delete_function_url_config"),
    to_document=lambda _, answer, values: {**answer, "FunctionName": values["functionName"]},
)


def _mapping_document(cloud: Cloud, _: Properties, values: Properties) -> Properties | None:
    """Return a mapping by its id; without one, that of the function for this source, of which there is only one."""
    region = values.get("region")
    if uuid := values.get("uuid"):
        found = cloud.call("lambda", "get_event_source_mapping", region, UUID=uuid)
    else:
        place = {"EventSourceArn": values["eventSourceArn"], "FunctionName": values["functionName"]}
        listed = cloud.call("lambda", "list_event_source_mappings", region, **place)["EventSourceMappings"]
        if not listed:
            return None
        found = listed[0]
    arn = found["FunctionArn"]
    name = str(values.get("functionName") or arn)
    is_same = arn == name or arn.endswith(f":function:{name}")
    return {**found, "FunctionName": name if is_same else arn, "Enabled": found["State"] not in _OFF}


_OFF = ("Disabled", "Disabling")
_SETTLED = ("Enabled", "Disabled")


def _until_settled(cloud: Cloud, values: Properties, timeout: float) -> Properties:
    deadline, step = time.monotonic() + timeout, 0.02
    while True:
        found = _mapping_document(cloud, {}, values)
        if found and found["State"] in _SETTLED:
            return found
        if time.monotonic() > deadline:
            state = found["State"] if found else "gone"
            raise ProviderError(f"the mapping of {values.get('eventSourceArn')} is still {state} after {timeout:g} s")
        pause(step)
        step = min(step * 2, 0.5)


def _until_mapping_gone(cloud: Cloud, values: Properties, timeout: float) -> None:
    deadline, step = time.monotonic() + timeout, 0.02
    while True:
        try:
            _mapping_document(cloud, {}, values)
        except CallError as error:
            if error.missing:
                return
            raise
        if time.monotonic() > deadline:
            raise ProviderError(f"the mapping {values['uuid']} was still there after {timeout:g} s")
        pause(step)
        step = min(step * 2, 0.5)


EVENT_SOURCE_MAPPING = ResourceType(
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    service="lambda",
    documentation="https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html",
    identity="{uuid}",
    unique="{eventSourceArn} {functionName}",
    lookup="{uuid}",
    properties={
        "functionName": string(required=True),
        "eventSourceArn": string(replace=True),
        "enabled": boolean(default=True),
        "batchSize": integer(computed=True, between=limits.Range(1, 10_000)),
        "maximumBatchingWindowInSeconds": integer(computed=True, between=limits.Range(0, 300)),
        "functionResponseTypes": strings(unordered=True, one_of=("ReportBatchItemFailures",)),
        "filterCriteria": nested({"filters": nested({"pattern": string(length=limits.Range(0, 4096))}, many=True)}),
        "scalingConfig": nested({"maximumConcurrency": integer(between=limits.Range(2, 1000))}),
        "startingPosition": string(replace=True, one_of=("AT_TIMESTAMP", "LATEST", "TRIM_HORIZON")),
        "kmsKeyArn": string("KMSKeyArn", form=ARN_OR_NOTHING),
        "uuid": output("UUID"),
        "arn": output("EventSourceMappingArn"),
        "functionArn": output(),
        "lastModified": output(volatile="always"),
        "lastProcessingResult": output(volatile="always"),
        "state": output(volatile="enabled"),
        "stateTransitionReason": output(volatile="always"),
    },
    create=Call("create_event_source_mapping"),
    # Any call that answers: what it lists is looked for by what is known of it.
    read=Call("list_event_source_mappings", extra={"MaxItems": 1}),
    updates=("update_event_source_mapping",),
    delete=Call("delete_event_source_mapping"),
    to_document=_mapping_document,
    await_change=_until_settled,
    await_deletion=_until_mapping_gone,
    tags=Tags({"Resource": "{arn}"}, "list_tags", "tag_resource", "untag_resource"),
    idempotent=True,
)
