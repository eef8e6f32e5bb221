"""Where the Pulumi CLI comes from. Builds are done by a function of the test: the real one takes four minutes."""

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scar_foundation.errors import EngineError
from scar_pulumi.engine import find
from scar_pulumi.engine.find import find_engine, parse_version
from scar_pulumi.engine.go_build import BUILT_VERSION, GO_VERSION, MODULE_DIRECTORY, MODULE_FILES, SDK_FILES

_NO_INTERNET = {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}


class Building:
    """A build that writes small files and counts how often it ran."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, directory: Path, progress: Callable[[str], None]) -> None:
        self.times += 1
        for name in ("pulumi", *SDK_FILES):
            (directory / name).write_text(f"{name} itself")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, a PATH without pulumi, and no way to Pulumi's installer."""
    monkeypatch.setenv("SCAR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SCAR_ENGINE_SOURCES", "path,cache,build")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "cache" / "engine" / BUILT_VERSION


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_supported_pulumi_on_path_is_used(cache: Path, tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "pulumi", "echo v3.250.1")
    engine = find_engine(build=Building())
    assert (engine.command, engine.version, engine.origin) == (tmp_path / "bin" / "pulumi", "3.250.1", "PATH")


@pytest.mark.parametrize("version", ["v3.199.9", "v4.0.0", "unknown"])
def test_an_unsupported_pulumi_on_path_is_skipped_aloud(cache: Path, tmp_path: Path, version: str) -> None:
    _program(tmp_path / "bin" / "pulumi", f"echo {version}")
    said: list[str] = []
    assert find_engine(said.append, Building()).origin == "a build"
    assert said == [f"skipping {tmp_path}/bin/pulumi: version {version} is not supported (3.200 or newer, below 4)"]


def test_a_build_is_kept_and_found_again(cache: Path) -> None:
    build = Building()
    assert find_engine(build=build).origin == "a build"
    again = find_engine(build=build)
    assert (again.command, again.origin, build.times) == (cache / "pulumi", "an earlier build", 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cache: os.truncate(cache / "pulumi", 3),
        lambda cache: (cache / "pulumi").write_text("PULUMI itself"),  # same size
        lambda cache: (cache / "pulumi-language-python-exec").unlink(),
        lambda cache: (cache / "complete.json").unlink(),
        lambda cache: (cache / "complete.json").write_text('{"pulumi": {"si'),
    ],
    ids=["cut short", "changed", "file missing", "no stamp", "half a stamp"],
)
def test_a_corrupt_build_is_made_again(cache: Path, spoil: Callable[[Path], object]) -> None:
    build = Building()
    find_engine(build=build)
    spoil(cache)
    assert find_engine(build=build).origin == "a build"
    assert build.times == 2
    assert (cache / "pulumi").read_text() == "pulumi itself"


def test_a_copied_cache_is_still_complete(cache: Path) -> None:
    find_engine(build=Building())
    os.utime(cache / "pulumi")  # other times, same content
    assert find_engine(build=Building()).origin == "an earlier build"


def test_what_a_killed_build_left_is_removed(cache: Path) -> None:
    leftover = cache.parent / "making-abc" / "build"
    leftover.mkdir(parents=True)
    (leftover / "pulumi").write_text("half")
    find_engine(build=Building())
    assert {path.name for path in cache.parent.iterdir()} == {BUILT_VERSION, "lock"}


_PROCESS = """
import sys, time
from pathlib import Path
from scar_pulumi.engine.find import find_engine, parse_version
from scar_pulumi.engine.go_build import SDK_FILES
flags = Path(sys.argv[1])
def build(directory, progress):
    (flags / "started").open("a").write("x")
    while not (flags / "go").exists():
        time.sleep(0.02)
    for name in ("pulumi", *SDK_FILES):
        (directory / name).write_text(name)
print(find_engine(lambda line: print(line, flush=True), build).origin)
"""


def _start(flags: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _PROCESS, str(flags)], stdout=subprocess.PIPE, text=True)


def test_two_processes_build_once_and_the_second_says_that_it_waits(
    cache: Path, tmp_path: Path, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    first = _start(tmp_path)
    wait_until((tmp_path / "started").exists)
    second = _start(tmp_path)
    assert second.stdout is not None
    assert second.stdout.readline() == f"waiting for process {first.pid}, which is preparing the engine\n"
    (tmp_path / "go").touch()
    assert first.communicate()[0] == "a build\n"
    assert second.communicate()[0].endswith("an earlier build\n")
    assert (tmp_path / "started").read_text() == "x"


def test_a_killed_builder_blocks_nobody(
    cache: Path, tmp_path: Path, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    first = _start(tmp_path)
    wait_until((tmp_path / "started").exists)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert find_engine(build=Building()).origin == "a build"
    assert not list(cache.parent.glob("making-*"))


def test_a_missing_go_toolchain_is_one_clear_error(cache: Path) -> None:
    with pytest.raises(EngineError, match=r"get\.pulumi\.com \| sh.*Go 1\.26\.6 or newer"):
        find_engine()


def test_a_go_toolchain_that_is_too_old_is_named(cache: Path, tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "go", """echo '{"GOVERSION": "go1.24.3", "GOTOOLCHAIN": "local"}'""")
    with pytest.raises(EngineError, match=r"bin/go is go1\.24\.3, the build needs Go 1\.26\.6 or newer"):
        find_engine()


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_modules_that_cannot_be_had_are_one_clear_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = shutil.which("go", path=os.environ.get("PATH", "") + os.pathsep + _REAL_PATH)
    assert go is not None
    (tmp_path / "bin" / "go").symlink_to(go)
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -thisflagdoesnotexist")
    with pytest.raises(EngineError) as failed:
        find_engine()
    assert "127.0.0.1:9" in str(failed.value)
    assert "`go env GOPROXY`" in str(failed.value)
    assert "get.pulumi.com | sh" in str(failed.value)
    assert [path.name for path in cache.parent.iterdir()] == ["lock"]


_REAL_PATH = os.environ["PATH"]


def test_an_unreachable_installer_costs_seconds_and_says_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _NO_INTERNET.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    started = time.monotonic()
    assert not find.install(tmp_path / "official", "3.272.0", said.append)
    assert time.monotonic() - started < 5
    assert (said, (tmp_path / "official").exists()) == ([], False)


def test_unknown_sources_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_ENGINE_SOURCES", "path,internet")
    with pytest.raises(EngineError, match="'internet' is unknown; use some of path,cache,install,build"):
        find_engine()


def test_the_pinned_module_is_package_data() -> None:
    assert all((MODULE_DIRECTORY / name).stat().st_size for name in MODULE_FILES)
    module = (MODULE_DIRECTORY / "go.mod").read_text()
    assert f"\ngo {'.'.join(map(str, GO_VERSION))}\n" in module
    assert "replace" not in module


def test_the_pinned_engine_is_in_step_with_both_sdks() -> None:
    """Its Go module and its Go SDK are one release, and the Python SDK that is installed here is not newer."""
    module = (MODULE_DIRECTORY / "go.mod").read_text()
    pinned = dict(re.findall(r"github\.com/pulumi/pulumi/(pkg|sdk)/v3 v(\S+)", module))
    assert pinned == {"pkg": BUILT_VERSION, "sdk": BUILT_VERSION}
    engine, sdk = parse_version(BUILT_VERSION), parse_version(importlib.metadata.version("pulumi"))
    assert engine is not None
    assert sdk is not None
    assert engine[0] == sdk[0]
    assert 0 <= engine[1] - sdk[1] <= 5
