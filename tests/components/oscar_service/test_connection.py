"""A service is reached as the stack's configuration says today, where the state has what was right once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scar_components.oscar_api import OscarError
from scar_components.oscar_service.connection import Connections
from scar_components.oscar_service.service import RegisteredServiceProvider
from tests.components.oscar_service.asking import Properties, properties
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, Server, running

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def made(provider: RegisteredServiceProvider, server: Server) -> Properties:
    """Return a service of the cluster `mine` as the state has it."""
    return dict(provider.create({**properties(server, "plants", "photos/in"), "cluster": "mine"}).outs or {})


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with running(Cluster()) as server:
        yield server


def configured(**settings: Any) -> Connections:
    return Connections(json.dumps({"mine": settings}))


def test_a_new_password_is_used_and_the_state_keeps_its_own(
    provider: RegisteredServiceProvider, cluster: Cluster, made: Properties
) -> None:
    old = {**made, "password": "before it was changed"}
    with pytest.raises(OscarError, match="refuses user"):
        provider.read("plants", old)
    provider.connections = configured(auth_password=PASSWORD)
    seen = provider.read("plants", old)
    assert (seen.id, (seen.outs or {})["password"]) == ("plants", "before it was changed")
    provider.delete("plants", old)
    assert cluster.services == {}


def test_an_address_that_is_gone_is_replaced_by_todays(
    provider: RegisteredServiceProvider, server: Server, cluster: Cluster, made: Properties
) -> None:
    gone = {**made, "endpoint": NOWHERE, "timeout": 0.2}
    provider.connections = configured(endpoint=server.endpoint)
    assert provider.read("plants", gone).id == "plants"
    provider.delete("plants", gone)
    assert cluster.services == {}


def test_another_cluster_at_todays_address_is_left_alone(
    provider: RegisteredServiceProvider, cluster: Cluster, made: Properties, elsewhere: Server
) -> None:
    elsewhere.cluster.create({"name": "plants", "image": "debian:12", "script": "theirs"})
    provider.connections = configured(endpoint=elsewhere.endpoint)
    with pytest.raises(OscarError, match=r"http://127\.0\.0\.1:9: cannot be reached"):
        provider.delete("plants", {**made, "endpoint": NOWHERE, "timeout": 0.2})
    provider.delete("plants", made)
    assert cluster.services == {}
    assert "plants" in elsewhere.cluster.services


def test_of_two_clusters_with_the_service_that_of_the_state_is_meant(
    provider: RegisteredServiceProvider, cluster: Cluster, made: Properties, elsewhere: Server
) -> None:
    provider.create(properties(elsewhere, "plants", "photos/in"))
    provider.connections = configured(endpoint=elsewhere.endpoint)
    provider.delete("plants", made)
    assert cluster.services == {}
    assert "plants" in elsewhere.cluster.services


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        '{"mine": "x"}',
        '{"other": {"auth_password": "x"}}',
        '{"mine": {"auth_password": "${config:password}"}}',
    ],
)
def test_without_a_configuration_of_the_cluster_the_state_counts(made: Properties, text: str | None) -> None:
    assert Connections(text).now(made) == made


@pytest.mark.parametrize("text", ["[]", "my_oscar", '"text"'])
def test_a_configuration_that_is_no_map_is_told(text: str) -> None:
    with pytest.raises(OscarError, match="scar:clusters: is not a map of cluster ids to maps"):
        Connections(text)


def test_a_certificate_that_is_not_trusted_today_is_not_checked_today(made: Properties) -> None:
    assert configured(ssl_verify="false").now(made)["verify_certificate"] is False
    assert configured(ssl_verify=True).now({**made, "verify_certificate": False})["verify_certificate"] is True
