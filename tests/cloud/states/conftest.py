"""State machines on a local cloud whose functions only note that they were called."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.world.clouds import cloud, fake_daemon, own_cloud
from tests.world.fake_cloud import ROLE, FakeCloud, wait_for

__all__ = ["cloud", "fake_daemon", "machine", "own_cloud"]

_numbers = itertools.count()


class Machine:
    """One state machine on a cloud."""

    def __init__(self, cloud: FakeCloud, states: dict[str, Any], start: str = "", **more: Any) -> None:
        self.cloud = cloud
        self.name = f"machine-{next(_numbers)}"
        document = {"StartAt": start or next(iter(states)), "States": states, **more}
        client = cloud.client("stepfunctions")
        made = client.create_state_machine(name=self.name, definition=json.dumps(document), roleArn=ROLE)
        self.arn: str = made["stateMachineArn"]

    def start(self, data: Any = None, name: str = "") -> str:
        """Start an execution; return its ARN."""
        more = {"name": name} if name else {}
        started = self.cloud.client("stepfunctions").start_execution(
            stateMachineArn=self.arn, input=json.dumps({} if data is None else data), **more
        )
        return str(started["executionArn"])

    def described(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cloud.client("stepfunctions").describe_execution(executionArn=arn)
        return found

    def ended(self, arn: str, seconds: float = 30.0) -> dict[str, Any]:
        """Return the description of an execution that has ended."""
        wait_for(lambda: self.described(arn)["status"] != "RUNNING", seconds)
        return self.described(arn)

    def output(self, data: Any = None) -> Any:
        """Run to the end and return the output."""
        ended = self.ended(self.start(data))
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])

    def failure(self, data: Any = None) -> tuple[str, str]:
        """Run to the end, which must be a failure; return error and cause."""
        ended = self.ended(self.start(data))
        assert ended["status"] == "FAILED", ended
        return ended["error"], ended.get("cause", "")

    def events(self, arn: str) -> list[dict[str, Any]]:
        """Return the whole history."""
        pages = self.cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def kinds(self, arn: str) -> list[str]:
        return [event["type"] for event in self.events(arn)]


@pytest.fixture
def machine(cloud: FakeCloud) -> Callable[..., Machine]:
    def make(states: dict[str, Any], **more: Any) -> Machine:
        return Machine(cloud, states, **more)

    return make
