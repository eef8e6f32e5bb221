"""What functions get of a request to an HTTP API, and what clients get of their answers."""

import io
import zipfile

import pytest

from tests.world.fake_cloud import ROLE, FakeCloud
from tests.world.http_endpoints import Endpoint, ask, make_endpoint, put_in_front

NOTED = '{"statusCode": 200, "body": "noted"}'


@pytest.fixture(scope="module")
def endpoint(cloud: FakeCloud) -> Endpoint:
    routes = ("ANY /{proxy+}", "POST /exact", "GET /items/{id}", "ANY /items/{id}/{proxy+}")
    return make_endpoint(cloud, "events", variables={"ANSWER": NOTED}, routes=routes)


def test_a_slash_at_the_end_leads_to_the_same_route_and_stays_in_the_path(endpoint: Endpoint) -> None:
    assert endpoint.call("POST", "/exact/").status == 200
    event = endpoint.events()[-1]
    assert (event["routeKey"], event["rawPath"]) == ("POST /exact", "/scar/exact/")


def test_an_event_is_what_aws_documents(endpoint: Endpoint) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
    url = f"{endpoint.url}/scar/my/path?parameter1=value1&parameter1=value2&parameter2=value%20"
    reply = ask(url, "POST", "hello", content_type="text/plain", cookie="cookie1=1; cookie2=2", user_agent="agent")
    assert (reply.status, reply.body) == (200, b"noted")
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


def test_an_api_is_reached_by_its_host_name_as_well(endpoint: Endpoint) -> None:
    base = endpoint.url.partition("/_aws")[0]
    for host in (f"{endpoint.api}.execute-api.localhost:1", f"{endpoint.api}.execute-api.us-east-1.amazonaws.com"):
        assert ask(f"{base}/scar/launch", host=host).status == 200
        assert endpoint.events()[-1]["requestContext"]["domainName"] == host


def test_what_does_not_exist_is_not_found(endpoint: Endpoint) -> None:
    for url in (f"{endpoint.url}/other/launch", f"{endpoint.url}/scar", endpoint.url):
        reply = ask(url)
        assert (reply.status, reply.json) == (404, {"message": "Not Found"})


JSON, ERROR = {"content-type": "application/json"}, b'{"message": "Internal Server Error"}'
ANSWERS: tuple[tuple[str, tuple[int, dict[str, str], bytes]], ...] = (
    ('{"statusCode": 201, "headers": {"X-A": 1}, "body": "made"}', (201, {"x-a": "1"}, b"made")),
    ('{"statusCode": 200, "body": "AAH/", "isBase64Encoded": true}', (200, {}, b"\0\1\xff")),
    ('{"statusCode": "204"}', (204, {}, b"")),
    ('{"statusCode": 200, "cookies": ["a=1"]}', (200, {"set-cookie": "a=1"}, b"")),
    ('{"statusCode": 200, "body": {"a": 1}}', (200, {}, b'{"a": 1}')),
    ('{"fine": true}', (200, JSON, b'{"fine": true}')),
    ('"text"', (200, JSON, b'"text"')),
    ('{"statusCode": "many"}', (500, JSON, ERROR)),
    ('{"statusCode": 200, "body": "%%", "isBase64Encoded": true}', (500, JSON, ERROR)),
)


def test_answers_are_what_functions_say(cloud: FakeCloud) -> None:
    for number, (answer, (status, headers, body)) in enumerate(ANSWERS):
        reply = make_endpoint(cloud, f"answers-{number}", variables={"ANSWER": answer}).call()
        assert (reply.status, reply.body) == (status, body), answer
        assert headers.items() <= reply.headers.items(), answer


def test_a_function_that_fails_or_may_not_be_called_is_an_error_of_the_server(cloud: FakeCloud) -> None:
    failing = make_endpoint(cloud, "failing", variables={"FAILURES": "9"})
    assert (failing.call().status, failing.call().json) == (500, {"message": "Internal Server Error"})
    refused = make_endpoint(cloud, "refused", variables={"ANSWER": NOTED})
    assert refused.call().status == 200
    cloud.client("lambda").remove_permission(FunctionName="refused", StatementId="endpoint")
    assert refused.call().status == 500
    assert len(refused.events()) == 1


def test_functions_that_were_made_for_rest_apis_get_their_events(cloud: FakeCloud) -> None:
    old = make_endpoint(cloud, "first", variables={"ANSWER": NOTED}, integration={"PayloadFormatVersion": "1.0"})
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


def test_a_function_from_a_zip_archive_is_called_as_well(cloud: FakeCloud) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context):\n    return {'path': event['rawPath']}\n")
    cloud.client("lambda").create_function(
        FunctionName="archive",
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    reply = put_in_front(cloud, "archive").call()
    assert (reply.status, reply.json) == (200, {"path": "/scar/launch"})
