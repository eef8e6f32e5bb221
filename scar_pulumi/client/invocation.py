"""Functions called, through Lambda or their HTTP endpoint, and their answers understood."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from scar_foundation.errors import InputError, InvocationError
from scar_foundation.limits import HTTP_API_TIMEOUT
from scar_pulumi.client.call import Call, check_size, lambda_event
from scar_pulumi.client.outputs import DeployedFunction

if TYPE_CHECKING:
    from scar_pulumi.client.clients import Clients

_BAD_REQUEST = 400
_PATIENCE = 2 * HTTP_API_TIMEOUT
_ASYNCHRONOUS = {"X-Amz-Invocation-Type": "Event"}


@dataclass(frozen=True)
class Invocation:
    """How a call went.

    `body` is what the function answered, taken out of the supervisor's envelope where there is one. `log` is the end of
    what its container printed, 4 KB at most. `log_stream` is empty when the function did not say. `through_gateway`
    marks a call of the HTTP endpoint.
    """

    function: str
    status_code: int
    request_id: str
    log_group: str
    log_stream: str = ""
    function_error: str | None = None
    error_type: str = ""
    error_message: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    through_gateway: bool = False

    @property
    def failed(self) -> bool:
        """Whether the function failed: by an error, or by answering with an error's status."""
        return self.function_error is not None or self.status_code >= _BAD_REQUEST

    def document(self) -> dict[str, Any]:
        """Return the call as a JSON document; a body that is not text is in `bodyBase64`."""
        document: dict[str, Any] = {
            "statusCode": self.status_code,
            "requestId": self.request_id,
            "logGroup": self.log_group,
            "logStream": self.log_stream,
            "functionError": self.function_error,
            "log": self.log,
        }
        try:
            document["body"] = self.body.decode()
        except UnicodeDecodeError:
            document["bodyBase64"] = base64.b64encode(self.body).decode()
        if self.function_error is not None:
            document |= {"errorType": self.error_type, "errorMessage": self.error_message}
        return document


class CallFailed(InvocationError):  # noqa: N818 - says what happened, as the message does
    """A function or service was called and failed; `invocation` holds the details."""

    def __init__(self, invocation: Invocation, reason: str, exit_code: int = 1) -> None:
        self.invocation = invocation
        self.exit_code = exit_code
        super().__init__(f"{invocation.function}: {reason}")

    def document(self) -> dict[str, Any]:
        """Return the call as a JSON document."""
        return self.invocation.document()


def call_function(
    function: DeployedFunction, call: Call, clients: "Clients", *, token: str = "", direct: bool = False
) -> Invocation:
    """Call a function, through its HTTP endpoint where it has one; a failed call is returned, not raised.

    `token` is the access token for the endpoint. `direct` calls Lambda itself, which waits up to 15 minutes.

    Raises:
        InputError: The call is too large, or the endpoint needs a token and none is given.
    """
    through_gateway = bool(function.url) and not direct
    check_size(call, function, through_gateway=through_gateway)
    if through_gateway:
        return call_over_http(function, call, clients, token)
    return call_lambda(function, call, clients)


def failure_of(function: DeployedFunction, invocation: Invocation) -> CallFailed:
    """Return the error that describes a failed call."""
    if invocation.through_gateway:
        exit_code = 2 if invocation.status_code in _INPUT_WRONG else 1
        return CallFailed(invocation, _gateway_reason(function, invocation), exit_code)
    return CallFailed(invocation, _lambda_reason(invocation))


def call_lambda(function: DeployedFunction, call: Call, clients: "Clients") -> Invocation:
    """Call Lambda itself and return how it went, failed or not."""
    client, event = clients.client("lambda", function.region), lambda_event(call)
    if call.later:
        response = client.invoke(FunctionName=function.arn, Payload=event, InvocationType="Event")
        return read_lambda_response(function, response, b"")
    response = client.invoke(FunctionName=function.arn, Payload=event, LogType="Tail")
    return read_lambda_response(function, response, response["Payload"].read())


def read_lambda_response(function: DeployedFunction, response: Mapping[str, Any], payload: bytes) -> Invocation:
    """Read Lambda's response and the payload in it, whoever wrote that."""
    parsed = _json(payload)
    envelope = parsed if _is_envelope(parsed) else {}
    error = response.get("FunctionError")
    headers = {str(name).lower(): str(value) for name, value in (envelope.get("headers") or {}).items()}
    details = parsed if error and isinstance(parsed, dict) else {}
    return Invocation(
        function=function.name,
        status_code=int(envelope.get("statusCode", response["StatusCode"])),
        request_id=response.get("ResponseMetadata", {}).get("RequestId", ""),
        log_group=headers.get("amz-log-group-name") or function.log_group,
        log_stream=headers.get("amz-log-stream-name") or str(details.get("logStream") or ""),
        function_error=error,
        error_type=str(details.get("errorType") or ""),
        error_message=str(details.get("errorMessage") or ""),
        body=_body(envelope) if envelope else payload,
        headers=headers,
        log=base64.b64decode(response.get("LogResult") or "").decode(errors="replace"),
    )


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _is_envelope(parsed: Any) -> bool:
    """Recognize the response of an HTTP integration, which is also the supervisor's.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    return isinstance(parsed, dict) and "statusCode" in parsed and str(parsed["statusCode"]).isdigit()


def _body(envelope: Mapping[str, Any]) -> bytes:
    body = envelope.get("body") or ""
    if not isinstance(body, str):
        return json.dumps(body).encode()
    if envelope.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            pass
    return body.encode()


def _lambda_reason(invocation: Invocation) -> str:
    if invocation.function_error is None:
        return f"answered with status {invocation.status_code}"
    return _own_words(invocation) or invocation.body.decode(errors="replace").strip() or invocation.function_error


def _own_words(invocation: Invocation) -> str:
    """Return what the function, or the gateway, says of the error."""
    return ": ".join(part for part in (invocation.error_type, invocation.error_message) if part)


class HttpRequest(NamedTuple):
    """A request to an endpoint."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


