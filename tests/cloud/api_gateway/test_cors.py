"""Browsers: preflight requests, and pages from elsewhere."""

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import make_endpoint

ANSWER = {"ANSWER": '{"statusCode": 200, "headers": {"access-control-allow-origin": "mine"}, "body": "fine"}'}
ORIGIN = "https://example.org"


def test_the_gateway_answers_browsers_by_itself(cloud: FakeCloud) -> None:
    cors = {
        "AllowOrigins": [ORIGIN, "https://*.example.com"],
        "AllowMethods": ["POST"],
        "AllowHeaders": ["*"],
        "ExposeHeaders": ["x-a"],
        "MaxAge": 60,
    }
    endpoint = make_endpoint(cloud, "cors", variables=ANSWER, CorsConfiguration=cors)
    asks = {"access_control_request_method": "POST"}
    reply = endpoint.call("OPTIONS", origin=ORIGIN, **asks)
    assert reply.status == 204
    allowed = {name: value for name, value in reply.headers.items() if name.startswith("access-control")}
    assert allowed == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "*",
        "access-control-max-age": "60",
    }
    assert endpoint.events() == []
    # Of an answer, the function's own words on the matter are dropped.
    called = endpoint.call("POST", origin="https://a.example.com")
    assert called.headers["access-control-allow-origin"] == "https://a.example.com"
    assert called.headers["access-control-expose-headers"] == "x-a"
    assert "access-control-allow-origin" not in endpoint.call("POST").headers
    assert endpoint.call("POST", origin="https://evil.example.net").status == 403
    assert endpoint.call("OPTIONS").status == 200


def test_pages_from_elsewhere_cannot_reach_an_api_without_cors(cloud: FakeCloud) -> None:
    endpoint = make_endpoint(cloud, "no-cors", variables=ANSWER)
    assert endpoint.call("POST", origin=ORIGIN).status == 403
    assert endpoint.events() == []
    assert endpoint.call("POST", origin="http://localhost:8080").status == 200
