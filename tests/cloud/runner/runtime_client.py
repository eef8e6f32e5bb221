"""A runtime's side of the Runtime API: one connection, or several, to one that listens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from scar_pulumi.cloud.runner.runtime_api import Event, RuntimeApi

RUNTIME = "/2018-06-01/runtime/"


class Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def call(
        self, method: str, path: str, body: bytes = b"", extra: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        self.send(method, path, body, extra)
        return await self.response()

    def send(self, method: str, path: str, body: bytes = b"", extra: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.writer.write(head.encode() + body)

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().splitlines()
        headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
        return int(status.split()[1]), headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    def close(self) -> None:
        self.writer.close()


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def served() -> AsyncIterator[tuple[RuntimeApi, Connect]]:
    api = RuntimeApi()
    host, _, port = (await api.start()).partition(":")
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection(host, int(port))))
        return clients[-1]

    try:
        yield api, connect
    finally:
        for client in clients:
            client.close()
        await api.close()


def event(name: str, payload: bytes = b"{}") -> Event:
    return Event(name, payload, "arn:function", 3)
