"""A stack's entries in the single notification configuration that a bucket has."""

import itertools
from collections.abc import Sequence
from typing import Any, NotRequired, Optional, TypedDict

import botocore.exceptions
import pulumi
from pulumi import Input, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.naming import digest, stack_identity
from scar_components.own_resource import OwnResource
from scar_components.provider_in_force import ProviderInForce
from scar_components.resource_provider import AwsResourceProvider, CreateResult, DiffResult, ReadResult, UpdateResult
from scar_foundation.aws_session import error_code
from scar_foundation.notification_filters import Filter, decoded_filter, encoded_filter

OBJECT_CREATED = "s3:ObjectCreated:*"
_KINDS = ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations")


class NotificationRule(TypedDict):
    """One entry of a notification configuration: objects created with such a key invoke the function."""

    function_arn: Input[str]
    """ARN of the function."""
    prefix: NotRequired[str]
    """Prefix of the keys. Default: none; all keys match."""
    suffix: NotRequired[str]
    """Suffix of the keys. Default: none; all keys match."""


class BucketNotificationArgs(TypedDict):
    """Arguments of a BucketNotification."""

    bucket: Input[str]
    """Name of the bucket."""
    rules: Sequence[NotificationRule]
    """The rules of this stack."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the bucket. Default: the aws provider's."""


