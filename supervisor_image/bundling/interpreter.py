"""The interpreter that travels in the layer: the one that runs this, or Debian's for another architecture."""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

from bundling import BundleError, elf

STDLIB = Path(sysconfig.get_path("stdlib"))
_DOCUMENTATION = Path("/usr/share/doc")
# https://wiki.debian.org/Multiarch/Tuples
TRIPLETS = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_WHEEL_PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
# The oldest C libraries that wheels may require, up to that of Debian 12: https://peps.python.org/pep-0600/
_MANYLINUX = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, 37)))
# The packages of the interpreter; the libraries that it and obstore are linked with come as their dependencies.
INTERPRETER = ("python3", "libgcc-s1")
_VERSIONED = {"cpython": "python3.{minor}-minimal", "glibc": "libc6", "openssl": "libssl3"}


class Source(NamedTuple):
    """An interpreter of one architecture, on this machine or in a folder."""

    interpreter: Path
    loader: Path
    stdlib: Path
    extensions: Path
    packages: Mapping[str, Distribution]
    libraries: Callable[[Iterable[Path]], dict[str, Path]]
    """Returns every shared library that files need: name → path."""
    versions: Mapping[str, str]
    """Of cpython, glibc and openssl."""
    licences: tuple[Path, ...]
    """Where the interpreter's licence may be, best first."""
    documentation: Path
    """Where Debian packages put their copyright files."""

    @property
    def obstore(self) -> Path:
        """The package's folder."""
        return package_folder(self.packages["obstore"], "obstore")

    @property
    def certificates(self) -> Path:
        """The file of trusted certificate authorities."""
        return package_folder(self.packages["botocore"], "botocore") / "cacert.pem"


def package_folder(package: Distribution, name: str) -> Path:
    """Return the folder of a package's modules."""
    return Path(str(package.locate_file(name)))


def this_interpreter() -> Source:
    """Return the interpreter that runs this, with the packages beside it and this machine's libraries."""
    interpreter = Path(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))
    loader = elf.loader(interpreter).resolve()

    def libraries(files: Iterable[Path]) -> dict[str, Path]:
        return elf.libraries(files, loader)

    return Source(
        interpreter=interpreter,
        loader=loader,
        stdlib=STDLIB,
        extensions=Path(sysconfig.get_config_var("DESTSHARED") or STDLIB / "lib-dynload"),
        packages={name: package(name) for name in ("obstore", "botocore")},
        libraries=libraries,
        versions={"cpython": platform.python_version(), "glibc": platform.libc_ver()[1], "openssl": _openssl()},
        licences=(
            *(Path(place) / "LICENSE.txt" for place in (sys.base_prefix, STDLIB)),
            _DOCUMENTATION / f"python3.{sys.version_info.minor}" / "copyright",
        ),
        documentation=_DOCUMENTATION,
    )


def package(name: str) -> metadata.Distribution:
    """Return a package that is installed beside this interpreter. Raises BundleError where it is not."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise BundleError(f"the package {name} is missing beside {sys.executable}; install scar-pulumi there") from None


def _openssl() -> str:
    import ssl  # noqa: PLC0415 only for its version

    return ssl.OPENSSL_VERSION.split()[1]


def debian_interpreter(
    root: Path, architecture: str, names: Iterable[str], packages: Mapping[str, Distribution]
) -> Source:
    """Return the python3 in a folder into which Debian packages of these names were unpacked, with Python packages.

    Nothing in the folder is run. Raises BundleError where its Python has another version than the one that runs this
    and compiles the modules for it.
    """
    interpreter = elf.inside(root, Path("/usr/bin/python3"))
    version = interpreter.name
    here = f"python3.{sys.version_info.minor}"
    if version != here:
        raise BundleError(
            f"the distribution has {version} and this is {here}; run this with {version}, which can compile for it"
        )
    stdlib = root / "usr/lib" / version
    folders = [root / place / TRIPLETS[architecture] for place in ("lib", "usr/lib")]

    def libraries(files: Iterable[Path]) -> dict[str, Path]:
        return elf.linked(files, folders, root)

    return Source(
        interpreter=interpreter,
        loader=elf.inside(root, elf.loader(interpreter)),
        stdlib=stdlib,
        extensions=stdlib / "lib-dynload",
        packages=packages,
        libraries=libraries,
        versions=_versions(list(names)),
        licences=(stdlib / "LICENSE.txt", root / f"usr/share/doc/{version}/copyright"),
        documentation=root / "usr/share/doc",
    )


def _versions(names: list[str]) -> dict[str, str]:
    """Return upstream versions, from names of packages such as `libc6_2.36-9_arm64.deb`."""
    found = {}
    for part, package in _VERSIONED.items():
        pattern = re.compile(rf"{re.escape(package.format(minor=sys.version_info.minor))}(?:t64)?_(?:\d+%3a)?([^-_]+)")
        found[part] = next((match[1] for name in names if (match := pattern.match(name))), "")
    return found


def unpack_packages(architecture: str, downloads: Path, root: Path, wanted: Sequence[str] = INTERPRETER) -> list[str]:
    """Unpack Debian packages and their dependencies into `root`, and return the names of the packages' files.

    Nothing is installed: apt works in folders of its own, so neither this machine's packages nor the architectures it
    knows change, and checks signatures as always. `downloads` keeps the packages for the next time. Raises BundleError.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BundleError(
            f"the layer for {architecture} is built from Debian packages with apt, which this machine does not have; "
            f"build it on Debian, on a {architecture} machine, or with Docker (supervisor_image/Dockerfile)"
        )
    folder = downloads / f"apt-{_DEBIAN_ARCHITECTURES[architecture]}"
    with _locked(folder):
        packages = _downloaded(architecture, folder, wanted)
        for package in packages:
            _run(["dpkg-deb", "--extract", str(package), str(root)], architecture)
    return [package.name for package in packages]


