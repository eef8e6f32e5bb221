"""Watches the clock: what is due becomes a delivery, in one transaction with when it is due next.

A schedule that was due while the local cloud did not run is due once at the next start, however often it was missed.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from scar_pulumi.cloud.database import StateError
from scar_pulumi.cloud.events.deliveries import Deliveries
from scar_pulumi.cloud.events.expressions import Expression
from scar_pulumi.cloud.events.inputs import input_of
from scar_pulumi.cloud.events.store import Delivery, Document, EventStore

_log = logging.getLogger(__name__)
_LONGEST_SLEEP = 60.0
"""Seconds: the machine's clock may be set, or the machine may have slept."""


class Timer:
    """One task that sleeps until something is due."""

    def __init__(self, store: EventStore, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look again: a schedule has changed."""
        self._changed.set()

    async def close(self) -> None:
        """Stop."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            due = None
            try:
                self._fire()
                due = self._store.next_due()
            except StateError as error:  # a full disk, say: looked at again in a minute
                _log.error("schedules: %s", error)
            pause = _LONGEST_SLEEP if due is None else min(_LONGEST_SLEEP, max(0.01, due - time.time()))
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except TimeoutError:
                continue

    def _fire(self) -> None:
        now = time.time()
        for arn, document, due in self._store.due(now):
            try:
                self._fire_one(arn, document, due, now)
            except Exception:  # noqa: BLE001 - one odd schedule must not stop all others
                _log.exception("%s could not be fired; it is tried again in a minute", arn)
                self._store.set_due(arn, now + _LONGEST_SLEEP)

    def _fire_one(self, arn: str, document: Document, due: float, now: float) -> None:
        following = following_due(document, due, now)
        made = deliveries_of(arn, document, due, self._store.targets)
        with self._store.transaction():
            self._store.add_deliveries(made)
            is_over = following is None and document.get("ActionAfterCompletion") == "DELETE"
            self._store.remove_schedule(arn) if is_over else self._store.set_due(arn, following)
        self._deliveries.begin(made)


def expression_of(document: Document) -> Expression:
    """Return when a schedule, or the rule of a schedule, is due."""
    return Expression(document["ScheduleExpression"], document.get("ScheduleExpressionTimezone") or "UTC")


def first_due(document: Document, now: float) -> float | None:
    """Return when a schedule is due first; None for one that is disabled or over."""
    if document.get("State", "ENABLED") == "DISABLED":
        return None
    expression = expression_of(document)
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html: ignored for one-time schedules
    start = now if expression.is_one_time else max(now, document.get("StartDate") or now)
    return _before_end(document, expression.first(start))


def following_due(document: Document, due: float, now: float) -> float | None:
    """Return when a schedule is due next."""
    return _before_end(document, expression_of(document).following(due, now))


def _before_end(document: Document, due: float | None) -> float | None:
    end = document.get("EndDate")
    return None if due is None or (end is not None and due > end) else due


def deliveries_of(
    arn: str, document: Document, due: float, targets: Callable[[str], Iterable[Document]]
) -> list[Delivery]:
    """Return what is to be delivered for a schedule, or for the rule of one, that is due."""
    now = time.time()
    if "Target" in document:
        target = document["Target"]
        payload = (
            _filled(target["Input"], arn, due) if target.get("Input") else json.dumps(_event(arn, due, "scheduler"))
        )
        return [Delivery(str(uuid.uuid4()), {**target, "source": arn}, payload, now)]
    event = _event(arn, due, "events")
    return [
        Delivery(str(uuid.uuid4()), {**target, "source": arn}, input_of(target, event, arn), now)
        for target in targets(arn)
    ]


def _event(arn: str, due: float, source: str) -> dict[str, Any]:
    """Return the event of a schedule without input of its own.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
    """
    _, _, _, region, account, *_ = arn.split(":")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": f"aws.{source}",
        "account": account,
        "time": written(due),
        "region": region,
        "resources": [arn],
        "detail": "{}" if source == "scheduler" else {},
    }


def written(moment: float) -> str:
    """Return a time as events have it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _filled(text: str, arn: str, due: float) -> str:
    """Put a schedule's own facts into its input.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    facts = {
        "schedule-arn": arn,
        "scheduled-time": written(due),
        "execution-id": uuid.uuid4().hex[:16],
        "attempt-number": "1",
    }
    for name, value in facts.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
