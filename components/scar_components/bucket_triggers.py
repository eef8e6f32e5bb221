"""Functions that run when objects arrive in a bucket."""

from collections.abc import Sequence
from typing import NotRequired, Optional, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, ResourceOptions

from scar_components.bucket_notification import BucketNotification, NotificationRule


class Trigger(TypedDict):
    """One function and the keys that run it."""

    function_name: str
    """Name of the function; also names the permission."""
    function_arn: Input[str]
    """ARN of the function."""
    prefix: NotRequired[str]
    """What keys start with, such as `in/`. Default: anything."""
    suffix: NotRequired[str]
    """What keys end with, such as `.png`. Default: anything."""


class BucketTriggersArgs(TypedDict):
    """Arguments of BucketTriggers."""

    bucket: str
    """Name of the bucket."""
    triggers: Sequence[Trigger]
    """Which functions run for which keys."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the bucket and of the functions. Default: the provider's."""


class BucketTriggers(ComponentResource):
    """All of a stack's triggers of one bucket.

    There is one of these for each bucket, for all functions together, because a bucket has one notification
    configuration. Entries that others have put there are kept; where they clash, the deployment says so and stops.
    """

    bucket: pulumi.Output[str]
    """Name of the bucket, known once the triggers work."""

    def __init__(self, name: str, args: BucketTriggersArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Permit the bucket to call each function, then declare the notifications."""
        super().__init__("scar:index:BucketTriggers", name, None, opts)
        permissions = self._permissions(name, args)
        rules: list[NotificationRule] = [
            {
                "function_arn": trigger["function_arn"],
                "prefix": trigger.get("prefix", ""),
                "suffix": trigger.get("suffix", ""),
            }
            for trigger in sorted(args["triggers"], key=_order)  # which one stands first in the file changes nothing
        ]
        # S3 tries each permission before it accepts a configuration.
        notification = BucketNotification(
            f"{name}-notification",
            {"bucket": args["bucket"], "rules": rules, "region": args.get("region")},
            ResourceOptions(parent=self, depends_on=permissions),
        )
        self.bucket = notification.id.apply(lambda _: args["bucket"])
        self.register_outputs({"bucket": self.bucket})

    def _permissions(self, name: str, args: BucketTriggersArgs) -> list[aws.lambda_.Permission]:
        invoke = pulumi.InvokeOutputOptions(parent=self)
        partition = aws.get_partition_output(opts=invoke).partition
        account = aws.get_caller_identity_output(opts=invoke).account_id
        functions = {trigger["function_name"]: trigger["function_arn"] for trigger in args["triggers"]}
        # The account is part of the permission because a bucket's name can pass to another owner:
        # https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
        return [
            aws.lambda_.Permission(
                f"{name}-{function_name}-permission",
                statement_id=_statement_id(args["bucket"]),
                action="lambda:InvokeFunction",
                function=function_arn,
                principal="s3.amazonaws.com",
                source_arn=pulumi.Output.concat("arn:", partition, ":s3:::", args["bucket"]),
                source_account=account,
                region=args.get("region"),
                opts=ResourceOptions(parent=self),
            )
            for function_name, function_arn in functions.items()
        ]


def _order(trigger: Trigger) -> tuple[str, str, str]:
    return trigger["function_name"], trigger.get("prefix", ""), trigger.get("suffix", "")


def _statement_id(bucket: str) -> str:
    # Letters, digits, '-' and '_' only: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    return "bucket-" + bucket.replace(".", "_")
