"""Finds the Pulumi CLI, or has one made: on PATH, made earlier, from the official installer, built from source."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scar_foundation.directories import engine_directory
from scar_foundation.errors import EngineError
from scar_foundation.locks import exclusive
from scar_pulumi.engine import go_build
from scar_pulumi.engine.go_build import BUILT_VERSION, SDK_FILES
from scar_pulumi.engine.processes import Watched, run_watched

MINIMUM_VERSION = (3, 200, 0)
BELOW_VERSION = (4, 0, 0)

Progress = Callable[[str], None]
Build = Callable[[Path, Progress], None]

_SOURCES_VARIABLE = "SCAR_ENGINE_SOURCES"
_SOURCES = ("path", "cache", "install", "build")

_INSTALLER = "https://get.pulumi.com/install.sh"
_PROBE_SECONDS = 4.0
_SILENCE_LIMIT = 120.0

# PulumiCommand.install has no time limit and hides the installer's children, so it runs in a process of its own.
_INSTALL = """
import sys
from semver import VersionInfo
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""

_STAMP = "complete.json"
"""Proves that a directory is complete: size and SHA-256 of every file, written last."""


@dataclass(frozen=True)
class Engine:
    """A Pulumi CLI that is ready to run."""

    command: Path
    version: str
    origin: str
    """Where it comes from, as a phrase: "PATH", "an earlier build", "the official installer", "a build"."""


def find_engine(progress: Progress = lambda _: None, build: Build = go_build.build) -> Engine:
    """Return the Pulumi CLI to use, installed or built first when there is none.

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


def present_engine() -> Engine | None:
    """Return the Pulumi CLI that `find_engine` would use, if it need not be made."""
    finders: dict[str, Callable[[], Engine | None]] = {
        "path": lambda: _on_path(lambda _: None),
        "cache": _made_earlier,
    }
    found = (finders[source]() for source in _sources() if source in finders)
    return next((engine for engine in found if engine), None)


def _sources() -> list[str]:
    sources = [name.strip() for name in os.environ.get(_SOURCES_VARIABLE, ",".join(_SOURCES)).split(",")]
    if unknown := [name for name in sources if name not in _SOURCES]:
        raise EngineError(f"{_SOURCES_VARIABLE}: {unknown[0]!r} is unknown; use some of {','.join(_SOURCES)}")
    return sources


def _on_path(progress: Progress) -> Engine | None:
    found = shutil.which("pulumi")
    if found is None or Path(found).resolve().is_relative_to(engine_directory().resolve()):
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
    for stamp in sorted(engine_directory().glob("official-*/bin/complete.json"), reverse=True):
        directory = stamp.parent
        version = directory.parent.name.removeprefix("official-")
        if is_supported(parse_version(version)) and is_complete(directory, ("pulumi",)):
            return Engine(directory / "pulumi", version, "the official installer, earlier")
    return None


def _built_earlier() -> Engine | None:
    directory = engine_directory() / BUILT_VERSION
    if not is_complete(directory, ("pulumi", *SDK_FILES)):
        return None
    return Engine(directory / "pulumi", BUILT_VERSION, "an earlier build")


def _make(sources: list[str], progress: Progress, build: Build) -> Engine:
    makers = {"install": _make_by_installer, "build": _make_by_building}
    with exclusive(
        engine_directory() / "lock", lambda pid: progress(f"waiting for process {pid}, which is preparing the engine")
    ):
        if engine := _made_earlier():
            return engine
        for source in sources:
            if engine := makers[source](progress, build):
                return engine
    raise EngineError(f"Pulumi engine: get.pulumi.com cannot be reached; add `build` to {_SOURCES_VARIABLE}")


def _make_by_installer(progress: Progress, _: Build) -> Engine | None:
    sdk_version = importlib.metadata.version("pulumi")
    final = engine_directory() / f"official-{sdk_version}"
    with _scratch() as scratch:
        if not install(scratch / "official", sdk_version, progress):
            return None
        write_stamp(scratch / "official" / "bin")
        _move(scratch / "official", final)
    return Engine(final / "bin" / "pulumi", sdk_version, "the official installer")


def _make_by_building(progress: Progress, build: Build) -> Engine:
    final = engine_directory() / BUILT_VERSION
    with _scratch() as scratch:
        made = scratch / "build"
        made.mkdir()
        build(made, progress)
        write_stamp(made)
        _move(made, final)
    return Engine(final / "pulumi", BUILT_VERSION, "a build")


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Give a directory beside the final ones; remove what a killed predecessor left (the lock is held)."""
    for leftover in engine_directory().glob("making-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=engine_directory()) as name:
        yield Path(name)


def _move(made: Path, final: Path) -> None:
    if final.exists():
        shutil.rmtree(final)
    made.rename(final)


def install(directory: Path, version: str, progress: Callable[[str], None]) -> bool:
    """Install the CLI of that version as `directory`/bin; False, leaving nothing, when it cannot be downloaded."""
    if not _is_reachable():
        return False
    command = [sys.executable, "-c", _INSTALL, str(directory), version]
    label = f"downloading Pulumi {version} from get.pulumi.com"
    progress(label)

    def tick(watched: Watched) -> None:
        progress(f"{label}: {watched.seconds:.0f} s")

    watched = run_watched(command, dict(os.environ), directory.parent, tick, _SILENCE_LIMIT)
    if watched.code or not (directory / "bin" / "pulumi").is_file():
        shutil.rmtree(directory, ignore_errors=True)
        return False
    return True


def _is_reachable() -> bool:
    """Ask for the installer's address; in a thread, since looking up a name has no time limit."""
    answers: list[bool] = []
    thread = threading.Thread(target=_probe, args=(answers,), daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return any(answers)


def _probe(answers: list[bool]) -> None:
    from scar_foundation.http import HttpClient, NoAnswer  # noqa: PLC0415 - seldom needed

    with HttpClient(seconds=_PROBE_SECONDS) as client, contextlib.suppress(NoAnswer):
        answers.append(client.request("HEAD", _INSTALLER).status < 400)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return the numbers of `v3.274.1` or `3.274.1-dev`; None when there are none."""
    numbers = text.strip().removeprefix("v").split("+")[0].split("-")[0].split(".")
    if len(numbers) != 3 or not all(part.isdigit() for part in numbers):
        return None
    major, minor, patch = (int(part) for part in numbers)
    return major, minor, patch


def is_supported(version: tuple[int, int, int] | None) -> bool:
    """Return whether a CLI of that version can be used."""
    return version is not None and MINIMUM_VERSION <= version < BELOW_VERSION


def write_stamp(directory: Path) -> None:
    """Declare the files of `directory` complete as they are now."""
    files = {path.name: _describe(path) for path in sorted(directory.iterdir()) if path.is_file()}
    (directory / _STAMP).write_text(json.dumps(files, indent=1))


def is_complete(directory: Path, expected: tuple[str, ...]) -> bool:
    """Return whether every file of `directory` is there as it was when stamped, and the expected ones are among them.

    A file whose size and modification time are unchanged is not read again: hashing a CLI takes 0.4 s.
    """
    try:
        files = json.loads((directory / _STAMP).read_text())
        return set(expected) <= files.keys() and all(_is_intact(directory / name, files[name]) for name in files)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return False


def _is_intact(path: Path, known: dict[str, object]) -> bool:
    status = path.stat()
    if status.st_size != known["size"]:
        return False
    return status.st_mtime_ns == known["modified"] or _sha256(path) == known["sha256"]


def _describe(path: Path) -> dict[str, object]:
    status = path.stat()
    return {"size": status.st_size, "modified": status.st_mtime_ns, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
