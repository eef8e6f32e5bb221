"""MiniStack's ECR and registry on a free loopback port, with a protocol of what was sent to it.

Run as a program, with MiniStack on its path: prints its port. `GET /_test/requests` returns and forgets the requests
so far.
"""

import asyncio
import json
import os
import socket
import tempfile
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config


class Recording:
    """Counts the bytes of each registry request, and names this server as ECR's endpoint."""

    def __init__(self, app: Any, port: int) -> None:
        self._app, self._port = app, port
        self._requests: list[tuple[str, str, int]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/_test/requests":
            await self._report(send)
            return
        await self._app(scope, self._counting(scope, receive), self._rewriting(send))

    def _counting(self, scope: Any, receive: Any) -> Any:
        if scope["type"] != "http" or not scope["path"].startswith("/v2/"):
            return receive
        position = len(self._requests)
        self._requests.append((scope["method"], scope["path"], 0))

        async def counting() -> Any:
            message = await receive()
            method, path, count = self._requests[position]
            self._requests[position] = method, path, count + len(message.get("body", b""))
            return message

        return counting

    def _rewriting(self, send: Any) -> Any:
        async def rewriting(message: Any) -> None:
            body = message.get("body", b"")
            if b'"proxyEndpoint"' in body:
                answer = json.loads(body)
                answer["authorizationData"][0]["proxyEndpoint"] = f"http://127.0.0.1:{self._port}"
                message = {**message, "body": json.dumps(answer).encode()}
            if message["type"] == "http.response.start":
                headers = [header for header in message["headers"] if header[0].lower() != b"content-length"]
                message = {**message, "headers": headers} if message["status"] == 200 else message
            await send(message)

        return rewriting

    async def _report(self, send: Any) -> None:
        body = json.dumps(self._requests).encode()
        self._requests.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)
    os.chdir(tempfile.mkdtemp())
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = config.errorlog = None
    print(port, flush=True)
    asyncio.run(serve(Recording(app, port), config))


if __name__ == "__main__":
    main()
