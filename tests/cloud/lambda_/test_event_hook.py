"""Which events that MiniStack delivers somebody waits for."""

from typing import Any

import pytest

from scar_pulumi.cloud.lambda_.event_hook import is_asynchronous, is_http


@pytest.mark.parametrize(
    ("event", "asynchronous", "http"),
    [
        ({"Records": [{"eventSource": "aws:s3"}]}, True, False),
        ({"Records": [{"EventSource": "aws:sns"}]}, True, False),
        ({"Records": [{"eventSource": "aws:sqs"}]}, False, False),
        ({"detail-type": "Scheduled Event", "source": "aws.events"}, True, False),
        ({"awslogs": {"data": ""}}, True, False),
        ({"version": "2.0", "requestContext": {"http": {"method": "GET"}}}, False, True),
        ({"httpMethod": "GET", "requestContext": {}}, False, True),
        ({"Records": []}, False, False),
        ([1], False, False),
        (None, False, False),
    ],
)
def test_events_are_told_apart_by_their_shape(event: Any, asynchronous: bool, http: bool) -> None:
    assert (is_asynchronous(event), is_http(event)) == (asynchronous, http)
