"""Build the supervisor layer: a relocatable CPython with its own loader, and the supervisor, under opt/scar.

It stands alone. With `--interpreter pinned` the layer is made from pinned parts, with the same bytes on every machine:
that is what releases carry. Otherwise it gets the interpreter that runs this (for another architecture, the one of
Debian), with obstore and botocore as they are installed beside it.
"""

import argparse
import hashlib
import json
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # so that `python -I bundle.py` finds them too
    sys.path.insert(0, str(HERE))

from bundling import BundleError, elf, layer, licences, modules, pinned  # noqa: E402
from bundling.interpreter import (  # noqa: E402
    Source,
    debian_interpreter,
    install_wheel,
    package,
    this_interpreter,
    unpack_packages,
)
from bundling.layer import File  # noqa: E402

ROOT = "opt/scar"
PAGE = HERE / "supervisor" / "page.html"
MARLA = HERE / "supervisor" / "mapreduce" / "marla.py"  # run by the image's own Python, and so needed as a text
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Before glibc 2.34 name services were libraries of their own, which are opened by name and so not linked.
NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
ENTRYPOINT = (
    f"/{ROOT}/lib/ld.so",
    "--inhibit-cache",
    "--library-path",
    f"/{ROOT}/lib",
    f"/{ROOT}/bin/python",
    "-IBS",
    "-Xutf8",
    "-c",
    "from supervisor.main import main; main()",
)


