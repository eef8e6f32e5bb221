"""Plans on their way from the Pulumi program to the provider process: files in the cache, named by the image's digest.

They hold paths of this machine, which is why they are not in the resource's inputs: state must not change with them.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scar_components.images.cache import cache_folder, sweep
from scar_components.images.errors import ImageError
from scar_components.images.parts import FileRange, ImagePlan, Layer, RemoteBlob
from scar_foundation.directories import cache_directory
from scar_foundation.files import written


def save_plan(plan: ImagePlan) -> None:
    """Keep a plan for the provider process."""
    path = _path(plan.digest)
    sweep(path.parent)
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
            f"image {digest}: its plan is not in the cache ({cache_directory()}); run again, "
            "with the same SCAR_CACHE_DIR and HOME for the program and the engine"
        ) from None
    layers = tuple(_layer(**facts) for facts in recipe["layers"])
    return ImagePlan(recipe["manifest"].encode(), recipe["config"].encode(), layers)


def _layer(source: dict[str, Any], **facts: Any) -> Layer:
    if "registry" in source:
        return Layer(**facts, source=RemoteBlob(**source))
    return Layer(**facts, source=FileRange(**source | {"path": Path(source["path"])}))


def _path(digest: str) -> Path:
    return cache_folder("plans") / f"{digest.removeprefix('sha256:')}.json"
