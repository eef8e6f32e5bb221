"""Where the local cloud answers as OSCAR clusters do, and who may ask: known to its server and to the stacks on it."""

import secrets
from pathlib import Path
from typing import Any

from scar_foundation.files import write_first

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


def minio_settings(cloud: str, directory: Path) -> dict[str, Any]:
    """Return the settings of the clusters' MinIO as a storage provider in FDL has them; see `password`."""
    return {
        "endpoint": minio_endpoint(cloud),
        "access_key": USER,
        "secret_key": password(directory),
        "region": REGION,
        "verify": False,
    }


def password(directory: Path) -> str:
    """The password of a local cloud's clusters, made when first asked for; `directory` is the local cloud's own."""
    path = directory / "oscar-password"
    write_first(path, secrets.token_urlsafe(32))
    return path.read_text()
