"""The supervisor layer: made by `supervisor_image/bundle.py`, cached under a hash of its sources."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scar_components.images.image import FileRange, ImageError, Layer
from scar_components.images.layers import Progress
from scar_foundation.directories import image_cache, lock_file
from scar_foundation.files import written
from scar_foundation.locks import exclusive

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
    """Return the supervisor for an architecture; bundle it if it is not cached."""
    folder = image_cache("supervisor") / _fingerprint(script) / architecture
    folder.mkdir(parents=True, exist_ok=True)
    layer, record = folder / "layer.tar.gz", folder / "layer.json"
    with exclusive(lock_file(folder)):
        if not record.exists() or not layer.exists():
            progress(f"making the supervisor layer for {architecture} (only once)")
            facts = _bundle(script, architecture, layer)
            with written(record) as file:
                file.write(json.dumps(facts).encode())
        facts = json.loads(record.read_text())
    found = Layer(facts["digest"], facts["size"], facts["diff_id"], FileRange.cached(layer))
    return Supervisor(found, tuple(facts["entrypoint"]))


def _bundle(script: Path, architecture: str, layer: Path) -> dict[str, Any]:
    unfinished = layer.with_name(f"unfinished-{layer.name}")
    options = ("--architecture", architecture, "--downloads", str(image_cache("packages")))
    facts: dict[str, Any] = json.loads(_run(script, *options, "--output", str(unfinished)))
    unfinished.replace(layer)
    return facts


@cache
def _fingerprint(script: Path) -> str:
    return _run(script, "--fingerprint").strip()


def _run(script: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: PLW1510 - the error is raised below
        [sys.executable, str(script), *arguments], capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ImageError(f"supervisor: cannot be bundled: {reason}")
    return done.stdout.strip().splitlines()[-1]
