"""An ECR repository of a function: created if missing, adopted if it exists, kept on destroy if adopted."""

import json
from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

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

# More than one, so that instances that start during a deployment find their image.
KEEP_LAST_IMAGES = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Keep the five newest images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
            "action": {"type": "expire"},
        }
    ]
}
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""

_COMPUTED = ("arn", "repository_url", "managed")
_FORMER = {"managed": True, "owner": ""}


class ImageRepositoryArgs(TypedDict):
    """Arguments of an ImageRepository."""

    repository_name: Input[str]
    """Name of the repository."""
    region: NotRequired[Optional[Input[str]]]
    """Region of the repository. Default: the aws provider's."""
    tags: NotRequired[Optional[Input[Mapping[str, Input[str]]]]]
    """Tags of the repository, set only if this stack created it. Default: none but the stack's own."""


class ImageRepository(OwnResource):
    """A repository that keeps its five newest images, and is deleted with them when the stack is destroyed.

    One that exists already is adopted: it keeps its own lifecycle policy, tags and images, and stays.
    """

    repository_url: Output[str]
    """What images in it are called: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`. Known in previews."""
    arn: Output[str]
    """ARN of the repository. Known in previews."""
    managed: Output[bool]
    """Whether this stack created it."""

    def __init__(self, name: str, args: ImageRepositoryArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the repository."""
        check_arguments(name, args, ImageRepositoryArgs)
        provider = ProviderInForce(opts)
        properties = {
            "repository_name": args["repository_name"],
            "lifecycle_policy": json.dumps(KEEP_LAST_IMAGES),
            "tags": provider.tags(args.get("tags")),
            "region": args.get("region") or provider.region,
            "aws": provider.settings,
            "owner": stack_identity(),
            **dict.fromkeys(_COMPUTED),
        }
        super().__init__("ImageRepository", name, properties, opts, former="aws:ecr/repository:Repository")


class ImageRepositoryProvider(AwsResourceProvider):
    """Creates, adopts and deletes repositories."""

    def current(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the properties of what was a resource of the aws provider."""
        if "repository_name" in props:
            return props
        kept = {key: props.get(key) for key in ("arn", "region", "tags")}
        return {**kept, "repository_name": props["name"], "repository_url": props["repositoryUrl"], **_FORMER}

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace the repository for another name or region; change all else in place."""
        replaces = [key for key in ("repository_name", "region") if _olds.get(key) != _news.get(key)]
        compared = ("lifecycle_policy", "tags", "owner", "aws")
        changed = any((_olds.get(key) or {}) != (_news.get(key) or {}) for key in compared)
        return DiffResult(changed or bool(replaces), replaces)

    def foresee(self, _props: dict[str, Any], _olds: dict[str, Any]) -> dict[str, Any]:
        """Return the address and the ARN; say of what exists that it will be adopted."""
        if _olds:
            return {key: _olds[key] for key in _COMPUTED if key in _olds}
        try:
            found = self._look(_props)
            managed = found is None or is_ours(self._tags(_props, found), _props)
            if not managed:
                say_adopted(_described(_props))
            return {**(_addresses(found) if found else self._addresses(_props)), "managed": managed}
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, pulumi.RunError):
            return {}  # credentials for a preview may see less

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the repository, or adopt the existing one."""
        name, found = props["repository_name"], self._look(props)
        made = found or self._make(props)
        managed = found is None or is_ours(self._tags(props, found), props)
        if managed:
            self._put_lifecycle(props)
        else:
            say_adopted(_described(props), "; its lifecycle policy and its images stay as they are")
        return CreateResult(name, {**props, **_addresses(made), "managed": managed})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Check that the repository exists."""
        return ReadResult(id_ if self._look(props) else "", props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Set the tags and the lifecycle policy of what this stack created."""
        if _olds.get("managed"):
            before, after = wanted_tags(_olds), wanted_tags(_news)
            ecr, arn = self._ecr(_news), _olds["arn"]
            if gone := sorted(before.keys() - after.keys()):
                ecr.untag_resource(resourceArn=arn, tagKeys=gone)
            if before != after:
                ecr.tag_resource(resourceArn=arn, tags=_pairs(after))
            self._put_lifecycle(_news)
        return UpdateResult({**_news, **{key: _olds.get(key) for key in _COMPUTED}})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the repository with its images, unless it was adopted."""
        if not _props.get("managed"):
            return
        try:
            self._ecr(_props).delete_repository(repositoryName=_props["repository_name"], force=True)
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "RepositoryNotFoundException":
                raise

    def _ecr(self, props: Mapping[str, Any]) -> Any:
        return self.session_of(props).client("ecr", props.get("region"))

    def _look(self, props: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            answer = self._ecr(props).describe_repositories(repositoryNames=[props["repository_name"]])
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "RepositoryNotFoundException":
                raise
            return None
        return dict(answer["repositories"][0])

    def _make(self, props: Mapping[str, Any]) -> dict[str, Any]:
        tags = _pairs(wanted_tags(props))
        answer = self._ecr(props).create_repository(repositoryName=props["repository_name"], tags=tags)
        return dict(answer["repository"])

    def _tags(self, props: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
        try:
            answer = self._ecr(props).list_tags_for_resource(resourceArn=found["repositoryArn"])
        except botocore.exceptions.ClientError as error:
            if error_code(error) != "AccessDeniedException":
                raise
            return {}
        return {tag["Key"]: tag["Value"] for tag in answer["tags"]}

    def _put_lifecycle(self, props: Mapping[str, Any]) -> None:
        policy = {"lifecyclePolicyText": props["lifecycle_policy"]}
        self._ecr(props).put_lifecycle_policy(repositoryName=props["repository_name"], **policy)

    def _addresses(self, props: Mapping[str, Any]) -> dict[str, str]:
        session, region, name = self.session_of(props), props["region"], props["repository_name"]
        partition = session.boto_session.get_partition_for_region(region)
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        return {
            "repository_url": f"{session.account}.dkr.ecr.{region}.{suffix}/{name}",
            "arn": f"arn:{partition}:ecr:{region}:{session.account}:repository/{name}",
        }


def _described(props: Mapping[str, Any]) -> str:
    return f"repository {props['repository_name']}"


def _addresses(found: Mapping[str, Any]) -> dict[str, str]:
    return {"repository_url": found["repositoryUri"], "arn": found["repositoryArn"]}


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
