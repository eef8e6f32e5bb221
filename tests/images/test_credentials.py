"""Who is asked for access, and where passwords go."""

from pathlib import Path

import pytest

from scar_components.images import ImageError
from scar_components.images.credentials import Credentials, _base_url, ecr_region, stored_credentials

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
        stored_credentials("ghcr.io")


def test_docker_hub_has_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}')

    assert stored_credentials("docker.io") == Credentials("u", "p")
    assert stored_credentials("ghcr.io") is None


@pytest.mark.parametrize(
    ("variable", "file"),
    [
        ("REGISTRY_AUTH_FILE", ""),
        ("XDG_RUNTIME_DIR", "containers/auth.json"),
        ("XDG_CONFIG_HOME", "containers/auth.json"),
        ("HOME", ".config/containers/auth.json"),
    ],
)
def test_logins_of_podman_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, file: str) -> None:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "podman" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"auths": {"ghcr.io": {"auth": "dTpw"}, "docker.io": {"auth": "dTpx"}}}')
    monkeypatch.setenv(variable, str(tmp_path / "podman"))

    assert stored_credentials("ghcr.io") == Credentials("u", "p")
    assert stored_credentials("docker.io") == Credentials("u", "q")
    assert stored_credentials("quay.io") is None


def test_logins_of_docker_come_before_those_of_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"auths": {"ghcr.io": {"auth": "dTpw"}}}')
    (tmp_path / "auth.json").write_text('{"auths": {"ghcr.io": {"auth": "dTpx"}, "quay.io": {"auth": "dTpx"}}}')
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))

    assert stored_credentials("ghcr.io") == Credentials("u", "p")
    assert stored_credentials("quay.io") == Credentials("u", "q")
