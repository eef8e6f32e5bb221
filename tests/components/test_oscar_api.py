"""The client of OSCAR's interface, against a server that answers from a table."""

import json
from collections.abc import Iterator
from typing import ClassVar

import pytest

from scar_components.oscar_api import OscarAccess, OscarApi, OscarError, OscarUnreachable
from tests.world.loopback_server import QuietHandler, serving


class Jobs(QuietHandler):
    """Two pages of jobs, one log, and the settings of the storage."""

    seen: ClassVar[list[tuple[str, str]]] = []
    answers: ClassVar = {
        "/system/logs/talks": {"jobs": {"a": {"status": "Succeeded"}}, "next_page": "2 of 2"},
        "/system/logs/talks?page=2%20of%202": {"jobs": {"b": {"status": "Running"}}, "next_page": ""},
        "/system/logs/old": {"c": {"status": "Failed"}},
        "/system/logs/talks/a?timestamps=true": "2026-01-01T00:00:00Z hello",
        "/system/config": {"minio_provider": {"endpoint": "http://minio"}},
    }

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        answer = self.answers.get(self.path)
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self._answer(404 if answer is None else 200, body)

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"]))
        self._answer(200, event.upper())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api() -> Iterator[OscarApi]:
    Jobs.seen.clear()
    with serving(Jobs) as address:
        yield OscarApi(OscarAccess(f"{address}/", "oscar", "secret"))


def test_jobs_come_from_all_pages(api: OscarApi) -> None:
    assert list(api.jobs("talks")) == ["a", "b"]


def test_clusters_up_to_4_0_list_jobs_without_pages(api: OscarApi) -> None:
    assert api.jobs("old") == {"c": {"status": "Failed"}}


def test_a_log_is_text_and_none_where_there_is_none(api: OscarApi) -> None:
    assert api.job_log("talks", "a") == "2026-01-01T00:00:00Z hello"
    assert api.job_log("talks", "z") is None


def test_settings_hold_the_storage_of_the_cluster(api: OscarApi) -> None:
    assert api.settings()["minio_provider"] == {"endpoint": "http://minio"}


def test_a_service_is_called_with_its_own_token(api: OscarApi) -> None:
    response = api.call(f"{api.endpoint}/run/talks", b"hello", "a-token", 5)

    assert (response.status, response.text) == (200, "HELLO")
    assert Jobs.seen == [("/run/talks", "Bearer a-token")]


def test_requests_for_the_system_are_the_users(api: OscarApi) -> None:
    api.settings()

    assert Jobs.seen == [("/system/config", "Basic b3NjYXI6c2VjcmV0")]


def test_refusals_quote_the_server_and_give_the_status(api: OscarApi) -> None:
    with pytest.raises(OscarError, match=r"service none: its jobs cannot be listed: .* answers 404: null") as caught:
        api.jobs("none")

    assert caught.value.status == 404


def test_a_cluster_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(OscarUnreachable) as caught:
        OscarApi(OscarAccess("http://127.0.0.1:9", "oscar", "secret")).information()

    assert not caught.value.may_have_arrived
    assert "secret" not in repr(OscarAccess("http://127.0.0.1:9", "oscar", "secret"))
