"""As much of an HTTP/1.1 server as the Lambda Runtime API needs: h11 on an asyncio stream, one handler."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import h11

_READ = 256 * 1024
_HEADERS = 64 * 1024


@dataclass(frozen=True)
class Request:
    """A request with its whole body; `gone` comes true when the client hangs up while it waits for the answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    too_long: bool
    gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Response:
    """An answer; `sent` is called with whether it could be written."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, bytes]] = (("Content-Type", b"application/json"),)
    sent: Callable[[bool], None] = lambda _: None


Handler = Callable[[Request], Awaitable[Response]]


class Connection:
    """One connection, kept for as many requests as the client likes; bodies beyond `limit` bytes are dropped."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        self._reader = reader
        self._writer = writer
        self._limit = limit
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADERS)

    async def serve(self, handler: Handler) -> None:
        """Answer requests until either side is done."""
        try:
            while (request := await self._request()) is not None:
                await self._respond(await handler(request))
                if self._http.our_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except (ConnectionError, h11.ProtocolError):
            pass
        finally:
            self._writer.close()

    async def _request(self) -> Request | None:
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        body, length = bytearray(), 0
        while isinstance(event := await self._event(), h11.Data):
            length += len(event.data)
            if length <= self._limit:
                body += event.data
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("latin-1").partition("?")[0]
        too_long = length > self._limit
        return Request(head.method.decode("ascii"), path, headers, bytes(body), too_long, self._hang_up)

    async def _event(self) -> h11.Event | None:
        """Return the next event; None when there will be none."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(_READ))

    async def _hang_up(self) -> None:
        """Return when the client has closed; what it sends meanwhile is kept for the next request."""
        while data := await self._reader.read(_READ):
            self._http.receive_data(data)

    async def _respond(self, response: Response) -> None:
        headers = [(name.encode(), value) for name, value in response.headers]
        headers.append((b"Content-Length", str(len(response.body)).encode()))
        try:
            await self._send(h11.Response(status_code=response.status, headers=headers))
            await self._send(h11.Data(data=response.body))
            await self._send(h11.EndOfMessage())
        except ConnectionError:
            response.sent(False)
            raise
        response.sent(True)

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()
