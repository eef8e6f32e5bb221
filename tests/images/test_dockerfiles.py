"""Directories with a Dockerfile. A script in docker's place writes the archive: there is no daemon in tests."""

import shutil
from pathlib import Path

import pytest

from scar_components.images import ImageError, plan_image
from tests.images import images


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM debian:12\n")
    return folder


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a `docker` that notes what it is asked for and saves a prepared archive."""
    folder = tmp_path / "bin"
    folder.mkdir()
    images.docker_new(folder / "prepared.tar")
    program = folder / "docker"
    program.write_text(
        f"""#!/bin/sh
echo "$@" >> {folder}/calls
[ -e {folder}/fail ] && {{ cat {folder}/fail >&2; exit 1; }}
case $1 in
build) echo sha256:built > "$7" ;;
save) [ "$4" = sha256:built ] && cp {folder}/prepared.tar "$3" ;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def calls(docker: Path) -> list[str]:
    return [line.split()[0] for line in (docker / "calls").read_text().splitlines()]


def test_an_unchanged_directory_is_built_once(context: Path, docker: Path, bundler: Path) -> None:
    first = plan_image(image_file=str(context), bundle=bundler)
    assert plan_image(image_file=str(context), bundle=bundler) == first
    assert calls(docker) == ["build", "save"]
    assert "--platform linux/amd64" in (docker / "calls").read_text()

    (context / "added").write_text("x")
    plan_image(image_file=str(context), bundle=bundler)
    assert calls(docker) == ["build", "save"] * 2


def test_a_failed_build_shows_what_docker_printed(context: Path, docker: Path, bundler: Path, cache: Path) -> None:
    (docker / "fail").write_text("E: Unable to locate package nosuch\n")
    with pytest.raises(ImageError, match=r"docker build failed; correct the Dockerfile(.|\n)*locate package nosuch"):
        plan_image(image_file=str(context), bundle=bundler)
    assert list((cache / "builds").iterdir()) == []

    (docker / "fail").write_text("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n")
    with pytest.raises(ImageError, match="docker build failed; start it"):
        plan_image(image_file=str(context), bundle=bundler)


def test_without_docker_the_way_out_is_named(context: Path, bundler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert shutil.which("docker") is None
    with pytest.raises(
        ImageError, match="needs docker or podman, and neither is on PATH; install one of them, or build else"
    ):
        plan_image(image_file=str(context), bundle=bundler)
