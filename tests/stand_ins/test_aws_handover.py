"""Ids and states as the genuine aws plugin has them: what either plugin made, the other can read and destroy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.world.aws_plugin import Plugin, client
from tests.world.fake_cloud import FakeCloud
from tests.world.plugin_resource import Resource

JOB_DEFINITION = "aws:batch/jobDefinition:JobDefinition"
JOB_QUEUE = "aws:batch/jobQueue:JobQueue"
CONTAINER = json.dumps({"image": "debian", "vcpus": 1, "memory": 128})
ARN = "arn:aws:batch:us-east-1:000000000000"


@pytest.fixture(scope="module")
def plugin(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    with Plugin(endpoint, tmp_path_factory.mktemp("plugin")) as running:
        yield running


@pytest.fixture
def on_cloud(cloud: FakeCloud, tmp_path: Path) -> Iterator[Plugin]:
    with Plugin(cloud.environment()["AWS_ENDPOINT_URL"], tmp_path) as running:
        yield running


def found(plugin: Plugin, token: str, id_: str, **state: Any) -> Resource:
    """Return a resource as the genuine plugin leaves it in a state: its id, and outputs without that id."""
    resource = Resource(plugin, token, "found")
    resource.id, resource.inputs, resource.outputs = id_, state, state
    return resource


def test_a_job_definition_is_its_arn_and_every_revision_goes_with_it(on_cloud: Plugin, cloud: FakeCloud) -> None:
    definition = Resource(on_cloud, JOB_DEFINITION, "job")
    definition.create(name="handed", type="container", containerProperties=CONTAINER, deregisterOnNewRevision=False)
    assert definition.id == f"{ARN}:job-definition/handed:1"
    definition.update(name="handed", type="container", containerProperties=CONTAINER.replace("128", "256"))
    assert definition.outputs["arn"] == f"{ARN}:job-definition/handed:2"

    imported = found(on_cloud, JOB_DEFINITION, f"{ARN}:job-definition/handed")
    wished = imported.read()
    assert wished is not None
    assert {name: wished[name] for name in ("name", "type")} == {"name": "handed", "type": "container"}
    assert "platformCapabilities" not in wished

    found(on_cloud, JOB_DEFINITION, definition.id, name="handed", arn=definition.id).delete()
    batch = cloud.client("batch")
    assert batch.describe_job_definitions(jobDefinitionName="handed", status="ACTIVE")["jobDefinitions"] == []


def test_words_of_batch_are_taken_in_any_case(on_cloud: Plugin, cloud: FakeCloud) -> None:
    rule = {"action": "retry", "onExitCode": "1"}
    declared: dict[str, Any] = {"name": "spelled", "type": "Container", "containerProperties": CONTAINER}
    strategy = {"attempts": 3, "evaluateOnExits": [rule]}
    definition = Resource(on_cloud, JOB_DEFINITION, "spelled")
    definition.create(**declared, retryStrategy=strategy)
    again = definition.diff(**declared, retryStrategy={**strategy, "evaluateOnExits": [{**rule, "action": "RETRY"}]})
    assert list(again.detailedDiff) == []
    definition.delete()


@pytest.mark.parametrize("token", [JOB_DEFINITION, JOB_QUEUE])
def test_an_id_that_is_none_is_told_with_what_ids_look_like(on_cloud: Plugin, token: str) -> None:
    with pytest.raises(grpc.RpcError, match=r"'mine' is not an id of aws:batch/.*; it looks like arn:"):
        found(on_cloud, token, "mine").read()


def test_parts_of_http_apis_are_known_by_their_id_alone(plugin: Plugin, endpoint: str) -> None:
    gateway = client(endpoint, "apigatewayv2")
    api = gateway.create_api(Name="handed", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri="arn:aws:lambda:x", PayloadFormatVersion="2.0"
    )["IntegrationId"]
    route = gateway.create_route(ApiId=api, RouteKey="GET /", Target=f"integrations/{integration}")["RouteId"]

    state = {"apiId": api, "routeKey": "GET /", "target": f"integrations/{integration}"}
    of_api = found(plugin, "aws:apigatewayv2/api:Api", api, name="handed", protocolType="HTTP")
    assert (of_api.read() or {})["name"] == "handed"
    of_api.update(name="handed", protocolType="HTTP", description="changed")
    assert gateway.get_api(ApiId=api)["Description"] == "changed"

    found(plugin, "aws:apigatewayv2/route:Route", route, **state).delete()
    assert gateway.get_routes(ApiId=api)["Items"] == []
    kind = {"apiId": api, "integrationType": "AWS_PROXY", "integrationUri": "arn:aws:lambda:x"}
    found(plugin, "aws:apigatewayv2/integration:Integration", integration, **kind).delete()
    assert gateway.get_integrations(ApiId=api)["Items"] == []
    of_api.delete()
    assert api not in [item["ApiId"] for item in gateway.get_apis()["Items"]]
