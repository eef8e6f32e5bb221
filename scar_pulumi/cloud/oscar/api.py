"""OSCAR's interface for any number of clusters, each below a path with its id.

https://docs.oscar.grycap.net/api/
"""

import base64
import binascii
import hmac
import inspect
import re
from collections.abc import Callable
from urllib.parse import unquote

from scar_pulumi.cloud.asgi import BodyTooLargeError, Request, Response
from scar_pulumi.cloud.oscar.address import OSCAR_PATH, USER
from scar_pulumi.cloud.oscar.cluster import LocalCluster
from scar_pulumi.cloud.oscar.refusals import Answer
from scar_pulumi.cloud.oscar.routes import JOB_NAME, NOT_FOUND, absence, called_service, encoded, find_route
from scar_pulumi.cloud.service import Service, ServiceRequest

_LARGEST = 64 * 1024 * 1024
_PATH = re.compile(rf"{OSCAR_PATH}/(?P<cluster>[^/]+)(?P<rest>/.*)?")


def is_cluster_user(request: Request, password: str) -> bool:
    """Return whether the request comes from the cluster's user."""
    kind, _, text = request.header("authorization").partition(" ")
    try:
        given = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, f"{USER}:{password}".encode())


def unauthorised() -> Response:
    """Return the response for everybody else."""
    return Response(status_code=401, headers={"www-authenticate": 'Basic realm="Authorization Required"'})


def response_of(answer: Answer) -> Response:
    """Return an answer of the server as HTTP has it."""
    content, media_type = encoded(answer)
    return Response(content, answer.status, media_type=media_type or None)


class OscarApi(Service):
    """Answers requests to clusters; `cluster` returns the one with an id."""

    name = "oscar"

    def __init__(self, cluster: Callable[[str], LocalCluster], password: str) -> None:
        self._cluster = cluster
        self._password = password

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is for a cluster."""
        return request.path.startswith(f"{OSCAR_PATH}/")

    async def __call__(self, request: ServiceRequest) -> Response:
        """Answer one request."""
        try:
            return await self._answer(await request.read(_LARGEST), request.raw_path)
        except BodyTooLargeError:
            return response_of(Answer(413, f"the request is larger than {_LARGEST} bytes"))

    async def _answer(self, request: Request, path: str) -> Response:
        found = _PATH.fullmatch(path)
        if found is None:
            return response_of(NOT_FOUND)
        cluster, rest = self._cluster(unquote(found["cluster"])), found["rest"] or "/"
        if rest.rstrip("/") == "/health":
            return response_of(Answer(200, "Ok"))
        if called := called_service(request.method, rest):
            return await self._called(cluster, request, *called)
        if not rest.startswith("/system/"):
            return response_of(absence(rest) or NOT_FOUND)
        return await self._for_user(cluster, request, rest)

    async def _for_user(self, cluster: LocalCluster, request: Request, rest: str) -> Response:
        if not is_cluster_user(request, self._password):
            return unauthorised()
        route = find_route(request.method, rest, request.body, request.parameter)
        if isinstance(route, Answer):
            return response_of(route)
        answer = getattr(cluster, route.operation)(*route.arguments)
        return response_of(await answer if inspect.isawaitable(answer) else answer)

    async def _called(self, cluster: LocalCluster, request: Request, kind: str, service: str) -> Response:
        authorization = request.header("authorization")
        if kind == "job":
            return response_of(await cluster.start_job(service, request.body, authorization, request.header(JOB_NAME)))
        status, body = await cluster.call(service, request.body, authorization)
        return Response(body, status, media_type="application/octet-stream")
