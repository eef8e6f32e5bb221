"""An image to build the supervisor layer in, made from this machine's interpreter: nothing is downloaded."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from tests.world import root_filesystems

_PROGRAMS = ("sh", "uname", "mkdir", "tar", "gzip")
_UNUSED = {"__pycache__", "site-packages", "dist-packages", "test", "idlelib", "tkinter", "lib2to3", "ensurepip"}
_PACKAGES = ("obstore", "botocore")
_BY_NAME = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")  # which nothing is linked with
_DOCUMENTATION = Path("/usr/share/doc")


def has_pip() -> bool:
    """Whether pip is there beside the interpreter, as the Dockerfile uses it."""
    done = subprocess.run([_interpreter(), "-Im", "pip", "--version"], capture_output=True, check=False)
    return done.returncode == 0


def write(folder: Path, archive: Path) -> None:
    """Write the root filesystem as an archive: the interpreter, its pip, and the packages it would fetch."""
    root_filesystems.glibc(folder, _PROGRAMS)
    interpreter, stdlib = _interpreter(), Path(sysconfig.get_path("stdlib"))
    shutil.copytree(stdlib, _inside(folder, stdlib), ignore=_unused, dirs_exist_ok=True)
    packages = list(_packages(_PACKAGES))
    native = [interpreter, *stdlib.rglob("*.so"), *_native(packages)]
    _add(folder, {*native[:1], *_libraries(native), *_licences()})
    site = _inside(folder, Path(_asked("import site; print(site.getsitepackages()[0])")))
    for package in packages:
        _install(package, site)
    shutil.copytree(_asked("import pip; print(pip.__path__[0])"), site / "pip", dirs_exist_ok=True)
    _commands(folder, interpreter)
    with tarfile.open(archive, "w") as packed:
        packed.add(folder, arcname="/")


def _interpreter() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))


def _asked(code: str) -> str:
    done = subprocess.run([_interpreter(), "-Ic", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _unused(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in _UNUSED or name.startswith("config-")}


def _packages(names: Iterable[str]) -> Iterator[metadata.Distribution]:
    """Yield the packages and all their dependencies, so that pip finds nothing missing."""
    waiting, found = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        package = metadata.distribution(name)
        yield package
        waiting += [re.split(r"[^\w.-]", need)[0] for need in package.requires or () if "extra ==" not in need]


def _install(package: metadata.Distribution, site: Path) -> None:
    for file in package.files or ():
        source, target = Path(str(package.locate_file(file))), site / file
        if ".." not in file.parts and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _native(packages: Iterable[metadata.Distribution]) -> list[Path]:
    files = (Path(str(package.locate_file(file))) for package in packages for file in package.files or ())
    return [file for file in files if file.suffix == ".so"]


def _libraries(files: Iterable[Path]) -> set[Path]:
    linked = {library for file in files for library in root_filesystems.linked(file)}
    (libc,) = (library for library in linked if library.name == "libc.so.6")
    return linked | {libc.with_name(name) for name in _BY_NAME if libc.with_name(name).exists()}


def _licences() -> Iterator[Path]:
    for package in ("libc6", "libssl*", "libgcc-s1", "gcc-*-base", "zlib1g", "libexpat1", "libffi8", "python3*"):
        yield from _DOCUMENTATION.glob(f"{package}/copyright")
    yield from (path for path in [Path(sys.base_prefix) / "LICENSE.txt"] if path.exists())


def _add(folder: Path, files: Iterable[Path]) -> None:
    for file in files:
        target = _inside(folder, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def _commands(folder: Path, interpreter: Path) -> None:
    place = folder / "usr/local/bin"
    place.mkdir(parents=True, exist_ok=True)
    (place / "python").symlink_to(interpreter)
    (place / "pip").write_text('#!/bin/sh\nexec python -m pip "$@"\n')
    (place / "pip").chmod(0o755)


def _inside(folder: Path, path: Path) -> Path:
    return folder / str(path).lstrip("/")
