"""Rules about files on this machine: scripts can be read, and images are whole and for the right machines."""

import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scar_foundation.archives import ArchiveError, compression_of
from scar_pulumi.fdl.document import AwsOwner, Document, MapReduceValues
from scar_pulumi.fdl.image_files import architectures, is_truncated
from scar_pulumi.fdl.problems import closest, quoted_path

_MOST_NEIGHBOURS = 1000
_OF_IMAGE_DIRECTORIES = ("manifest.json", "index.json", "Dockerfile", "Containerfile")


def files_exist(document: Document) -> None:
    """Check that scripts are readable files, and images archives or directories."""
    for function in document.on_aws():
        for path, section in _sections(function):
            if (script := section.get("init_script")) is not None:
                _check_script(document, f"{path}.init_script", script)
            if (image := section.get("container", {}).get("image_file")) is not None:
                _check_image(document, f"{path}.container.image_file", image)
    for service in document.services():
        if (script := service.values.get("script")) is not None:
            _check_script(document, f"{service.path}.script", script)
        if (image := service.values.get("image_file")) is not None:
            _check_image(document, f"{service.path}.image_file", image)


def _sections(owner: AwsOwner) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what names scripts and images: the function, or the MapReduce and its parts."""
    yield owner.settings_path, owner.settings
    if isinstance(owner, MapReduceValues):
        for name in ("mapper", "reducer", "combiner"):
            yield f"{owner.settings_path}.{name}", owner.settings.get(name, {})


def _check_script(document: Document, path: str, text: str) -> None:
    if "\n" in text:  # the script itself
        return
    file = _find(document, path, text)
    if file is None:
        return
    if not file.is_file():
        document.error(path, f"{quoted_path(text)} is not a file", "name the script itself")
        return
    try:
        with file.open("rb") as stream:
            start = stream.read(4096)
    except OSError as error:
        document.error(path, f"{quoted_path(text)} cannot be read: {error.strerror}")
        return
    # For services, the line ends are corrected on the way.
    if b"\r\n" in start and _shell_runs(start) and path.startswith("functions.aws"):
        message = f"{quoted_path(text)} has Windows line endings, which a shell takes for a part of each command"
        document.warning(path, message, "convert it, for example with dos2unix")


def _shell_runs(script: bytes) -> bool:
    """Return whether a shell runs a script, as it does without a first line that names an interpreter."""
    line = script.splitlines()[0]
    return not line.startswith(b"#!") or re.search(rb"\b(?:a|ba|da|k|z)?sh\b", line) is not None


def _check_image(document: Document, path: str, text: str) -> None:
    """Check that a file can be an image at all; its content is read when it is deployed."""
    file = _find(document, path, text)
    if file is None:
        return
    if file.is_dir():
        if any((file / name).is_file() for name in _OF_IMAGE_DIRECTORIES):
            _check_architecture(document, path, text, file)
            return
        names = ", ".join(_OF_IMAGE_DIRECTORIES)
        document.error(path, f"{quoted_path(text)} is not an image: it has none of {names}", "name the image itself")
        return
    try:
        archive = compression_of(file) is not None or tarfile.is_tarfile(file)
    except OSError as error:
        document.error(path, f"{quoted_path(text)} cannot be read: {error.strerror}")
        return
    if not archive:
        document.error(path, f"{quoted_path(text)} is not a tar archive", "make one with docker save -o FILE IMAGE")
    elif is_truncated(file):
        document.error(path, f"{quoted_path(text)} is truncated", "write or download it again")
    else:
        _check_architecture(document, path, text, file)


_PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}


def _check_architecture(document: Document, path: str, text: str, file: Path) -> None:
    """Check that the image of a file is for the function's architecture."""
    function = next((one for one in document.on_aws() if path.startswith(f"{one.path}.")), None)
    wanted = function and (function.settings.get("architectures") or [None])[0]
    if wanted not in _PLATFORMS:
        return
    try:
        found = architectures(file)
    except ArchiveError as error:
        document.error(path, *str(error).removeprefix(f"{file}: ").split("; ", 1))
        return
    if found and _PLATFORMS[wanted] not in found:
        usable = [name for name, platform in _PLATFORMS.items() if platform in found]
        hint = f"set lambda.architectures to [{usable[0]}], or use another image" if usable else "use another image"
        document.error(
            path, f"{quoted_path(text)} is for {', '.join(sorted(found))}, and the function for {wanted}", hint
        )


def _find(document: Document, path: str, text: str) -> Path | None:
    file = document.absolute(text)
    try:
        if file.exists():
            return file
    except (OSError, ValueError) as error:
        document.error(path, f"{quoted_path(text)} cannot be found: {error}")
        return None
    document.error(path, f"{quoted_path(text)} does not exist in {file.parent}", _neighbour(file))
    return None


def _neighbour(file: Path) -> str:
    try:
        with os.scandir(file.parent) as entries:
            names = [entry.name for _, entry in zip(range(_MOST_NEIGHBOURS), entries, strict=False)]
    except OSError:
        names = []
    match = closest(file.name, names)
    return f"did you mean {match}?" if match else "paths are relative to the directory of the FDL file"
