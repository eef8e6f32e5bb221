"""Simple Storage Service: buckets, who may see them, what is in them and who is notified of it."""

import base64
import mimetypes
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from scar_foundation.limits import S3_KEY_BYTES, UNLIMITED, Range
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    Property,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    json_text,
    mapping,
    nested,
    output,
    string,
    strings,
)

_BATCH = 1000


def _with_location(operation: str, request: Properties, values: Properties) -> Properties:
    """Add the region of a bucket, which must be left out in us-east-1 alone.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    if operation == "create_bucket" and values["region"] != "us-east-1":
        return {**request, "CreateBucketConfiguration": {"LocationConstraint": values["region"]}}
    return request


def _remove_objects(cloud: Cloud, bucket: Properties) -> None:
    """Delete every version of every object, if the program allowed it."""
    if not bucket.get("forceDestroy"):
        return
    name, region = bucket["bucket"], bucket.get("region")
    while True:
        listed = cloud.call("s3", "list_object_versions", region, Bucket=name, MaxKeys=_BATCH)
        found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
        if not found:
            return
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        answer = cloud.call("s3", "delete_objects", region, Bucket=name, Delete={"Objects": objects, "Quiet": True})
        for error in answer.get("Errors") or ():  # what is refused would be listed again, and again
            raise ProviderError(
                f"bucket {name}: {error['Key']} cannot be deleted: {error.get('Code')}; delete it first"
            )


_NAME, _SOMETHING = Range(0, 63), Range(1, UNLIMITED)
_ALGORITHMS = ("AES256", "aws:fsx", "aws:kms", "aws:kms:dsse")
_CANNED_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "log-delivery-write",
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
_STORAGE_CLASSES = (
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
    "FSX_ONTAP",
)
_RULE = {
    "applyServerSideEncryptionByDefault": nested(
        {
            "sseAlgorithm": string("SSEAlgorithm", required=True, one_of=_ALGORITHMS),
            "kmsMasterKeyId": string("KMSMasterKeyID"),
        },
        "ApplyServerSideEncryptionByDefault",
    ),
    "bucketKeyEnabled": boolean(),
}
_CORS = {
    "allowedHeaders": strings(),
    "allowedMethods": strings(required=True),
    "allowedOrigins": strings(required=True),
    "exposeHeaders": strings(),
    "maxAgeSeconds": integer(),
}

BUCKET = ResourceType(
    "aws:s3/bucket:Bucket",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html",
    identity="{bucket}",
    name=AutoName("bucket", 63, lower=True, prefix="bucketPrefix"),
    properties={
        "bucket": string(computed=True, replace=True, length=_NAME),
        "bucketPrefix": string(local=True, computed=True, replace=True, length=Range(0, 37)),
        "forceDestroy": boolean(local=True, default=False),
        "objectLockEnabled": boolean("ObjectLockEnabledForBucket", computed=True, replace=True),
        "versioning": nested(
            {"enabled": boolean("Status", default=False, words=("Suspended", "Enabled"))},
            ("VersioningConfiguration", ""),
            computed=True,
        ),
        "serverSideEncryptionConfiguration": nested(
            {"rule": nested(_RULE, "Rules.0", required=True)}, "ServerSideEncryptionConfiguration", computed=True
        ),
        "corsRules": nested(_CORS, ("CORSConfiguration.CORSRules", "CORSRules"), many=True, computed=True),
        "policy": json_text(computed=True),
        "acl": string("ACL", unread=True, computed=True, one_of=_CANNED_ACLS),
        "arn": output(template="arn:{partition}:s3:::{bucket}"),
        "bucketDomainName": output(template="{bucket}.s3.amazonaws.com"),
        "bucketRegion": output(template="{region}"),
        "bucketRegionalDomainName": output(template="{bucket}.s3.{region}.amazonaws.com"),
        # The same for every account: https://docs.aws.amazon.com/general/latest/gr/s3.html
        "hostedZoneId": output(template="Z3AQBSTGFYJSTF"),
    },
    create=Call("create_bucket"),
    read=Call("head_bucket"),
    settings=(
        Setting("versioning", "put_bucket_versioning", get=Call("get_bucket_versioning")),
        Setting(
            "serverSideEncryptionConfiguration",
            "put_bucket_encryption",
            "delete_bucket_encryption",
            get=Call("get_bucket_encryption"),
        ),
        Setting("corsRules", "put_bucket_cors", "delete_bucket_cors", get=Call("get_bucket_cors")),
        Setting("policy", "put_bucket_policy", "delete_bucket_policy", get=Call("get_bucket_policy")),
        Setting("acl", "put_bucket_acl"),
    ),
    delete=Call("delete_bucket"),
    tags=Tags(
        {"Bucket": "{bucket}"},
        "get_bucket_tagging",
        "put_bucket_tagging",
        None,
        at="Tagging.TagSet",
        pairs=("Key", "Value"),
    ),
    idempotent=True,
    amend_request=_with_location,
    to_document=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
    before_delete=_remove_objects,
)

# The token that programs written for version 6 of the SDK use. There, these settings are lists of another form.
_OF_ANOTHER_FORM = ("versioning", "serverSideEncryptionConfiguration")
BUCKET_V2 = replace(
    BUCKET,
    token="aws:s3/bucketV2:BucketV2",  # noqa: S106 - a type, not a password
    properties={name: field for name, field in BUCKET.properties.items() if name not in _OF_ANOTHER_FORM},
    settings=tuple(setting for setting in BUCKET.settings if setting.property not in _OF_ANOTHER_FORM),
)

PUBLIC_ACCESS_BLOCK = ResourceType(
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html",
    identity="{bucket}",
    properties={
        "bucket": string(required=True, replace=True),
        "blockPublicAcls": boolean("PublicAccessBlockConfiguration.BlockPublicAcls", default=False),
        "blockPublicPolicy": boolean("PublicAccessBlockConfiguration.BlockPublicPolicy", default=False),
        "ignorePublicAcls": boolean("PublicAccessBlockConfiguration.IgnorePublicAcls", default=False),
        "restrictPublicBuckets": boolean("PublicAccessBlockConfiguration.RestrictPublicBuckets", default=False),
        "skipDestroy": boolean(local=True),
    },
    create=Call("put_public_access_block"),
    read=Call("get_public_access_block"),
    rewrite=True,
    delete=Call("delete_public_access_block"),
    to_document=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
)

_LIFECYCLE_RULE = {
    "id": string("ID", required=True, length=Range(1, 255)),
    "status": string(required=True, one_of=("Enabled", "Disabled")),
    "filter": nested({"prefix": string(computed=True)}),
    "expiration": nested({"days": integer(computed=True)}),
    "abortIncompleteMultipartUpload": nested({"daysAfterInitiation": integer()}),
}

LIFECYCLE = ResourceType(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
    identity="{bucket}",
    properties={
        "bucket": string(required=True, replace=True, length=Range(1, 63)),
        "rules": nested(_LIFECYCLE_RULE, ("LifecycleConfiguration.Rules", "Rules"), many=True, required=True),
    },
    create=Call("put_bucket_lifecycle_configuration"),
    read=Call("get_bucket_lifecycle_configuration"),
    rewrite=True,
    delete=Call("delete_bucket_lifecycle"),
    to_document=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
)


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
    """Return the whole notification configuration of a bucket; there is only one."""
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
    amend_request=_configuration,
    to_document=_notifications,
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
    name=AutoName("key", S3_KEY_BYTES, bare=True),
    properties={
        "bucket": string(required=True, replace=True, length=_SOMETHING),
        "key": string(computed=True, replace=True, length=_SOMETHING),
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
        "storageClass": string(computed=True, one_of=_STORAGE_CLASSES),
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
    amend_request=_with_content,
    to_document=lambda _, answer, values: {**answer, "Bucket": values["bucket"], "Key": values["key"]},
)
