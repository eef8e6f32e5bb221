"""Base images from a directory with a Dockerfile: built by Docker or Podman, once for each state of the directory."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from scar_components.images.base import PLATFORMS
from scar_components.images.cache import cache_folder, locked, sweep, used
from scar_components.images.errors import ImageError
from scar_components.images.layers import Progress

_FILES = ("Dockerfile", "Containerfile")


def has_dockerfile(directory: Path) -> bool:
    """Whether a directory is one to build an image from."""
    return any((directory / name).is_file() for name in _FILES)


def build_archive(directory: Path, architecture: str, progress: Progress) -> Path:
    """Build the image of a directory and return the archive it was saved to.

    The archive is kept in the cache under a hash of everything in the directory, so an unchanged directory is not
    built again, even when the tags in its FROM lines have moved on; a new line in the Dockerfile builds again.
    Raises ImageError when there is nothing to build with or the build fails.
    """
    tool = shutil.which("docker") or shutil.which("podman")
    folder = cache_folder("builds")
    archive = folder / f"{_content_hash(directory)}-{architecture}.tar"
    with locked(archive):
        if used(archive):
            return archive
        if tool is None:
            raise ImageError(
                f"{directory}: a Dockerfile needs docker or podman, and neither is on PATH; install one, "
                "or build elsewhere and give the docker save archive as image_file"
            )
        sweep(folder)
        progress(f"{directory}: building its image with {Path(tool).name}")
        _build(tool, directory, architecture, archive)
    return archive


def _build(tool: str, directory: Path, architecture: str, archive: Path) -> None:
    identifier, unfinished = archive.with_suffix(".id"), archive.with_suffix(".new")
    platform = f"linux/{PLATFORMS[architecture]}"
    name = next(name for name in _FILES if (directory / name).is_file())
    file = str(directory / name)
    try:
        _run(tool, directory, "build", "--platform", platform, "--file", file, "--iidfile", str(identifier), ".")
        _run(tool, directory, "save", "--output", str(unfinished), identifier.read_text().strip())
        unfinished.replace(archive)
    finally:
        identifier.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)


def _run(tool: str, directory: Path, *arguments: str) -> None:
    # Attestations would make the result an index of several manifests that differ from build to build:
    # https://docs.docker.com/build/building/variables/#buildx_no_default_attestations
    environment = os.environ | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    done = subprocess.run(  # noqa: PLW1510 - what went wrong is told below
        [tool, *arguments], cwd=directory, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        output = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-20:])
        advice = "start it" if "daemon" in output.lower() else "correct the Dockerfile"
        raise ImageError(f"{directory}: {Path(tool).name} {arguments[0]} failed; {advice}. It printed:\n{output}")


def _content_hash(directory: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        total.update(f"{path.relative_to(directory)}\0{status.st_mode:o}\0".encode())
        if path.is_symlink():
            total.update(os.fsencode(path.readlink()))
        elif path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
