"""Where the local cloud answers as OSCAR clusters do, and who may ask: known to its server and to the stacks on it."""

import os
import secrets
from pathlib import Path

OSCAR_PATH = "/_scar/oscar"
"""Below it, one path for each cluster's id: `<AWS_ENDPOINT_URL>/_scar/oscar/<id>/system/services`."""
MINIO_PATH = "/_scar/minio"
"""The clusters' MinIO, one for all of them, with paths for buckets: `<AWS_ENDPOINT_URL>/_scar/minio/<bucket>/<key>`."""
USER = "oscar"
"""User of every cluster's interface, and the access key of its MinIO; both have the one password."""
REGION = "us-east-1"
"""Region that requests to MinIO are signed for."""


def cluster_endpoint(cloud: str, cluster: str) -> str:
    """The URL of a cluster of the local cloud, whose own URL `cloud` is."""
    return f"{cloud.rstrip('/')}{OSCAR_PATH}/{cluster}"


def minio_endpoint(cloud: str) -> str:
    """The URL of the clusters' MinIO."""
    return f"{cloud.rstrip('/')}{MINIO_PATH}"


def password(directory: Path) -> str:
    """The password of a local cloud's clusters, made when first asked for; `directory` is the local cloud's own."""
    path = directory / "oscar-password"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(32))
    return path.read_text()


def _write_once(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    try:
        path.hardlink_to(temporary)  # fails, rather than replaces, when another process was first
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
