"""The interpreter that runs this, as the source of a layer."""

import os
import platform
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from bundling import elf
from bundling.errors import BundleError
from bundling.source import Source

STDLIB = Path(sysconfig.get_path("stdlib"))
_DOCUMENTATION = Path("/usr/share/doc")


def source() -> Source:
    """This interpreter, the packages beside it and this machine's libraries."""
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
    """A package that is installed beside this interpreter. Raises BundleError where it is not."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise BundleError(f"the package {name} is missing beside {sys.executable}; install scar-pulumi there") from None


def _openssl() -> str:
    import ssl  # noqa: PLC0415 the version that travels is the one that this interpreter has

    return ssl.OPENSSL_VERSION.split()[1]
