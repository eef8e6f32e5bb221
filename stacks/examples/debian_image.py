"""Make a container image of Debian packages, as `docker save` would write it: `debian_image.py OUTPUT PACKAGE...`.

Needs only `mmdebstrap` (a Debian package) and root; no container tool and no registry. The image is kept in the cache
directory and used again while the packages asked for are the same.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from scar_foundation.directories import cache_directory

SUITE = "bookworm"
EPOCH = "1700000000"
"""Time stamp of every file, so that the same packages make the same image: https://reproducible-builds.org/docs/source-date-epoch/"""
UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/var/cache/apt/*")
CONFIGURATION = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"],
    "Cmd": ["/bin/sh"],
}


def main() -> int:
    """Make the image that the command line asks for, or link the one made before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path, help="docker-save tar to write")
    parser.add_argument("packages", nargs="+", help="Debian packages to install")
    arguments = parser.parse_args()
    recipe = json.dumps([SUITE, EPOCH, UNUSED, CONFIGURATION, sorted(arguments.packages)])
    kept = cache_directory() / "images" / f"{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    if not kept.exists():
        _make(kept, sorted(arguments.packages))
    if not arguments.output.exists() or not arguments.output.samefile(kept):
        _link(kept, arguments.output)
    return 0


def _make(image: Path, packages: list[str]) -> None:
    if shutil.which("mmdebstrap") is None:
        sys.exit("debian_image: mmdebstrap is missing; install it with `apt-get install mmdebstrap`")
    image.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=image.parent) as folder:
        layer = Path(folder) / "layer.tar"
        _bootstrap(layer, packages)
        partial = Path(folder) / "image.tar"
        _save(layer, partial)
        partial.replace(image)


def _bootstrap(layer: Path, packages: list[str]) -> None:
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(packages)}"]
    command += ['--aptopt=Apt::Install-Recommends "false"', *(f"--dpkgopt=path-exclude={path}" for path in UNUSED)]
    started = time.monotonic()
    process = subprocess.Popen([*command, SUITE, str(layer)], env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    while True:
        try:
            status = process.wait(timeout=5)
            break
        except subprocess.TimeoutExpired:
            print(
                f"  making an image of {', '.join(packages)}: {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    if status:
        sys.exit(f"debian_image: mmdebstrap failed with status {status}; its message is above")


def _save(layer: Path, image: Path) -> None:
    """Write a `docker save` archive with one layer."""
    with layer.open("rb") as stream:
        diff_id = hashlib.file_digest(stream, "sha256").hexdigest()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(EPOCH)))
    document = {
        "architecture": _architecture(),
        "os": "linux",
        "created": created,
        "config": CONFIGURATION,
        "rootfs": rootfs,
    }
    (config := layer.with_name("config.json")).write_text(json.dumps(document, sort_keys=True))
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    (index := layer.with_name("manifest.json")).write_text(json.dumps(manifest))
    with tarfile.open(image, "w") as archive:
        for path in (config, index, layer):
            archive.add(path, arcname=path.name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = int(EPOCH), 0, 0, "", ""
    return entry


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _link(kept: Path, output: Path) -> None:
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        os.link(kept, partial)
    except OSError:  # another file system
        shutil.copyfile(kept, partial)
    partial.replace(output)


if __name__ == "__main__":
    sys.exit(main())
