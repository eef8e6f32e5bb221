"""What is asked of OSCAR's interface: https://docs.oscar.grycap.net/api/."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from scar_components._oscar_service._errors import OscarError, Unreachable
from scar_components._oscar_service._http import Answer, Cluster

# OSCAR rolls a creation back that meets MinIO while another one restarts it, and answers 500 with one of these.
_RESTARTING = ("connection refused", "connection reset", "EOF", "restarting the MinIO server", "not initialized yet")

_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


class OscarApi:
    """Services and buckets of one cluster; waits `patience` seconds, at most, for it to answer."""

    def __init__(self, cluster: Cluster, patience: float) -> None:
        self.cluster = cluster
        self._deadline = time.monotonic() + patience

    def alone(self) -> AbstractContextManager[Any]:
        """Keep other changes of this process to the cluster waiting: each may restart the MinIO that others need."""
        with _locks_lock:
            return _locks.setdefault(self.cluster.endpoint.rstrip("/"), threading.Lock())

    def information(self) -> dict[str, Any]:
        """What the server says of itself: version, serverless backend and so on."""
        answer = self._read("system", "info")
        if answer.status != 200:
            raise self.refusal("it is no OSCAR, or one that is not ready", answer)
        found: dict[str, Any] = answer.document()
        return found

    def find(self, name: str) -> dict[str, Any] | None:
        """A service, or None; what is secret in it is not told."""
        answer = self._read("system", "services", name)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.refusal(f"service {name}: cannot be read", answer)
        found: dict[str, Any] = answer.document()
        return found

    def tells_buckets(self) -> bool:
        """Whether the cluster tells of its buckets, which those before 4.1 do not."""
        return self._read("system", "buckets").status == 200

    def bucket(self, name: str) -> dict[str, Any] | None:
        """A bucket with its objects and tags, or None where there is none or the cluster does not tell."""
        answer = self._read("system", "buckets", name)
        return dict(answer.document()) if answer.status == 200 else None

    def create(self, definition: Mapping[str, Any]) -> None:
        """Create a service; again, where OSCAR has rolled it back because MinIO was restarting.

        Raises:
            Unreachable: The answer was lost; the service may have been created.
            OscarError: OSCAR refuses it.
        """
        answer = self._until_steady("POST", definition)
        if answer.status != 201:
            raise self.refusal(f"service {definition['name']}: cannot be created", answer)

    def update(self, definition: Mapping[str, Any]) -> Answer:
        """Replace a service's definition. The answer may be an error although the service has been updated."""
        return self._until_steady("PUT", definition)

    def delete(self, name: str) -> Answer:
        """Delete a service and every MinIO bucket of it. The answer may be an error although it is gone."""
        return self._patiently(lambda: self.cluster.request("DELETE", "system", "services", name), again=True)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with everything in it, if it is there."""
        answer = self._patiently(lambda: self.cluster.request("DELETE", "system", "buckets", name), again=True)
        if answer.status not in {200, 204, 404}:
            raise self.refusal(f"bucket {name}: cannot be deleted", answer)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether a condition comes true within some seconds."""
        for pause in _pauses(time.monotonic() + seconds):
            if condition():
                return True
            time.sleep(pause)
        return condition()

    def refusal(self, what: str, answer: Answer) -> OscarError:
        """The error that says what the server said."""
        return OscarError(f"{what}: {self.cluster.endpoint} answers {answer.status}: {answer.said()}", answer.status)

    def _read(self, *path: str) -> Answer:
        return self._patiently(lambda: self.cluster.request("GET", *path), again=True)

    def _until_steady(self, method: str, definition: Mapping[str, Any]) -> Answer:
        def send() -> Answer:
            return self.cluster.request(method, "system", "services", body=definition)

        for pause in _pauses(self._deadline):
            answer = self._patiently(send, again=method == "PUT")
            if answer.status != 500 or not any(word in answer.text for word in _RESTARTING):
                return answer
            time.sleep(pause)
        return self._patiently(send, again=False)

    def _patiently(self, send: Callable[[], Answer], *, again: bool) -> Answer:
        """Send until an answer comes; `again` is whether what may have arrived can be sent once more."""
        for pause in _pauses(self._deadline):
            try:
                return send()
            except Unreachable as error:
                if error.sent and not again:
                    raise
            time.sleep(pause)
        return send()


def _pauses(deadline: float) -> Iterator[float]:
    """Ever longer pauses, until the deadline."""
    pause = 0.1
    while time.monotonic() + pause < deadline:
        yield pause
        pause = min(pause * 1.6, 3.0)
