"""Native (ELF) files: the libraries that they are linked with, and their bytes without symbols."""

import os
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bundling import BundleError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE = 1, 5


def stripped(data: bytes) -> bytes:
    """Return the file without symbol tables and debug sections: all that no program header covers.

    The dynamic loader reads only program headers. This needs no `strip`, and gives the same bytes on every machine.
    """
    if not data.startswith(b"\x7fELF\x02\x01"):
        return data
    header = list(_HEADER.unpack_from(data))
    table = (header[5], header[5] + header[9] * header[10])
    end = max([table[1], _HEADER.size] + [segment[2] + segment[5] for segment in _segments(data)])
    header[6] = header[11] = header[12] = header[13] = 0  # no section headers are left to point at
    return _HEADER.pack(*header) + data[_HEADER.size : end]


def loader(program: Path) -> Path:
    """Return the path of the dynamic loader, as the program has it. Raises BundleError."""
    data = program.read_bytes()
    for segment in _segments(data):
        if segment[0] == _INTERPRETER:
            return Path(data[segment[2] : segment[2] + segment[5]].rstrip(b"\0").decode())
    raise BundleError(f"{program}: is statically linked; use a CPython that is dynamically linked with glibc")


def libraries(files: Iterable[Path], with_loader: Path) -> dict[str, Path]:
    """Return every shared library that the files need, as the loader itself resolves them: name → path.

    All files are resolved at once, each in a process of its own: its libraries must not depend on other files.
    """
    command = [str(with_loader), "--list"]
    listings = [(file, subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE, text=True)) for file in files]
    found: dict[str, Path] = {}
    for file, listing in listings:
        output = listing.communicate()[0]
        if listing.returncode:
            raise BundleError(f"{file}: {with_loader} cannot list its libraries: {output.strip()}")
        found.update(_listed(file, output))
    return dict(sorted(found.items()))


def linked(files: Iterable[Path], folders: Sequence[Path], root: Path) -> dict[str, Path]:
    """Return every shared library that the files need, by reading them, as they cannot run here: name → path."""
    found: dict[str, Path] = {}
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        for name in _needed(file.read_bytes()):
            if name not in found and "ld-linux" not in name:
                place = next((folder / name for folder in folders if os.path.lexists(folder / name)), None)
                if place is None:
                    raise BundleError(f"{file}: needs {name}, which is in none of the packages")
                found[name] = inside(root, Path("/") / place.relative_to(root))
                waiting.append(found[name])
    return dict(sorted(found.items()))


def inside(root: Path, path: Path) -> Path:
    """Return the file that an absolute path leads to where `root` is the root directory, with links followed."""
    place = root / path.relative_to("/")
    while place.is_symlink():
        target = place.readlink()
        place = root / target.relative_to("/") if target.is_absolute() else place.parent / target
    if not place.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{path}: leads out of {root}")
    return place.resolve()


def _needed(data: bytes) -> list[str]:
    segments = _segments(data)
    entries = [
        entry
        for segment in segments
        if segment[0] == _DYNAMIC
        for entry in _DYNAMIC_ENTRY.iter_unpack(data[segment[2] : segment[2] + segment[5]])
    ]
    table = next((value for tag, value in entries if tag == _STRING_TABLE), 0)
    start = next((s[2] + table - s[3] for s in segments if s[0] == _LOAD and s[3] <= table < s[3] + s[5]), 0)
    places = [start + value for tag, value in entries if tag == _NEEDED]
    return [data[place : data.index(b"\0", place)].decode() for place in places]


def _listed(file: Path, listing: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for line in listing.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if not arrow:
            continue
        if rest.startswith("not found"):
            raise BundleError(f"{file}: needs {name}, which this machine does not have")
        path = rest.rsplit(" (", 1)[0]
        if path and "ld-linux" not in name:
            found[name] = Path(path).resolve()
    return found


def _segments(data: bytes) -> list[tuple[int, ...]]:
    if not data.startswith(b"\x7fELF\x02\x01"):
        raise BundleError(
            "the interpreter is not a 64-bit little-endian ELF program; build on Linux with x86_64 or arm64"
        )
    header = _HEADER.unpack_from(data)
    offset, size, count = header[5], header[9], header[10]
    return [_SEGMENT.unpack_from(data, offset + index * size) for index in range(count)]
