"""Programs of FDL files run under Pulumi's mocks, without fetching images and without this machine's defaults."""

from typing import Any

import pytest

from tests.fdl.conftest import no_defaults_of_this_machine
from tests.world.pulumi_mocks import leftovers_collected, recorder

__all__ = ["leftovers_collected", "no_defaults_of_this_machine", "recorder"]


class PreparedImage:
    """Stands for an image whose base would have to be fetched."""

    image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a@sha256:" + "0" * 64

    def __init__(self, *_: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", "{}")


@pytest.fixture
def prepared_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan and push no images."""
    monkeypatch.setattr("scar_components.function_image.SupervisedImage", PreparedImage)
    for place in ("deploy.program", "deploy.mapreduce"):
        monkeypatch.setattr(f"scar_pulumi.{place}.planned_digest", lambda *_: "sha256:" + "0" * 64)
    monkeypatch.setattr("scar_components.mapreduce.map_reduce.digest_in_force", lambda *_: "sha256:" + "0" * 64)
