"""Debian's interpreter of any architecture in a folder, as the source of a layer: nothing in the folder is run."""

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path

from bundling import elf
from bundling.errors import BundleError
from bundling.source import Source

# https://wiki.debian.org/Multiarch/Tuples
TRIPLETS = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_PACKAGES = {"cpython": "python3.{minor}-minimal", "glibc": "libc6", "openssl": "libssl3"}


def source(root: Path, architecture: str, names: Iterable[str], packages: Mapping[str, Distribution]) -> Source:
    """The python3 below a folder that Debian packages of these names were unpacked into, with the packages of Python.

    Raises BundleError where it is another version than the one that runs this, which compiles what it will load.
    """
    interpreter = elf.inside(root, Path("/usr/bin/python3"))
    version = interpreter.name
    here = f"python3.{sys.version_info.minor}"
    if version != here:
        raise BundleError(
            f"the distribution has {version} and this is {here}; run it with {version}, which can compile for it"
        )
    stdlib = root / "usr/lib" / version
    folders = [root / place / TRIPLETS[architecture] for place in ("lib", "usr/lib")]

    def libraries(files: Iterable[Path]) -> dict[str, Path]:
        return elf.linked(files, folders, root)

    return Source(
        interpreter=interpreter,
        loader=elf.inside(root, elf.loader(interpreter)),
        stdlib=stdlib,
        extensions=stdlib / "lib-dynload",
        packages=packages,
        libraries=libraries,
        versions=_versions(list(names)),
        licences=(stdlib / "LICENSE.txt", root / f"usr/share/doc/{version}/copyright"),
        documentation=root / "usr/share/doc",
    )


def _versions(names: list[str]) -> dict[str, str]:
    """Versions of the upstream software, as the names of packages such as `libc6_2.36-9_arm64.deb` tell them."""
    found = {}
    for part, package in _PACKAGES.items():
        pattern = re.compile(rf"{re.escape(package.format(minor=sys.version_info.minor))}(?:t64)?_(?:\d+%3a)?([^-_]+)")
        found[part] = next((match[1] for name in names if (match := pattern.match(name))), "")
    return found
