"""What somebody sees while an operation runs."""

import io

from pulumi.automation import EngineEvent

from scar_pulumi.engine.display import Display
from tests.world.waiting import wait_for

QUEUE = "urn:pulumi:local::video::scar:index:BatchGpuEnvironment$aws:batch/jobQueue:JobQueue::split-queue"


def event(number: int, **details: object) -> EngineEvent:
    return EngineEvent.from_json({"sequence": number, "timestamp": 1, **details})


def test_what_was_told_in_a_preview_is_not_told_again() -> None:
    told: set[tuple[str, str]] = set()
    shown = []
    for _ in range(2):
        stream = io.StringIO()
        with Display("working", stream, told) as display:
            warning = {"urn": "", "message": "it may cost money", "color": "never", "severity": "warning"}
            display.show(event(1, diagnosticEvent=warning))
        shown.append(stream.getvalue().count("it may cost money"))
    assert shown == [1, 0]


def test_what_a_resource_waits_for_is_shown_beside_it() -> None:
    stream = io.StringIO()
    step = {"op": "delete", "urn": QUEUE, "type": "aws:batch/jobQueue:JobQueue", "provider": ""}
    told = {"urn": QUEUE, "message": "waiting for the job queue, which is DELETING", "ephemeral": True}
    with Display("destroying", stream) as display:
        display.show(event(1, resourcePreEvent={"metadata": step}))
        display.show(event(2, diagnosticEvent={**told, "color": "never", "severity": "info"}))
        shown = "deleting split-queue: waiting for the job queue, which is DELETING ("
        wait_for(lambda: shown in stream.getvalue(), 20, "the status line")
        display.show(event(3, resOutputsEvent={"metadata": step}))
    assert "aws:batch/jobQueue:JobQueue split-queue deleted (" in stream.getvalue().splitlines()[-1]
