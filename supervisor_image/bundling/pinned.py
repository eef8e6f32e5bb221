"""The layer from pinned parts: Debian packages and wheels in exact versions, so that everybody makes the same bytes.

The interpreter among them also compiles and compresses: what runs this only fetches and unpacks. `pins.json` has the
file names and SHA-256 sums. An update replaces them together; Debian's older files are at https://snapshot.debian.org.
"""

import json
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bundling import BundleError, elf
from bundling.interpreter import TRIPLETS, Source, debian_interpreter, fetch_packages, install_wheels

_MINOR = "3.11"  # of the pinned interpreter, that of Debian 12
PINS = Path(__file__).with_name("pins.json")


def run(command: Sequence[str], architecture: str, here: str, downloads: Path, folder: Path) -> str:
    """Unpack the parts into a folder, and return what this machine's pinned interpreter prints for the command."""
    for each in {architecture, here}:
        _unpack(each, downloads, folder / each)
    wheels = [f"{name} --hash=sha256:{digest}" for name, digest in _pins("wheels", architecture).items()]
    install_wheels(wheels, architecture, folder / "wheels", _MINOR)
    whole = [*_interpreter(folder / here, here), "-IBS", "-Xutf8", *command]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(f"the pinned interpreter cannot make the layer: {done.stderr.strip()}")
    return done.stdout


def source(folder: Path, architecture: str) -> Source:
    """Return the interpreter and the packages of an architecture that `run` has unpacked into the folder."""
    packages = {each.metadata["Name"]: each for each in metadata.distributions(path=[str(folder / "wheels")])}
    wanted = {name: packages[name] for name in ("obstore", "botocore")}
    return debian_interpreter(folder / architecture, architecture, _pins("debian", architecture), wanted)


def _interpreter(root: Path, architecture: str) -> list[str]:
    program = elf.inside(root, Path("/usr/bin/python3"))
    libraries = ":".join(str(root / place / TRIPLETS[architecture]) for place in ("lib", "usr/lib"))
    return [str(elf.inside(root, elf.loader(program))), "--inhibit-cache", "--library-path", libraries, str(program)]


def _unpack(architecture: str, downloads: Path, root: Path) -> None:
    for package in fetch_packages(architecture, downloads, _pins("debian", architecture)):
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)


def _pins(kind: str, architecture: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(PINS.read_text())[kind][architecture]
    return found
