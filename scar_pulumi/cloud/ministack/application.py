"""MiniStack's application in this process: kept away from Docker, started, and made to save its state."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from typing import cast

from scar_pulumi.cloud.asgi import ASGIApp, Message

_log = logging.getLogger(__name__)
_VARIABLE = "DOCKER_HOST"
_NOWHERE = "unix:///var/empty/none"
_SCOPE = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}

_lifespans: set[asyncio.Future[None]] = set()


class DockerHost:
    """Hides Docker from MiniStack, which removes containers there, also those that other programs have made."""

    def __init__(self) -> None:
        self._users = os.environ.get(_VARIABLE)

    def hide(self) -> None:
        """Make Docker unreachable for this process."""
        os.environ[_VARIABLE] = _NOWHERE

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Make Docker reachable, where the user says, until the end of the block."""
        os.environ.pop(_VARIABLE, None)
        if self._users is not None:
            os.environ[_VARIABLE] = self._users
        try:
            yield
        finally:
            self.hide()


async def start_application() -> ASGIApp:
    """Import MiniStack, start it, and return its application.

    The import reads the environment and the stored objects, so both have to be complete. The application then waits for
    the message that ends it, which it never gets: see `save_state`.
    """
    from ministack.app import app  # noqa: PLC0415 - as above

    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    messages: list[Message] = [{"type": "lifespan.startup"}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    async def send(message: Message) -> None:
        started.set_result(message.get("message", "") if message["type"].endswith("failed") else "")

    def ended(_: asyncio.Future[None]) -> None:
        if not started.done():
            started.set_result("it ended while it was starting")

    task = asyncio.ensure_future(app(_SCOPE, receive, send))
    _lifespans.add(task)
    task.add_done_callback(ended)
    if failure := await started:
        raise RuntimeError(f"MiniStack: {failure}")
    return cast(ASGIApp, app)


async def save_state(application: ASGIApp) -> None:
    """Make MiniStack save its state, with the message that it should shut down.

    Saving is all that it does then to services that run in this process, so it can go on afterwards.
    """

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.shutdown.failed":
            _log.error("MiniStack could not save its state: %s", message.get("message", ""))

    await application(dict(_SCOPE), receive, send)
