"""What functions get of a request to an HTTP API, and what clients get of their answers."""

import pytest

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ANSWER, Endpoint, ask, make_endpoint


def test_a_slash_at_the_end_leads_to_the_same_route_and_stays_in_the_path(endpoint: Endpoint) -> None:
    assert endpoint.call("POST", "/exact/").status == 200
    event = endpoint.events()[-1]
    assert (event["routeKey"], event["rawPath"]) == ("POST /exact", "/scar/exact/")


def test_an_event_is_what_aws_documents(endpoint: Endpoint) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
    url = f"{endpoint.url}/scar/my/path?parameter1=value1&parameter1=value2&parameter2=value%20"
    reply = ask(url, "POST", "hello", content_type="text/plain", cookie="cookie1=1; cookie2=2", user_agent="agent")
    assert (reply.status, reply.body) == (200, b"fine")
    event = endpoint.events()[-1]
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "ANY /{proxy+}",
        "rawPath": "/scar/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value%20",
        "cookies": ["cookie1=1", "cookie2=2"],
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value "},
        "pathParameters": {"proxy": "my/path"},
        "body": "hello",
        "isBase64Encoded": False,
    }
    assert isinstance(context.pop("timeEpoch"), int)
    assert context.pop("time").endswith(" +0000")
    assert context.pop("requestId") == reply.headers["apigw-requestid"]
    host = context.pop("domainName")
    assert context == {
        "accountId": "000000000000",
        "apiId": endpoint.api,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": "POST",
            "path": "/scar/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "agent",
        },
        "routeKey": "ANY /{proxy+}",
        "stage": "scar",
    }
    assert "cookie" not in headers
    assert (headers["content-length"], headers["x-forwarded-for"]) == ("5", "127.0.0.1")
    assert headers["x-amzn-trace-id"].startswith("Root=1-")


def test_what_a_request_does_not_have_its_event_does_not_have(endpoint: Endpoint) -> None:
    endpoint.call()
    event = endpoint.events()[-1]
    assert event["rawQueryString"] == ""
    assert not event.keys() & {"body", "cookies", "queryStringParameters", "stageVariables"}
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        ("text/plain", True),
        ("text/csv; charset=utf-8", True),
        ("application/json", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_bodies_are_text_or_base64_by_their_type(endpoint: Endpoint, content_type: str, is_text: bool) -> None:
    headers = {"content_type": content_type} if content_type else {}
    endpoint.call("POST", body=b"a=1&b=2", **headers)
    event = endpoint.events()[-1]
    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == ("a=1&b=2" if is_text else "YT0xJmI9Mg==")


def test_functions_that_were_made_for_rest_apis_get_their_events(cloud: FakeCloud) -> None:
    old = make_endpoint(cloud, "first", variables=ANSWER, integration={"PayloadFormatVersion": "1.0"})
    assert old.call("POST", "/a/b?x=1&x=2", b"hello", content_type="text/plain", cookie="a=1").status == 200
    event = old.events()[-1]
    assert (event["version"], event["httpMethod"], event["path"]) == ("1.0", "POST", "/scar/a/b")
    assert (event["resource"], event["pathParameters"]) == ("/{proxy+}", {"proxy": "a/b"})
    assert event["queryStringParameters"] == {"x": "2"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert (event["body"], event["isBase64Encoded"], event["stageVariables"]) == ("hello", False, None)
    assert event["multiValueHeaders"]["content-type"] == ["text/plain"]
    assert event["headers"]["cookie"] == "a=1"
    context = event["requestContext"]
    assert (context["httpMethod"], context["resourcePath"], context["stage"]) == ("POST", "/{proxy+}", "scar")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert isinstance(context["requestTimeEpoch"], int)
