"""What OSCAR accepts in a service's definition, and its defaults: https://docs.oscar.grycap.net/fdl/."""

from typing import Any

from scar_foundation.limits import Range

SERVICE_NAME_CHARACTERS = 39
"""What Knative leaves of the 63 characters of a DNS label."""
SERVICE_NAME_PATTERN = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
"""A DNS label: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names"""
# MinIO has S3's rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_PATTERN = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY_PATTERN = r"[0-9]+(?:\.[0-9]+)?(?:[EPTGMk]i?|Ki|m|e[0-9]+)?"
CPU_PATTERN = r"[0-9]+(?:\.[0-9]+)?|[0-9]+m"
QUANTITY_KEYS = ("cpu", "memory", "total_cpu", "total_memory", "ephemeral_storage_request")
"""Keys that take a quantity, as text: OSCAR refuses numbers."""
DEFAULT_MEMORY = "256Mi"
DEFAULT_CPU = "0.2"
LABEL_PATTERN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"""
LABEL_NAME_PATTERN = r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
"""Likewise."""
FLAG_KEYS = ("enable_gpu", "enable_sgx", "alpine", "image_prefetch", "file_stage_in")

PORT = Range(0, 65_535)
RANGES: dict[str, dict[str, Range]] = {
    "synchronous": {"min_scale": Range(0, 10_000), "max_scale": Range(0, 10_000)},
    "expose": {"min_scale": Range(1, 10_000), "max_scale": Range(1, 10_000), "cpu_threshold": Range(1, 100)},
}
"""The whole numbers that keys of a section take. A `max_scale` of 0 in `synchronous` is no limit."""
EXPOSE_DEFAULTS: dict[str, Any] = {"min_scale": 1, "max_scale": 10, "cpu_threshold": 80, "health_path": "/"}
"""OSCAR documents these and does not apply them: it answers 500, "HorizontalPodAutoscaler invalid"."""

INPUT_STORAGE = ("minio", "webdav", "rucio")
"""Kinds of storage whose new files start a service."""
SECRET_PATHS = (
    ("environment", "secrets"),
    ("storage_providers",),
    ("clusters",),
    ("federation", "members", "*", "headers"),
    ("replicas", "*", "headers"),
)
"""Where a definition holds secrets; `*` is every element of a list. OSCAR returns none of them as it was sent."""
