"""Which image URIs are ECR's."""

import pytest

from scar_pulumi.cloud.ecr.image_store import parse_image_uri


@pytest.mark.parametrize("uri", ["docker.io/library/debian:12", "debian", "127.0.0.1:5000/x:1", ""])
def test_only_images_of_ecr_are_taken(uri: str) -> None:
    assert parse_image_uri(uri) is None
