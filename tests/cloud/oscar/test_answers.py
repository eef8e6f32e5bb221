"""The local cluster answers as the genuine server does: the same table as for the test server of the components."""

import json
import re
from typing import Any

import pytest

from tests.cloud.oscar.conftest import Oscar
from tests.world import oscar_answers
from tests.world.oscar_answers import CASES, JOB_CASES, MISSING, Case, place, service


@pytest.fixture
def fresh(oscar: Oscar, request: pytest.FixtureRequest) -> Oscar:
    """Return a cluster of the same local cloud that nobody has used."""
    return oscar.of(re.sub(r"\W+", "-", request.node.name))


class Asker:
    def __init__(self, oscar: Oscar) -> None:
        self._oscar = oscar

    def __call__(self, method: str, path: str, body: Any, authorization: str | None = None) -> tuple[int, str]:
        if isinstance(body, dict) and body.get("image"):
            body = {**body, "image_file": str(self._oscar.image)}
        status, said = self._oscar.ask(method, path, body, authorization)
        return status, said.decode()


@pytest.mark.parametrize("case", [*CASES, *JOB_CASES], ids=lambda case: case.name)
def test_the_local_cluster_answers_as_the_genuine_server_does(case: Case, fresh: Oscar) -> None:
    oscar_answers.check(case, Asker(fresh))


@pytest.mark.parametrize(("method", "path"), MISSING)
def test_what_is_not_there_is_told(fresh: Oscar, method: str, path: str) -> None:
    status, said = fresh.ask(method, path)
    assert status == 501
    assert b"The local cloud does not have" in said
    assert b"docs/oscar-locally.md" in said


def test_a_service_is_shown_with_all_its_keys(fresh: Oscar) -> None:
    sent = fresh.definition("plants", "true", log_level="debug", labels={"team": "b"}, input=[place("in")])
    assert fresh.ask("POST", "/system/services", sent) == (201, b"")
    shown = fresh.read("/system/services/plants")
    assert shown["log_level"] == "DEBUG"
    assert shown["labels"] == {
        "team": "b",
        "oscar_service": "plants",
        "applicationId": "plants",
        "queue": "root.oscar-queue.plants",
    }
    own = shown["storage_providers"]["minio"]["default"]
    assert (own["access_key"], own["secret_key"], own["verify"], own["region"]) == (
        "hidden",
        "hidden",
        False,
        "us-east-1",
    )
    assert own["endpoint"] == fresh.read("/system/config")["minio_provider"]["endpoint"]
    assert shown["input"] == [place("plants/in")]
    assert (shown["memory"], shown["total_memory"], shown["enable_gpu"]) == ("256Mi", "", False)
    assert shown["expose"] == {
        **dict.fromkeys(("min_scale", "max_scale", "cpu_threshold"), 0),
        **dict.fromkeys(("rewrite_target", "default_command", "set_auth"), False),
        **dict.fromkeys(("auth_type", "health_path", "probe_mode"), ""),
        "api_port": [],
        "nodePort": [],
    }
    assert (shown["visibility"], shown["owner"], shown["volume_status"]) == (
        "private",
        "cluster_admin",
        {"enabled": False},
    )


def test_buckets_are_listed_and_shown_in_pages(fresh: Oscar) -> None:
    assert fresh.ask("POST", "/system/buckets", {"bucket_name": "by-hand"}) == (201, b"")
    assert fresh.ask("POST", "/system/buckets", {"bucket_name": "by-hand"})[0] == 400
    assert fresh.ask("POST", "/system/buckets", {})[0] == 400
    minio = fresh.minio()
    for number in range(75):
        minio.put_object(Bucket="by-hand", Key=f"{number:02}", Body=b"x")
    (listed,) = fresh.read("/system/buckets")
    assert (listed["bucket_name"], listed["visibility"], listed["metadata"]) == (
        "by-hand",
        "private",
        {"service": "false"},
    )
    first = fresh.read("/system/buckets/by-hand")
    assert (len(first["objects"]), first["is_truncated"], first["returned_items"]) == (70, True, 70)
    assert first["objects"][0]["object_name"] == "00"
    assert first["objects"][0]["size_bytes"] == 1
    rest = fresh.read(f"/system/buckets/by-hand?page={first['next_page']}")
    assert [one["object_name"] for one in rest["objects"]] == ["70", "71", "72", "73", "74"]
    assert (rest["is_truncated"], rest["next_page"]) == (False, "")


def test_a_deployment_tells_its_state_and_what_its_calls_print(fresh: Oscar) -> None:
    token = fresh.create("a", "echo one >&2; echo two >&2")
    state = fresh.read("/system/services/a/deployment")
    assert (state["service_name"], state["state"], state["resource_kind"]) == ("a", "ready", "knative_service")
    logs = fresh.read("/system/services/a/deployment/logs")
    assert (logs["service_name"], logs["available"], logs["entries"]) == ("a", False, [])
    assert fresh.call("run", "a", {}, token)[0] == 200
    messages = [entry["message"] for entry in fresh.read("/system/services/a/deployment/logs")["entries"]]
    assert messages.index("one") < messages.index("two")
    (last,) = fresh.read("/system/services/a/deployment/logs?timestamps=true&tailLines=1")["entries"]
    assert last["timestamp"].endswith("Z")
    exposed = service("b", expose=oscar_answers.EXPOSED)
    assert Asker(fresh)("POST", "/system/services", exposed) == (201, "")
    assert fresh.read("/system/services/b/deployment")["state"] == "unavailable"


def test_whoever_starts_a_job_may_name_it(fresh: Oscar) -> None:
    token = fresh.create("a", "true")
    assert fresh.named_job("a", "mine-1", token) == (201, b"")
    status, said = fresh.named_job("a", "mine-1", token)
    assert (status, b'jobs.batch "mine-1" already exists' in said) == (500, True)
    assert list(fresh.finished("a")) == ["mine-1"]


def test_secrets_that_are_removed_stay_as_on_a_cluster(fresh: Oscar) -> None:
    """The Secret of a service outlives an update without secrets, and its jobs get it."""
    token = fresh.create("a", 'echo "secret: $KEY"', environment={"secrets": {"KEY": "hunter2"}})
    assert fresh.ask("PUT", "/system/services", fresh.definition("a", 'echo "secret: $KEY"'))[0] == 204
    fresh.call("job", "a", {}, token)
    ((name, _),) = fresh.finished("a").items()
    assert "secret: hunter2" in fresh.log("a", name)
    assert "hunter2" not in json.dumps(fresh.read("/system/services/a"))
