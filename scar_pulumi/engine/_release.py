"""Which Pulumi is supported, and the one that is built where none can be downloaded."""

from dataclasses import dataclass
from pathlib import Path

MINIMUM_VERSION = (3, 200, 0)
BELOW_VERSION = (4, 0, 0)

# Newer releases of pkg/v3 are not served by every module proxy; this one runs programs of SDK 3.272.
BUILT_VERSION = "3.246.0"
MAIN_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
MODULE_DIRECTORY = Path(__file__).parent / "module"
MODULE_FILES = ("go.mod", "go.sum", "tools.go")
GO_VERSION = (1, 25, 8)

# Files of SDK_MODULE that stand beside the CLI in an official installation.
PROGRAM_RUNNER = "pulumi-language-python-exec"
DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"
SDK_FILES = {
    PROGRAM_RUNNER: f"python/cmd/{PROGRAM_RUNNER}",
    DYNAMIC_PROVIDER: f"python/dist/{DYNAMIC_PROVIDER}",
}

INSTALL_PULUMI = "`curl -fsSL https://get.pulumi.com | sh` (https://www.pulumi.com/docs/iac/download-install/)"
INSTALL_GO = f"Go {GO_VERSION[0]}.{GO_VERSION[1]} or newer (https://go.dev/doc/install)"


@dataclass(frozen=True)
class Engine:
    """A Pulumi CLI that is ready to run."""

    command: Path
    version: str
    origin: str
    """Where it comes from, as a phrase: "PATH", "an earlier build", "the official installer", "a build"."""


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Numbers of `v3.246.0` or `3.246.0-dev`; None when there are none."""
    numbers = text.strip().removeprefix("v").split("+")[0].split("-")[0].split(".")
    if len(numbers) != 3 or not all(part.isdigit() for part in numbers):
        return None
    major, minor, patch = (int(part) for part in numbers)
    return major, minor, patch


def is_supported(version: tuple[int, int, int] | None) -> bool:
    """Whether a CLI of that version can be used."""
    return version is not None and MINIMUM_VERSION <= version < BELOW_VERSION
