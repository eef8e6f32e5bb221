"""A bucket that functions read from or write to: created if missing, adopted if it exists, kept on destroy."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import botocore.exceptions
import pulumi
from pulumi import Input, Output, ResourceOptions

from scar_components.adoption import OWNER_TAG, is_ours
from scar_components.arguments import check_arguments
from scar_components.naming import stack_identity
from scar_components.own_resource import OwnResource
from scar_components.provider_in_force import ProviderInForce
from scar_components.resource_provider import AwsResourceProvider, CreateResult, DiffResult, ReadResult, UpdateResult
from scar_foundation.aws_session import error_code


class StorageBucketArgs(TypedDict):
    """Arguments of a StorageBucket."""

    bucket: Input[str]
    """Name of the bucket."""
    tags: NotRequired[Input[Mapping[str, Input[str]]]]
    """Tags of the bucket, set only if this stack created it. Default: none but the stack's own."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the bucket. Default: the aws provider's."""
    any_region: NotRequired[bool]
    """Whether an existing bucket may be in any region, as one that functions only write to. Default: false."""


class StorageBucketProvider(AwsResourceProvider):
    """Creates, adopts and, only if the stack asks for it, deletes buckets."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace the bucket for a new name and change tags in place; the region of a bucket cannot change."""
        replaces = ["bucket"] if _olds.get("bucket") != _news.get("bucket") else []
        compared = ("tags", "owner", "aws", "any_region")
        changes = bool(replaces) or any((_olds.get(key) or {}) != (_news.get(key) or {}) for key in compared)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def foresee(self, _props: dict[str, Any], _olds: dict[str, Any]) -> dict[str, Any]:
        """Return whether the stack creates the bucket."""
        if _olds:
            return {"managed": _olds.get("managed")}
        try:
            return {"managed": self._look(_props) is None or self._is_marked(_props)}
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, pulumi.RunError):
            return {}  # credentials for a preview may see less; `up` says what is wrong

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the bucket, or adopt the existing one."""
        bucket, s3 = props["bucket"], self._s3(props)
        found = self._look(props)
        if found is not None and not props.get("any_region"):
            _check_region(bucket, found, s3.meta.region_name)
        managed = found is None or self._is_marked(props)
        if found is None:
            _create(s3, bucket)
        if managed:
            _tag(s3, bucket, {}, props)
        return CreateResult(bucket, {**props, "managed": managed})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Check that the bucket still exists and still belongs to the account."""
        return ReadResult(id_ if self._is_ours(props) else "", props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Set the new tags of the bucket, if this stack created it; check its region if it starts functions now."""
        if not _news.get("any_region") and (found := self._look(_news)):
            _check_region(_id, found, self._s3(_news).meta.region_name)
        if _olds.get("managed"):
            _tag(self._s3(_news), _id, _olds, _news)
        return UpdateResult({**_news, "managed": _olds.get("managed")})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Keep the bucket, unless the stack created it and `scar:deleteBuckets` is true."""
        if not (self.delete_buckets and _props.get("managed")):
            return
        s3 = self._s3(_props)
        if not self._is_ours(_props) or _tags(s3, _id).get(OWNER_TAG) != _props["owner"]:
            return
        if others := _notified(s3, _id):
            raise pulumi.RunError(
                f"bucket {_id}: not deleted: it still has notifications of others ({', '.join(others)}); remove them "
                "first, or set scar:deleteBuckets to false to keep the bucket"
            )
        empty_bucket(s3, _id)
        s3.delete_bucket(Bucket=_id)

    def _s3(self, props: dict[str, Any]) -> Any:
        return self.session_of(props).client("s3", props.get("region"))

    def _is_marked(self, props: dict[str, Any]) -> bool:
        return is_ours(_tags(self._s3(props), props["bucket"]), props)

    def _is_ours(self, props: dict[str, Any]) -> bool:
        try:
            return self._look(props) is not None
        except pulumi.RunError:  # the name is somebody else's by now
            return False

    def _look(self, props: dict[str, Any]) -> dict[str, Any] | None:
        """Return S3's description of the bucket, or None. Raises RunError if it belongs to another account."""
        bucket = props["bucket"]
        try:
            # A bucket that was deleted and created by somebody else would receive the account's results.
            answer: dict[str, Any] = self._s3(props).head_bucket(
                Bucket=bucket, ExpectedBucketOwner=self.session_of(props).account
            )
        except botocore.exceptions.ClientError as error:
            if error_code(error) in {"404", "NoSuchBucket"}:
                return None
            raise pulumi.RunError(
                f"bucket {bucket}: exists but cannot be used ({error_code(error)}): it belongs to another account, or "
                "these credentials may not list it; choose another name or grant s3:ListBucket"
            ) from None
        return answer


class StorageBucket(OwnResource):
    """A bucket for the files of functions.

    It is created if it does not exist and adopted if it does. Destroying the stack keeps it with its objects, unless
    the stack created it and has `scar:deleteBuckets: true`. Adopted buckets are never deleted or tagged.
    """

    bucket: Output[str]
    """Name of the bucket."""
    managed: Output[bool]
    """Whether this stack created it."""

    def __init__(self, name: str, args: StorageBucketArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the bucket."""
        check_arguments(name, args, StorageBucketArgs)
        provider = ProviderInForce(opts)
        properties = {
            "bucket": args["bucket"],
            "tags": provider.tags(args.get("tags")),
            "region": args.get("region") or provider.region,
            "any_region": args.get("any_region", False),
            "aws": provider.settings,
            "owner": stack_identity(),
            "managed": None,
        }
        super().__init__("StorageBucket", name, properties, opts)


def _check_region(bucket: str, found: dict[str, Any], region: str | None) -> None:
    actual = found.get("BucketRegion") or region
    if actual != region:
        raise pulumi.RunError(
            f"bucket {bucket}: is in {actual}, but a bucket starts functions of its own region only, and they are in "
            f"{region}; choose another bucket, or deploy the functions there (lambda.region)"
        )


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        answer = s3.get_bucket_tagging(Bucket=bucket)
    except botocore.exceptions.ClientError as error:
        if error_code(error) in {"NoSuchTagSet", "AccessDenied"}:
            return {}
        raise
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def _create(s3: Any, bucket: str) -> None:
    # us-east-1 is the one region that must not be named: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    region = s3.meta.region_name
    place = {} if region in {None, "us-east-1"} else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **place)
    except botocore.exceptions.ClientError as error:
        if error_code(error) != "BucketAlreadyOwnedByYou":
            raise pulumi.RunError(f"bucket {bucket}: cannot be created: {error}; choose another name") from None


def _tag(s3: Any, bucket: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Set the stack's tags and keep those of others; the API replaces the whole set."""
    before = _tags(s3, bucket)
    kept = {key: value for key, value in before.items() if key not in (olds.get("tags") or {})}
    tags = {**kept, **(news.get("tags") or {}), OWNER_TAG: news["owner"]}
    if tags != before:
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})


def _notified(s3: Any, bucket: str) -> list[str]:
    """Return the names of the remaining notification entries; this stack's own are already removed."""
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    kinds = ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations")
    return [str(entry.get("Id", kind)) for kind in kinds for entry in configuration.get(kind, ())]


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version of every object in a bucket. Raises RunError if one cannot be deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        versions = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not versions:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        for error in answer.get("Errors", ()):
            raise pulumi.RunError(
                f"bucket {bucket}: {error['Key']} cannot be deleted ({error['Code']}), so the bucket stays; delete the "
                "object yourself, or set scar:deleteBuckets to false"
            )
