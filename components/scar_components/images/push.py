"""Push an image, sending only what the registry does not have yet."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256 as hash_of
from pathlib import Path

from scar_components.images.image import FileRange, ImagePlan, Layer, parse_repository_url, sha256
from scar_components.images.registry import Repository, open_repository
from scar_foundation.aws_session import AwsSession
from scar_foundation.directories import image_cache
from scar_foundation.files import mark_used, written

_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

_sent: dict[tuple[str, str], str] = {}
_refusing: set[str] = set()


@dataclass(frozen=True)
class PushReport:
    """What a push did."""

    uploaded: tuple[str, ...] = ()
    """Digests of the blobs that were sent."""
    mounted: tuple[str, ...] = ()
    """Digests of the blobs mounted from other repositories of the registry."""
    bytes_sent: int = 0
    """Bytes of the blobs that were sent."""


def is_pushed(repository_url: str, digest: str, session: AwsSession | None = None) -> bool:
    """Whether a repository has an image."""
    return open_repository(*parse_repository_url(repository_url), session).manifest_digest(digest) is not None


def load_blob(layer: Layer, session: AwsSession | None = None) -> Iterable[bytes]:
    """Return the bytes of a layer, from its file or the registry that has it."""
    if isinstance(layer.source, FileRange):
        return layer.source.chunks()
    base = open_repository(layer.source.registry, layer.source.repository, session)
    return base.blob(layer.digest, layer.size)


def push(
    plan: ImagePlan,
    repository_url: str,
    session: AwsSession | None = None,
    go_on: Callable[[], object] = lambda: None,
) -> PushReport:
    """Push an image: first the blobs and then the manifest, so that an interrupted push leaves no broken image.

    `go_on` is called before each blob; what it raises ends the push.
    """
    repository = open_repository(*parse_repository_url(repository_url), session)
    if repository.manifest_digest(plan.digest):
        return PushReport()

    def store(layer: Layer) -> PushReport:
        go_on()
        return _store_layer(repository, layer, session)

    with ThreadPoolExecutor(4) as pool:
        configuration = pool.submit(_store_configuration, repository, plan.config)
        reports = list(pool.map(store, set(plan.layers)))
    go_on()
    repository.put_manifest(plan.manifest, _tag(plan.digest))
    return _total([configuration.result(), *reports])


def _store_configuration(repository: Repository, configuration: bytes) -> PushReport:
    digest = sha256(configuration)
    if repository.has_blob(digest):
        return PushReport()
    repository.upload(digest, len(configuration), lambda: [configuration])
    return PushReport((digest,), (), len(configuration))


def _store_layer(repository: Repository, layer: Layer, session: AwsSession | None) -> PushReport:
    if repository.has_blob(layer.digest):
        _remember(repository, layer.digest)
        return PushReport()
    # Functions that share a base are pushed at the same time: one sends a layer, the others wait and mount it.
    # Waiting is useless if the registry refuses mounts, as ECR does unless the account enables BLOB_MOUNTING:
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html
    with _locks[repository.registry, layer.digest]:
        report = _mount(repository, layer, session)
        if report is None and repository.registry not in _refusing:
            report = _upload(repository, layer, session)
        _remember(repository, layer.digest)
    return report or _upload(repository, layer, session)


def _mount(repository: Repository, layer: Layer, session: AwsSession | None) -> PushReport | None:
    """Mount a layer from the repository that had it last, or from its base's repository in the same registry."""
    origins = [_holder(repository, layer.digest)]
    if not isinstance(layer.source, FileRange):
        base = open_repository(layer.source.registry, layer.source.repository, session)
        origins += [base.name] if base.registry == repository.registry else []
    for origin in origins:
        if origin is None or origin == repository.name:
            continue
        if repository.mount(layer.digest, origin):
            return PushReport((), (layer.digest,), 0)
        if _sent.get((repository.registry, layer.digest)) == origin:
            _refusing.add(repository.registry)
    return None


def _upload(repository: Repository, layer: Layer, session: AwsSession | None) -> PushReport:
    source = layer.source
    if isinstance(source, FileRange):
        repository.upload(layer.digest, layer.size, source.chunks)
    else:
        base = open_repository(source.registry, source.repository, session)
        repository.upload(layer.digest, layer.size, lambda: base.blob(layer.digest, layer.size))
    _sent[repository.registry, layer.digest] = repository.name
    return PushReport((layer.digest,), (), layer.size)


def _holder(repository: Repository, digest: str) -> str | None:
    path = _note(repository, digest)
    return path.read_text() if mark_used(path) else None


def _remember(repository: Repository, digest: str) -> None:
    """Note which repository has a blob, because a mount must name one. An outdated note costs one request."""
    with written(_note(repository, digest)) as file:
        file.write(repository.name.encode())


def _note(repository: Repository, digest: str) -> Path:
    registry = hash_of(repository.registry.encode()).hexdigest()[:16]
    return image_cache("holders") / f"{registry}-{digest.removeprefix('sha256:')}"


def _tag(digest: str) -> str:
    # Not `sha256-…`, a tag with which OCI tools mark what refers to a digest.
    return f"scar-{digest.removeprefix('sha256:')[:32]}"


def _total(reports: list[PushReport]) -> PushReport:
    return PushReport(
        tuple(digest for report in reports for digest in report.uploaded),
        tuple(digest for report in reports for digest in report.mounted),
        sum(report.bytes_sent for report in reports),
    )
