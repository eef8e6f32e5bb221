"""Who is asked for access, and where passwords go."""

from pathlib import Path

import pytest

from scar_components.images import ImageError
from scar_components.images.credentials import Credentials, _base_url, docker_credentials, ecr_region

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (ECR, "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1"),
        ("public.ecr.aws", None),
        ("ghcr.io", None),
        (f"{ECR}.example.org", None),
    ],
)
def test_ecr_registries_are_known_by_their_names(host: str, region: str | None) -> None:
    assert ecr_region(host) == region


def test_only_an_endpoint_on_this_machine_is_followed() -> None:
    assert _base_url(ECR, "http://127.0.0.1:4566") == "http://127.0.0.1:4566"
    # Another account's registry, as a push across accounts gets it, and a lookalike.
    for endpoint in ("https://999999999999.dkr.ecr.eu-west-1.amazonaws.com", "http://127.0.0.1.example.org"):
        assert _base_url(ECR, endpoint) == f"https://{ECR}"


def test_secrets_are_not_printed() -> None:
    assert "hidden" not in repr(Credentials("user", "hidden"))


def test_a_broken_docker_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text("{")

    with pytest.raises(ImageError, match=r"docker/config\.json: cannot be read .*; correct or remove it"):
        docker_credentials("ghcr.io")


def test_docker_hub_has_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}')

    assert docker_credentials("docker.io") == Credentials("u", "p")
    assert docker_credentials("ghcr.io") is None
