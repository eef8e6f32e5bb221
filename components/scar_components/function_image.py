"""The image of a function: a repository of its own with a lifecycle rule, and the supervised image in it."""

import json
from collections.abc import Mapping
from typing import Optional

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.naming import repository_name
from scar_components.supervised_image import BaseImageArgs, SupervisedImage, SupervisedImageArgs

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


def function_image(
    parent: ComponentResource,
    name: str,
    function_name: str,
    base: BaseImageArgs,
    *,
    region: Optional[Input[str]] = None,
    tags: Optional[Input[Mapping[str, Input[str]]]] = None,
) -> Output[str]:
    """Declare a function's repository and image as children `<name>-…` of a component; return the pinned image."""
    opts = ResourceOptions(parent=parent)
    repository = aws.ecr.Repository(
        f"{name}-repository",
        name=repository_name(function_name),
        force_delete=True,
        region=region,
        tags=tags,
        opts=opts,
    )
    aws.ecr.LifecyclePolicy(
        f"{name}-repository-lifecycle",
        repository=repository.name,
        policy=json.dumps(KEEP_LAST_IMAGES),
        region=region,
        opts=opts,
    )
    image: SupervisedImageArgs = {"repository_url": repository.repository_url, **base}
    return SupervisedImage(f"{name}-image", image, opts).image_uri
