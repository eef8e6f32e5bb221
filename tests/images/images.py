"""Small images as the tools of this world write them, and a bundler that stands in for the supervisor's."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

BUNDLER = """
import gzip, hashlib, io, json, sys, tarfile
from pathlib import Path
if "--fingerprint" in sys.argv:
    print("fingerprint-1")
    raise SystemExit
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if arguments["--architecture"] != "x86_64":
    sys.exit("supervisor bundle: arm64 cannot be made here; run on arm64")
with Path(__file__).with_name("runs.txt").open("a") as runs:
    runs.write("run\\n")
data = b"supervisor" * 1000
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as archive:
    member = tarfile.TarInfo("opt/scar/bin/supervisor")
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
layer = gzip.compress(buffer.getvalue(), mtime=0)
Path(arguments["--output"]).write_bytes(layer)
print(json.dumps({
    "digest": "sha256:" + hashlib.sha256(layer).hexdigest(),
    "diff_id": "sha256:" + hashlib.sha256(buffer.getvalue()).hexdigest(),
    "size": len(layer), "entrypoint": ["/opt/scar/lib/ld.so", "/opt/scar/bin/supervisor"], "inputs": "fingerprint-1",
}))
"""


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def write_bundler(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bundle.py"
    path.write_text(BUNDLER)
    return path


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def layers(seed: bytes = b"base") -> list[bytes]:
    """Two uncompressed layers."""
    return [tar({"bin/tool": seed * 40_000}), tar({"etc/name": seed})]


def configuration(tars: list[bytes], **changes: Any) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {
            "Entrypoint": ["/bin/tool"],
            "Cmd": ["--help"],
            "User": "1000:1000",
            "WorkingDir": "/data",
            "Env": ["PATH=/bin", "LANG=C.UTF-8"],
            "Labels": {"a": "b"},
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in tars]},
        "history": [{"created_by": "one"}, {"created_by": "two"}],
        **changes,
    }


def docker_old(path: Path, tars: list[bytes] | None = None, **changes: Any) -> Path:
    """Write an archive as docker save did until version 24, in which equal layers are links."""
    tars = tars or layers()
    config = json.dumps(configuration(tars, **changes)).encode()
    name = f"{digest(config)[7:]}.json"
    names = [f"{index:064x}/layer.tar" for index in range(len(tars))]
    files = {name: config}
    links: dict[str, str] = {}
    for index, (layer_name, layer) in enumerate(zip(names, tars, strict=True)):
        first = tars.index(layer)
        if first == index:
            files[layer_name] = layer
        else:
            links[layer_name] = f"../{names[first]}"
    files["manifest.json"] = json.dumps([{"Config": name, "RepoTags": ["tool:1"], "Layers": names}]).encode()
    path.write_bytes(tar(files, links))
    return path


def oci_files(tars: list[bytes] | None = None, *, packed: bool = True, **changes: Any) -> dict[str, bytes]:
    """Files of an OCI layout."""
    tars = tars or layers()
    blobs = [gzip.compress(layer, mtime=0) if packed else layer for layer in tars]
    kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if packed else "")
    config = json.dumps(configuration(tars, **changes)).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **described(config)},
            "layers": [{"mediaType": kind, **described(blob)} for blob in blobs],
        }
    ).encode()
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "…manifest", **described(manifest)}]}
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        **{blob_name(data): data for data in (config, manifest, *blobs)},
    }


def docker_new(path: Path, tars: list[bytes] | None = None, *, packed: bool = False, **changes: Any) -> Path:
    """Write an archive as docker save does since version 25: an OCI layout with a manifest.json beside it."""
    files = oci_files(tars, packed=packed, **changes)
    manifest = json.loads(files[oci_manifest_name(files)])
    entry = {
        "Config": f"blobs/sha256/{manifest['config']['digest'][7:]}",
        "RepoTags": ["tool:1"],
        "Layers": [f"blobs/sha256/{layer['digest'][7:]}" for layer in manifest["layers"]],
    }
    path.write_bytes(tar({**files, "manifest.json": json.dumps([entry]).encode()}))
    return path


def oci_directory(path: Path, files: dict[str, bytes] | None = None) -> Path:
    for name, data in (files or oci_files()).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def oci_manifest_name(files: dict[str, bytes]) -> str:
    return f"blobs/sha256/{json.loads(files['index.json'])['manifests'][0]['digest'][7:]}"


def described(data: bytes) -> dict[str, Any]:
    return {"digest": digest(data), "size": len(data)}


def blob_name(data: bytes) -> str:
    return f"blobs/sha256/{digest(data)[7:]}"
