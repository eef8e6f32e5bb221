"""Container images without a daemon: read a base, add the supervisor and the script, push the result.

`plan_image` says what the image will be, digest included, before anything is written anywhere; `push` makes a
repository hold it. In between, a plan travels from the Pulumi program to the provider process as a file in the cache.
"""

from scar_components.images.credentials import is_in_ecr
from scar_components.images.image import FileRange, ImageError, ImagePlan, Layer, RemoteBlob
from scar_components.images.manifests import EMPTY
from scar_components.images.plan import load_plan, plan_image, save_plan
from scar_components.images.push import PushReport, is_pushed, load_blob, push

__all__ = [
    "EMPTY",
    "FileRange",
    "ImageError",
    "ImagePlan",
    "Layer",
    "PushReport",
    "RemoteBlob",
    "is_in_ecr",
    "is_pushed",
    "load_blob",
    "load_plan",
    "plan_image",
    "push",
    "save_plan",
]
