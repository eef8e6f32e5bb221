"""What a function is called with: a body and parameters, as the event that Lambda gets, and its size limits."""

import base64
import json
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from scar_foundation.errors import InputError
from scar_foundation.limits import HTTP_API_HEADER_BYTES, LAMBDA_ASYNC_PAYLOAD_BYTES, LAMBDA_PAYLOAD_BYTES
from scar_pulumi.client.outputs import DeployedFunction

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
_NOT_JSON = object()
# What a gateway adds to an event beside the body: the headers, the path, and who calls.
_GATEWAY_BYTES = HTTP_API_HEADER_BYTES + 6 * 1024


@dataclass(frozen=True)
class Body:
    """The content of a call: JSON is the event itself, anything else becomes the function's input file."""

    content: bytes
    content_type: str

    @property
    def is_json(self) -> bool:
        """Whether the function gets it unchanged."""
        return self.content_type == JSON

    @property
    def is_text(self) -> bool:
        """Whether a gateway passes it on without encoding it in base64."""
        return self.is_json or self.content_type.startswith("text/")


@dataclass(frozen=True)
class Call:
    """A call; `later` makes it asynchronous. Parameters may have several values."""

    body: Body | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    later: bool = False


def text_body(text: str) -> Body:
    """Make a body of text; JSON is recognized."""
    return Body(text.encode(), TEXT if _parsed(text) is _NOT_JSON else JSON)


def json_body(text: str) -> Body:
    """Make a body of JSON.

    Raises:
        InputError: It is not JSON.
    """
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(f"--json-data: is not JSON ({error}); --data takes any text") from None
    return Body(text.encode(), JSON)


def mixed_body(content: bytes, name: str = "") -> Body:
    """Make a body of a file's content: a JSON object or list is the event, anything else is the input file."""
    return Body(content, JSON) if isinstance(_parsed(content), dict | list) else binary_body(content, name)


def binary_body(content: bytes, name: str = "") -> Body:
    """Make a body of a file's content, byte for byte: no media type that a gateway would treat as text."""
    guessed = mimetypes.guess_type(name)[0] or BINARY
    textual = guessed.startswith("text/") or guessed.endswith(("json", "xml", "javascript"))
    return Body(content, BINARY if textual else guessed)


def read_file(file: Path) -> bytes:
    """Read the content of a body.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None


def read_parameters(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read query parameters: JSON objects, as SCAR takes them, or `name=value`, several of them joined by `&`.

    Raises:
        InputError: One is neither.
    """
    return tuple(pair for text in given for pair in _parameters(text))


def _parameters(text: str) -> Iterable[tuple[str, str]]:
    if isinstance(document := _parsed(text), dict):
        for name, value in document.items():
            yield from ((name, _value(one)) for one in (value if isinstance(value, list) else [value]))
        return
    if "=" not in text:
        raise InputError(
            f"""--parameters: {text}: is neither a JSON object nor name=value; write '{{"size": "160"}}'"""
        )
    yield from parse_qsl(text, keep_blank_values=True)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(text: str | bytes) -> Any:
    """Parse JSON; return `_NOT_JSON` for anything else."""
    try:
        return json.loads(text)
    except ValueError:
        return _NOT_JSON


def lambda_event(call: Call) -> bytes:
    """Return the event: JSON unchanged, anything else wrapped so that the supervisor unpacks the input file."""
    if call.parameters:
        return _gateway_event(call)
    if call.body is None:
        return b"{}"
    return call.body.content if call.body.is_json else json.dumps(_in_base64(call.body)).encode()


def _gateway_event(call: Call) -> bytes:
    """Return the event that a gateway would make of a call: only requests have parameters.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    parameters: dict[str, str] = {}
    for name, value in call.parameters:
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    event = {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"x-amz-invocation-type": "Event"} if call.later else {},
        "queryStringParameters": parameters,
        "body": _in_base64(call.body) if call.body else "",
        "isBase64Encoded": call.body is not None,
    }
    return json.dumps(event).encode()


def _in_base64(body: Body) -> str:
    return base64.b64encode(body.content).decode()


def check_size(call: Call, function: DeployedFunction, *, through_gateway: bool) -> None:
    """Check that a call fits into an event.

    Raises:
        InputError: It is too large; the message says how much fits, and what to do instead.
    """
    if call.body is None:
        return
    limit = LAMBDA_ASYNC_PAYLOAD_BYTES if call.later else LAMBDA_PAYLOAD_BYTES
    size = _gateway_size(call) if through_gateway else len(lambda_event(call))
    if size <= limit:
        return
    room = limit - (size - _carried(call, through_gateway=through_gateway))
    fits = room if call.body.is_text and (call.body.is_json or through_gateway) else room * 3 // 4
    kind = "an asynchronous call" if call.later else "a call"
    size_and_limit = f"the input has {len(call.body.content):,} bytes; {kind} takes {fits:,} at most"
    raise InputError(f"{function.name}: {size_and_limit}; {_alternative(function)}")


def _gateway_size(call: Call) -> int:
    return _GATEWAY_BYTES + _carried(call, through_gateway=True) + sum(map(len, map(str, call.parameters)))


def _carried(call: Call, *, through_gateway: bool) -> int:
    """Return how many bytes of the event the body takes."""
    assert call.body
    if call.body.is_json and not through_gateway and not call.parameters:
        return len(call.body.content)
    if call.body.is_text and through_gateway:
        return len(json.dumps(call.body.content.decode(errors="replace"), ensure_ascii=False).encode())
    return -(-len(call.body.content) // 3) * 4


def _alternative(function: DeployedFunction) -> str:
    place = next((path.path for path in function.inputs if path.provider.startswith("s3")), None)
    if place is None:
        return "give the function an `input` and put the file into that bucket"
    return f"put the file into its bucket instead: `scar-pulumi put {place} FILE`"
