"""From what the user wrote to an image plan: the whole image is known, digest included, and nothing is pushed."""

from collections.abc import Callable
from pathlib import Path

from scar_components.images.archive import read_archive
from scar_components.images.base import PLATFORMS, Base, check_limits
from scar_components.images.build import build_archive, has_dockerfile
from scar_components.images.cache import cache_folder, used
from scar_components.images.document import compress, function_layer, image_manifest, supervised_configuration
from scar_components.images.errors import ImageError
from scar_components.images.layers import Progress
from scar_components.images.parts import FileRange, ImagePlan, Layer, sha256
from scar_components.images.remote import read_remote
from scar_components.images.supervisor import bundle_script, supervisor
from scar_foundation.aws_session import AwsSession
from scar_foundation.files import written


def plan_image(
    *,
    image: str | None = None,
    image_file: str | None = None,
    script: str | None = None,
    architecture: str = "x86_64",
    session: AwsSession | None = None,
    bundle: Path | None = None,
    top: Callable[[tuple[str, ...]], bytes] | None = None,
    progress: Progress = lambda _: None,
) -> ImagePlan:
    """Plan a supervised image: the base's layers, the supervisor's and the function's.

    `image` is a registry reference, `image_file` an archive, an OCI directory or a directory with a Dockerfile;
    exactly one of them. `session` is the AWS session for bases in ECR, `bundle` another bundler than the packaged one.
    `top` makes one more layer, an uncompressed tar, of the command line that starts the supervisor.
    Same input, same digest, on every machine with the same bundle. Raises ImageError for whatever would fail later.
    """
    if architecture not in PLATFORMS:
        raise ImageError(f"architecture {architecture!r}: is unknown; choose {' or '.join(PLATFORMS)}")
    if (image is None) == (image_file is None):
        raise ImageError("image, image_file: exactly one of them names the base; give one")
    code = _read_script(script)
    base = (
        _read_file(image_file, architecture, progress)
        if image_file is not None
        else read_remote(str(image), architecture, session)
    )
    check_limits(base)
    added = supervisor(bundle or bundle_script(), architecture, progress)
    tars = (function_layer(base.configuration, code), *((top(added.entrypoint),) if top else ()))
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
        raise ImageError(f"script {script}: cannot be read ({error.strerror}); give the path of a file") from None


def _read_file(image_file: str, architecture: str, progress: Progress) -> Base:
    path = Path(image_file)
    try:
        if has_dockerfile(path):
            path = build_archive(path.absolute(), architecture, progress)
        return read_archive(path, architecture, progress)
    except FileNotFoundError:
        raise ImageError(f"image_file {path}: there is no such file or directory; check the path") from None
    except OSError as error:
        raise ImageError(f"image_file {path}: cannot be read ({error.strerror}); check the path") from None


def _stored(tar: bytes) -> Layer:
    data, diff_id = compress(tar), sha256(tar)
    path = cache_folder("layers") / f"{diff_id.removeprefix('sha256:')}.function.gz"
    if not used(path):
        with written(path) as file:
            file.write(data)
    return Layer(sha256(data), len(data), diff_id, FileRange.cached(path), len(tar))
