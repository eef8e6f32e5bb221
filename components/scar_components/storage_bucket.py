"""A bucket that functions read from or write to: made when missing, adopted when it exists, kept on destroy."""

from typing import Any, NotRequired, Optional, TypedDict

import botocore.exceptions
import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from scar_components.dynamic import AwsResourceProvider, configured_region
from scar_components.naming import stack_identity
from scar_foundation.aws_session import error_code

OWNER_TAG = "scar-pulumi:stack"
"""Tag of a bucket that a stack has made; its value is `project/stack`."""


class StorageBucketArgs(TypedDict):
    """Arguments of a StorageBucket."""

    bucket: str
    """Name of the bucket."""
    tags: NotRequired[Input[dict[str, Input[str]]]]
    """Tags of the bucket, given to it only where this stack made it."""
    region: NotRequired[Optional[Input[str]]]
    """Region to make it in. Default: the aws provider's."""


class StorageBucketProvider(AwsResourceProvider):
    """Makes, adopts and, only where the stack asks for it, deletes buckets."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another name is another bucket; tags change in place; the region of a bucket that exists cannot change."""
        replaces = ["bucket"] if _olds.get("bucket") != _news.get("bucket") else []
        changes = bool(replaces) or any((_olds.get(key) or {}) != (_news.get(key) or {}) for key in ("tags", "owner"))
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the bucket, or adopt the one that is there."""
        bucket, s3 = props["bucket"], self._s3(props)
        found = self._look(props)
        if found is not None:
            _check_region(bucket, found, s3.meta.region_name)
        managed = found is None or _tags(s3, bucket).get(OWNER_TAG) == props["owner"]
        if found is None:
            _make(s3, bucket)
        if managed:
            _tag(s3, bucket, {}, props)
        return CreateResult(bucket, {**props, "managed": managed})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether the bucket is still there, and still the account's."""
        return ReadResult(id_ if self._is_ours(props) else "", props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give the bucket its new tags, if this stack made it."""
        if _olds.get("managed"):
            _tag(self._s3(_news), _id, _olds, _news)
        return UpdateResult({**_news, "managed": _olds.get("managed")})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the bucket where it is, unless the stack made it and `scar:deleteBuckets` is true."""
        if not (self.delete_buckets and _props.get("managed")):
            return
        s3 = self._s3(_props)
        if not self._is_ours(_props) or _tags(s3, _id).get(OWNER_TAG) != _props["owner"]:
            return
        if others := _notified(s3, _id):
            raise pulumi.RunError(
                f"bucket {_id}: not deleted, since others still take its notifications ({', '.join(others)}); remove "
                "those first, or set scar:deleteBuckets to false to leave the bucket"
            )
        empty_bucket(s3, _id)
        s3.delete_bucket(Bucket=_id)

    def _s3(self, props: dict[str, Any]) -> Any:
        return self.session.client("s3", props.get("region"))

    def _is_ours(self, props: dict[str, Any]) -> bool:
        try:
            return self._look(props) is not None
        except pulumi.RunError:  # the name is somebody else's by now
            return False

    def _look(self, props: dict[str, Any]) -> dict[str, Any] | None:
        """Return what S3 says of the bucket, None when there is none. Raises RunError when it is not the account's."""
        bucket = props["bucket"]
        try:
            # A name that was let go can be anybody's by now, and would be sent results.
            answer: dict[str, Any] = self._s3(props).head_bucket(
                Bucket=bucket, ExpectedBucketOwner=self.session.account
            )
        except botocore.exceptions.ClientError as error:
            if error_code(error) in {"404", "NoSuchBucket"}:
                return None
            raise pulumi.RunError(
                f"bucket {bucket}: exists but cannot be used ({error_code(error)}); it is another account's, or these "
                "credentials may not list it: choose another name or grant s3:ListBucket"
            ) from None
        return answer


class StorageBucket(Resource, module="scar", name="StorageBucket"):
    """A bucket for the files of functions.

    It is made when it does not exist and adopted when it does. Destroying the stack leaves it and its objects, unless
    the stack made it and its configuration has `scar:deleteBuckets: true`; others' buckets are never deleted or tagged.
    """

    bucket: Output[str]
    """Name of the bucket."""
    managed: Output[bool]
    """Whether this stack made it."""

    def __init__(self, name: str, args: StorageBucketArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the bucket."""
        properties = {
            "bucket": args["bucket"],
            "tags": args.get("tags") or {},
            "region": args.get("region") or configured_region(opts),
            "owner": stack_identity(),
            "managed": None,
        }
        super().__init__(StorageBucketProvider(), name, properties, opts)


def _check_region(bucket: str, found: dict[str, Any], region: str | None) -> None:
    actual = found.get("BucketRegion") or region
    if actual != region:
        raise pulumi.RunError(
            f"bucket {bucket}: it is in {actual} and its functions are in {region}; functions reach only buckets of "
            "their own region: choose another bucket, or put the functions there (lambda.region)"
        )


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        answer = s3.get_bucket_tagging(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        if error_code(error) in {"NoSuchTagSet", "AccessDenied"}:
            return {}
        raise
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def _make(s3: Any, bucket: str) -> None:
    # us-east-1 is the one region that must not be named: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    region = s3.meta.region_name
    place = {} if region in {None, "us-east-1"} else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **place)
    except botocore.exceptions.ClientError as error:
        if error_code(error) != "BucketAlreadyOwnedByYou":
            raise pulumi.RunError(f"bucket {bucket}: cannot be made: {error}; choose another name") from None


def _tag(s3: Any, bucket: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Set our tags among those of others; the API knows only the whole set."""
    before = _tags(s3, bucket)
    kept = {key: value for key, value in before.items() if key not in (olds.get("tags") or {})}
    tags = {**kept, **(news.get("tags") or {}), OWNER_TAG: news["owner"]}
    if tags != before:
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})


def _notified(s3: Any, bucket: str) -> list[str]:
    """Return the names of the notification entries that are left; this stack's own are gone by now."""
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    kinds = ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations")
    return [str(entry.get("Id", kind)) for kind in kinds for entry in configuration.get(kind, ())]


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every object of a bucket, in every version. Raises RunError when one cannot be."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        versions = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not versions:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        for error in answer.get("Errors", ()):
            raise pulumi.RunError(
                f"bucket {bucket}: {error['Key']} cannot be deleted ({error['Code']}); the bucket was not deleted"
            )
