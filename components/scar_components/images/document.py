"""The documents of a supervised image: pure functions from the base's, so the same input gives the same digest."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Sequence

from scar_components.images.base import Document
from scar_components.images.parts import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Layer, sha256

_KEPT_FOR_SUPERVISOR: dict[str, object] = {"Entrypoint": None, "Cmd": None, "User": "", "WorkingDir": "", "Env": []}

# Libraries that the base loads into every program: into the supervisor's interpreter they do not fit. The user's
# program gets them all the same, from image.json.
_OF_LOADERS = ("LD_PRELOAD", "LD_AUDIT")


def function_layer(configuration: Document, script: bytes | None) -> bytes:
    """Make the layer with what makes one function differ from another: its script, and how its base wants to start.

    An uncompressed tar with `opt/scar/function/image.json` and `opt/scar/function/script`, owned by root and undated.
    """
    base = configuration.get("config") or {}
    image = {key: base.get(key) or default for key, default in _KEPT_FOR_SUPERVISOR.items()}
    files = {"image.json": (_json(image), 0o644)} | ({} if script is None else {"script": (script, 0o755)})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folder = tarfile.TarInfo("opt/scar/function")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(f"opt/scar/function/{name}")
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def compress(layer: bytes) -> bytes:
    """Compress a small layer, without a date."""
    return gzip.compress(layer, compresslevel=6, mtime=0)


def supervised_configuration(configuration: Document, entrypoint: Sequence[str], layers: Iterable[Layer]) -> bytes:
    """Patch a base's configuration: the supervisor starts, as root's choice of user is the supervisor's business.

    `layers` are the ones added to the base's. Everything else of the base stays as it is.
    """
    added = list(layers)
    container = {key: value for key, value in (configuration.get("config") or {}).items() if key != "Cmd"}
    # Lambda fails where WORKDIR is missing or closed to its user; the supervisor goes there itself, where it can.
    container |= {"Entrypoint": list(entrypoint), "User": "", "WorkingDir": "/"}
    if container.get("Env"):
        container["Env"] = [entry for entry in container["Env"] if entry.partition("=")[0] not in _OF_LOADERS]
    root = configuration["rootfs"]
    history = [{"created_by": "scar-pulumi", "comment": comment} for comment in ("supervisor", "function")]
    return _json(
        configuration
        | {
            "config": container,
            "rootfs": root | {"diff_ids": [*root["diff_ids"], *(layer.diff_id for layer in added)]},
            "history": [*(configuration.get("history") or []), *history[: len(added)]],
        }
    )


def image_manifest(configuration: bytes, layers: Iterable[Layer]) -> bytes:
    """Make the manifest, in Docker's format whatever the base's was: Lambda and every registry take it."""
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(configuration), "digest": sha256(configuration)},
            "layers": [{"mediaType": LAYER_TYPE, "size": layer.size, "digest": layer.digest} for layer in layers],
        }
    )


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
