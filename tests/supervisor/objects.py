"""Short names for what tests do with buckets, and what they store."""

from typing import Any

COPY = 'cp() { cat "$1" >"$2"; }; cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/${INPUT_FILE_PATH##*/}"'
"""A script that makes its input its output."""
LARGE = bytes(range(256)) * 20_000


def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


def keys(s3: Any, name: str) -> list[str]:
    return sorted(found["Key"] for found in s3.list_objects_v2(Bucket=name).get("Contents", []))


def body(s3: Any, name: str, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=name, Key=key)["Body"].read())


def to(*outputs: Any) -> dict[str, Any]:
    """Return a configuration with outputs: paths, or whole entries."""
    return {"outputs": [{"storage_provider": "s3", "path": out} if isinstance(out, str) else out for out in outputs]}


def with_minio(endpoint: str, **more: str) -> dict[str, Any]:
    """Return the settings of a MinIO server, as a provider."""
    return {"minio.mine": {"endpoint": endpoint, "access_key": "mk", "secret_key": "ms", "verify": "True", **more}}
