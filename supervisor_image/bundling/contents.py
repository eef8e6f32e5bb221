"""What the layer carries of others, by name, version and licence: its SBOM and the texts of the licences."""

import json
import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from bundling.layer import File


class Component(NamedTuple):
    """One foreign part of the layer; `pattern` says which files are of it."""

    name: str
    licence: str
    version: str
    pattern: str


# Licences by SPDX: https://spdx.org/licenses/
_LIBRARIES = (
    ("glibc", "LGPL-2.1-or-later", r"lib/(ld|lib(c|m|dl|pthread|rt|resolv|util|nss_\w+|anl))\.so"),
    ("openssl", "Apache-2.0", r"lib/lib(ssl|crypto)\.so"),
    ("zlib", "Zlib", r"lib/libz\.so"),
    ("gcc-runtime", "GPL-3.0-or-later WITH GCC-exception-3.1", r"lib/lib(gcc_s|stdc\+\+)\.so"),
    ("expat", "MIT", r"lib/libexpat\.so"),
    ("libffi", "MIT", r"lib/libffi\.so"),
)


def files(tree: Mapping[str, File], root: str, packages: Mapping[str, Path]) -> dict[str, File]:
    """The SBOM (CycloneDX) of a tree and the licence texts that its makers want to go along."""
    names = [name.removeprefix(f"{root}/") for name in tree]
    present = [part for part in _components(packages) if any(re.match(part.pattern, name) for name in names)]
    texts = {part.name: text for part in present if (text := _text(part.name, packages))}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [_described(part, [name for name in names if re.match(part.pattern, name)]) for part in present],
    }
    licences = {f"{root}/licences/{name}.txt": File(text) for name, text in texts.items()}
    return {f"{root}/sbom.json": File(json.dumps(document, indent=1).encode() + b"\n"), **licences}


def _components(packages: Mapping[str, Path]) -> list[Component]:
    python = r"(bin/python|lib/(libpython3|python3(\d+\.zip|\.\d+/(lib-dynload/|os\.pyc))))"
    found = [Component("cpython", "PSF-2.0", platform.python_version(), python)]
    found += [Component(name, licence, _version(name), pattern) for name, licence, pattern in _LIBRARIES]
    places = {"obstore": ("MIT", r"lib/python3\.\d+/obstore/"), "botocore": ("MPL-2.0", r"lib/cacert\.pem")}
    for package in packages:
        licence, pattern = places[package]
        found.append(Component(package, licence, metadata.version(package), pattern))
    return found


def _described(part: Component, held: list[str]) -> dict[str, object]:
    return {
        "type": "library",
        "name": part.name,
        **({"version": part.version} if part.version else {}),
        "licenses": [{"expression": part.licence}],
        "properties": [{"name": "file", "value": name} for name in sorted(held)],
    }


def _version(name: str) -> str:
    if name == "glibc":
        return platform.libc_ver()[1]
    if name == "openssl":
        import ssl  # noqa: PLC0415 the version that travels is the one that this interpreter has

        return ssl.OPENSSL_VERSION.split()[1]
    return ""


def _text(name: str, packages: Mapping[str, Path]) -> bytes | None:
    if name == "cpython":
        places = [Path(folder) / "LICENSE.txt" for folder in (sys.base_prefix, Path(metadata.__file__).parents[1])]
        debian = Path(f"/usr/share/doc/python3.{sys.version_info.minor}/copyright")
        return next((place.read_bytes() for place in (*places, debian) if place.is_file()), None)
    if name in packages:
        found = [file for file in metadata.files(name) or () if re.search(r"(?i)licen[cs]e|notice", file.name)]
        return b"\n".join(Path(str(file.locate())).read_bytes() for file in found) or None
    places = [Path(f"/usr/share/doc/{package}/copyright") for package in _DEBIAN.get(name, ())]
    return next((place.read_bytes() for place in places if place.is_file()), None)


_DEBIAN = {
    "glibc": ("libc6",),
    "openssl": ("libssl3", "libssl3t64", "libssl1.1"),
    "zlib": ("zlib1g",),
    "gcc-runtime": ("libgcc-s1", "gcc-12-base", "gcc-14-base"),
    "expat": ("libexpat1",),
    "libffi": ("libffi8",),
}
