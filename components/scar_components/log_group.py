"""A CloudWatch log group: created if missing, adopted with a retention if it exists, kept on destroy if adopted."""

from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired, Optional, TypedDict

import botocore.exceptions
import pulumi
from pulumi import Input, Output, ResourceOptions

from scar_components.adoption import is_ours, say_adopted, wanted_tags
from scar_components.arguments import check_arguments
from scar_components.naming import stack_identity
from scar_components.own_resource import OwnResource
from scar_components.provider_in_force import ProviderInForce
from scar_components.resource_provider import AwsResourceProvider, CreateResult, DiffResult, ReadResult, UpdateResult
from scar_foundation.aws_session import error_code
from scar_foundation.limits import LOG_RETENTION_DAYS

_FOR_EVER = 0
"""The retention of a log group that has none."""


class LogGroupArgs(TypedDict):
    """Arguments of a LogGroup."""

    log_group_name: Input[str]
    """Name of the log group."""
    log_retention: NotRequired[Optional[Input[int]]]
    """Days for which its lines are kept, as CloudWatch Logs has them; 0 for ever. Default: 30. An adopted log group
    keeps a longer retention of its own until this value changes."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the log group. Default: the aws provider's."""
    tags: NotRequired[Optional[Input[Mapping[str, Input[str]]]]]
    """Tags of the log group, set only if this stack created it. Default: none but the stack's own."""


