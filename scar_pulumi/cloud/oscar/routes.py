"""OSCAR's interface as a table: method and path, the operation behind it, and what it takes from the request.

https://docs.oscar.grycap.net/api/
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from scar_pulumi.cloud.oscar.refusals import Answer


class Route(NamedTuple):
    """One entry; the operation gets the path's names, then the body, then the query parameters, in this order."""

    method: str
    path: str
    operation: str
    takes_body: bool = False
    parameters: tuple[str, ...] = ()


class Found(NamedTuple):
    """The operation for a request, and its arguments."""

    operation: str
    arguments: tuple[Any, ...]


_SERVICE, _BUCKET = "/system/services/{service}", "/system/buckets/{bucket}"
_LOGS, _LOG = "/system/logs/{service}", "/system/logs/{service}/{job}"
ROUTES = (
    Route("GET", "/system/info", "information"),
    Route("GET", "/system/config", "settings"),
    Route("GET", "/system/buckets", "buckets"),
    Route("POST", "/system/buckets", "make_bucket", takes_body=True),
    Route("GET", _BUCKET, "bucket", parameters=("page",)),
    Route("DELETE", _BUCKET, "delete_bucket"),
    Route("GET", "/system/services", "all_services"),
    Route("POST", "/system/services", "create", takes_body=True),
    Route("PUT", "/system/services", "update", takes_body=True),
    Route("GET", _SERVICE, "find"),
    Route("DELETE", _SERVICE, "delete"),
    Route("GET", f"{_SERVICE}/deployment", "deployment"),
    Route("GET", f"{_SERVICE}/deployment/logs", "deployment_logs", parameters=("timestamps", "tailLines")),
    Route("GET", _LOGS, "job_list", parameters=("page",)),
    Route("DELETE", _LOGS, "delete_jobs", parameters=("all",)),
    Route("GET", _LOG, "job_log", parameters=("timestamps",)),
    Route("DELETE", _LOG, "delete_job"),
)
MISSING: Mapping[str, str] = {
    "/system/buckets": "changing the visibility of buckets",
    "/system/buckets/{bucket}/presign": "presigned addresses; sign them with the keys of /system/config",
    "/system/config": "changing the configuration",
    "/system/federation(/.*)?": "federations",
    "/system/logs": "the server's own log; the local cloud's is `scar-pulumi local logs`",
    "/system/metrics(/.*)?": "metrics",
    "/system/quotas/.*": "quotas",
    "/system/services/{service}/(stop|start|restart)": "stopping and starting services",
    "/system/services/{service}/auth": "forwarded authentication",
    "/system/services/{service}/exposed(/.*)?": "HTTP interfaces of services (`expose`)",
    "/system/status": "the cluster's status; `scar-pulumi local status` tells the local cloud's",
    "/system/volumes(/.*)?": "volumes",
    "/ui(/.*)?": "the dashboard",
    "/?": "the dashboard",
}
"""Paths of OSCAR's interface that are not there, and what they are for."""
JOB_NAME = "X-Delegated-Job-ID"
"""Header that names a job: https://github.com/grycap/oscar/blob/master/pkg/resourcemanager/delegate.go"""
NOT_FOUND = Answer(404, "404 page not found")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "([^/]+)", path) + "/?")


_CALL = re.compile("/(job|run)/([^/]+)/?")
_COMPILED = [(route, _pattern(route.path)) for route in ROUTES]
_ABSENT = [(_pattern(path), what) for path, what in MISSING.items()]


def find_route(method: str, path: str, body: bytes, parameter: Callable[[str], str]) -> Found | Answer:
    """Return the operation for a request; an answer where there is none, or the body is no JSON.

    `path` is below the cluster's address, percent-encoded; `parameter` returns a query parameter or the empty string.
    """
    for route, pattern in _COMPILED:
        if route.method == method and (found := pattern.fullmatch(path)):
            names = [unquote(name) for name in found.groups()]
            values = [parameter(name) for name in route.parameters]
            try:
                documents = [json.loads(body)] if route.takes_body else []
            except ValueError as error:
                return Answer(400, f"The service specification is not valid: {error}")
            return Found(route.operation, (*names, *documents, *values))
    return absence(path) or NOT_FOUND


def called_service(method: str, path: str) -> tuple[str, str] | None:
    """Return how a service is called, as "job" or "run", and its name; None for all other requests."""
    found = _CALL.fullmatch(path) if method == "POST" else None
    return (found[1], unquote(found[2])) if found else None


def absence(path: str) -> Answer | None:
    """Return what is said of a path that OSCAR has and this server has not."""
    for pattern, what in _ABSENT:
        if pattern.fullmatch(path):
            return Answer(501, f"The local cloud does not have {what}. What it has is in docs/oscar-locally.md.")
    return None


def encoded(answer: Answer) -> tuple[bytes, str]:
    """Return the body of an answer, and its media type."""
    if answer.content is None:
        return b"", ""
    if isinstance(answer.content, str):
        return answer.content.encode(), "text/plain"
    return json.dumps(answer.content).encode(), "application/json"
