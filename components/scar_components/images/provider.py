"""The provider of supervised images, run by Pulumi's dynamic provider plugin.

Its name is recorded in the state of stacks, `scar_components.images.provider.SupervisedImageProvider`: it stays.
"""

from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, UpdateResult

from scar_components._dynamic import AwsResourceProvider
from scar_components.images.parts import ImagePlan
from scar_components.images.push import is_pushed, push
from scar_components.images.recipe import load_plan

_SIGNIFICANT = ("repository_url", "digest")
_OUTPUTS = (*_SIGNIFICANT, "image_uri")


class SupervisedImageProvider(AwsResourceProvider):
    """Pushes planned images. Nothing else of an image than its digest and repository is compared or kept."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """An image is the same if its digest and repository are."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in _SIGNIFICANT))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Push the image."""
        self._push(props)
        return CreateResult(props["repository_url"].partition("/")[2], _outputs(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Push the new image; the old one stays until the repository's lifecycle rule removes it."""
        self._push(_news)
        return UpdateResult(_outputs(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether the repository still has the image; if not, the next update pushes it again."""
        pushed = is_pushed(props["repository_url"], props["digest"], self.session)
        return ReadResult(id_ if pushed else "", _outputs(props))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the image to its repository, which goes with the function or has a lifecycle rule."""

    def _push(self, props: dict[str, Any]) -> None:
        plan: ImagePlan = load_plan(props["digest"])
        push(plan, props["repository_url"], self.session)


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _OUTPUTS}
