"""The directory that goes on PATH: the CLI with a Python language host that runs this very interpreter.

The cache is shared by virtual environments, so each interpreter has its own directory. The CLI is linked into it,
because it warns about plugins that it finds on PATH but not beside itself.
"""

import contextlib
import hashlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scar_pulumi.engine._find import engine_root
from scar_pulumi.engine._release import BUILT_VERSION, DYNAMIC_PROVIDER, PROGRAM_RUNNER, SDK_FILES, Engine

_LANGUAGE_HOST = "pulumi-language-python"

_HOST_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_pulumi.engine.language_host "$@"
"""

# A project that chose its own interpreter (runtime options in Pulumi.yaml) keeps it.
_DYNAMIC_SCRIPT = """#!/bin/sh
if [ -n "$PULUMI_RUNTIME_VIRTUALENV$PULUMI_RUNTIME_TOOLCHAIN" ] && [ -x {genuine} ]; then exec {genuine} "$@"; fi
exec {python} -u -m scar_pulumi.engine.dynamic_provider "$@"
"""

_STAND_IN_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_pulumi.stand_ins.{package} "$@"
"""


def engine_directory(engine: Engine) -> Path:
    """Directory for PATH with the CLI and its Python plugins; that of an official installation as it is."""
    beside = engine.command.resolve().parent
    if (beside / _LANGUAGE_HOST).exists():
        return engine.command.parent
    directory = engine_root() / engine.version / f"python-{_interpreter_key()}"
    directory.mkdir(parents=True, exist_ok=True)
    _link(engine.command.resolve(), directory / "pulumi")
    files = engine_root() / BUILT_VERSION
    words = {"python": shlex.quote(sys.executable), "genuine": shlex.quote(str(files / DYNAMIC_PROVIDER))}
    _write(directory / DYNAMIC_PROVIDER, _DYNAMIC_SCRIPT.format(**words))
    if all((files / name).exists() for name in SDK_FILES):
        _write(directory / PROGRAM_RUNNER, (files / PROGRAM_RUNNER).read_text())
        _write(directory / _LANGUAGE_HOST, _HOST_SCRIPT.format(**words))
    return directory.resolve()


def stand_in_directory(package: str) -> Path:
    """Directory for PATH with the stand-in for the plugin of a package: aws or kubernetes; only for local stacks."""
    directory = engine_root() / f"local-{package}" / f"python-{_interpreter_key()}"
    directory.mkdir(parents=True, exist_ok=True)
    script = _STAND_IN_SCRIPT.format(python=shlex.quote(sys.executable), package=package)
    _write(directory / f"pulumi-resource-{package}", script)
    return directory


def _interpreter_key() -> str:
    return hashlib.sha256(sys.executable.encode()).hexdigest()[:12]


def _link(source: Path, target: Path) -> None:
    if target.exists() and (target.samefile(source) or _is_copy(source, target)):
        return
    with _replacing(target) as temporary:
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copy2(source, temporary)


def _is_copy(source: Path, target: Path) -> bool:
    one, other = source.stat(), target.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text and os.access(path, os.X_OK):
        return
    with _replacing(path) as temporary:
        temporary.write_text(text)
        temporary.chmod(0o755)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        yield (temporary := Path(scratch) / path.name)
        temporary.replace(path)