def main() -> int:
    """Build the layer, or print the fingerprint of what it would be built from."""
    options = _options()
    try:
        _check_machine()
        if options.fingerprint:
            print(fingerprint() if options.interpreter == "this" else pinned_fingerprint())  # noqa: T201
        elif options.parts:
            made = layer.write(tree(pinned.source(options.parts, options.architecture)), Path(options.output))
            print(_facts(made, pinned_fingerprint()))  # noqa: T201
        elif options.interpreter == "pinned":
            print(build_pinned(Path(options.output), options.architecture, options.downloads))  # noqa: T201
        else:
            print(json.dumps(build(Path(options.output), options.architecture, options.downloads)))  # noqa: T201
    except BundleError as error:
        print(f"supervisor bundle: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def build(output: Path, architecture: str, downloads: Path | None = None) -> dict[str, object]:
    """Write the layer to `output`, and return what an image builder needs to know about it."""
    if architecture == _here():
        written = layer.write(tree(this_interpreter()), output)
    else:
        with tempfile.TemporaryDirectory(prefix="scar-supervisor-") as folder:
            made = foreign(architecture, Path(folder), downloads or Path(folder))
            written = layer.write(tree(made), output)
    return {**written._asdict(), "entrypoint": list(ENTRYPOINT), "inputs": fingerprint()}


def build_pinned(output: Path, architecture: str, downloads: Path | None = None) -> str:
    """Write the layer from pinned parts to `output`, and return the facts as JSON: the same on every machine."""
    here = _here()
    assert here
    options = ("--architecture", architecture, "--output", str(output.absolute()))
    with tempfile.TemporaryDirectory(prefix="scar-supervisor-") as folder:
        command = (str(HERE / "bundle.py"), *options, "--parts", folder)
        return pinned.run(command, architecture, here, downloads or Path(folder), Path(folder)).strip()


def pinned_fingerprint() -> str:
    """Return a hash of all that a layer from pinned parts depends on, with any Python."""
    files = sorted([*HERE.rglob("*.py"), PAGE, pinned.PINS])
    contents = [(str(path.relative_to(HERE)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return hashlib.sha256(repr((ENTRYPOINT, contents)).encode()).hexdigest()


def _facts(made: layer.Layer, inputs: str) -> str:
    return json.dumps({**made._asdict(), "entrypoint": list(ENTRYPOINT), "inputs": inputs})


def foreign(architecture: str, folder: Path, downloads: Path) -> Source:
    """Unpack Debian's interpreter for another architecture into `folder`, and return it."""
    root = folder / "root"
    root.mkdir()
    names = unpack_packages(architecture, downloads, root)
    obstore = install_wheel("obstore", architecture, folder / "wheels")
    return debian_interpreter(root, architecture, names, {"obstore": obstore, "botocore": package("botocore")})


def tree(source: Source) -> dict[str, File]:
    """Return every file below opt/scar, by name."""
    found = modules.closure(modules.names(HERE / "supervisor"), HERE, source)
    files = {
        **_python(found, source),
        **_programs(found, source),
        f"{ROOT}/lib/cacert.pem": File(source.certificates.read_bytes()),
        f"{ROOT}/lib/page.html": File(PAGE.read_bytes()),
        f"{ROOT}/lib/marla.py": File(MARLA.read_bytes()),
    }
    return files | licences.files(files, ROOT, source)


def fingerprint() -> str:
    """Return a hash of everything that the layer is built from here: an equal one means an equal layer."""
    contents = sorted((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in set(_inputs()))
    return hashlib.sha256(repr((sys.version, ENTRYPOINT, contents)).encode()).hexdigest()


def _inputs() -> Iterator[Path]:
    source = this_interpreter()
    yield from HERE.rglob("*.py")
    yield PAGE
    # More than the import closure, which takes a second to compute: any change in these packages counts.
    for folder in ("", "collections", "email", "encodings", "http", "importlib", "json", "re", "urllib"):
        yield from (source.stdlib / folder).glob("*.py")
    yield from source.extensions.glob("*.so")
    yield from (*source.obstore.glob("*.py"), *source.obstore.glob("*.so"))
    yield from (source.interpreter, source.loader, source.certificates, *_libraries([], source).values())
    yield from licences.texts(source)


def _python(found: modules.Closure, source: Source) -> dict[str, File]:
    stdlib = f"{ROOT}/lib/{VERSION}"
    files = {f"{ROOT}/lib/{VERSION.replace('.', '')}.zip": File(modules.archive(found.sources))}
    # The interpreter takes the folder with this file as its standard library, whatever folder it was built for.
    files[f"{stdlib}/os.pyc"] = File(modules.compiled(found.sources["os"], "os.py"))
    for extension in found.extensions:
        files[f"{stdlib}/lib-dynload/{extension.path.name}"] = _native(extension.path)
    for module in ("__init__.py", "store.py"):
        files[f"{stdlib}/obstore/{module}c"] = File(modules.compiled(source.obstore / module, f"obstore/{module}"))
    return files | {f"{stdlib}/obstore/{file.name}": _native(file) for file in source.obstore.glob("*.so")}


def _programs(found: modules.Closure, source: Source) -> dict[str, File]:
    libraries = _libraries([extension.path for extension in found.extensions], source)
    files = {f"{ROOT}/lib/{name}": _native(path) for name, path in libraries.items()}
    files[f"{ROOT}/lib/ld.so"] = _native(source.loader, executable=True)
    files[f"{ROOT}/bin/python"] = _native(source.interpreter, executable=True)
    return files


def _native(path: Path, *, executable: bool = False) -> File:
    return File(elf.stripped(path.read_bytes()), executable)


def _libraries(extensions: Iterable[Path], source: Source) -> dict[str, Path]:
    found = source.libraries([source.interpreter, *source.obstore.glob("*.so"), *extensions])
    folder = found["libc.so.6"].parent
    return {**{name: folder / name for name in NAME_SERVICES if (folder / name).exists()}, **found}


def _here() -> str | None:
    return ARCHITECTURES.get(platform.machine())


def _check_machine() -> None:
    if sys.platform != "linux" or _here() is None:
        raise BundleError(
            f"the layer cannot be built on {sys.platform} {platform.machine()}; build it on Linux, x86_64 or arm64"
        )
    if sysconfig.get_config_var("SOABI") and "musl" in str(sysconfig.get_config_var("SOABI")):
        raise BundleError("this CPython is linked with musl; run bundle.py with one that is linked with glibc")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--architecture", choices=("x86_64", "arm64"), default=ARCHITECTURES.get(platform.machine(), "x86_64")
    )
    parser.add_argument(
        "--downloads", metavar="FOLDER", type=Path, help="where to keep the packages of another architecture"
    )
    parser.add_argument(
        "--interpreter",
        choices=("this", "pinned"),
        default="this",
        help="whose bytes go into the layer: those of the Python that runs this, or the pinned ones",
    )
    parser.add_argument("--parts", type=Path, help=argparse.SUPPRESS)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--output", metavar="FILE.tar.gz", help="where to write the layer")
    what.add_argument(
        "--fingerprint", action="store_true", help="print only the hash of what the layer would be built from"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
