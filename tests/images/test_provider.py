"""The provider of SupervisedImage: what is recorded in state, and when an image counts as changed."""

from pathlib import Path
from typing import Any

import pytest

from scar_components.images import ImageError, ImagePlan, save_plan
from scar_components.supervised_image import SupervisedImageProvider
from scar_foundation.plugin.provider import CancelledError, Operation
from tests.images.servers import Registry


def properties(repository: str, digest: str) -> dict[str, Any]:
    return {"repository_url": repository, "digest": digest, "image_uri": f"{repository}@{digest}", "aws": None}


def test_only_digest_and_repository_make_a_difference() -> None:
    provider = SupervisedImageProvider()
    old = properties("host/name", "sha256:1")

    assert provider.diff("", {**old, "anything": 1}, old).changes is False
    changed = [
        provider.diff("", old, {**old, "digest": "sha256:2"}),
        provider.diff("", old, {**old, "repository_url": "host/other"}),
    ]
    assert [result.changes for result in changed] == [True, True]
    assert not any(result.replaces for result in changed)


def test_a_lost_image_is_noticed_and_pushed_again(registry: Registry, plan: ImagePlan, tmp_path: Path) -> None:
    provider = SupervisedImageProvider()
    repository = registry.create(f"lost-{tmp_path.name[-40:].strip('_').lower()}")
    inputs = properties(repository, plan.digest)
    save_plan(plan)

    assert provider.read("name", inputs).id == ""
    created = provider.create({**inputs, "extra": "…"})
    assert created.id == repository.partition("/")[2]
    assert created.outs == inputs
    found = provider.read(created.id, inputs)
    assert (found.id, found.outs) == (created.id, inputs)
    assert provider.update(created.id, inputs, inputs).outs == inputs
    provider.delete(created.id, inputs)
    assert provider.read(created.id, inputs).id == created.id


def test_the_profile_of_the_stack_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    provider = SupervisedImageProvider()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    inputs = properties("123456789012.dkr.ecr.eu-west-1.amazonaws.com/name", "sha256:1")
    with pytest.raises(ImageError, match="absent-profile"):
        provider.read("name", {**inputs, "aws": {"profile": "absent-profile"}})


def test_a_push_ends_before_the_next_layer_once_it_is_cancelled(
    registry: Registry, plan: ImagePlan, tmp_path: Path
) -> None:
    provider = SupervisedImageProvider()
    repository = registry.create(f"cancelled-{tmp_path.name[-40:].strip('_').lower()}")
    inputs = properties(repository, plan.digest)
    save_plan(plan)
    operation = Operation("urn:pulumi:dev::photos::scar:index:SupervisedImage::i")
    operation.cancelled.set()
    with operation.running(), pytest.raises(CancelledError, match="the next `up` goes on"):
        provider.create(inputs)
    assert provider.read("name", inputs).id == ""
    assert provider.create(inputs).outs == inputs