class LogGroup(OwnResource):
    """A log group, whether or not it exists already.

    Lambda makes the log group of a function that has none, and one that is deleted while the function still writes
    comes back. So what exists is adopted: it gets a retention if it has none, and stays when the stack is destroyed.
    """

    log_group_name: Output[str]
    """Name of the log group."""
    arn: Output[str]
    """ARN of the log group, without `:*` at its end. Known in previews."""
    managed: Output[bool]
    """Whether this stack created it."""

    def __init__(self, name: str, args: LogGroupArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the log group."""
        check_arguments(name, args, LogGroupArgs)
        provider = ProviderInForce(opts)
        retention = args.get("log_retention")
        properties = {
            "log_group_name": args["log_group_name"],
            "log_retention": LOG_RETENTION_DAYS if retention is None else retention,
            "tags": provider.tags(args.get("tags")),
            "region": args.get("region") or provider.region,
            "aws": provider.settings,
            "owner": stack_identity(),
            **dict.fromkeys(("arn", "managed")),
        }
        super().__init__("LogGroup", name, properties, opts, former="aws:cloudwatch/logGroup:LogGroup")


class LogGroupProvider(AwsResourceProvider):
    """Creates, adopts and deletes log groups."""

    def current(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the properties of what was a resource of the aws provider."""
        if "log_group_name" in props:
            return props
        retention = props.get("retentionInDays", _FOR_EVER)
        kept = {key: props.get(key) for key in ("arn", "region", "tags")}
        return {**kept, "log_group_name": props["name"], "log_retention": retention, "managed": True, "owner": ""}

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace the log group for another name or region; change all else in place."""
        replaces = [key for key in ("log_group_name", "region") if _olds.get(key) != _news.get(key)]
        changed = any((_olds.get(key) or {}) != (_news.get(key) or {}) for key in ("log_retention", "tags", "owner"))
        return DiffResult(changed or bool(replaces) or _olds.get("aws") != _news.get("aws"), replaces)

    def foresee(self, _props: dict[str, Any], _olds: dict[str, Any]) -> dict[str, Any]:
        """Return the ARN; say of what exists that it will be adopted."""
        if _olds:
            return {key: _olds[key] for key in ("arn", "managed") if key in _olds}
        try:
            found = self._look(_props)
            managed = found is None or is_ours(self._tags(_props, found), _props)
            if found and not managed:
                say_adopted(_described(_props), adopted_retention(_retention(found), _props["log_retention"]).told)
            return {"arn": _arn(found) if found else self._arn(_props), "managed": managed}
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, pulumi.RunError):
            return {}  # credentials for a preview may see less

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the log group, or adopt the existing one."""
        name, found = props["log_group_name"], self._look(props)
        if found is None:
            try:
                self._logs(props).create_log_group(logGroupName=name, tags=wanted_tags(props))
            except botocore.exceptions.ClientError as error:
                if error_code(error) != "ResourceAlreadyExistsException":  # a function has written meanwhile
                    raise
                found = self._look(props)
        managed = found is None or is_ours(self._tags(props, found), props)
        if found is None or managed:
            self._retain(props)
        else:
            self._adopt(props, found)
        return CreateResult(name, {**props, "arn": _arn(found) if found else self._arn(props), "managed": managed})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Check that the log group exists, and whether it lost its retention."""
        found = self._look(props)
        if found is None:
            return ReadResult("", props)
        if props["log_retention"] == _FOR_EVER or _retention(found) != _FOR_EVER:
            return ReadResult(id_, props)
        lost = {**props, "log_retention": _FOR_EVER}
        return ReadResult(id_, lost, {key: value for key, value in lost.items() if key not in ("arn", "managed")})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Set the new retention, and the tags of what this stack created."""
        managed = bool(_olds.get("managed"))
        arn = _olds["arn"]
        if _olds.get("log_retention") != _news["log_retention"]:
            self._retain(_news)
        before, after = wanted_tags(_olds), wanted_tags(_news)
        if managed and before != after:
            logs = self._logs(_news)
            if gone := sorted(before.keys() - after.keys()):
                logs.untag_resource(resourceArn=arn, tagKeys=gone)
            logs.tag_resource(resourceArn=arn, tags=after)
        return UpdateResult({**_news, "arn": arn, "managed": managed})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the log group, unless it was adopted."""
        if not _props.get("managed"):
            return
        try:
            self._logs(_props).delete_log_group(logGroupName=_props["log_group_name"])
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise

    def _logs(self, props: Mapping[str, Any]) -> Any:
        return self.session_of(props).client("logs", props.get("region"))

    def _look(self, props: Mapping[str, Any]) -> dict[str, Any] | None:
        name = props["log_group_name"]
        for page in self._logs(props).get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
            for group in page["logGroups"]:
                if group["logGroupName"] == name:
                    return dict(group)
        return None

    def _tags(self, props: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
        try:
            return dict(self._logs(props).list_tags_for_resource(resourceArn=_arn(found))["tags"])
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "AccessDeniedException":
                raise
            return {}

    def _retain(self, props: Mapping[str, Any]) -> None:
        logs, name, days = self._logs(props), props["log_group_name"], props["log_retention"]
        if days == _FOR_EVER:
            logs.delete_retention_policy(logGroupName=name)
        else:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)

    def _adopt(self, props: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        retention = adopted_retention(_retention(found), props["log_retention"])
        if retention.days != _retention(found):
            self._retain({**props, "log_retention": retention.days})
        say_adopted(_described(props), retention.told)

    def _arn(self, props: Mapping[str, Any]) -> str:
        session, region = self.session_of(props), props["region"]
        partition = session.boto_session.get_partition_for_region(region)
        return f"arn:{partition}:logs:{region}:{session.account}:log-group:{props['log_group_name']}"


class AdoptedRetention(NamedTuple):
    """How long the lines of an adopted log group are kept, in days, and how that is told."""

    days: int
    told: str


def adopted_retention(has: int, declared: int) -> AdoptedRetention:
    """Return the retention of a log group that has one of its own, 0 if none, where `declared` days are wanted.

    AWS makes log groups without a retention, and nobody has chosen that. A chosen one is made longer and never shorter:
    CloudWatch Logs deletes what is older at once.
    """
    if declared == _FOR_EVER:
        return AdoptedRetention(_FOR_EVER, "; its lines are kept for ever")
    if has == _FOR_EVER:
        return AdoptedRetention(declared, f"; its lines, kept for ever until now, are kept for {declared} days")
    if has < declared:
        return AdoptedRetention(declared, f"; its lines, kept for {has} days until now, are kept for {declared} days")
    return AdoptedRetention(has, f"; its lines are kept for {has} days, as before")


def _described(props: Mapping[str, Any]) -> str:
    return f"log group {props['log_group_name']}"


def _arn(found: Mapping[str, Any]) -> str:
    return str(found["arn"]).removesuffix(":*")


def _retention(found: Mapping[str, Any]) -> int:
    return int(found.get("retentionInDays") or _FOR_EVER)
