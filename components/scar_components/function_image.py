"""The image of a function: a repository of its own with a lifecycle rule, and the supervised image in it."""

from collections.abc import Mapping
from typing import Optional

from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.image_repository import ImageRepository
from scar_components.naming import repository_name
from scar_components.supervised_image import BaseImageArgs, SupervisedImage, SupervisedImageArgs


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
    repository = ImageRepository(
        f"{name}-repository",
        {"repository_name": repository_name(function_name), "region": region, "tags": tags},
        opts,
    )
    image: SupervisedImageArgs = {"repository_url": repository.repository_url, **base}
    return SupervisedImage(f"{name}-image", image, opts).image_uri
