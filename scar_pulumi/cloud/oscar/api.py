"""OSCAR's interface, of any number of clusters: below a path with the cluster's id.

https://docs.oscar.grycap.net/api/
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from scar_pulumi.cloud.asgi import (
    BodyTooLargeError,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    raw_path,
    read_body,
    request_of,
)
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.oscar import access, answers
from scar_pulumi.cloud.oscar.address import OSCAR_PATH, minio_endpoint
from scar_pulumi.cloud.oscar.answers import document, text
from scar_pulumi.cloud.oscar.buckets import Buckets
from scar_pulumi.cloud.oscar.calls import Calls
from scar_pulumi.cloud.oscar.changes import Changes
from scar_pulumi.cloud.oscar.definitions import DefinitionError, shown
from scar_pulumi.cloud.oscar.job_log import read_log
from scar_pulumi.cloud.oscar.jobs import Job, Jobs
from scar_pulumi.cloud.oscar.queue import JobQueue
from scar_pulumi.cloud.oscar.services import Services

_LARGEST = 64 * 1024 * 1024
_CLUSTER = rf"{OSCAR_PATH}/(?P<cluster>[^/]+)"
_SERVICE = r"(?P<service>[^/]+)"
_JOB = r"(?P<job>[^/]+)"
_BUCKET = r"/system/buckets/(?P<bucket>[^/]+)"

_Handler = Callable[[str, Request, dict[str, str]], Awaitable[Response]]


class OscarApi:
    """Serves the paths of clusters; `endpoint` is the local cloud's."""

    def __init__(
        self,
        *,
        services: Services,
        jobs: Jobs,
        queue: JobQueue,
        calls: Calls,
        changes: Changes,
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        try:
            body = await read_body(receive, _LARGEST)
        except BodyTooLargeError:
            await respond(send, text(f"the request is larger than {_LARGEST} bytes", 413))
            return
        await respond(send, await self._answer(request_of(scope, body), raw_path(scope)))

    async def _answer(self, request: Request, path: str) -> Response:
        if found := self._open.fullmatch(path):
            return await self._started(request, {key: unquote(value or "") for key, value in found.groupdict().items()})
        matches = [
            (method, handler, found) for method, route, handler in self._routes if (found := route.fullmatch(path))
        ]
        if not access.is_user(request, self._password):
            return access.unauthorised()
        for method, handler, found in matches:
            if method == request.method:
                names = {key: unquote(value) for key, value in found.groupdict().items()}
                return await handler(names.pop("cluster"), request, names)
        return text("404 page not found", 404)

    async def _started(self, request: Request, names: dict[str, str]) -> Response:
        if names["kind"] == "health":
            return text("Ok")
        if request.method != "POST":
            return text("404 page not found", 404)
        service = self._services.find(names["cluster"], names["service"] or names["runs"])
        if service is None:
            return Response(404)
        if not access.has_token(request, service):
            return access.unauthorised()
        if names["service"]:
            self._queue.put(service, request.body)
            return Response(201)
        answer = await self._calls.run(service, request.body)
        return Response(answer.status, answer.body, [(b"content-type", b"application/octet-stream")])

    async def _information(self, _cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return document(answers.information())

    async def _configuration(self, _cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return document(answers.configuration(minio_endpoint(self._endpoint), self._password))

    async def _bucket_list(self, _cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return document(answers.bucket_list(await self._buckets.all()))

    async def _bucket(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        owner = await self._buckets.owner(names["bucket"])
        return document(answers.bucket(names["bucket"], cluster, owner)) if owner else Response(404)

    async def _delete_bucket(self, _cluster: str, _request: Request, names: dict[str, str]) -> Response:
        if await self._buckets.owner(names["bucket"]) is None:
            return Response(404)
        await self._buckets.wipe(names["bucket"])
        return Response(204)

    async def _list(self, cluster: str, _request: Request, _names: dict[str, str]) -> Response:
        return document([shown(service.definition) for service in self._services.of(cluster)])

    async def _read(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        service = self._services.find(cluster, names["service"])
        return document(shown(service.definition)) if service else Response(404)

    async def _create(self, cluster: str, request: Request, _names: dict[str, str]) -> Response:
        return await self._change(self._changes.create, cluster, request, 201)

    async def _update(self, cluster: str, request: Request, _names: dict[str, str]) -> Response:
        return await self._change(self._changes.update, cluster, request, 204)

    async def _change(
        self, change: Callable[[str, Any], Awaitable[bool]], cluster: str, request: Request, status: int
    ) -> Response:
        try:
            return Response(status if await change(cluster, json.loads(request.body)) else 404)
        except ValueError as error:
            return text(f"The service specification is not valid: {error}", 400)
        except DefinitionError as error:
            return text(f"The service specification is not valid: {error}", 400)

    async def _delete(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        return Response(204 if await self._changes.delete(cluster, names["service"]) else 404)

    async def _calls_log(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        service = self._services.find(cluster, names["service"])
        path = service and self._calls.log(service)
        return text(read_log(path) if path and path.is_file() else "") if service else Response(404)

    async def _job_list(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        if not self._services.find(cluster, names["service"]):
            return Response(404)
        return document(answers.job_list(self._jobs.of(cluster, names["service"]), request.parameter("page")))

    async def _job_log(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        job = self._jobs.find(cluster, names["service"], names["job"])
        if job is None:
            return Response(404)
        path = self._jobs.log(job)
        return text(read_log(path, timestamps=request.parameter("timestamps") == "true") if path.is_file() else "")

    async def _delete_jobs(self, cluster: str, request: Request, names: dict[str, str]) -> Response:
        jobs = self._jobs.of(cluster, names["service"])
        for job in jobs if request.parameter("all") == "true" else [job for job in jobs if job.status == "Succeeded"]:
            await self._queue.remove(job)
        return Response(204)

    async def _delete_job(self, cluster: str, _request: Request, names: dict[str, str]) -> Response:
        job: Job | None = self._jobs.find(cluster, names["service"], names["job"])
        if job is None:
            return Response(404)
        await self._queue.remove(job)
        return Response(204)
