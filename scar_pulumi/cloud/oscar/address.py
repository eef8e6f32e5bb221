"""Addresses and credentials of the local OSCAR clusters, for the local cloud itself and for the stacks on it."""

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
    """Return the URL of a cluster; `cloud` is the local cloud's own."""
    return f"{cloud.rstrip('/')}{OSCAR_PATH}/{cluster}"


def minio_endpoint(cloud: str) -> str:
    """Return the URL of the clusters' MinIO."""
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
    """Return the password of all clusters, and make it the first time; `directory` is the local cloud's own."""
    path = directory / "oscar-password"
    write_first(path, secrets.token_urlsafe(32))
    return path.read_text()
