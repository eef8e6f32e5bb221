"""Base images on disk: `docker save` archives, OCI layouts, and directories with a Dockerfile."""

import hashlib
import json
import os
import posixpath
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scar_components.images.image import FileRange, ImageError, Layer, sha256
from scar_components.images.layers import Progress, gzip_layer
from scar_components.images.manifests import (
    PLATFORMS,
    Base,
    Document,
    check_manifest,
    choose,
    diff_ids,
    digest_of,
    is_index,
    parse_document,
)
from scar_foundation.archives import ArchiveError, uncompressed
from scar_foundation.directories import image_cache, lock_file
from scar_foundation.files import file_stamp, mark_used, remove_unused
from scar_foundation.limits import MANIFEST_BYTES
from scar_foundation.locks import exclusive


class Tree(Protocol):
    """The files of an image by name."""

    @property
    def path(self) -> Path:
        """The image on disk."""

    def find(self, name: str) -> FileRange | None:
        """Return the file called `name`, or None."""


def read_document(tree: Tree, name: str) -> bytes:
    """Read a JSON document of an image. Raises ImageError if it is missing or too large."""
    found = tree.find(name)
    if found is None:
        raise ImageError(f"{tree.path}: {name} is missing; save the image again")
    if found.size > MANIFEST_BYTES:
        raise ImageError(
            f"{tree.path}: {name} has {found.size} bytes, too many for an image document; save the image again"
        )
    return found.read()


@dataclass(frozen=True)
class DirectoryTree:
    """A directory: an OCI image layout, or an unpacked archive."""

    path: Path

    def find(self, name: str) -> FileRange | None:
        """Return the file, or None; names that lead out of the directory find nothing."""
        path = self.path / name
        if not path.is_file() or not path.resolve().is_relative_to(self.path.resolve()):
            return None
        return FileRange.whole(path)


class TarTree:
    """A tar archive; its table of contents is read once. `path` names it as the user did, `file` is uncompressed."""

    def __init__(self, path: Path, progress: Progress = lambda _: None) -> None:
        self.path = path
        try:
            self._file = uncompressed(path, progress)
        except ArchiveError as error:
            raise ImageError(str(error)) from None
        self._stamp = file_stamp(self._file)
        self.members = _members(path, self._file)

    def find(self, name: str) -> FileRange | None:
        """Return the member, or None; links between layers, as in old `docker save` archives, are followed."""
        member = self.members.get(posixpath.normpath(name))
        for _ in range(8):
            if member is None or not (member.issym() or member.islnk()):
                break
            base = posixpath.dirname(member.name) if member.issym() else ""
            member = self.members.get(posixpath.normpath(posixpath.join(base, member.linkname)))
        if member is None or not member.isreg():
            return None
        return FileRange(self._file, member.offset_data, member.size, self._stamp)


def _members(path: Path, file: Path) -> dict[str, tarfile.TarInfo]:
    try:
        with tarfile.open(file, "r:") as archive:
            return {posixpath.normpath(member.name): member for member in archive}
    except tarfile.TarError as error:
        if "unexpected end" in str(error):
            raise ImageError(f"{path}: is truncated; write or download it again") from None
        raise ImageError(f"{path}: is not a tar archive; make one with docker save -o FILE IMAGE") from None


_FILES = ("Dockerfile", "Containerfile")


def has_dockerfile(directory: Path) -> bool:
    """Whether a directory has a Dockerfile."""
    return any((directory / name).is_file() for name in _FILES)


