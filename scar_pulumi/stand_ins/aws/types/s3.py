"""Simple Storage Service: buckets and who may see them."""

from dataclasses import replace

from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    json_text,
    nested,
    output,
    string,
    strings,
)
from scar_pulumi.stand_ins.plugin.wire import Properties

_BATCH = 1000


def _with_location(operation: str, request: Properties, values: Properties) -> Properties:
    """The region of a bucket, which us-east-1 alone must not be told.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    if operation == "create_bucket" and values["region"] != "us-east-1":
        return {**request, "CreateBucketConfiguration": {"LocationConstraint": values["region"]}}
    return request


def _remove_objects(cloud: Cloud, bucket: Properties) -> None:
    """Every version of every object, if the program allowed it."""
    if not bucket.get("forceDestroy"):
        return
    name, region = bucket["bucket"], bucket.get("region")
    while True:
        listed = cloud.call("s3", "list_object_versions", region, Bucket=name, MaxKeys=_BATCH)
        found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
        if not found:
            return
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        cloud.call("s3", "delete_objects", region, Bucket=name, Delete={"Objects": objects, "Quiet": True})


_RULE = {
    "applyServerSideEncryptionByDefault": nested(
        {"sseAlgorithm": string("SSEAlgorithm", required=True), "kmsMasterKeyId": string("KMSMasterKeyID")},
        "ApplyServerSideEncryptionByDefault",
    ),
    "bucketKeyEnabled": boolean(computed=True),
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
        "bucket": string(computed=True, replace=True),
        "bucketPrefix": string(local=True, computed=True, replace=True),
        "forceDestroy": boolean(local=True, default=False),
        "objectLockEnabled": boolean("ObjectLockEnabledForBucket", computed=True, replace=True),
        "versioning": nested(
            {"enabled": boolean("Status", words=("Suspended", "Enabled"))},
            ("VersioningConfiguration", ""),
            computed=True,
        ),
        "serverSideEncryptionConfiguration": nested(
            {"rule": nested(_RULE, "Rules.0", required=True)}, "ServerSideEncryptionConfiguration", computed=True
        ),
        "corsRules": nested(_CORS, ("CORSConfiguration.CORSRules", "CORSRules"), many=True),
        "policy": json_text(computed=True),
        "acl": string("ACL", unread=True),
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
    amend=_with_location,
    adapt=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
    empty=_remove_objects,
)

# The token that programs written for version 6 of the SDK use.
BUCKET_V2 = replace(BUCKET, token="aws:s3/bucketV2:BucketV2")  # noqa: S106 - a type, not a password

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
    adapt=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
)

_LIFECYCLE_RULE = {
    "id": string("ID", required=True),
    "status": string(required=True, one_of=("Enabled", "Disabled")),
    "filter": nested({"prefix": string()}),
    "expiration": nested({"days": integer()}),
}

LIFECYCLE = ResourceType(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    service="s3",
    documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
    identity="{bucket}",
    properties={
        "bucket": string(required=True, replace=True),
        "rules": nested(_LIFECYCLE_RULE, ("LifecycleConfiguration.Rules", "Rules"), many=True),
    },
    create=Call("put_bucket_lifecycle_configuration"),
    read=Call("get_bucket_lifecycle_configuration"),
    rewrite=True,
    delete=Call("delete_bucket_lifecycle"),
    adapt=lambda _, answer, values: {**answer, "Bucket": values["bucket"]},
)
