"""Python modules of the layer: which ones the supervisor imports, and their bytecode."""

import importlib.util
import io
import marshal
import modulefinder
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from bundling.interpreter import Source

# What our import statements do not show: encodings are found by name, and obstore's native part imports the rest.
ALWAYS = (
    "__future__",
    "collections.abc",
    "contextlib",
    "datetime",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_8",
    "os",
    "pathlib",
    "traceback",
    "typing",
    "warnings",
)
# What the standard library imports only where it exists, or in functions that the supervisor never calls.
NEVER = """
    _bootsubprocess _hashlib _osx_support _pydecimal _pyio _pyrepl _strptime argparse asyncio bz2
    concurrent.futures csv ctypes curses decimal difflib distutils doctest email._header_value_parser
    email.contentmanager email.generator email.headerregistry email.mime email.policy encodings.idna
    encodings.mbcs encodings.oem ensurepip fractions getopt getpass gettext grp gzip idlelib importlib.metadata
    importlib.readers importlib.resources inspect json.tool logging lzma mimetypes multiprocessing netrc
    optparse pdb pickle platform plistlib pprint py_compile pydoc readline runpy site smtplib socketserver
    sqlite3 statistics sysconfig tarfile tempfile test tkinter tracemalloc tty unicodedata unittest urllib.error
    urllib.request urllib.response webbrowser xml
""".split()  # noqa: SIM905 one word per line would take seventy lines


class Extension(NamedTuple):
    """A native module of the standard library."""

    name: str
    path: Path


class Closure(NamedTuple):
    """All modules that the roots import, directly or indirectly."""

    sources: Mapping[str, Path]
    extensions: tuple[Extension, ...]


def closure(roots: Iterable[str], path: Path, source: Source) -> Closure:
    """Return the import closure of the named modules, whose own package lies in `path`."""
    with tempfile.TemporaryDirectory() as folder:
        native = _without_tags(source.extensions, Path(folder))
        finder = modulefinder.ModuleFinder(path=[str(path), str(source.stdlib), folder], excludes=NEVER)
        for name in (*roots, *ALWAYS):
            finder.import_hook(name, None, ["*"] if "." in name else None)
        files = ((name, getattr(module, "__file__", None)) for name, module in finder.modules.items())
        found = {name: Path(file) for name, file in files if file}
    extensions = (Extension(name, native[file.name]) for name, file in found.items() if file.suffix == ".so")
    sources = {name: file for name, file in found.items() if file.suffix == ".py"}
    return Closure(dict(sorted(sources.items())), tuple(sorted(extensions)))


def _without_tags(extensions: Path, folder: Path) -> dict[str, Path]:
    """Make empty files for native modules, without the tags that hide another architecture's from this interpreter."""
    native = {f"{file.name.partition('.')[0]}.so": file for file in extensions.glob("*.so")}
    for name in native:
        (folder / name).touch()
    return native


def names(package: Path) -> list[str]:
    """Return the names of all modules of a package."""
    files = sorted(package.rglob("*.py"))
    return [
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def compiled(file: Path, shown_as: str) -> bytes:
    """Return the module's bytecode without docstrings and assertions; `shown_as` is its path in tracebacks."""
    source = file.read_bytes()
    code = compile(source, shown_as, "exec", dont_inherit=True, optimize=2)
    unchecked_hash = (0b01).to_bytes(4, "little")  # https://peps.python.org/pep-0552/
    return importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source) + _marshalled(code)


def archive(sources: Mapping[str, Path]) -> bytes:
    """Return the modules' bytecode as the zip archive that an interpreter finds beside its standard library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:  # the layer is compressed as a whole
        for name, file in sources.items():
            inside = member(name, file)
            packed.writestr(zipfile.ZipInfo(f"{inside}c"), compiled(file, inside))
    return buffer.getvalue()


def member(name: str, file: Path) -> str:
    """Return a module's path below its root: `http.client` → `http/client.py`."""
    tail = "/__init__.py" if file.name == "__init__.py" else ".py"
    return name.replace(".", "/") + tail


def _marshalled(code: CodeType) -> bytes:
    # From version 3 on the bytes depend on reference counts, and so on what else the process has loaded:
    # https://github.com/python/cpython/issues/78274. Python 3.14's slice constants need version 5.
    return marshal.dumps(code, 2) if sys.version_info < (3, 14) else marshal.dumps(code)
