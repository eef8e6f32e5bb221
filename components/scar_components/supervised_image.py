"""A container image with the supervisor in it, in a repository."""

from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from scar_components.arguments import check_arguments
from scar_components.images import ImageError, is_in_ecr, plan_image, save_plan
from scar_components.images.image import ImagePlan
from scar_components.images.plan import load_plan
from scar_components.images.push import is_pushed, push
from scar_components.own_resource import OwnResource
from scar_components.provider_in_force import ProviderInForce, session_of
from scar_components.resource_provider import AwsResourceProvider, CreateResult, DiffResult, ReadResult, UpdateResult
from scar_foundation.aws_session import AwsSession, configured_session
from scar_foundation.plugin.provider import cancellation

_COMPARED = ("repository_url", "digest")
_KEPT = (*_COMPARED, "image_uri", "aws")


class BaseImageArgs(TypedDict):
    """What an image is made of. Exactly one of `image` and `image_file` is given."""

    image: NotRequired[str]
    """Base image: a registry reference, such as `debian:12` or `ghcr.io/owner/name@sha256:…`.
    A tag is resolved in each preview; a digest pins the image. `scratch` is a base with nothing in it, which no
    registry is asked for: for a static program as `script`."""
    image_file: NotRequired[str]
    """Base image: path of a `docker save` archive, an OCI image layout, or a directory with a Dockerfile, which needs
    docker or podman. Relative to the program's working directory."""
    script: NotRequired[str]
    """Path of the script that runs for each event. Default: what the base image starts."""
    combiner: NotRequired[str]
    """Path of a second script, with which a map task of a MapReduce combines its pairs. Default: none."""
    architecture: NotRequired[str]
    """Architecture of the function: `x86_64` or `arm64`, as the base image has it. Default: `x86_64`."""


class SupervisedImageArgs(BaseImageArgs):
    """Arguments of a SupervisedImage."""

    repository_url: pulumi.Input[str]
    """ECR repository that the image is pushed to: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`."""


class SupervisedImage(OwnResource):
    """An image of a base image's unchanged layers, the supervisor and the function's script, pushed to a repository.

    The image is planned while the program runs, so previews show its digest and mistakes in the base; `up` pushes what
    the repository lacks. A changed base, script or supervisor updates the image in place. Images that were pushed
    before stay in the repository until its lifecycle rule removes them or it is deleted.
    """

    image_uri: pulumi.Output[str]
    """Reference of the image, pinned: `<repository_url>@<digest>`."""
    digest: pulumi.Output[str]
    """Digest of the image's manifest, `sha256:…`. Known in previews."""
    repository_url: pulumi.Output[str]
    """Repository that holds the image."""

    def __init__(self, name: str, args: SupervisedImageArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        check_arguments(name, args, SupervisedImageArgs)
        provider = ProviderInForce(opts)
        digest = digest_in_force(name, args, provider)
        repository_url = pulumi.Output.from_input(args["repository_url"])
        properties = {
            "repository_url": repository_url,
            "digest": digest,
            "image_uri": pulumi.Output.concat(repository_url, "@", digest),
            "aws": provider.settings,
        }
        super().__init__("SupervisedImage", name, properties, opts)


def digest_in_force(name: str, args: BaseImageArgs, provider: ProviderInForce) -> pulumi.Input[str]:
    """Return the digest of the image; an Output where its base is read with what the program's own provider has."""
    if not provider.is_explicit or not is_in_ecr(args.get("image") or ""):
        return planned_digest(name, args)
    planned = pulumi.Output.from_input(provider.settings).apply(
        lambda settings: planned_digest(name, args, session_of(settings))
    )
    return pulumi.Output.unsecret(planned)


def planned_digest(name: str, args: BaseImageArgs, session: AwsSession | None = None) -> str:
    """Plan the image, save the plan for the plugin and return the digest; fast for an image planned before.

    A program that calls this first learns of mistakes in an image before it declares anything. `session` reads bases in
    ECR; default: as the stack's configuration says.

    Raises:
        pulumi.RunError: The base image has a mistake.
    """
    try:
        plan = plan_image(
            image=args.get("image"),
            image_file=args.get("image_file"),
            script=args.get("script"),
            combiner=args.get("combiner"),
            architecture=args.get("architecture") or "x86_64",
            session=session or configured_session(lambda key: pulumi.Config("aws").get(key.removeprefix("aws:"))),
            progress=lambda text: pulumi.log.info(f"{name}: {text}"),
        )
    except ImageError as error:
        raise pulumi.RunError(f"{name}: {error}") from None
    save_plan(plan)
    return plan.digest


class SupervisedImageProvider(AwsResourceProvider):
    """Pushes planned images. Only an image's digest and repository are compared and kept."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare digest and repository."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in (*_COMPARED, "aws")))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Push the image."""
        self._push(props)
        return CreateResult(props["repository_url"].partition("/")[2], _outputs(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Push the new image; the old one stays until the repository's lifecycle rule removes it."""
        self._push(_news)
        return UpdateResult(_outputs(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Check that the repository still has the image; if not, the next update pushes it again."""
        pushed = is_pushed(props["repository_url"], props["digest"], self.session_of(props))
        return ReadResult(id_ if pushed else "", _outputs(props))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the image in its repository, which is deleted with the function or has a lifecycle rule."""

    def _push(self, props: dict[str, Any]) -> None:
        plan: ImagePlan = load_plan(props["digest"])
        push(plan, props["repository_url"], self.session_of(props), cancellation())


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props.get(key) for key in _KEPT}
