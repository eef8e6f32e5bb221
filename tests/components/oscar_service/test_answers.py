"""The test server answers as the genuine one does."""

import http.client
import json
from typing import Any

import pytest

from scar_foundation.http import basic_authorization
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, USER, Server, running
from tests.world import oscar_answers
from tests.world.oscar_answers import CASES, JOB_CASES, Case, place, service


class Asker:
    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, method: str, path: str, body: Any, authorization: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port, timeout=30)
        user = basic_authorization(USER, PASSWORD)["authorization"]
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            headers = {"Authorization": user if authorization is None else authorization}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.mark.parametrize("case", [*CASES, *JOB_CASES], ids=lambda case: case.name)
def test_the_test_server_answers_as_the_genuine_one_does(case: Case, server: Server) -> None:
    oscar_answers.check(case, Asker(server))


def test_version_4_0_takes_one_port_and_keeps_the_scripts_of_exposed_services() -> None:
    with running(Cluster("4.0.0")) as old, running(Cluster("4.1.2")) as new:
        for server, ports in ((old, 80), (new, [80])):
            exposed = service(expose={**oscar_answers.EXPOSED, "api_port": ports})
            ask = Asker(server)
            assert ask("POST", "/system/services", exposed)[0] == 201
            assert ask("PUT", "/system/services", {**exposed, "memory": "1Gi"})[0] == 204
        assert old.cluster.services["a"]["script"] == service()["script"]
        assert new.cluster.services["a"]["script"] == ""
        assert Asker(old)("POST", "/system/services", service("b", expose=oscar_answers.EXPOSED))[0] == 400


def test_an_update_of_the_input_is_not_watched_and_the_administrators_owner_is_lost(cluster: Cluster) -> None:
    cluster.create(service(input=[place("photos/in")]))
    assert cluster.update(service(input=[place("photos/other")])) == (204, None)
    assert cluster.started("photos", "other/a.jpg") == set()
    assert cluster.started("photos", "in/a.jpg") == {"a"}
    assert cluster.services["a"]["owner"] == ""


def test_a_creation_that_mounts_a_bucket_takes_it_over_and_a_deletion_leaves_it(cluster: Cluster) -> None:
    cluster.minio.make("shared")
    cluster.minio.buckets["shared"].tags = {"from_service": "theirs"}
    assert cluster.create(service(mount=place("shared/data"))) == (201, None)
    assert cluster.minio.buckets["shared"].tags["from_service"] == "a"
    assert cluster.delete("a") == (204, None)
    assert set(cluster.minio.buckets) == {"shared"}
