"""Simple Storage Service: what is in buckets, and who is told of it."""

import base64
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    Property,
    ResourceType,
    Tags,
    boolean,
    mapping,
    nested,
    output,
    string,
    strings,
)
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.wire import Properties

_TARGETS = {
    "lambdaFunctions": ("LambdaFunctionConfigurations", "lambdaFunctionArn", "LambdaFunctionArn"),
    "queues": ("QueueConfigurations", "queueArn", "QueueArn"),
    "topics": ("TopicConfigurations", "topicArn", "TopicArn"),
}


def _targets(arn: str) -> Property:
    return nested(
        {
            "id": string(computed=True),
            arn: string(required=arn != "lambdaFunctionArn"),
            "events": strings(required=True, unordered=True),
            "filterPrefix": string(),
            "filterSuffix": string(),
        },
        many=True,
    )


def _configuration(operation: str, request: Properties, values: Properties) -> Properties:  # noqa: ARG001
    """The whole notification configuration of a bucket; there is only one."""
    configuration: Properties = {
        theirs: [_entry(entry, place, name, ours, arn) for place, entry in enumerate(values[name])]
        for name, (theirs, ours, arn) in _TARGETS.items()
        if values.get(name)
    }
    if values.get("eventbridge"):
        configuration["EventBridgeConfiguration"] = {}
    return {"Bucket": values["bucket"], "NotificationConfiguration": configuration}


def _entry(entry: Properties, place: int, name: str, ours: str, arn: str) -> Properties:
    made: Properties = {"Id": entry.get("id") or f"{name}-{place}", arn: entry[ours], "Events": entry["events"]}
    rules = [
        {"Name": rule, "Value": entry[key]}
        for rule, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
        if entry.get(key)
    ]
    return {**made, "Filter": {"Key": {"FilterRules": rules}}} if rules else made


def _notifications(cloud: Cloud, answer: Properties, values: Properties) -> Properties:  # noqa: ARG001
    document: Properties = {"Bucket": values["bucket"]}
    if "EventBridgeConfiguration" in answer:
        document["Eventbridge"] = True
    for name, (theirs, _, arn) in _TARGETS.items():
        if entries := answer.get(theirs):
            document[name[0].upper() + name[1:]] = [_read_entry(entry, arn) for entry in entries]
    return document


def _read_entry(entry: Properties, arn: str) -> Properties:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    filters = {f"Filter{rule['Name'].capitalize()}": rule["Value"] for rule in rules}
    return {"Id": entry.get("Id"), arn: entry[arn], "Events": entry["Events"], **filters}


NOTIFICATION = ResourceType(
    "aws:s3/bucketNotification:BucketNotification",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html",
    identity="{bucket}",
    properties={
        "bucket": string(required=True, replace=True),
        "eventbridge": boolean(default=False),
        **{name: _targets(arn) for name, (_, arn, _) in _TARGETS.items()},
    },
    create=Call("put_bucket_notification_configuration"),
    read=Call("get_bucket_notification_configuration"),
    rewrite=True,
    delete=Call("put_bucket_notification_configuration", extra={"NotificationConfiguration": {}}),
    amend=_configuration,
    adapt=_notifications,
)


def _with_content(operation: str, request: Properties, values: Properties) -> Properties:
    if operation != "put_object":
        return request
    source = values.get("source") or {}
    path = source.get("path") if isinstance(source, dict) else None
    guess = mimetypes.guess_type(path or values["key"])[0]
    kind = values.get("contentType") or guess or "application/octet-stream"
    tagging = {"Tagging": urlencode(values["tagsAll"])} if values.get("tagsAll") else {}
    return {**request, "Body": _content(values, source), "ContentType": kind, **tagging}


def _content(values: Properties, source: Any) -> bytes:
    if values.get("content") is not None:
        return str(values["content"]).encode()
    if values.get("contentBase64") is not None:
        return base64.b64decode(values["contentBase64"])
    if "path" in source:
        return Path(source["path"]).read_bytes()
    if "text" in source:
        return str(source["text"]).encode()
    if source:
        raise ProviderError(f"{values['bucket']}/{values['key']}: the source must be a FileAsset or a StringAsset")
    return b""


OBJECT = ResourceType(
    "aws:s3/bucketObjectv2:BucketObjectv2",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html",
    identity="{bucket}/{key}",
    name=AutoName("key", 1024, bare=True),
    properties={
        "bucket": string(required=True, replace=True),
        "key": string(computed=True, replace=True),
        "source": Property(kind="asset", local=True),
        "content": string(local=True),
        "contentBase64": string(local=True),
        "sourceHash": string(local=True),
        "contentType": string(computed=True),
        "contentEncoding": string(),
        "contentDisposition": string(),
        "contentLanguage": string(),
        "cacheControl": string(),
        "metadata": mapping(),
        "storageClass": string(computed=True),
        "forceDestroy": boolean(local=True, default=False),
        "etag": string("ETag", computed=True),
        "versionId": output(),
        "arn": output(template="arn:{partition}:s3:::{bucket}/{key}"),
    },
    create=Call("put_object"),
    read=Call("head_object"),
    rewrite=True,
    delete=Call("delete_object"),
    tags=Tags(
        {"Bucket": "{bucket}", "Key": "{key}"},
        "get_object_tagging",
        "put_object_tagging",
        None,
        at="Tagging.TagSet",
        pairs=("Key", "Value"),
    ),
    amend=_with_content,
    adapt=lambda _, answer, values: {**answer, "Bucket": values["bucket"], "Key": values["key"]},
)
