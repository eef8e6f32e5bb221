"""Events of an HTTP API, and the responses to them."""

import base64
from typing import Any

from tests.supervisor.container import Container


def request(body: str = "", **more: Any) -> dict[str, Any]:
    return {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": body, **more}


def answer(container: Container, event: Any, **more: Any) -> dict[str, Any]:
    outcome = container.invoke(event, **more)
    assert not outcome.failed, outcome
    return dict(outcome.document)


def received(document: dict[str, Any]) -> bytes:
    """Return what a gateway sends to the client."""
    body = str(document["body"])
    return base64.b64decode(body) if document["isBase64Encoded"] else body.encode()
