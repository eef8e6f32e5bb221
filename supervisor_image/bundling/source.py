"""What a layer is made from: an interpreter with its libraries, and two packages."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """An interpreter of one architecture, on this machine or in a folder."""

    interpreter: Path
    loader: Path
    stdlib: Path
    extensions: Path
    packages: Mapping[str, Distribution]
    libraries: Callable[[Iterable[Path]], dict[str, Path]]
    """Every shared library that files need: name → path."""
    versions: Mapping[str, str]
    """Of cpython, glibc and openssl."""
    licences: tuple[Path, ...]
    """Where the interpreter's licence may be, best first."""
    documentation: Path
    """Where Debian's packages leave their copyright files."""

    @property
    def obstore(self) -> Path:
        """The package's folder."""
        return folder(self.packages["obstore"], "obstore")

    @property
    def certificates(self) -> Path:
        """The authorities that are trusted."""
        return folder(self.packages["botocore"], "botocore") / "cacert.pem"


def folder(package: Distribution, name: str) -> Path:
    """The folder of a package's modules."""
    return Path(str(package.locate_file(name)))
