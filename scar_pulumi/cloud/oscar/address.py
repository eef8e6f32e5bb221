"""Addresses and credentials of the local OSCAR clusters, for the local cloud itself and for the stacks on it."""

import hmac
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from scar_foundation.files import write_first

OSCAR_PATH = "/_scar/oscar"
"""Below it, one path for each cluster's id: `<AWS_ENDPOINT_URL>/_scar/oscar/<id>/system/services`."""
MINIO_PATH = "/_scar/minio"
"""Below it, one path for each cluster's MinIO: `<AWS_ENDPOINT_URL>/_scar/minio/<id>/<bucket>/<key>`."""
USER = "oscar"
"""User of every cluster's interface; all have the one password."""
_KEY_PREFIX = "oscar."
REGION = "us-east-1"
"""Region that requests to MinIO are signed for."""


def cluster_endpoint(cloud: str, cluster: str) -> str:
    """Return the URL of a cluster; `cloud` is the local cloud's own."""
    return f"{cloud.rstrip('/')}{OSCAR_PATH}/{quote(cluster, safe='')}"


def minio_endpoint(cloud: str, cluster: str) -> str:
    """Return the URL of a cluster's MinIO."""
    return f"{cloud.rstrip('/')}{MINIO_PATH}/{quote(cluster, safe='')}"


def minio_settings(cloud: str, directory: Path, cluster: str) -> dict[str, Any]:
    """Return the settings of a cluster's MinIO as a storage provider in FDL has them; see `password`."""
    return {
        "endpoint": minio_endpoint(cloud, cluster),
        "access_key": access_key(cluster),
        "secret_key": secret_key(password(directory), cluster),
        "region": REGION,
        "verify": False,
    }


def access_key(cluster: str) -> str:
    """Return the access key of a cluster's MinIO."""
    return _KEY_PREFIX + quote(cluster, safe="")


def cluster_of(key: str) -> str | None:
    """Return the cluster whose MinIO has an access key; None if it is nobody's."""
    return unquote(key.removeprefix(_KEY_PREFIX)) if key.startswith(_KEY_PREFIX) else None


def secret_key(password: str, cluster: str) -> str:
    """Return the secret of a cluster's access key: another for each, made from the one password."""
    return hmac.digest(password.encode(), f"minio of {cluster}".encode(), "sha256").hex()


def password(directory: Path) -> str:
    """Return the password of all clusters, and make it the first time; `directory` is the local cloud's own."""
    path = directory / "oscar-password"
    write_first(path, secrets.token_urlsafe(32))
    return path.read_text()
