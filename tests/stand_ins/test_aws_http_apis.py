"""Endpoints under the real engine on the local cloud: made, changed in place, read back, and gone without a trace."""

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest

from scar_components import ApiGatewayEndpoint, ApiGatewayEndpointArgs
from tests.world.aws_plugin import Bench
from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ask
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
TOKENS = {"issuer": "https://issuer.example.org", "audience": ["photos"]}
DOMAIN = {"name": "f.example.org", "certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/c"}
FULL: dict[str, Any] = {
    "tokens": TOKENS,
    "cors": {"allow_origins": ["https://example.org"], "allow_credentials": True, "max_age": 60},
    "throttling": {"rate_limit": 100, "burst_limit": 50},
    "domain": DOMAIN,
    "tags": {"team": "photos"},
    "log_retention": 7,
}


@pytest.fixture
def bench(cloud: FakeCloud, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path, cloud.environment()["AWS_ENDPOINT_URL"])
    gc.collect()


def endpoint(*functions: dict[str, Any], called: str = "photos", **more: Any) -> Callable[[], None]:
    """Return a program with one endpoint."""
    given = [{"function_arn": ARN + function["function_name"], **function} for function in functions]

    def program() -> None:
        made = ApiGatewayEndpoint(called, cast(ApiGatewayEndpointArgs, {"functions": given, **more}))
        pulumi.export("urls", made.function_urls)
        pulumi.export("id", made.api_id)
        pulumi.export("target", made.domain_target)

    return program


def test_an_endpoint_is_made_changed_in_place_read_back_and_removed(cloud: FakeCloud, bench: Bench) -> None:
    for name in ("made", "other"):
        cloud.function(name, {"ANSWER": '{"statusCode": 200, "body": "fine"}'})
    one = {"function_name": "made", "path": "made", "authorization": "JWT", "scopes": ["run"]}
    other = {"function_name": "other", "path": "other"}
    stack = bench.stack(endpoint(one, other, **FULL))
    outputs = stack.up().outputs
    urls, api = outputs["urls"].value, outputs["id"].value
    assert outputs["target"].value.endswith(".execute-api.us-east-1.amazonaws.com")
    assert (ask(urls["other"]).status, ask(urls["made"]).status) == (200, 401)
    assert changes(stack.up(expect_no_changes=True)) == {}
    assert changes(stack.refresh(expect_no_changes=True)) == {}

    client = cloud.client("apigatewayv2")
    smaller = bench.stack(endpoint({"function_name": "made", "path": "made"}, throttling={"rate_limit": 5}))
    counted = changes(smaller.up())
    assert "create-replacement" not in counted
    assert counted["update"] > 0
    assert ask(urls["made"]).body == b"fine"
    assert ask(urls["other"]).status == 404
    settled = client.get_api(ApiId=api)
    assert not settled.get("CorsConfiguration")
    assert settled["Tags"] == {}
    (stage,) = client.get_stages(ApiId=api)["Items"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 5
    assert {route["AuthorizationType"] for route in client.get_routes(ApiId=api)["Items"]} == {"NONE"}
    assert client.get_authorizers(ApiId=api)["Items"] == []
    assert client.get_domain_names()["Items"] == []

    # Somebody else opens a route, and the next up closes it.
    (route,) = (route for route in client.get_routes(ApiId=api)["Items"] if route["RouteKey"] == "ANY /made")
    client.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="AWS_IAM")
    assert changes(smaller.refresh()) == {"update": 1}
    assert changes(smaller.up()) == {"update": 1}

    smaller.destroy()
    assert ask(urls["made"]).status == 404
    assert client.get_apis()["Items"] == []
    # Nobody may call the functions any more.
    assert json.loads(cloud.client("lambda").get_policy(FunctionName="made")["Policy"])["Statement"] == []


def test_a_domain_stays_what_it_is_when_its_endpoint_gets_another_name(cloud: FakeCloud, bench: Bench) -> None:
    cloud.function("moved", {"ANSWER": '{"statusCode": 200, "body": "fine"}'})
    moved = {"function_name": "moved", "path": "moved"}
    before = bench.stack(endpoint(moved, domain=DOMAIN)).up().outputs
    stack = bench.stack(endpoint(moved, domain=DOMAIN, called="pictures"))
    after = stack.up().outputs
    assert after["id"].value != before["id"].value
    assert after["target"].value == before["target"].value
    (mapping,) = cloud.client("apigatewayv2").get_api_mappings(DomainName=DOMAIN["name"])["Items"]
    assert mapping["ApiId"] == after["id"].value
    assert changes(stack.up(expect_no_changes=True)) == {}
    stack.destroy()
    assert cloud.client("apigatewayv2").get_domain_names()["Items"] == []
