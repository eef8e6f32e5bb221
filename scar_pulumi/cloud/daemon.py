"""Everything that makes up the local cloud, put together, started and stopped in order."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from scar_foundation.errors import ScarError
from scar_pulumi.cloud.api_gateway.endpoint import HttpApis
from scar_pulumi.cloud.asgi import Application, Message, Receive, Scope, Send
from scar_pulumi.cloud.batch.service import BatchService
from scar_pulumi.cloud.ecr.api import EcrApi
from scar_pulumi.cloud.ecr.image_store import ImageStore
from scar_pulumi.cloud.ecr.registry import Registry
from scar_pulumi.cloud.gateway import Gateway
from scar_pulumi.cloud.lambda_.api import LambdaApi
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.destinations import Destinations
from scar_pulumi.cloud.lambda_.function_changes import FunctionChanges
from scar_pulumi.cloud.lambda_.functions import Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.lambda_.spool import Spool
from scar_pulumi.cloud.layout import Layout
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.ministack.application import DockerHost
from scar_pulumi.cloud.ministack.event_hook import EventHook
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.snapshots import Checkpoints, Snapshots, sweep_objects
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.oscar.clusters import OscarClusters
from scar_pulumi.cloud.runner import Runner
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import UploadEvents

_log = logging.getLogger(__name__)

RunnerFactory = Callable[..., Runner]


class Daemon:
    """One local cloud. `identity` is what `/_scar/health` answers: it tells this daemon from any other process."""

    def __init__(
        self, layout: Layout, identity: dict[str, Any], environment: dict[str, str], runner: RunnerFactory
    ) -> None:
        self._layout = layout
        self._identity = identity
        self._environment = environment
        self._make_runner = runner
        self._docker = DockerHost()
        self._gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application that the server runs."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._gateway is not None, "requests come after start-up"
        await self._gateway(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the server has to hear of it
            # A sentence for the user, or a mistake of ours with its traceback.
            _log.critical("%s", error, exc_info=None if isinstance(error, ScarError) else error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        sweep_objects(self._layout.objects)
        self._journal = Journal(self._layout.journal)
        self._snapshots = Snapshots(self._layout.snapshots, self._layout.working, self._journal)
        first = self._snapshots.restore()
        self._docker.hide()
        # Importing it reads the environment and the objects, so everything has to be in its place by now.
        from ministack.app import app  # noqa: PLC0415

        self._application: Application = app
        await _start_lifespan(app)
        self._checkpoints = Checkpoints(self._save)
        upstream = Upstream(app, self._journal, lambda data: self._checkpoints.touch(data=data))
        if await upstream.replay(first):
            await self._snapshots.save(app)
        await self._assemble(upstream)
        self._checkpoints.start()

    async def _assemble(self, upstream: Upstream) -> None:
        endpoint = self._environment["AWS_ENDPOINT_URL"]
        self._images = ImageStore(self._layout.images)
        self._logs = CloudLogSink(upstream)
        executor = os.environ.get("SCAR_LOCAL_EXECUTOR", "auto")
        self._runner = self._make_runner(self._images, self._logs, self._layout.runner, self._environment, executor)
        with self._docker.shown():
            await self._runner.start()
        functions = Functions(upstream)
        invocations = Invocations(self._runner, self._logs)
        self._events = EventQueue(Spool(self._layout.events), functions, invocations, Destinations(self))
        names, hook = self._layout.image_functions, f"{endpoint}/_scar/events"
        changes = FunctionChanges(functions, self._images, self._logs, self._runner, names=names, hook=hook)
        self._batch = BatchService(
            upstream,
            self._runner,
            self._images,
            self._logs,
            endpoint=self._environment,
            directory=self._layout.batch,
        )
        deliveries = UploadEvents(upstream, changes.is_image_function)
        ecr = EcrApi(upstream, self._images, endpoint)
        parts = RangedReads(self._application, self._layout.root)
        self._oscar = OscarClusters(
            self._layout.root, endpoint, upstream=upstream, images=self._images, runner=self._runner, parts=parts
        )
        self._gateway = Gateway(
            upstream,
            registry=Registry(self._images, ecr.exists, ecr.announce),
            ecr=ecr,
            functions=LambdaApi(upstream, functions, changes, invocations, self._events),
            batch=self._batch,
            logs=self._logs,
            hook=EventHook(functions, invocations, self._events, deliveries),
            deliveries=deliveries,
            apis=HttpApis(
                self._layout, endpoint, functions=functions, invocations=invocations, upstream=upstream, logs=self._logs
            ),
            directory=self._layout.root,
            parts=parts,
            oscar=self._oscar,
            status=self._status,
            identity=self._identity,
        )
        self._events.start()
        self._batch.start()
        self._oscar.start()

    async def _stop(self) -> None:
        started = time.monotonic()
        for part in (self._events, self._batch, self._oscar, self._runner, self._logs, self._checkpoints):
            await _close(part)
        await self._save()
        self._journal.close()
        _log.info("stopped in %.2f s", time.monotonic() - started)

    async def _save(self) -> float:
        try:
            await self._logs.trim()
            await self._snapshots.save(self._application)
        except OSError as error:
            _log.error("snapshot failed: %s; the journal is kept", error)
        return self._snapshots.seconds

    def _status(self) -> dict[str, Any]:
        return {
            **self._identity,
            "events": self._events.describe(),
            "images": self._images.describe(),
            "jobs": self._batch.describe(),
            "journal_bytes": self._journal.size,
            "oscar": self._oscar.describe(),
            "snapshot_seconds": round(self._snapshots.seconds, 4),
            "requests": dict(self._gateway.requests) if self._gateway else {},
            "runner": self._runner.describe(),
        }


async def _close(part: Any) -> None:
    try:
        await part.close()
    except Exception:  # noqa: BLE001 - the others still have to stop
        _log.exception("%s did not stop cleanly", type(part).__name__)


async def _start_lifespan(application: Application) -> None:
    """Starts an ASGI application up; it then waits for a shutdown that snapshots send it on their own."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    messages = [{"type": "lifespan.startup"}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    async def send(message: Message) -> None:
        started.set_result(message.get("message", "") if message["type"].endswith("failed") else "")

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
    task = asyncio.ensure_future(application(scope, receive, send))
    _lifespans.add(task)

    def ended(_: asyncio.Future[None]) -> None:
        if not started.done():
            started.set_result("it ended while it was starting")

    task.add_done_callback(ended)
    if failure := await started:
        raise RuntimeError(f"MiniStack: {failure}")


_lifespans: set[asyncio.Future[None]] = set()
