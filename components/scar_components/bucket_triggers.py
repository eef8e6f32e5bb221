"""Functions that run when objects arrive in a bucket."""

from collections.abc import Sequence
from typing import NotRequired, Optional, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.bucket_notification import BucketNotification, NotificationRule
from scar_components.naming import statement_id


class Trigger(TypedDict):
    """A function, and the keys of the objects that start it."""

    function_name: str
    """Name of the function. The name of the permission contains it."""
    function_arn: Input[str]
    """ARN of the function."""
    prefix: NotRequired[str]
    """Prefix of the keys, such as `in/`, as it is in the keys: not encoded. Default: none; all keys match."""
    suffix: NotRequired[str]
    """Suffix of the keys, such as `.png`, as it is in the keys: not encoded. Default: none; all keys match."""


class BucketTriggersArgs(TypedDict):
    """Arguments of BucketTriggers."""

    bucket: Input[str]
    """Name of the bucket."""
    triggers: Sequence[Trigger]
    """The functions, and which keys start them."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the bucket and of the functions. Default: the aws provider's."""


class BucketTriggers(ComponentResource):
    """All triggers of one bucket in a stack.

    Declare one of these per bucket, for all functions together, because a bucket has a single notification
    configuration. Entries of others in it are kept; if they overlap with the triggers, the deployment fails.
    """

    bucket: Output[str]
    """Name of the bucket, known once the triggers are active."""

    def __init__(self, name: str, args: BucketTriggersArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Allow the bucket to invoke each function, then declare the notifications."""
        check_arguments(name, args, BucketTriggersArgs)
        super().__init__("scar:index:BucketTriggers", name, None, opts)
        permissions = self._permissions(name, args)
        rules: list[NotificationRule] = [
            {
                "function_arn": trigger["function_arn"],
                "prefix": trigger.get("prefix", ""),
                "suffix": trigger.get("suffix", ""),
            }
            for trigger in sorted(args["triggers"], key=_trigger_order)  # their order in the program has no effect
        ]
        # S3 checks each permission before it accepts a configuration.
        notification = BucketNotification(
            f"{name}-notification",
            {"bucket": args["bucket"], "rules": rules, "region": args.get("region")},
            ResourceOptions(parent=self, depends_on=permissions),
        )
        self.bucket = notification.id.apply(lambda _: Output.from_input(args["bucket"]))
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
                statement_id=Output.concat("bucket-", args["bucket"]).apply(statement_id),
                action="lambda:InvokeFunction",
                function=function_arn,
                principal="s3.amazonaws.com",
                source_arn=Output.concat("arn:", partition, ":s3:::", args["bucket"]),
                source_account=account,
                region=args.get("region"),
                opts=ResourceOptions(parent=self),
            )
            for function_name, function_arn in functions.items()
        ]


def _trigger_order(trigger: Trigger) -> tuple[str, str, str]:
    return trigger["function_name"], trigger.get("prefix", ""), trigger.get("suffix", "")
