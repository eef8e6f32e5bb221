"""EventBridge and its Scheduler as one part of the daemon: the clock, the deliveries, and the services on them."""

from scar_pulumi.cloud.asgi import ASGIApp
from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.events.deliveries import Deliveries
from scar_pulumi.cloud.events.rules import EventBuses, EventsService
from scar_pulumi.cloud.events.scheduler import SchedulerService
from scar_pulumi.cloud.events.store import EventStore
from scar_pulumi.cloud.events.timer import Timer
from scar_pulumi.cloud.ministack.upstream import Upstream


class EventBridge:
    """Both services, and what they share; `application` is the local cloud's own interface."""

    def __init__(self, database: Database, upstream: Upstream, application: ASGIApp) -> None:
        store = EventStore(database)
        self._deliveries = Deliveries(store, application)
        self._timer = Timer(store, self._deliveries)
        self.buses = EventBuses(store, self._deliveries, upstream)
        self.rules = EventsService(store, self.buses, self._timer, upstream)
        self.scheduler = SchedulerService(store, self._timer)

    def start(self) -> None:
        """Go on with the deliveries that an earlier daemon left, and watch the clock."""
        self._deliveries.start()
        self._timer.start()

    async def close(self) -> None:
        """Stop; what is not delivered stays on disk."""
        await self._timer.close()
        await self._deliveries.close()

    def describe(self) -> dict[str, int]:
        """Return how many deliveries wait, and how those since the start ended."""
        return self._deliveries.describe()
