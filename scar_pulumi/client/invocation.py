"""A function called, and its answer understood."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_foundation.errors import InvocationError
from scar_pulumi.client.deployed import Function

_BAD_REQUEST = 400


@dataclass(frozen=True)
class Invocation:
    """How a call went.

    `body` is what the function answered, taken out of the supervisor's envelope where there is one. `log` is the end of
    what its container printed, 4 KB at most. `log_stream` is empty when the function did not say.
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


class FunctionFailed(InvocationError):  # noqa: N818 - says what happened, as the message does
    """A function was called and failed; `invocation` holds all that is known."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        super().__init__(_failure(invocation))

    def document(self) -> dict[str, Any]:
        """Return the call as a JSON document."""
        return self.invocation.document()


def invoke(client: Any, function: Function, event: bytes) -> Invocation:
    """Call a function and wait for its answer; a failed call is returned, not raised."""
    answer = client.invoke(FunctionName=function.arn, Payload=event, LogType="Tail")
    return read_answer(function, answer, answer["Payload"].read())


def invoke_later(client: Any, function: Function, event: bytes) -> Invocation:
    """Hand an event to a function and don't wait."""
    answer = client.invoke(FunctionName=function.arn, Payload=event, InvocationType="Event")
    return read_answer(function, answer, b"")


def read_answer(function: Function, answer: Mapping[str, Any], payload: bytes) -> Invocation:
    """Understand Lambda's answer and the payload in it, whoever wrote that."""
    parsed = _json(payload)
    envelope = parsed if _is_envelope(parsed) else {}
    error = answer.get("FunctionError")
    headers = {str(name).lower(): str(value) for name, value in (envelope.get("headers") or {}).items()}
    details = parsed if error and isinstance(parsed, dict) else {}
    return Invocation(
        function=function.name,
        status_code=int(envelope.get("statusCode", answer["StatusCode"])),
        request_id=answer.get("ResponseMetadata", {}).get("RequestId", ""),
        log_group=headers.get("amz-log-group-name") or function.log_group,
        log_stream=headers.get("amz-log-stream-name") or str(details.get("logStream") or ""),
        function_error=error,
        error_type=str(details.get("errorType") or ""),
        error_message=str(details.get("errorMessage") or ""),
        body=_body(envelope) if envelope else payload,
        headers=headers,
        log=base64.b64decode(answer.get("LogResult") or "").decode(errors="replace"),
    )


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _is_envelope(parsed: Any) -> bool:
    """Recognise the answer that an HTTP integration understands, which is the supervisor's too.

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


def _failure(invocation: Invocation) -> str:
    if invocation.function_error is None:
        reason = f"answered with status {invocation.status_code}"
    else:
        known = [part for part in (invocation.error_type, invocation.error_message) if part]
        reason = ": ".join(known) or invocation.body.decode(errors="replace").strip() or invocation.function_error
    return f"{invocation.function}: {reason}"
