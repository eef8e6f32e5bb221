"""OSCAR's interface for any number of clusters, each below a path with its id.

https://docs.oscar.grycap.net/api/
"""

import base64
import binascii
import hmac
import json
import platform
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import unquote

from scar_pulumi.cloud.asgi import BodyTooLargeError, Request, Response, json_response
from scar_pulumi.cloud.oscar.address import OSCAR_PATH, REGION, USER, minio_endpoint
from scar_pulumi.cloud.oscar.buckets import Buckets
from scar_pulumi.cloud.oscar.containers import moment, read_log
from scar_pulumi.cloud.oscar.definitions import DefinitionError, shown
from scar_pulumi.cloud.oscar.job_queue import Calls, JobQueue
from scar_pulumi.cloud.oscar.service_changes import ServiceChanges
from scar_pulumi.cloud.oscar.store import Jobs, OscarJob, Services, StoredService
from scar_pulumi.cloud.service import Service, ServiceRequest

VERSION = "4.1.2"
"""The release of OSCAR whose interface this is."""
_PAGE = 70
"""OSCAR's default of JOB_LISTING_LIMIT."""
_LARGEST = 64 * 1024 * 1024
_CLUSTER = rf"{OSCAR_PATH}/(?P<cluster>[^/]+)"
_SERVICE = r"(?P<service>[^/]+)"
_JOB = r"(?P<job>[^/]+)"
_BUCKET = r"/system/buckets/(?P<bucket>[^/]+)"
_Handler = Callable[[str, Request, dict[str, str]], Awaitable[Response]]


def is_cluster_user(request: Request, password: str) -> bool:
    """Return whether the request comes from the cluster's user."""
    kind, _, text = request.header("authorization").partition(" ")
    try:
        given = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, f"{USER}:{password}".encode())


def has_service_token(request: Request, service: StoredService) -> bool:
    """Return whether the request brings the service's token."""
    kind, _, text = request.header("authorization").partition(" ")
    token = str(service.definition["token"])
    return kind.lower() == "bearer" and hmac.compare_digest(text.strip().encode(), token.encode())


def unauthorised() -> Response:
    """Return the response for everybody else."""
    return Response(status_code=401, headers={"www-authenticate": 'Basic realm="Authorization Required"'})


def text_response(content: str, status: int = 200) -> Response:
    """Return a response of plain text, as errors are."""
    return Response(content, status, media_type="text/plain")


def no_such_bucket() -> Response:
    """Return the response about a bucket that does not exist, to which OSCAR answers 500."""
    return text_response("NoSuchBucket: The specified bucket does not exist", 500)


def cluster_information() -> dict[str, Any]:
    """Return what `/system/info` says. Calls are answered here, which takes Knative on a real cluster."""
    return {
        "version": f"v{VERSION}",
        "git_commit": "local",
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "kubernetes_version": "none",
        "serverless_backend": {"name": "Knative", "version": "local"},
    }


def cluster_configuration(endpoint: str, password: str) -> dict[str, Any]:
    """Return what `/system/config` says to the cluster's user.

    `reports_new_files` is ours: a real cluster reports only files in buckets that were made with a service.
    """
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
        "reports_new_files": True,
    }


def storage_settings(endpoint: str, password: str) -> dict[str, Any]:
    """Return the settings of the cluster's own storage, `minio.default`."""
    return {
        "endpoint": endpoint,
        "verify": False,
        "region": REGION,
        "access_key": USER,
        "secret_key": password,
    }


def bucket_description(name: str, cluster: str, owner: tuple[str, str]) -> dict[str, Any]:
    """Return what `/system/buckets/NAME` says, without objects; `owner` is the cluster and service it was made for."""
    service = owner[1] if owner[0] == cluster else "/".join(owner)
    tags = {"from_service": service} if any(owner) else {}
    return {"bucket_name": name, "visibility": "private", "metadata": tags}


def job_page(jobs: Sequence[OscarJob], page: str) -> dict[str, Any]:
    """Return a page of jobs; `page` is the `next_page` of the page before."""
    start = int(page) if page.isdecimal() else 0
    rest = max(0, len(jobs) - start - _PAGE)
    return {
        "jobs": {job.name: _job(job) for job in jobs[start : start + _PAGE]},
        "next_page": str(start + _PAGE) if rest else "",
        "remaining_jobs": rest,
    }


def _job(job: OscarJob) -> dict[str, str]:
    times = {"creation_time": job.created, "start_time": job.started, "finish_time": job.finished}
    known = {name: moment(value) for name, value in times.items() if value is not None}
    return {"status": job.status, **known}


