"""Waiting for what AWS does after its answer, and telling the engine what is waited for."""

import time
from dataclasses import dataclass

from scar_pulumi.stand_ins.aws.calls import Cloud
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.progress import say
from scar_pulumi.stand_ins.plugin.wire import Properties

_DISABLING = 300.0


@dataclass(frozen=True)
class Waited:
    """A kind of resource of Batch that changes slowly: how it is looked at and told to take no more work.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeEnvironmentDetail.html
    """

    kind: str
    describe: str
    result: str
    update: str
    key: str

    def until_valid(self, cloud: Cloud, values: Properties, timeout: float) -> Properties:
        """Wait until the last change is in effect; returns AWS's document."""
        return self._until(cloud, values, "VALID", timeout)

    def disable(self, cloud: Cloud, values: Properties) -> None:
        """Let it take no more work and wait until that is so; nothing else can be deleted."""
        found = self._found(cloud, values)
        if not found:
            return
        if found["state"] != "DISABLED":
            say(f"waiting for the {self.kind} to be disabled")
            cloud.call("batch", self.update, values.get("region"), **{self.key: values["name"], "state": "DISABLED"})
        self._until(cloud, values, "VALID", _DISABLING)

    def until_gone(self, cloud: Cloud, values: Properties, timeout: float) -> None:
        """Wait until it is deleted, which takes until its work has ended."""
        self._until(cloud, values, "", timeout)

    def _until(self, cloud: Cloud, values: Properties, status: str, timeout: float) -> Properties:
        deadline, pause, told = time.monotonic() + timeout, 0.02, ""
        while True:
            found = self._found(cloud, values)
            now = str(found.get("status", ""))
            if now == status or not found:
                return found
            if now == "INVALID":
                raise ProviderError(f"{self.kind} {values['name']} is invalid: {found.get('statusReason')}")
            if time.monotonic() > deadline:
                raise ProviderError(f"{self.kind} {values['name']} was still {now} after {timeout:g} s")
            if now != told:
                say(f"waiting for the {self.kind}, which is {now}")
                told = now
            time.sleep(pause)
            pause = min(pause * 2, 0.2)

    def _found(self, cloud: Cloud, values: Properties) -> Properties:
        answer = cloud.call("batch", self.describe, values.get("region"), **{self.result: [values["name"]]})
        return next(iter(answer[self.result]), {})
