"""An interpreter of another architecture, from the distribution's packages and from wheels, without installing any.

The ordinary clients are used with folders of their own, so that neither this machine's packages nor the architectures
that it knows change; apt checks its signatures as always.
"""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from bundling.errors import BundleError

_NAMES = {"x86_64": "amd64", "arm64": "arm64"}
_PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
# C libraries that wheels ask for at least, up to that of Debian 12: https://peps.python.org/pep-0600/
_MANYLINUX = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, 37)))
# What the interpreter and obstore are linked with comes along by their dependencies.
INTERPRETER = ("python3", "libgcc-s1")


def unpacked(architecture: str, downloads: Path, root: Path, wanted: Sequence[str] = INTERPRETER) -> list[str]:
    """Unpack packages, with what they depend on, below `root`; return their files' names.

    They are kept in `downloads` for the next time. Raises BundleError.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BundleError(
            f"the layer for {architecture} is made of packages by apt, which this machine does not have; build it on "
            f"Debian, on a {architecture} machine, or with Docker (supervisor_image/Dockerfile)"
        )
    folder = downloads / f"apt-{_NAMES[architecture]}"
    with _alone(folder):
        packages = _downloaded(architecture, folder, wanted)
        for package in packages:
            _run(["dpkg-deb", "--extract", str(package), str(root)], architecture)
    return [package.name for package in packages]


def _downloaded(architecture: str, folder: Path, wanted: Sequence[str]) -> list[Path]:
    options = _options(_NAMES[architecture], folder)
    download = ["--yes", "--download-only", "--no-install-recommends", "install", *wanted]
    for command in (["update"], download, ["autoclean"]):
        _run(["apt-get", *options, *command], architecture)
    return sorted((folder / "cache/archives").glob("*.deb"))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process uses the folder: apt itself gives up where one does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wheel(name: str, architecture: str, folder: Path) -> metadata.Distribution:
    """Install the wheel of a package, in the version that is beside this interpreter, into a folder."""
    version, platform = metadata.version(name), _PLATFORMS[architecture]
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder), f"{name}=={version}"]
    minor = f"3.{sys.version_info.minor}"
    if _has_pip():
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--root-user-action=ignore"]
        # pip takes each platform to the letter: a wheel for an older one would not be found.
        options += [part for tag in _MANYLINUX for part in ("--platform", f"{tag}_{platform}")]
        options += ["--python-version", minor]
    else:
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        if uv is None:
            raise BundleError("pip and uv are missing; install one of them beside this interpreter")
        command = [uv, "pip", "install"]
        options += ["--python-platform", f"{platform}-manylinux_2_28", "--python-version", minor]
    _run([*command, *options], architecture)
    (found,) = metadata.distributions(name=name, path=[str(folder)])
    return found


def _has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _options(architecture: str, folder: Path) -> list[str]:
    for place in ("state/lists/partial", "cache/archives/partial"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    status = folder / "state/status"
    status.touch()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Sandbox::User": "root",  # the user "_apt" could not write here
        "Acquire::Languages": "none",
        "Dir::State": str(folder / "state"),
        "Dir::State::status": str(status),
        "Dir::Cache": str(folder / "cache"),
        "Dir::Log": str(folder / "state"),
    }
    return ["-qq", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def _run(command: list[str], architecture: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).replace("\n", " ")
        raise BundleError(f"the parts of the layer for {architecture} cannot be had: {Path(command[0]).name}: {reason}")
