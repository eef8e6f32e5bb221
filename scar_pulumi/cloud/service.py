"""What the gateway asks of a service: whether it takes a request, its answer, and how it words a refusal.

Code below a service raises `ServiceError`; only the gateway turns it into HTTP, in the words of the service's protocol.
"""

import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol
from xml.sax.saxutils import escape

import starlette.requests

from scar_pulumi.cloud.asgi import ASGIApp, Request, Response, json_response, raw_path, read_body, request_of
from scar_pulumi.cloud.signature import Caller, caller_of


class ServiceError(Exception):
    """A service refuses a request: the status, AWS's code for it, and the message for whoever sent it.

    `headers` and `details` go into the answer as they are.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.details = details or {}


def rest_json_error(error: ServiceError) -> Response:
    """Return an error in AWS's REST JSON protocol.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    """
    fault = "User" if error.status < 500 else "Service"
    document = {"Type": fault, "Message": error.message, "message": error.message, **error.details}
    headers = {"x-amzn-errortype": error.code, "x-amzn-requestid": str(uuid.uuid4()), **error.headers}
    return json_response(document, error.status, headers)


def s3_error(error: ServiceError) -> Response:
    """Return an error as S3 words it. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    return Response(body, error.status, error.headers, "application/xml")


class ServiceRequest(starlette.requests.Request):
    """A request from outside, with what tells services apart."""

    @cached_property
    def caller(self) -> Caller | None:
        """Who signed the request and for which service; None when nobody did. The signature itself is not checked."""
        return caller_of(self.scope["headers"], self.scope.get("query_string", b"").decode("latin-1"))

    @property
    def service(self) -> str:
        """The service that the request is signed for, or the empty string."""
        return self.caller.service if self.caller else ""

    @property
    def path(self) -> str:
        """The path, decoded."""
        return str(self.scope["path"])

    @cached_property
    def plain(self) -> Request:
        """The request without its body."""
        return request_of(self.scope)

    @cached_property
    def raw_path(self) -> str:
        """The path as the client sent it."""
        return raw_path(self.scope)

    def header(self, name: str) -> str:
        """Return a header's value, or the empty string."""
        return self.headers.get(name, "")

    async def read(self, limit: int | None = None) -> Request:
        """Return the whole request; raise ClientDisconnect, or BodyTooLargeError beyond `limit` bytes of body."""
        return request_of(self.scope, await read_body(self.receive, limit))


class Service(Protocol):
    """One entry of the gateway's table."""

    name: str = ""
    """Under which its requests are counted. Default: the service that each is signed for."""
    stores_data: bool = False
    """Whether its requests bring data, for which the disk must have room."""
    refusal: Callable[[ServiceError], Response] = staticmethod(rest_json_error)
    """How its protocol words an error."""

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether the request is this service's, if no earlier one in the table takes it."""

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        """Return the answer, or the application that gives it; raise ServiceError to refuse."""

    def welcomes(self, request: ServiceRequest, origin: str) -> bool:  # noqa: ARG002 - for those that decide by them
        """Return whether web pages of an origin that is not on this machine may send the request."""
        return False