def fetch_packages(architecture: str, downloads: Path, pins: Mapping[str, str]) -> list[Path]:
    """Return the files of Debian packages, by name and SHA-256 sum; those that `downloads` has are not fetched again.

    Raises BundleError where a package cannot be had in the pinned version.
    """
    folder = downloads / f"pinned-{_DEBIAN_ARCHITECTURES[architecture]}"
    with _locked(folder):
        if missing := [name for name in pins if not _is_as_pinned(folder / name, pins[name])]:
            _fetch(architecture, folder, missing)
        wrong = [name for name in pins if not _is_as_pinned(folder / name, pins[name])]
    if wrong:
        raise BundleError(f"packages differ from bundling/pins.json: {', '.join(wrong)}; remove them from {folder}")
    return [folder / name for name in pins]


def _fetch(architecture: str, folder: Path, names: Sequence[str]) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BundleError("the layer is built from Debian packages, and apt is missing; install a released scar-pulumi")
    options = _options(_DEBIAN_ARCHITECTURES[architecture], folder)
    wanted = ["{}={}".format(*name.replace("%3a", ":").split("_")) for name in names]
    _run(["apt-get", *options, "update"], architecture)
    _run(["apt-get", *options, "download", *wanted], architecture, folder)


def _is_as_pinned(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


def _downloaded(architecture: str, folder: Path, wanted: Sequence[str]) -> list[Path]:
    options = _options(_DEBIAN_ARCHITECTURES[architecture], folder)
    download = ["--yes", "--download-only", "--no-install-recommends", "install", *wanted]
    for command in (["update"], download, ["autoclean"]):
        _run(["apt-get", *options, *command], architecture)
    return sorted((folder / "cache/archives").glob("*.deb"))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until no other process uses the folder: apt itself would give up."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_wheel(name: str, architecture: str, folder: Path) -> metadata.Distribution:
    """Install the wheel of a package into a folder, in the version that is installed beside this interpreter."""
    install_wheels([f"{name}=={metadata.version(name)}"], architecture, folder)
    (found,) = metadata.distributions(name=name, path=[str(folder)])
    return found


def install_wheels(
    requirements: Sequence[str], architecture: str, folder: Path, minor: str = f"3.{sys.version_info.minor}"
) -> None:
    """Install the wheels of packages into a folder; where the requirements have hashes, only wheels with those."""
    folder.mkdir(parents=True, exist_ok=True)
    listed, platform = folder / "requirements.txt", _WHEEL_PLATFORMS[architecture]
    listed.write_text("\n".join(requirements) + "\n")
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder), "--requirement", str(listed)]
    if _has_pip():
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--root-user-action=ignore"]
        # pip takes each platform literally: a wheel for an older one would not be found.
        options += [part for tag in _MANYLINUX for part in ("--platform", f"{tag}_{platform}")]
        options += ["--python-version", minor]
    else:
        # uv tells those whom it starts, such as build backends, where it is.
        beside = shutil.which("uv", path=str(Path(sys.executable).parent))
        uv = beside or os.environ.get("UV") or shutil.which("uv")
        if uv is None:
            raise BundleError("pip and uv are missing; install one of them beside this interpreter")
        command = [uv, "pip", "install"]
        options += ["--python-platform", f"{platform}-manylinux_2_28", "--python-version", minor]
    _run([*command, *options], architecture)


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


def _run(command: list[str], architecture: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).replace("\n", " ")
        raise BundleError(
            f"the parts of the layer for {architecture} cannot be downloaded: {Path(command[0]).name}: {reason}"
        )
