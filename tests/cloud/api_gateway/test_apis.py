"""Which route of an HTTP API a request takes."""

import pytest

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
