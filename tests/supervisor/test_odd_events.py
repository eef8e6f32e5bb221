"""Whatever an event looks like, it is run or it is told what is wrong with it."""

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings

from supervisor import errors, events, invocation
from supervisor.configuration import StoragePath
from supervisor.errors import EventInvalid, SupervisorError
from supervisor.events import Object, http
from tests.supervisor.conftest import Launch
from tests.supervisor.objects import bucket, to
from tests.supervisor.odd_events import odd_events

COPY = '#!/bin/sh\ncat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/copy"'
KNOWN = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, SupervisorError)}
INPUTS = (StoragePath("webdav.dcache", "Users/in"),)


@given(odd_events)
@settings(deadline=None, max_examples=300)
def test_every_event_is_read_or_refused_with_a_reason(event: Any) -> None:
    found = events.parse(json.dumps(event).encode())
    with contextlib.suppress(EventInvalid):
        for item in events.request(found, INPUTS).items:
            assert item.name
            assert all(isinstance(value, str) for value in item.variables.values())
            if isinstance(item.source, Object):
                assert not {item.source.container, item.source.key} & {"None", "{}", "[]", "[None]", "True"}


@given(odd_events)
@settings(deadline=None, max_examples=300)
def test_every_event_is_sorted_by_who_waits_for_it(event: Any) -> None:
    found = events.parse(json.dumps(event).encode())
    asked = (http.is_synchronous, http.asks_for_queueing, http.asks_for_page)
    assert all(isinstance(ask(found), bool) for ask in asked)
    assert isinstance(http.gateway_request_id(found), str)
    assert isinstance(invocation.sqs_messages(found), list)
    assert not http.is_synchronous(found) or isinstance(http.gateway_deadline(found), float | None)


def test_one_container_answers_every_event_in_its_turn(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "odd")
    s3.put_object(Bucket=name, Key="in/a b+c", Body=b"text")
    container = launch(script=COPY, configuration=to(f"{name}/out"), environment=credentials)

    @given(odd_events)
    @settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
    def each(event: Any) -> None:
        outcome = container.invoke(event)
        assert not outcome.failed or (outcome.document["errorType"] in KNOWN and outcome.message), outcome

    each()
    assert container.process.poll() is None
    assert "Traceback" not in container.log
