"""A container image with the supervisor in it, in a repository."""

from typing import NotRequired, Optional, TypedDict

import pulumi
import pulumi.dynamic

from scar_components.images import ImageError, plan_image, save_plan
from scar_components.images.provider import SupervisedImageProvider
from scar_foundation.aws_session import configured_session


class BaseImageArgs(TypedDict):
    """What an image is made of. Exactly one of `image` and `image_file` is given."""

    image: NotRequired[str]
    """Base image: a registry reference, such as `debian:12` or `ghcr.io/owner/name@sha256:…`.
    A tag is looked up in each preview; a digest pins the image."""
    image_file: NotRequired[str]
    """Base image: path of a `docker save` archive, of an OCI image layout, or of a directory with a Dockerfile, which
    needs docker or podman. Relative to the working directory of the program."""
    script: NotRequired[str]
    """Path of the script that runs for each event. Default: what the base image starts."""
    architecture: NotRequired[str]
    """Architecture of the function, `x86_64` or `arm64`; the base image must have it. Default `x86_64`."""


class SupervisedImageArgs(BaseImageArgs):
    """Arguments of a SupervisedImage."""

    repository_url: pulumi.Input[str]
    """Where the image goes: URL of an ECR repository, `<account>.dkr.ecr.<region>.amazonaws.com/<name>`."""


class SupervisedImage(pulumi.dynamic.Resource, module="scar", name="SupervisedImage"):
    """The layers of a base image, as they are, plus the supervisor and the function's script, pushed to a repository.

    The image is planned while the program runs, so its digest and mistakes in the base show in previews; `up` pushes
    what the repository lacks. A changed base, script or supervisor updates the image in place. Images pushed before
    stay in the repository until its lifecycle rule removes them, or until it is deleted.
    """

    image_uri: pulumi.Output[str]
    """What a function runs, pinned: `<repository_url>@<digest>`."""
    digest: pulumi.Output[str]
    """Digest of the image's manifest, `sha256:…`. Known in previews."""
    repository_url: pulumi.Output[str]
    """Repository that holds the image."""

    def __init__(self, name: str, args: SupervisedImageArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        digest = planned_digest(name, args)
        repository_url = pulumi.Output.from_input(args["repository_url"])
        properties = {
            "repository_url": repository_url,
            "digest": digest,
            "image_uri": pulumi.Output.concat(repository_url, "@", digest),
        }
        super().__init__(SupervisedImageProvider(), name, properties, opts)


def planned_digest(name: str, args: BaseImageArgs) -> str:
    """Plan the image, leave the plan for the provider and return its digest; quick when it was planned before.

    A program that calls this before it declares anything hears of mistakes in an image before anything is made.

    Raises:
        ImageError: What is wrong with the base image, and what to do.
    """
    try:
        plan = plan_image(
            image=args.get("image"),
            image_file=args.get("image_file"),
            script=args.get("script"),
            architecture=args.get("architecture") or "x86_64",
            session=configured_session(lambda key: pulumi.Config("aws").get(key.removeprefix("aws:"))),
            progress=lambda text: pulumi.log.info(f"{name}: {text}"),
        )
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    save_plan(plan)
    return plan.digest