def call_over_http(function: DeployedFunction, call: Call, clients: "Clients", token: str = "") -> Invocation:
    """Call a function's HTTP endpoint and return how it went, failed or not.

    Raises:
        InputError: The endpoint needs a token and none is given.
        NoAnswer: The endpoint cannot be reached.
        botocore.exceptions.NoCredentialsError: There are no credentials to sign with.
    """
    request = http_request(function, call, token)
    headers = _signed(request, clients, function.region) if function.auth == "AWS_IAM" else request.headers
    with clients.http(_PATIENCE) as client:
        response = client.request(request.method, request.url, headers=headers, body=request.content)
        return read_http_response(function, response.status, response.headers, response.data)


def _signed(request: HttpRequest, clients: "Clients", region: str) -> Mapping[str, str]:
    """Return the headers with a signature."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - help and most endpoints need no AWS SDK
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - likewise

    signed = AWSRequest(request.method, request.url, dict(request.headers), request.content)
    SigV4Auth(clients.credentials(), "execute-api", region).add_auth(signed)
    return dict(signed.headers.items())


def http_request(function: DeployedFunction, call: Call, token: str = "") -> HttpRequest:
    """Return the request that makes a call, unsigned.

    Its method is the endpoint's; an endpoint that takes any gets POST if there is a body, else GET.

    Raises:
        InputError: The endpoint needs a token and none is given.
    """
    if function.auth == "JWT" and not token:
        raise InputError(
            f"{function.name}: its endpoint requires an access token; give one with --token-file, or in SCAR_TOKEN"
        )
    url = (call.later and function.async_url) or function.url
    # Signatures need %20, never +: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    query = f"?{urlencode(call.parameters, quote_via=quote)}" if call.parameters else ""
    headers = {
        **({"Content-Type": call.body.content_type} if call.body else {}),
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **(_ASYNCHRONOUS if call.later else {}),
    }
    content = call.body.content if call.body else b""
    method = function.method or ("POST" if call.body else "GET")
    return HttpRequest(method, url + query, headers, content)


def read_http_response(function: DeployedFunction, status: int, headers: Mapping[str, Any], body: bytes) -> Invocation:
    """Read a response, which is the function's or that of the gateway in front of it."""
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    fields = _fields(body) if status >= 400 or status == 202 else {}
    return Invocation(
        function=function.name,
        status_code=status,
        request_id=_request_id(named, fields),
        log_group=named.get("amz-log-group-name") or function.log_group,
        log_stream=named.get("amz-log-stream-name", ""),
        error_type=str(fields.get("errorType") or ""),
        error_message=str(fields.get("errorMessage") or fields.get("message") or ""),
        body=body,
        headers=named,
        through_gateway=True,
    )


def _request_id(headers: Mapping[str, str], fields: Mapping[str, Any]) -> str:
    """Return the function's own id where it is known, else the gateway's, which is also in the function's log."""
    own = headers.get("amz-lambda-request-id") or fields.get("requestId")
    return str(own or headers.get("apigw-requestid") or "")


def _fields(body: bytes) -> Mapping[str, Any]:
    found = _json(body)
    return found if isinstance(found, dict) else {}


_INPUT_WRONG = frozenset({400, 413, 414, 431})
_REASONS: Mapping[int, str] = {
    400: "the gateway rejects the request as malformed; check --parameters and the data",
    401: "the access token is missing, expired or not valid here; give one with --token-file, or in SCAR_TOKEN",
    403: "access is denied; these credentials or this token lack the permission to call it",
    404: "there is nothing at {url}; `scar-pulumi up FILE` deploys it again",
    413: "the input is too large for a call; put the file into an input bucket instead",
    429: "its throttling limit is reached; try again, or raise the limit",
    500: "the gateway could not call it; its log may say why",
    502: "the gateway could not use its answer; its log may say why",
    503: "it did not answer in time, and may still run; -a does not wait, --direct waits up to 15 minutes",
    504: "it took longer than the gateway waits, and may still run; -a does not wait, --direct waits up to 15 minutes",
}


def _gateway_reason(function: DeployedFunction, invocation: Invocation) -> str:
    said = _own_words(invocation)
    if invocation.error_type:  # only functions have one
        return said
    known = _REASONS.get(invocation.status_code, "it answered with an error").format(url=function.url)
    return f"{known} (status {invocation.status_code}{f', {said}' if said else ''})"
