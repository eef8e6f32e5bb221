"""The supervisor layer: part of a release; in a checkout made by `supervisor_image/bundle.py`, with the same bytes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scar_components.images.image import FileRange, ImageError, Layer
from scar_components.images.layers import Progress
from scar_foundation.directories import image_cache, lock_file
from scar_foundation.files import written
from scar_foundation.locks import exclusive

_LAYER, _RECORD = "layer.tar.gz", "layer.json"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Supervisor:
    """What every image gets."""

    layer: Layer
    entrypoint: tuple[str, ...]


def bundle_script() -> Path:
    """Return the bundler of the installed package, or the one beside `components/` in a checkout."""
    places = [
        _PACKAGE / "supervisor_image" / "bundle.py",
        _PACKAGE.parents[1] / "supervisor_image" / "bundle.py",
    ]
    for place in places:
        if place.is_file():
            return place
    raise ImageError(f"supervisor: {places[0]} is missing; reinstall scar-pulumi")


def supervisor(script: Path, architecture: str, progress: Progress) -> Supervisor:
    """Return the supervisor for an architecture: as it was released, else made from the same parts and cached."""
    wanted = _fingerprint(script, "pinned")
    released = script.parent / "layers" / architecture
    if _inputs(released) == wanted:
        return _read(released)
    made = image_cache("supervisor") / wanted / architecture
    with exclusive(lock_file(made)):
        if _inputs(made) == wanted:
            return _read(made)
        progress(f"making the supervisor layer for {architecture} (only once)")
        try:
            return _made(script, architecture, "pinned", made)
        except ImageError as error:
            progress(f"{error}. It is made from this Python instead: on other machines the same function may differ")
    return _of_this_python(script, architecture)


def _of_this_python(script: Path, architecture: str) -> Supervisor:
    folder = image_cache("supervisor") / _fingerprint(script, "this") / architecture
    with exclusive(lock_file(folder)):
        return _read(folder) if _inputs(folder) else _made(script, architecture, "this", folder)


def _inputs(folder: Path) -> str | None:
    """Return the fingerprint of what the layer in a folder was made from; None where there is no layer."""
    if not (folder / _RECORD).exists() or not (folder / _LAYER).exists():
        return None
    return str(json.loads((folder / _RECORD).read_text())["inputs"])


def _read(folder: Path) -> Supervisor:
    facts = json.loads((folder / _RECORD).read_text())
    found = Layer(facts["digest"], facts["size"], facts["diff_id"], FileRange.cached(folder / _LAYER))
    return Supervisor(found, tuple(facts["entrypoint"]))


def _made(script: Path, architecture: str, interpreter: str, folder: Path) -> Supervisor:
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"unfinished-{_LAYER}"
    options = ("--architecture", architecture, "--downloads", str(image_cache("packages")))
    facts = _run(script, *options, "--interpreter", interpreter, "--output", str(unfinished))
    unfinished.replace(folder / _LAYER)
    with written(folder / _RECORD) as file:
        file.write(facts.encode())
    return _read(folder)


@cache
def _fingerprint(script: Path, interpreter: str) -> str:
    return _run(script, "--interpreter", interpreter, "--fingerprint").strip()


def _run(script: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: PLW1510 - the error is raised below
        [sys.executable, str(script), *arguments], capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ImageError(f"supervisor: cannot be bundled: {reason}")
    return done.stdout.strip().splitlines()[-1]
