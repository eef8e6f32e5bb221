"""Finds the Pulumi CLI, or has one made: on PATH, made earlier, from the official installer, built from source."""

import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from scar_foundation.directories import cache_directory
from scar_foundation.errors import EngineError
from scar_pulumi.engine import _go_build, _installer
from scar_pulumi.engine._file_lock import exclusive
from scar_pulumi.engine._release import BUILT_VERSION, SDK_FILES, Engine, is_supported, parse_version
from scar_pulumi.engine._stamp import is_complete, write_stamp

Progress = Callable[[str], None]
Build = Callable[[Path, Progress], None]

_SOURCES_VARIABLE = "SCAR_ENGINE_SOURCES"
_SOURCES = ("path", "cache", "install", "build")


def find_engine(progress: Progress = lambda _: None, build: Build = _go_build.build) -> Engine:
    """The Pulumi CLI to use, made ready if need be; `progress` gets a line every two seconds while that takes long.

    `$SCAR_ENGINE_SOURCES` names the sources to try, in order: by default `path,cache,install,build`.
    Raises EngineError when none of them has one.
    """
    sources = _sources()
    for source in sources:
        if source == "path" and (engine := _on_path(progress)):
            return engine
        if source == "cache" and (engine := _made_earlier()):
            return engine
        if source in {"install", "build"}:
            return _make([name for name in sources if name in {"install", "build"}], progress, build)
    raise EngineError(f"Pulumi engine: none found in {','.join(sources)}; unset {_SOURCES_VARIABLE} to have one made")


def engine_root() -> Path:
    """Where engines are kept; may be deleted at any time."""
    return cache_directory() / "engine"


def _sources() -> list[str]:
    sources = [name.strip() for name in os.environ.get(_SOURCES_VARIABLE, ",".join(_SOURCES)).split(",")]
    if unknown := [name for name in sources if name not in _SOURCES]:
        raise EngineError(f"{_SOURCES_VARIABLE}: {unknown[0]!r} is unknown; use some of {','.join(_SOURCES)}")
    return sources


def _on_path(progress: Progress) -> Engine | None:
    found = shutil.which("pulumi")
    if found is None or Path(found).resolve().is_relative_to(engine_root().resolve()):
        return None
    text = _ask_version(found)
    if not is_supported(parse_version(text)):
        progress(f"skipping {found}: version {text or 'unknown'} is not supported (3.200 or newer, below 4)")
        return None
    return Engine(Path(found), text.removeprefix("v"), "PATH")


@cache
def _ask_version(command: str) -> str:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [command, "version"], capture_output=True, text=True, env=environment, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _made_earlier() -> Engine | None:
    return _installed_earlier() or _built_earlier()


def _installed_earlier() -> Engine | None:
    for stamp in sorted(engine_root().glob("official-*/bin/complete.json"), reverse=True):
        directory = stamp.parent
        version = directory.parent.name.removeprefix("official-")
        if is_supported(parse_version(version)) and is_complete(directory, ("pulumi",)):
            return Engine(directory / "pulumi", version, "the official installer, earlier")
    return None


def _built_earlier() -> Engine | None:
    directory = engine_root() / BUILT_VERSION
    if not is_complete(directory, ("pulumi", *SDK_FILES)):
        return None
    return Engine(directory / "pulumi", BUILT_VERSION, "an earlier build")


def _make(sources: list[str], progress: Progress, build: Build) -> Engine:
    makers = {"install": _install, "build": _build}
    with exclusive(
        engine_root() / "lock", lambda pid: progress(f"waiting for process {pid}, which prepares the engine")
    ):
        if engine := _made_earlier():
            return engine
        for source in sources:
            if engine := makers[source](progress, build):
                return engine
    raise EngineError("Pulumi engine: get.pulumi.com cannot be reached; allow the source `build` as well")


def _install(progress: Progress, _: Build) -> Engine | None:
    sdk_version = importlib.metadata.version("pulumi")
    final = engine_root() / f"official-{sdk_version}"
    with _scratch() as scratch:
        if not _installer.install(scratch / "official", sdk_version, progress):
            return None
        write_stamp(scratch / "official" / "bin")
        _move(scratch / "official", final)
    return Engine(final / "bin" / "pulumi", sdk_version, "the official installer")


def _build(progress: Progress, build: Build) -> Engine:
    final = engine_root() / BUILT_VERSION
    with _scratch() as scratch:
        made = scratch / "build"
        made.mkdir()
        build(made, progress)
        write_stamp(made)
        _move(made, final)
    return Engine(final / "pulumi", BUILT_VERSION, "a build")


@contextmanager
def _scratch() -> Iterator[Path]:
    """A directory beside the final ones; what a killed predecessor left is removed (the lock is held)."""
    for leftover in engine_root().glob("making-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=engine_root()) as name:
        yield Path(name)


def _move(made: Path, final: Path) -> None:
    if final.exists():
        shutil.rmtree(final)
    made.rename(final)
