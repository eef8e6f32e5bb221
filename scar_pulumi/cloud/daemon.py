"""Everything that makes up the local cloud: put together, started and stopped in order."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from scar_foundation.errors import ScarError
from scar_pulumi.cloud.api_gateway.access_log import AccessLog
from scar_pulumi.cloud.api_gateway.authorization import Authorization
from scar_pulumi.cloud.api_gateway.control_plane import ControlPlane
from scar_pulumi.cloud.api_gateway.endpoint import HttpEndpoint, url_of
from scar_pulumi.cloud.api_gateway.json_web_tokens import IssuerKeys
from scar_pulumi.cloud.api_gateway.lambda_integration import LambdaIntegration
from scar_pulumi.cloud.api_gateway.store import ApiStore
from scar_pulumi.cloud.asgi import ASGIApp, Receive, Scope, Send
from scar_pulumi.cloud.batch.service import BatchService
from scar_pulumi.cloud.database import Database, StateError
from scar_pulumi.cloud.ecr.api import EcrApi
from scar_pulumi.cloud.ecr.image_store import ImageStore
from scar_pulumi.cloud.ecr.registry import Registry
from scar_pulumi.cloud.events.event_bridge import EventBridge
from scar_pulumi.cloud.gateway import AwsServices, Documents, Gateway
from scar_pulumi.cloud.lambda_.api import LambdaApi
from scar_pulumi.cloud.lambda_.async_events import EventQueue
from scar_pulumi.cloud.lambda_.destinations import Destinations
from scar_pulumi.cloud.lambda_.event_hook import PATH as HOOK_PATH
from scar_pulumi.cloud.lambda_.event_hook import EventHook
from scar_pulumi.cloud.lambda_.function_changes import FunctionChanges
from scar_pulumi.cloud.lambda_.functions import Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.lambda_.store import ImageFunctions, Spool
from scar_pulumi.cloud.layout import Layout
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink, LogGroups
from scar_pulumi.cloud.ministack.application import DockerHost, start_application
from scar_pulumi.cloud.ministack.gaps import Ec2, S3Control
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.snapshots import Checkpoints, Snapshots, sweep_objects
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.oscar.clusters import OscarClusters
from scar_pulumi.cloud.runner import Runner
from scar_pulumi.cloud.s3.bus_events import BusEvents
from scar_pulumi.cloud.s3.notifications import NotificationConfigurations
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import UploadEvents
from scar_pulumi.cloud.service import Service
from scar_pulumi.cloud.sqs.messages import Messages, SentMessages
from scar_pulumi.cloud.states.service import StatesService

_log = logging.getLogger(__name__)

RunnerFactory = Callable[..., Runner]


@dataclass(frozen=True)
class MiniStack:
    """MiniStack's application in this process, and what keeps its state on disk."""

    application: ASGIApp
    journal: Journal
    snapshots: Snapshots

    async def save(self) -> None:
        """Make a snapshot; when the disk is full, the journal is kept instead."""
        try:
            await self.snapshots.save(self.application)
        except (OSError, StateError) as error:
            _log.error("snapshot failed: %s; the journal is kept", error)


@dataclass(frozen=True)
class Parts:
    """The parts of a running local cloud, each made from earlier ones."""

    database: Database
    ministack: MiniStack
    checkpoints: Checkpoints
    upstream: Upstream
    images: ImageStore
    logs: CloudLogSink
    runner: Runner
    functions: Functions
    invocations: Invocations
    events: EventQueue
    changes: FunctionChanges
    batch: BatchService
    states: StatesService
    event_bridge: EventBridge
    uploads: UploadEvents
    ranged_reads: RangedReads
    oscar: OscarClusters

    def start(self) -> None:
        """Go on with the work that an earlier daemon left; requests are served from now on."""
        for part in (self.events, self.batch, self.states, self.event_bridge, self.oscar, self.checkpoints):
            part.start()

    async def close(self) -> None:
        """Stop what brings work before what does it, and save the state at the end."""
        for part in (
            self.event_bridge,
            self.states,
            self.events,
            self.batch,
            self.oscar,
            self.runner,
            self.logs,
            self.checkpoints,
        ):
            try:
                await part.close()
            except Exception:  # noqa: BLE001 - the others still have to stop
                _log.exception("%s did not stop cleanly", type(part).__name__)
        await self.save()
        await self.database.close()

    async def save(self) -> float:
        """Make a snapshot of MiniStack's state; return how long that took."""
        await self.logs.trim()
        await self.ministack.save()
        return self.ministack.snapshots.seconds

    def describe(self) -> dict[str, Any]:
        """Return what `scar-pulumi local status` shows of the parts."""
        return {
            "events": self.events.describe(),
            "deliveries": self.event_bridge.describe(),
            "executions": self.states.describe(),
            "images": self.images.describe(),
            "jobs": self.batch.describe(),
            "journal_bytes": self.ministack.journal.size,
            "oscar": self.oscar.describe(),
            "snapshot_seconds": round(self.ministack.snapshots.seconds, 4),
            "runner": self.runner.describe(),
        }


