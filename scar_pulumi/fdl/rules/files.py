"""Rules about files that an FDL file names; relative paths start at its directory."""

import os
import tarfile
from pathlib import Path

from scar_pulumi.fdl._document import Document
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl._words import quoted_path

_MOST_NEIGHBOURS = 1000
_OF_IMAGE_DIRECTORIES = ("manifest.json", "index.json", "Dockerfile", "Containerfile")


def files_exist(document: Document) -> None:
    """The script is a readable file and the image an archive or a directory of one."""
    for function in document.functions():
        script, image = function.settings.get("init_script"), function.container.get("image_file")
        if script is not None:
            _check_script(document, f"{function.path}.lambda.init_script", script)
        if image is not None:
            _check_image(document, f"{function.path}.lambda.container.image_file", image)
    for service in document.services():
        if (script := service.values.get("script")) is not None:
            _check_script(document, f"{service.path}.script", script)
        if (image := service.values.get("image_file")) is not None:
            _check_image(document, f"{service.path}.image_file", image)


def _check_script(document: Document, path: str, text: str) -> None:
    file = _find(document, path, text)
    if file is None:
        return
    if not file.is_file():
        document.error(path, f"{quoted_path(text)} is not a file", "name the script itself")
        return
    try:
        with file.open("rb") as stream:
            first = stream.readline(1024)
    except OSError as error:
        document.error(path, f"{quoted_path(text)} cannot be read: {error.strerror}")
        return
    if first.startswith(b"#!") and first.endswith(b"\r\n"):
        message = f"{quoted_path(text)} has Windows line ends, so its first line names no interpreter that exists"
        document.warning(path, message, "convert it, for example with dos2unix")


def _check_image(document: Document, path: str, text: str) -> None:
    """Look whether it can be an image at all; what is in it is read when it is deployed."""
    file = _find(document, path, text)
    if file is None:
        return
    if file.is_dir():
        if not any((file / name).is_file() for name in _OF_IMAGE_DIRECTORIES):
            names = ", ".join(_OF_IMAGE_DIRECTORIES)
            document.error(path, f"{quoted_path(text)} is no image: it has none of {names}", "name the image itself")
        return
    try:
        archive = tarfile.is_tarfile(file)
    except OSError as error:
        document.error(path, f"{quoted_path(text)} cannot be read: {error.strerror}")
        return
    if not archive:
        document.error(path, f"{quoted_path(text)} is not a tar archive", "make one with docker save -o FILE IMAGE")
    elif _is_truncated(file):
        document.error(path, f"{quoted_path(text)} is truncated", "write or download it again")


def _is_truncated(file: Path) -> bool:
    """Whether the last file in an archive ends before its end; only headers are read."""
    try:
        with tarfile.open(file, "r:") as archive:
            return any(False for _ in archive)
    except tarfile.ReadError as error:  # of a compressed one, too, which is told when it is read
        return "unexpected end" in str(error)


def _find(document: Document, path: str, text: str) -> Path | None:
    file = document.absolute(text)
    try:
        if file.exists():
            return file
    except (OSError, ValueError) as error:
        document.error(path, f"{quoted_path(text)} cannot be looked up: {error}")
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
    return f"did you mean {match}?" if match else "paths start at the directory of the FDL file"