def build_archive(directory: Path, architecture: str, progress: Progress) -> Path:
    """Build the image of a directory with docker or podman, and return its archive.

    The archive is kept in the cache under a hash of everything in the directory, so an unchanged directory is not
    built again, even when the tags in its FROM lines have moved on; a new line in the Dockerfile builds again.
    Raises ImageError when there is nothing to build with or the build fails.
    """
    tool = shutil.which("docker") or shutil.which("podman")
    folder = image_cache("builds")
    archive = folder / f"{_content_hash(directory)}-{architecture}.tar"
    with exclusive(lock_file(archive)):
        if mark_used(archive):
            return archive
        if tool is None:
            raise ImageError(
                f"{directory}: a Dockerfile needs docker or podman, and neither is on PATH; install one of them, "
                "or build elsewhere and give the docker save archive as image_file"
            )
        remove_unused(folder)
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
    # With attestations the result would be an index of several manifests that differ with each build:
    # https://docs.docker.com/build/building/variables/#buildx_no_default_attestations
    environment = os.environ | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    done = subprocess.run(  # noqa: PLW1510 - the error is raised below
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


def read_archive(path: Path, architecture: str, progress: Progress) -> Base:
    """Read the image in a tar archive or a directory. Raises ImageError unless there is exactly one, undamaged."""
    tree: Tree = DirectoryTree(path) if path.is_dir() else TarTree(path, progress)
    if tree.find("manifest.json"):
        return _read_docker(tree, architecture, progress)
    if tree.find("index.json"):
        return _read_oci(tree, architecture, progress)
    if tree.find("etc/passwd") or tree.find("bin/sh") or tree.find("usr/bin/env"):
        raise ImageError(f"{path}: is a root filesystem, not an image; import it: docker import FILE NAME, docker save")
    raise ImageError(
        f"{path}: is not an image: it has no manifest.json or index.json; make one with docker save -o FILE IMAGE"
    )


def _read_docker(tree: Tree, architecture: str, progress: Progress) -> Base:
    where = str(tree.path)
    entry = _only_entry(where, read_document(tree, "manifest.json"))
    configuration = parse_document(where, "configuration", read_document(tree, entry["Config"]))
    identifiers = diff_ids(where, configuration, architecture, len(entry["Layers"]))
    layers = [
        gzip_layer(where, _layer_file(tree, name), identifier, None, progress)
        for name, identifier in zip(entry["Layers"], identifiers, strict=True)
    ]
    return Base(where, configuration, tuple(layers))


def _only_entry(where: str, data: bytes) -> Document:
    try:
        entries = json.loads(data)
        images = [(entry["Config"], entry["Layers"], entry.get("RepoTags") or []) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ImageError(f"{where}: manifest.json was not written by docker save; save the image again") from None
    if len(images) != 1:
        names = ", ".join(tag for *_, tags in images for tag in tags) or "without names"
        raise ImageError(f"{where}: has {len(images)} images ({names}); save only one: docker save -o FILE IMAGE")
    config, layers, _ = images[0]
    return {"Config": config, "Layers": layers}


def _read_oci(tree: Tree, architecture: str, progress: Progress) -> Base:
    where = str(tree.path)
    document = parse_document(where, "index.json", read_document(tree, "index.json"))
    while is_index(document):
        document = _read_blob(tree, choose(where, document, architecture))
    descriptors = check_manifest(where, document)
    configuration = _read_blob(tree, document["config"])
    identifiers = diff_ids(where, configuration, architecture, len(descriptors))
    layers: list[Layer] = []
    for descriptor, identifier in zip(descriptors, identifiers, strict=True):
        digest = digest_of(where, descriptor)
        layers.append(gzip_layer(where, _layer_file(tree, _blob_name(digest)), identifier, digest, progress))
    return Base(where, configuration, tuple(layers))


def _read_blob(tree: Tree, descriptor: Document) -> Document:
    where = str(tree.path)
    digest = digest_of(where, descriptor)
    data = read_document(tree, _blob_name(digest))
    if sha256(data) != digest:
        raise ImageError(f"{where}: {_blob_name(digest)} is damaged; save the image again")
    return parse_document(where, _blob_name(digest), data)


def _layer_file(tree: Tree, name: str) -> FileRange:
    found = tree.find(name)
    if found is None:
        raise ImageError(f"{tree.path}: layer {name} is missing; save the image again")
    return found


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