class BucketNotification(OwnResource):
    """This stack's entries in a bucket's notification configuration; entries of others stay as they are."""

    def __init__(self, name: str, args: BucketNotificationArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the rules."""
        check_arguments(name, args, BucketNotificationArgs)
        rules = [
            {"function_arn": rule["function_arn"], "prefix": rule.get("prefix", ""), "suffix": rule.get("suffix", "")}
            for rule in args["rules"]
        ]
        provider = ProviderInForce(opts)
        properties = {
            "bucket": args["bucket"],
            "rules": rules,
            "region": args.get("region") or provider.region,
            "aws": provider.settings,
            "mark": f"scar-{digest(stack_identity())}-",
        }
        super().__init__("BucketNotification", name, properties, opts)


class BucketNotificationProvider(AwsResourceProvider):
    """Merges the stack's rules into a bucket's notification configuration.

    Each PUT replaces the whole configuration, so the entries of others are read first and written back.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
    """

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace the resource for another bucket; change rules in place."""
        replaces = ["bucket"] if _olds.get("bucket") != _news.get("bucket") else []
        changes = bool(replaces) or any(_olds.get(key) != _news.get(key) for key in ("rules", "mark", "aws"))
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Add the stack's rules."""
        self._put(props, props["rules"], {props["mark"]})
        return CreateResult(f"{props['bucket']}/{props['mark']}", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the stack's rules as they are in the bucket; without any, the resource is gone."""
        try:
            present = self._configuration(props)
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise
            present = {}
        found = [_rule(entry) for entry in _own(present, props["mark"])]
        rules = sorted(found, key=_order)
        same = rules == sorted(props["rules"], key=_order)
        outputs = {**props, "rules": props["rules"] if same else rules}
        return ReadResult(id_ if found else "", outputs, outputs)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Replace the stack's rules."""
        # The mark is derived from the stack's name, and a stack can be renamed.
        self._put(_news, _news["rules"], {_olds["mark"], _news["mark"]})
        return UpdateResult(_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the stack's rules and keep all others."""
        try:
            self._put(_props, [], {_props["mark"]})
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise

    def _put(self, props: dict[str, Any], rules: Sequence[dict[str, Any]], marks: set[str]) -> None:
        bucket, mark, present = props["bucket"], props["mark"], self._configuration(props)
        merged = present
        for old in marks - {mark}:
            merged = merged_configuration(merged, [], old)
        merged = merged_configuration(merged, rules, mark)
        if problem := overlap(merged, mark):
            raise pulumi.RunError(f"bucket {bucket}: {problem}")
        if merged == present:
            return
        try:
            self.session_of(props).client("s3", props.get("region")).put_bucket_notification_configuration(
                Bucket=bucket,
                NotificationConfiguration=merged,
                # S3 checks all destinations, also those of others; removing rules must not fail because of them.
                SkipDestinationValidation=not rules,
            )
        except botocore.exceptions.ClientError as error:
            if error_code(error) == "NoSuchBucket":
                raise
            raise pulumi.RunError(
                f"bucket {bucket}: S3 refuses its notifications ({error}); S3 checks the destinations of all entries, "
                f"so check that each of them exists and allows S3 to use it: {', '.join(destinations(merged))}"
            ) from None

    def _configuration(self, props: dict[str, Any]) -> dict[str, Any]:
        s3 = self.session_of(props).client("s3", props.get("region"))
        answer: dict[str, Any] = s3.get_bucket_notification_configuration(Bucket=props["bucket"])
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def merged_configuration(present: dict[str, Any], rules: Sequence[dict[str, Any]], mark: str) -> dict[str, Any]:
    """Return the configuration with `rules` in place of the entries whose id starts with `mark`."""
    kept = [entry for entry in present.get("LambdaFunctionConfigurations", ()) if not _is_own(entry, mark)]
    merged = {**present, "LambdaFunctionConfigurations": [*kept, *(_entry(rule, mark) for rule in rules)]}
    if not merged["LambdaFunctionConfigurations"]:
        del merged["LambdaFunctionConfigurations"]
    return merged


def destinations(configuration: dict[str, Any]) -> list[str]:
    """Return the ARNs that a configuration notifies."""
    entries = [entry for kind in _KINDS for entry in configuration.get(kind, ())]
    return sorted({entry[key] for entry in entries for key in entry if key.endswith("Arn")})


def overlap(configuration: dict[str, Any], mark: str) -> str | None:
    """Return why S3 would refuse the stack's rules beside each other and those of others; None if it would not.

    Two rules for one event must not match the same key:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    own = [_rule(entry) for entry in _own(configuration, mark)]
    for other in _foreign(configuration, mark):
        for rule in own:
            if _overlap(rule, _rule(other)):
                name, prefix = other.get("Id", "(without an id)"), _rule(other)["prefix"]
                return (
                    f"another notification, {name!r} for prefix {prefix!r}, overlaps with prefix {rule['prefix']!r}; "
                    "remove it, or choose another prefix"
                )
    for one, two in itertools.combinations(own, 2):
        if _overlap(one, two):
            return f"prefixes {one['prefix']!r} and {two['prefix']!r} overlap; S3 accepts one rule for a key"
    return None


def _overlap(one: dict[str, str], other: dict[str, str]) -> bool:
    return Filter(one["prefix"], one["suffix"]).meets(Filter(other["prefix"], other["suffix"]))


def _own(configuration: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    return [entry for entry in configuration.get("LambdaFunctionConfigurations", ()) if _is_own(entry, mark)]


def _foreign(configuration: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    entries = [entry for kind in _KINDS for entry in configuration.get(kind, ())]
    created = [entry for entry in entries if any(name.startswith("s3:ObjectCreated") for name in entry["Events"])]
    return [entry for entry in created if not _is_own(entry, mark)]


def _is_own(entry: dict[str, Any], mark: str) -> bool:
    return str(entry.get("Id", "")).startswith(mark)


def _entry(rule: dict[str, Any], mark: str) -> dict[str, Any]:
    filters = [{"Name": name, "Value": encoded_filter(rule[name])} for name in ("prefix", "suffix") if rule.get(name)]
    entry: dict[str, Any] = {
        "Id": mark + digest(rule["function_arn"], rule.get("prefix", ""), rule.get("suffix", "")),
        "LambdaFunctionArn": rule["function_arn"],
        "Events": [OBJECT_CREATED],
    }
    if filters:
        entry["Filter"] = {"Key": {"FilterRules": filters}}
    return entry


def _rule(entry: dict[str, Any]) -> dict[str, str]:
    filters = entry.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    values = {rule["Name"].lower(): decoded_filter(rule["Value"]) for rule in filters}
    return {
        "function_arn": entry.get("LambdaFunctionArn", ""),
        "prefix": values.get("prefix", ""),
        "suffix": values.get("suffix", ""),
    }


def _order(rule: dict[str, Any]) -> tuple[str, str, str]:
    return rule["function_arn"], rule.get("prefix", ""), rule.get("suffix", "")