class OscarApi(Service):
    """Answers requests to clusters; `endpoint` is the local cloud's."""

    name = "oscar"

    def __init__(
        self,
        *,
        services: Services,
        jobs: Jobs,
        queue: JobQueue,
        calls: Calls,
        changes: ServiceChanges,
        buckets: Buckets,
        endpoint: str,
        password: str,
    ) -> None:
        self._services = services
        self._jobs = jobs
        self._queue = queue
        self._calls = calls
        self._changes = changes
        self._buckets = buckets
        self._endpoint = endpoint
        self._password = password
        routes: tuple[tuple[str, str, _Handler], ...] = (
            ("GET", "/system/info", self._information),
            ("GET", "/system/config", self._configuration),
            ("GET", "/system/buckets", self._bucket_list),
            ("GET", _BUCKET, self._bucket),
            ("DELETE", _BUCKET, self._delete_bucket),
            ("GET", "/system/services", self._list),
            ("POST", "/system/services", self._create),
            ("PUT", "/system/services", self._update),
            ("GET", f"/system/services/{_SERVICE}", self._read),
            ("DELETE", f"/system/services/{_SERVICE}", self._delete),
            ("GET", f"/system/services/{_SERVICE}/deployment/logs", self._calls_log),
            ("GET", f"/system/logs/{_SERVICE}", self._job_list),
            ("DELETE", f"/system/logs/{_SERVICE}", self._delete_jobs),
            ("GET", f"/system/logs/{_SERVICE}/{_JOB}", self._job_log),
            ("DELETE", f"/system/logs/{_SERVICE}/{_JOB}", self._delete_job),
        )
        self._routes = [(method, re.compile(_CLUSTER + path + "/?"), handler) for method, path, handler in routes]
        self._open = re.compile(
            rf"{_CLUSTER}/(?P<kind>health|job/{_SERVICE}|run/{_SERVICE.replace('service', 'runs')})/?"
        )

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is for a cluster."""
        return request.path.startswith(f"{OSCAR_PATH}/")

    async def __call__(self, request: ServiceRequest) -> Response:
        """Answer one request."""
        try:
            return await self._answer(await request.read(_LARGEST), request.raw_path)
        except BodyTooLargeError:
            return text_response(f"the request is larger than {_LARGEST} bytes", 413)

    async def _answer(self, request: Request, path: str) -> Response:
        if found := self._open.fullmatch(path):
            return await self._started(request, {key: unquote(value or "") for key, value in found.groupdict().items()})
        matches = [
            (method, handler, found) for method, route, handler in self._routes if (found := route.fullmatch(path))
        ]
        if not is_cluster_user(request, self._password):
            return unauthorised()
        for method, handler, found in matches:
            if method == request.method:
                names = {key: unquote(value) for key, value in found.groupdict().items()}
                return await handler(names.pop("cluster"), request, names)
        return text_response("404 page not found", 404)

    async def _started(self, request: Request, names: dict[str, str]) -> Response:
        if names["kind"] == "health":
            return text_response("Ok")
        if request.method != "POST":
            return text_response("404 page not found", 404)
        service = self._services.find(names["cluster"], names["service"] or names["runs"])
        if service is None:
            return Response(status_code=404)
        if not has_service_token(request, service):
            return unauthorised()
        if names["service"]:
            await self._queue.put([service], request.body)
            return Response(status_code=201)
        answer = await self._calls.run(service, request.body)
        return Response(answer.body, answer.status, media_type="application/octet-stream")

    async def _information(self, _cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return json_response(cluster_information())

    async def _configuration(self, _cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return json_response(cluster_configuration(minio_endpoint(self._endpoint), self._password))

    async def _bucket_list(self, cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        owners = {name: await self._buckets.owner(name) for name in await self._buckets.all()}
        return json_response([bucket_description(name, cluster, owner) for name, owner in owners.items() if owner])

    async def _bucket(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        owner = await self._buckets.owner(names["bucket"])
        return json_response(bucket_description(names["bucket"], cluster, owner)) if owner else no_such_bucket()

    async def _delete_bucket(self, _cluster: str, _request: Request, names: dict[str, str]) -> Response:
        if await self._buckets.owner(names["bucket"]) is None:
            return no_such_bucket()
        await self._buckets.wipe(names["bucket"])
        return Response(status_code=204)

    async def _list(self, cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return json_response([shown(service.definition) for service in self._services.of(cluster)])

    async def _read(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        service = self._services.find(cluster, names["service"])
        return json_response(shown(service.definition)) if service else Response(status_code=404)

    async def _create(self, cluster: str, request: Request, _names: dict[str, str]) -> Response:
        return await self._change(self._changes.create, cluster, request, 201)

    async def _update(self, cluster: str, request: Request, _names: dict[str, str]) -> Response:
        return await self._change(self._changes.update, cluster, request, 204)

    async def _change(
        self, change: Callable[[str, Any], Awaitable[bool]], cluster: str, request: Request, status: int
    ) -> Response:
        try:
            return Response(status_code=status if await change(cluster, json.loads(request.body)) else 404)
        except ValueError as error:
            return text_response(f"The service specification is not valid: {error}", 400)
        except DefinitionError as error:
            return text_response(f"The service specification is not valid: {error}", 400)

    async def _delete(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        return Response(status_code=204 if await self._changes.delete(cluster, names["service"]) else 404)

    async def _calls_log(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        service = self._services.find(cluster, names["service"])
        path = service and self._calls.log(service)
        return (
            text_response(read_log(path) if path and path.is_file() else "") if service else Response(status_code=404)
        )

    async def _job_list(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        if not self._services.find(cluster, names["service"]):
            return Response(status_code=404)
        return json_response(job_page(self._jobs.of(cluster, names["service"]), request.parameter("page")))

    async def _job_log(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        job = self._jobs.find(cluster, names["service"], names["job"])
        if job is None:
            return Response(status_code=404)
        path = self._jobs.log(job)
        return text_response(
            read_log(path, timestamps=request.parameter("timestamps") == "true") if path.is_file() else ""
        )

    async def _delete_jobs(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        jobs = self._jobs.of(cluster, names["service"])
        of_all = request.parameter("all") == "true"
        await self._queue.remove(job for job in jobs if of_all or job.status == "Succeeded")
        return Response(status_code=204)

    async def _delete_job(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        job = self._jobs.find(cluster, names["service"], names["job"])
        if job is None:
            return Response(status_code=404)
        await self._queue.remove([job])
        return Response(status_code=204)
