"""Which route of an HTTP API a request takes."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import Endpoint


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        ("POST", "/exact", "POST /exact", {}),
        ("GET", "/exact", "ANY /{proxy+}", {"proxy": "exact"}),
        ("GET", "/items/7", "GET /items/{id}", {"id": "7"}),
        ("PUT", "/items/7/a/b", "ANY /items/{id}/{proxy+}", {"id": "7", "proxy": "a/b"}),
        ("DELETE", "/a%20b/c%2Fd", "ANY /{proxy+}", {"proxy": "a b/c/d"}),
        ("GET", "/100%25", "ANY /{proxy+}", {"proxy": "100%25"}),
        ("OPTIONS", "/x", "ANY /{proxy+}", {"proxy": "x"}),
        ("HEAD", "/x", "ANY /{proxy+}", {"proxy": "x"}),
    ],
)
def test_the_most_particular_route_is_taken(
    endpoint: Endpoint, method: str, path: str, key: str, variables: dict[str, str]
) -> None:
    assert endpoint.call(method, path).status == 200
    event = endpoint.events()[-1]
    assert (event["routeKey"], event.get("pathParameters", {})) == (key, variables)


def test_an_api_has_no_more_of_anything_than_aws_allows(cloud: FakeCloud) -> None:
    gateway: Any = cloud.client("apigatewayv2")
    api = gateway.create_api(Name="crowded", ProtocolType="HTTP")["ApiId"]

    def refused(operation: Any, **request: Any) -> str:
        with pytest.raises(ClientError) as caught:
            operation(ApiId=api, **request)
        return str(caught.value.response["Error"]["Message"])

    tokens = {"Issuer": "https://issuer.example.org", "Audience": [f"a{number}" for number in range(51)]}
    source: Any = {"AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"]}
    said = refused(gateway.create_authorizer, Name="many", JwtConfiguration=tokens, **source)
    assert "audience: 51 are too many; the most is 50" in said
    scopes = [f"s{number}" for number in range(11)]
    assert "the most is 10" in refused(gateway.create_route, RouteKey="GET /many", AuthorizationScopes=scopes)
    route = gateway.create_route(ApiId=api, RouteKey="GET /few", AuthorizationScopes=scopes[:10])["RouteId"]
    assert "the most is 10" in refused(gateway.update_route, RouteId=route, AuthorizationScopes=scopes)
    for number in range(10):
        gateway.create_stage(ApiId=api, StageName=f"s{number}")
    assert "Maximum number of stages for an API is 10" in refused(gateway.create_stage, StageName="s10")