class Daemon:
    """One local cloud. `identity` is what `/_scar/health` answers: it tells this daemon from any other process."""

    def __init__(
        self, layout: Layout, identity: dict[str, Any], environment: dict[str, str], runner: RunnerFactory
    ) -> None:
        self._layout = layout
        self._identity = identity
        self._environment = environment
        self._endpoint = environment["AWS_ENDPOINT_URL"]
        self._make_runner = runner
        self._docker = DockerHost()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as the ASGI application that the server runs."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
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
        database = Database(self._layout.database)
        ministack, first = await self._start_ministack(database)
        checkpoints = Checkpoints(self._save)
        upstream = Upstream(ministack.application, ministack.journal, lambda data: checkpoints.touch(data=data))
        if await upstream.replay(first):
            await ministack.snapshots.save(ministack.application)
        self._parts = parts = await self._assemble(database, ministack, checkpoints, upstream)
        self._gateway = Gateway(self._services(parts), websockets=upstream, directory=self._layout.root)
        parts.start()

    async def _start_ministack(self, database: Database) -> tuple[MiniStack, int]:
        """Return MiniStack, with its newest snapshot, and the journal's first number that it does not hold."""
        sweep_objects(self._layout.objects)
        journal = Journal(database)
        snapshots = Snapshots(self._layout.snapshots, self._layout.working, journal)
        first = snapshots.restore()
        self._docker.hide()
        return MiniStack(await start_application(), journal, snapshots), first

    async def _assemble(
        self, database: Database, ministack: MiniStack, checkpoints: Checkpoints, upstream: Upstream
    ) -> Parts:
        layout = self._layout
        images = ImageStore(layout.images)
        logs = CloudLogSink(upstream)
        runner = await self._start_runner(images, logs)
        functions = Functions(upstream)
        invocations = Invocations(runner, logs)
        events = EventQueue(Spool(database), functions, invocations, Destinations(self))
        hook = self._endpoint + HOOK_PATH
        changes = FunctionChanges(functions, images, logs, runner, names=ImageFunctions(database), hook=hook)
        batch = BatchService(
            database, upstream, runner, images, logs, endpoint=self._environment, volumes=layout.batch / "volumes"
        )
        event_bridge = EventBridge(database, upstream, self)
        reads = RangedReads(ministack.application, layout.root)
        return Parts(
            database=database,
            ministack=ministack,
            checkpoints=checkpoints,
            upstream=upstream,
            images=images,
            logs=logs,
            runner=runner,
            functions=functions,
            invocations=invocations,
            events=events,
            changes=changes,
            batch=batch,
            states=StatesService(database, functions, invocations, self),
            event_bridge=event_bridge,
            uploads=UploadEvents(upstream, changes.is_image_function, BusEvents(upstream, event_bridge.buses.put)),
            ranged_reads=reads,
            oscar=OscarClusters(
                database, layout.root, self._endpoint, upstream=upstream, images=images, runner=runner, parts=reads
            ),
        )

    async def _start_runner(self, images: ImageStore, logs: CloudLogSink) -> Runner:
        executor = os.environ.get("SCAR_LOCAL_EXECUTOR", "auto")
        runner = self._make_runner(images, logs, self._layout.runner, self._environment, executor)
        with self._docker.shown():
            await runner.start()
        return runner

    def _services(self, parts: Parts) -> tuple[Service, ...]:
        """Return the gateway's table: by path or host first, then by the service that a request is signed for."""
        upstream, sent = parts.upstream, SentMessages(parts.ministack.journal)
        ecr = EcrApi(upstream, parts.images, self._endpoint)
        apis = ApiStore(parts.database)
        integration = LambdaIntegration(parts.functions, parts.invocations, upstream)
        authorization = Authorization(IssuerKeys(self._layout.token_keys))
        return (
            HttpEndpoint(apis, authorization, integration, AccessLog(parts.logs)),
            Documents({"/_scar/health": lambda: self._identity, "/_scar/status": self._status}),
            EventHook(parts.functions, parts.invocations, parts.events, parts.uploads, sent),
            parts.oscar.api,
            parts.oscar.minio,
            Registry(parts.images, ecr.exists, ecr.announce),
            LambdaApi(upstream, parts.functions, parts.changes, parts.invocations, parts.events),
            parts.batch,
            Messages(upstream, parts.ministack.journal, sent),
            parts.states,
            parts.event_bridge.scheduler,
            parts.event_bridge.rules,
            ecr,
            LogGroups(upstream, parts.logs),
            ControlPlane(upstream, apis, partial(url_of, self._endpoint)),
            S3Control(upstream),
            parts.ranged_reads,
            NotificationConfigurations(upstream, parts.uploads.forget),
            parts.uploads,
            Ec2(upstream),
            AwsServices(upstream),
        )

    async def _save(self) -> float:
        return await self._parts.save()

    async def _stop(self) -> None:
        started = time.monotonic()
        await self._parts.close()
        _log.info("stopped in %.2f s", time.monotonic() - started)

    def _status(self) -> dict[str, Any]:
        return {**self._identity, **self._parts.describe(), "requests": dict(self._gateway.requests)}
