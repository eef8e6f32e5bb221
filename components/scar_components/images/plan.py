"""The plan of a supervised image: every byte and the digest are known, and nothing has been pushed.

A plan travels from the Pulumi program to the provider process as a file in the cache, named by the image's digest. It
holds paths of this machine, so it must not be among the inputs of the resource, which are kept in the state.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scar_components.images.image import (
    CONFIG_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    FileRange,
    ImageError,
    ImagePlan,
    Layer,
    RemoteBlob,
    sha256,
)
from scar_components.images.layers import Progress, stored_gzip
from scar_components.images.local_base import build_archive, has_dockerfile, read_archive
from scar_components.images.manifests import EMPTY, PLATFORMS, Base, Document, check_limits, empty_base
from scar_components.images.remote_base import read_remote
from scar_components.images.supervisor_layer import bundle_script, supervisor
from scar_foundation.aws_session import AwsSession
from scar_foundation.directories import cache_directory, image_cache
from scar_foundation.files import mark_used, remove_unused, written

_KEPT_FOR_SUPERVISOR: dict[str, object] = {"Entrypoint": None, "Cmd": None, "User": "", "WorkingDir": "", "Env": []}

# Libraries that the base preloads into every program; the supervisor's interpreter does not work with them. The user's
# program still gets them, from image.json.
_OF_LOADERS = ("LD_PRELOAD", "LD_AUDIT")


def function_layer(configuration: Document, script: bytes | None, combiner: bytes | None = None) -> bytes:
    """Return the layer with what differs between functions: the scripts, and how the base starts.

    An uncompressed tar with `opt/scar/function/image.json`, and `script` and `combiner` beside it, owned by root and
    undated.
    """
    base = configuration.get("config") or {}
    image = {key: base.get(key) or default for key, default in _KEPT_FOR_SUPERVISOR.items()}
    scripts = {"script": script, "combiner": combiner}
    files = {"image.json": (_json(image), 0o644)}
    files |= {name: (code, 0o755) for name, code in scripts.items() if code is not None}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folder = tarfile.TarInfo("opt/scar/function")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(f"opt/scar/function/{name}")
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
        end = archive.offset + 2 * tarfile.BLOCKSIZE  # tapes would need more zeros
    return buffer.getvalue()[:end]


def supervised_configuration(configuration: Document, entrypoint: Sequence[str], layers: Iterable[Layer]) -> bytes:
    """Return a base's configuration, changed so that the supervisor starts; it switches to the base's user itself.

    `layers` are the ones added to the base's. Everything else of the base stays as it is.
    """
    added = list(layers)
    container = {key: value for key, value in (configuration.get("config") or {}).items() if key != "Cmd"}
    # Lambda fails if WORKDIR is missing or not accessible; the supervisor changes to it, if it can.
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
    """Return the manifest in Docker's format, which Lambda and every registry accept, whatever the base's format is."""
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


def save_plan(plan: ImagePlan) -> None:
    """Save a plan for the provider process."""
    path = _path(plan.digest)
    remove_unused(path.parent)
    recipe = {
        "manifest": plan.manifest.decode(),
        "config": plan.config.decode(),
        "layers": [asdict(layer) for layer in plan.layers],
    }
    with written(path) as file:
        file.write(json.dumps(recipe, default=str).encode())


def load_plan(digest: str) -> ImagePlan:
    """Return the plan that a program has saved. Raises ImageError if there is none."""
    try:
        recipe = json.loads(_path(digest).read_text())
    except FileNotFoundError:
        raise ImageError(
            f"image {digest}: its plan is not in the cache ({cache_directory()}); run again "
            "with the same SCAR_CACHE_DIR and HOME for the program and the engine"
        ) from None
    layers = tuple(_layer(**facts) for facts in recipe["layers"])
    return ImagePlan(recipe["manifest"].encode(), recipe["config"].encode(), layers)


def _layer(source: dict[str, Any], **facts: Any) -> Layer:
    if "registry" in source:
        return Layer(**facts, source=RemoteBlob(**source))
    return Layer(**facts, source=FileRange(**source | {"path": Path(source["path"])}))


def _path(digest: str) -> Path:
    return image_cache("plans") / f"{digest.removeprefix('sha256:')}.json"


def plan_image(
    *,
    image: str | None = None,
    image_file: str | None = None,
    script: str | None = None,
    combiner: str | None = None,
    architecture: str = "x86_64",
    session: AwsSession | None = None,
    bundle: Path | None = None,
    top: Callable[[tuple[str, ...]], bytes] | None = None,
    progress: Progress = lambda _: None,
) -> ImagePlan:
    """Plan a supervised image: the base's layers, the supervisor's and the function's.

    `image` is a registry reference, or `EMPTY` for a base with nothing in it; `image_file` an archive, an OCI directory
    or a directory with a Dockerfile; exactly one of them. `session` is the AWS session for bases in ECR, `bundle`
    another bundler than the packaged one.
    `top` makes one more layer, an uncompressed tar, of the command line that starts the supervisor.
    Same input, same digest, on every machine with the same bundle. Raises ImageError for whatever would fail later.
    """
    if architecture not in PLATFORMS:
        raise ImageError(f"architecture {architecture!r}: is unknown; use {' or '.join(PLATFORMS)}")
    if (image is None) == (image_file is None):
        raise ImageError("image, image_file: exactly one of them names the base; give one")
    code, combining = _read_script(script), _read_script(combiner)
    if image == EMPTY:
        base = empty_base(architecture)
    elif image is not None:
        base = read_remote(image, architecture, session)
    else:
        base = _read_file(str(image_file), architecture, progress)
    check_limits(base)
    added = supervisor(bundle or bundle_script(), architecture, progress)
    tars = (function_layer(base.configuration, code, combining), *((top(added.entrypoint),) if top else ()))
    own = (added.layer, *map(_stored, tars))
    configuration = supervised_configuration(base.configuration, added.entrypoint, own)
    layers = (*base.layers, *own)
    return ImagePlan(image_manifest(configuration, layers), configuration, layers)


def _read_script(script: str | None) -> bytes | None:
    if script is None:
        return None
    try:
        return Path(script).read_bytes()
    except OSError as error:
        raise ImageError(f"script {script}: cannot be read ({error.strerror}); check the path") from None


def _read_file(image_file: str, architecture: str, progress: Progress) -> Base:
    path = Path(image_file)
    try:
        if has_dockerfile(path):
            path = build_archive(path.absolute(), architecture, progress)
        return read_archive(path, architecture, progress)
    except FileNotFoundError:
        raise ImageError(f"image_file {path}: no such file or directory; check the path") from None
    except OSError as error:
        raise ImageError(f"image_file {path}: cannot be read ({error.strerror}); check the path") from None


def _stored(tar: bytes) -> Layer:
    data, diff_id = stored_gzip(tar), sha256(tar)
    path = image_cache("layers") / f"{diff_id.removeprefix('sha256:')}.stored.gz"
    if not mark_used(path):
        with written(path) as file:
            file.write(data)
    return Layer(sha256(data), len(data), diff_id, FileRange.cached(path), len(tar))
