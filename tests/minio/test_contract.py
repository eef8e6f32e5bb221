"""MinIO's notifications and tags: what the provider of services relies on, and what stands for MinIO in its tests."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from scar_components.oscar_api import OscarError
from scar_components.oscar_service.notifications import Notifications, NoWebhook
from scar_foundation.minio_event import EventObject, minio_event
from tests.minio.conftest import USER, Genuine, Storage, notifications_of
from tests.world.waiting import wait_for

Make = Callable[[], Notifications]


def test_folders_are_assigned_and_those_of_others_stay(storage: Storage, notifications: Make) -> None:
    storage.make("photos")
    found = notifications()
    assert found.can_be_read
    assert found.paths("plants", ["photos", "absent"]) == []
    found.assign("plants", ["photos/in"], ["photos"])
    found.assign("my-service", ["photos/in", "photos/other"], ["photos"])
    assert found.paths("plants", ["photos"]) == ["photos/in"]
    found.assign("plants", ["photos/moved"], ["photos"])
    assert found.paths("plants", ["photos"]) == ["photos/moved"]
    assert found.paths("my-service", ["photos"]) == ["photos/in", "photos/other"]
    found.assign("plants", [], ["photos"])
    assert found.paths("plants", ["photos"]) == []
    assert found.paths("my-service", ["photos"]) == ["photos/in", "photos/other"]


def test_a_service_without_a_webhook_is_refused_and_nothing_changes(storage: Storage, notifications: Make) -> None:
    storage.make("photos")
    found = notifications()
    found.assign("plants", ["photos/in"], ["photos"])
    with pytest.raises(NoWebhook, match="service nobody: MinIO does not know it"):
        found.assign("nobody", ["photos/more"], ["photos"])
    assert found.paths("plants", ["photos"]) == ["photos/in"]


def test_what_a_forgotten_service_had_is_not_shown_and_others_can_be_changed(
    storage: Storage, notifications: Make
) -> None:
    storage.make("photos")
    found = notifications()
    found.assign("plants", ["photos/in"], ["photos"])
    found.assign("my-service", ["photos/other"], ["photos"])
    storage.know("my-service")
    found = notifications()
    assert found.paths("plants", ["photos"]) == []
    found.assign("my-service", ["photos/another"], ["photos"])
    assert found.paths("my-service", ["photos"]) == ["photos/another"]


@pytest.mark.parametrize("folders", [1, 2, 3])
def test_several_rules_of_a_forgotten_service_stand_in_nobodys_way(
    storage: Storage, notifications: Make, folders: int
) -> None:
    storage.make("photos")
    notifications().assign("plants", [f"photos/in-{number}" for number in range(folders)], ["photos"])
    storage.know("my-service")
    notifications().assign("my-service", ["photos/other"], ["photos"])
    assert notifications().paths("my-service", ["photos"]) == ["photos/other"]
    with pytest.raises(NoWebhook):
        notifications().assign("plants", ["photos/in"], ["photos"])


def test_what_comes_back_with_its_webhook_reports_again(storage: Storage, notifications: Make) -> None:
    storage.make("photos")
    notifications().assign("plants", ["photos/in"], ["photos"])
    storage.know("my-service")
    storage.know("plants", "my-service")
    assert notifications().paths("plants", ["photos"]) == ["photos/in"]


def test_a_bucket_that_does_not_exist_reports_nothing_and_takes_nothing(storage: Storage, notifications: Make) -> None:
    assert notifications().paths("plants", ["absent"]) == []
    with pytest.raises(OscarError, match="NoSuchBucket"):
        notifications().assign("plants", ["absent/in"], ["absent"])


def test_a_bucket_is_tagged_as_oscar_tags_it(storage: Storage, notifications: Make) -> None:
    storage.make("photos")
    notifications().mark("photos", "plants")
    assert storage.tags("photos") == {"from_service": "plants", "owner": ""}
    notifications().tag("photos", {"team": "x"})
    assert storage.tags("photos") == {"team": "x"}
    notifications().tag("photos", {})
    assert storage.tags("photos") == {}


class Receiver(ThreadingHTTPServer):
    """Takes what MinIO posts to webhooks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[tuple[str, str, dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_HEAD(self) -> None:
        """MinIO asks whether the webhook is there."""
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if body:
            self.server.posted.append((self.path, self.headers.get("Authorization", ""), json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what a failing test needs."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


def test_a_new_file_is_posted_as_the_events_that_are_sent_again(receiver: Receiver, tmp_path: Path) -> None:
    minio = Genuine(tmp_path, f"http://127.0.0.1:{receiver.server_port}")
    try:
        minio.know("plants")
        minio.make("photos")
        notifications_of(minio.endpoint).assign("plants", ["photos/in"], ["photos"])
        minio.s3.put_object(Bucket="photos", Key="elsewhere/a.jpg", Body=b"123")
        minio.s3.put_object(Bucket="photos", Key="in/a b+ü.jpg", Body=b"123")
        wait_for(lambda: bool(receiver.posted), 30, "MinIO posts the event")
    finally:
        minio.stop()
    ((path, token, genuine),) = receiver.posted
    assert (path, token) == ("/job/plants", "Bearer token-of-plants")
    (record,) = genuine["Records"]
    stored = record["s3"]["object"]
    made = minio_event(EventObject("photos", "in/a b+ü.jpg", 0, 3, stored["eTag"]), USER, region=record["awsRegion"])
    (ours,) = made["Records"]
    assert (made["EventName"], made["Key"]) == (genuine["EventName"], genuine["Key"])
    assert ours["s3"]["bucket"] == record["s3"]["bucket"]
    assert unquote_plus(ours["s3"]["object"]["key"]) == unquote_plus(stored["key"])
    assert {key: ours["s3"]["object"][key] for key in ("size", "eTag")} == {"size": 3, "eTag": stored["eTag"]}
    assert ours["requestParameters"]["principalId"] == record["requestParameters"]["principalId"]
    for key in ("eventSource", "eventName", "eventVersion", "userIdentity"):
        assert ours[key] == record[key]
    assert set(ours) <= set(record)
