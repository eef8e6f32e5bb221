"""Builds the Pulumi CLI from its own Go module, pinned by the go.mod and go.sum of this package."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from scar_foundation.errors import EngineError
from scar_pulumi.engine.processes import Watched, run_watched

BUILT_VERSION = "3.274.1"
MAIN_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
MODULE_DIRECTORY = Path(__file__).parent / "module"
MODULE_FILES = ("go.mod", "go.sum", "tools.go")
GO_VERSION = (1, 26, 6)

# What stands beside the CLI in an official installation, from SDK_MODULE: runs a program for the language host.
PROGRAM_RUNNER = "pulumi-language-python-exec"
SDK_FILES = {PROGRAM_RUNNER: f"python/cmd/{PROGRAM_RUNNER}"}

INSTALL_PULUMI = "`curl -fsSL https://get.pulumi.com | sh` (https://www.pulumi.com/docs/iac/download-install/)"
INSTALL_GO = f"Go {'.'.join(map(str, GO_VERSION))} or newer (https://go.dev/doc/install)"


Progress = Callable[[str], None]

_SILENCE_LIMIT = 600.0
"""Seconds without a word from Go after which it is given up; one package or the linking takes a minute at most."""


def build(directory: Path, progress: Progress) -> None:
    """Put the CLI and the SDK's files that belong beside it into `directory`; about four minutes on two cores.

    Raises EngineError, with the way out, when there is no usable Go toolchain or the modules cannot be downloaded.
    """
    go = find_go()
    module = directory / "module"
    module.mkdir()
    for name in MODULE_FILES:
        shutil.copyfile(MODULE_DIRECTORY / name, module / name)
    _copy_sdk_files(go, module, directory, progress)
    label = "downloading the sources of the Pulumi engine"
    packages = _run([go, "list", "-deps", MAIN_PACKAGE], module, label, progress)
    label = f"building the Pulumi engine {BUILT_VERSION} (once, about four minutes on two cores)"
    flags = ["-v", "-trimpath", "-ldflags", f"-s -w -X {VERSION_VARIABLE}=v{BUILT_VERSION}"]
    command = [go, "build", *flags, "-o", str(directory / "pulumi"), MAIN_PACKAGE]
    _run(command, module, label, progress, total=len(packages))
    shutil.rmtree(module)


def find_go() -> str:
    """Return Go's command. Raises EngineError where there is none, or it is too old."""
    go = shutil.which("go")
    if go is None:
        raise EngineError(
            "Pulumi engine: no supported `pulumi` on PATH, none could be downloaded, and no Go toolchain to build one; "
            f"install Pulumi with {INSTALL_PULUMI}, or {INSTALL_GO}, and run this again"
        )
    known = _go_environment(go)
    version = tuple(
        int(part) for part in known["GOVERSION"].removeprefix("go").split("-")[0].split(".") if part.isdigit()
    )
    fetches_newer = known.get("GOTOOLCHAIN", "local") not in {"", "local"}
    if version < GO_VERSION and not (fetches_newer and version >= (1, 21)):
        raise EngineError(
            f"Pulumi engine: {go} is {known['GOVERSION']}, the build needs {INSTALL_GO}; "
            f"install that, or Pulumi itself with {INSTALL_PULUMI}, and run this again"
        )
    return go


def _go_environment(go: str) -> dict[str, str]:
    command = [go, "env", "-json", "GOVERSION", "GOTOOLCHAIN"]
    answer = subprocess.run(command, capture_output=True, text=True, env=_environment(), cwd="/", check=False)
    try:
        known: dict[str, str] = json.loads(answer.stdout)
    except ValueError:
        known = {}
    if not known.get("GOVERSION"):
        raise EngineError(f"Pulumi engine: {go} does not work: {answer.stderr.strip()}; install {INSTALL_GO}")
    return known


def _environment() -> dict[str, str]:
    # The user's caches and proxies are used; their flags and workspace are not, for they change what is built.
    return {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}


def _copy_sdk_files(go: str, module: Path, directory: Path, progress: Progress) -> None:
    _run([go, "mod", "download", SDK_MODULE], module, "downloading the Pulumi SDK's Go module", progress)
    command = [go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE]
    source = Path(_run(command, module, "finding the Pulumi SDK's Go module", progress)[0])
    for name, path in SDK_FILES.items():
        shutil.copyfile(source / path, directory / name)
        (directory / name).chmod(0o755)


def _run(command: list[str], module: Path, label: str, progress: Progress, total: int = 0) -> list[str]:
    def tick(watched: Watched) -> None:
        done = f", {min(len(watched.errors), total)} of {total} packages" if total else ""
        progress(f"{label}: {watched.seconds:.0f} s{done}")

    watched = run_watched(command, _environment(), module, tick, _SILENCE_LIMIT)
    if watched.code:
        raise EngineError(_explain(label, watched.errors))
    return watched.output


def _explain(label: str, log: list[str]) -> str:
    said = [line for line in log if line.strip() and not line.startswith("go: downloading")]
    return (
        f"Pulumi engine: {label} failed: {' '.join(said[-3:]) or 'Go gave no reason'}; check that the Go module proxy "
        f"(`go env GOPROXY`) can be reached, or install Pulumi with {INSTALL_PULUMI}, and run this again"
    )
