"""Build the supervisor layer: a relocatable CPython with its own loader, and the supervisor, under opt/scar.

Stand-alone: `python bundle.py --output FILE.tar.gz` needs only the standard library, and obstore and botocore installed
beside it. The interpreter that runs it is the one that travels.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # so that `python -I bundle.py` finds the parts too
    sys.path.insert(0, str(HERE))

from bundling import contents, elf, layer, modules  # noqa: E402
from bundling.errors import BundleError  # noqa: E402
from bundling.layer import File  # noqa: E402

ROOT = "opt/scar"
PAGE = HERE / "supervisor" / "page.html"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Before glibc 2.34 name services were libraries of their own, opened by name and so not among what is linked.
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
    """Build the layer, or print the fingerprint of what would go in."""
    options = _options()
    try:
        _check_architecture(options.architecture)
        if options.fingerprint:
            print(fingerprint())  # noqa: T201
        else:
            print(json.dumps(build(Path(options.output))))  # noqa: T201
    except BundleError as error:
        print(f"supervisor bundle: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def build(output: Path) -> dict[str, object]:
    """Write the layer to `output`; what an image builder must know of it."""
    written = layer.write(tree(), output)
    return {**written._asdict(), "entrypoint": list(ENTRYPOINT), "inputs": fingerprint()}


def tree() -> dict[str, File]:
    """Everything below opt/scar, by name."""
    found = modules.closure(modules.names(HERE / "supervisor"), HERE)
    files = {
        **_python(found),
        **_programs(found),
        f"{ROOT}/lib/cacert.pem": File(_certificates().read_bytes()),
        f"{ROOT}/lib/page.html": File(PAGE.read_bytes()),
    }
    packages = {name: _package(name) for name in ("obstore", "botocore")}
    return files | contents.files(files, ROOT, packages)


def fingerprint() -> str:
    """Hash of everything that the layer is made from; equal means that the same layer would be built."""
    contents = sorted((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in set(_inputs()))
    return hashlib.sha256(repr((sys.version, ENTRYPOINT, contents)).encode()).hexdigest()


def _inputs() -> Iterator[Path]:
    yield from HERE.rglob("*.py")
    yield PAGE
    # More than the import closure, which takes a second to compute: any change in these packages counts.
    for folder in (
        "",
        "collections",
        "email",
        "encodings",
        "http",
        "importlib",
        "json",
        "re",
        "urllib",
    ):
        yield from (modules.STDLIB / folder).glob("*.py")
    yield from modules.EXTENSIONS.glob("*.so")
    yield from (*_obstore().glob("*.py"), *_obstore().glob("*.so"))
    yield from (_interpreter(), elf.loader(_interpreter()), _certificates(), *_libraries([]).values())


def _python(found: modules.Closure) -> dict[str, File]:
    stdlib = f"{ROOT}/lib/{VERSION}"
    files = {f"{ROOT}/lib/{VERSION.replace('.', '')}.zip": File(modules.archive(found.sources))}
    # The interpreter takes the folder with this file for its standard library, wherever it was built to look.
    files[f"{stdlib}/os.pyc"] = File(modules.compiled(found.sources["os"], "os.py"))
    for extension in found.extensions:
        files[f"{stdlib}/lib-dynload/{extension.path.name}"] = _native(extension.path)
    for source in ("__init__.py", "store.py"):
        files[f"{stdlib}/obstore/{source}c"] = File(modules.compiled(_obstore() / source, f"obstore/{source}"))
    return files | {f"{stdlib}/obstore/{file.name}": _native(file) for file in _obstore().glob("*.so")}


def _programs(found: modules.Closure) -> dict[str, File]:
    libraries = _libraries([extension.path for extension in found.extensions])
    files = {f"{ROOT}/lib/{name}": _native(path) for name, path in libraries.items()}
    files[f"{ROOT}/lib/ld.so"] = _native(elf.loader(_interpreter()), executable=True)
    files[f"{ROOT}/bin/python"] = _native(_interpreter(), executable=True)
    return files


def _native(path: Path, *, executable: bool = False) -> File:
    return File(elf.stripped(path.read_bytes()), executable)


def _libraries(extensions: Iterable[Path]) -> dict[str, Path]:
    interpreter = _interpreter()
    found = elf.libraries([interpreter, *_obstore().glob("*.so"), *extensions], elf.loader(interpreter))
    folder = found["libc.so.6"].parent
    return {**{name: folder / name for name in NAME_SERVICES if (folder / name).exists()}, **found}


def _interpreter() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))


def _obstore() -> Path:
    return _package("obstore")


def _certificates() -> Path:
    return _package("botocore") / "cacert.pem"


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise BundleError(f"the package {name} is missing beside {sys.executable}; install scar-pulumi there")
    return Path(found.submodule_search_locations[0])


def _check_architecture(wanted: str) -> None:
    here = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or here is None:
        raise BundleError(f"cannot be built on {sys.platform} {platform.machine()}; build it on Linux, x86_64 or arm64")
    if sysconfig.get_config_var("SOABI") and "musl" in str(sysconfig.get_config_var("SOABI")):
        raise BundleError("needs a CPython linked with glibc, this one is linked with musl; run it with another one")
    if ARCHITECTURES.get(wanted) != here:
        raise BundleError(f"the layer for {wanted} cannot be built on {here}; build it on a {wanted} machine")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--architecture", choices=("x86_64", "arm64"), default=ARCHITECTURES.get(platform.machine(), "x86_64")
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--output", metavar="FILE.tar.gz", help="where to write the layer")
    what.add_argument("--fingerprint", action="store_true", help="print only the hash of what would go in")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
