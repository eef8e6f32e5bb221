"""Answers of OSCAR's interface as data."""

import json
import platform
from collections.abc import Sequence
from typing import Any

from scar_pulumi.cloud.asgi import Response
from scar_pulumi.cloud.oscar.address import REGION, USER
from scar_pulumi.cloud.oscar.job_log import moment
from scar_pulumi.cloud.oscar.jobs import Job

VERSION = "4.1.2"
"""The release of OSCAR whose interface this is."""
_PAGE = 70
"""OSCAR's default of JOB_LISTING_LIMIT."""


def document(content: Any, status: int = 200) -> Response:
    """A JSON document."""
    return Response(status, json.dumps(content).encode(), [(b"content-type", b"application/json; charset=utf-8")])


def text(content: str, status: int = 200) -> Response:
    """Plain text, as errors are told, too."""
    return Response(status, content.encode(), [(b"content-type", b"text/plain; charset=utf-8")])


def information() -> dict[str, Any]:
    """What `/system/info` says; synchronous calls are answered, which a cluster can only with Knative."""
    return {
        "version": f"v{VERSION}",
        "git_commit": "local",
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "kubernetes_version": "none",
        "serverless_backend": {"name": "Knative", "version": "local"},
    }


def configuration(endpoint: str, password: str) -> dict[str, Any]:
    """What `/system/config` says to the cluster's user."""
    return {
        "config": {
            "name": "oscar",
            "namespace": "oscar",
            "services_namespace": "oscar-svc",
            "gpu_available": False,
            "interLink_available": False,
            "serverless_backend": "knative",
        },
        "minio_provider": storage_settings(endpoint, password),
        "allowed_image_repositories": [],
    }


def storage_settings(endpoint: str, password: str) -> dict[str, Any]:
    """The settings of the cluster's own storage, `minio.default`."""
    return {
        "endpoint": endpoint,
        "verify": False,
        "region": REGION,
        "access_key": USER,
        "secret_key": password,
    }


def bucket_list(names: Sequence[str]) -> dict[str, Any]:
    """What `/system/buckets` says to the cluster's user."""
    return {"Buckets": [{"Name": name} for name in names]}


def bucket(name: str, cluster: str, owner: tuple[str, str]) -> dict[str, Any]:
    """What `/system/buckets/NAME` says, without the objects; `owner` is the cluster and service it was made for.

    `reports_new_files` is not OSCAR's, which tells services only of files in buckets that it made with them.
    """
    service = owner[1] if owner[0] == cluster else "/".join(owner)
    tags = {"from_service": service} if any(owner) else {}
    return {"bucket_name": name, "visibility": "private", "metadata": tags, "reports_new_files": True}


def job_list(jobs: Sequence[Job], page: str) -> dict[str, Any]:
    """A page of jobs; `page` is what the page before called the next one."""
    start = int(page) if page.isdecimal() else 0
    rest = max(0, len(jobs) - start - _PAGE)
    return {
        "jobs": {job.name: _job(job) for job in jobs[start : start + _PAGE]},
        "next_page": str(start + _PAGE) if rest else "",
        "remaining_jobs": rest,
    }


def _job(job: Job) -> dict[str, str]:
    times = {"creation_time": job.created, "start_time": job.started, "finish_time": job.finished}
    known = {name: moment(value) for name, value in times.items() if value is not None}
    return {"status": job.status, **known}
