"""The third-party parts of the layer: its SBOM, with versions and licences, and the licence texts."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bundling.interpreter import Source
from bundling.layer import File


class Component(NamedTuple):
    """One third-party part of the layer; `pattern` matches its files."""

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


def files(tree: Mapping[str, File], root: str, source: Source) -> dict[str, File]:
    """Return the files to add to a tree: its SBOM (CycloneDX), and the licence texts of its parts."""
    names = [name.removeprefix(f"{root}/") for name in tree]
    present = [part for part in _components(source) if any(re.match(part.pattern, name) for name in names)]
    texts = {part.name: text for part in present if (text := _text(part.name, source))}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [_described(part, [name for name in names if re.match(part.pattern, name)]) for part in present],
    }
    licences = {f"{root}/licences/{name}.txt": File(text) for name, text in texts.items()}
    return {f"{root}/sbom.json": File(json.dumps(document, indent=1).encode() + b"\n"), **licences}


def texts(source: Source) -> list[Path]:
    """Return the files that the licence texts are read from."""
    places = [_place(name, source) for name, *_ in _LIBRARIES]
    packages = [file for name in source.packages for file in _packages_texts(name, source)]
    return [place for place in (_place("cpython", source), *places, *packages) if place]


def _components(source: Source) -> list[Component]:
    python = r"(bin/python|lib/(libpython3|python3(\d+\.zip|\.\d+/(lib-dynload/|os\.pyc))))"
    found = [Component("cpython", "PSF-2.0", source.versions["cpython"], python)]
    found += [Component(name, licence, source.versions.get(name, ""), pattern) for name, licence, pattern in _LIBRARIES]
    places = {"obstore": ("MIT", r"lib/python3\.\d+/obstore/"), "botocore": ("MPL-2.0", r"lib/cacert\.pem")}
    for name, package in source.packages.items():
        licence, pattern = places[name]
        found.append(Component(name, licence, package.version, pattern))
    return found


def _described(part: Component, held: list[str]) -> dict[str, object]:
    return {
        "type": "library",
        "name": part.name,
        **({"version": part.version} if part.version else {}),
        "licenses": [{"expression": part.licence}],
        "properties": [{"name": "file", "value": name} for name in sorted(held)],
    }


def _text(name: str, source: Source) -> bytes | None:
    if name in source.packages:
        return b"\n".join(file.read_bytes() for file in _packages_texts(name, source)) or None
    place = _place(name, source)
    return place.read_bytes() if place else None


def _packages_texts(name: str, source: Source) -> list[Path]:
    package = source.packages[name]
    found = [file for file in package.files or () if re.search(r"(?i)licen[cs]e|notice", file.name)]
    return [Path(str(package.locate_file(file))) for file in found]


def _place(name: str, source: Source) -> Path | None:
    debian = [source.documentation / package / "copyright" for package in _DEBIAN.get(name, ())]
    places = source.licences if name == "cpython" else debian
    return next((place for place in places if place.is_file()), None)


_DEBIAN = {
    "glibc": ("libc6",),
    "openssl": ("libssl3", "libssl3t64", "libssl1.1"),
    "zlib": ("zlib1g",),
    "gcc-runtime": ("libgcc-s1", "gcc-12-base", "gcc-14-base"),
    "expat": ("libexpat1",),
    "libffi": ("libffi8",),
}
