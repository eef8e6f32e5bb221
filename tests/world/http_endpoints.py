"""HTTP APIs made as any AWS client makes them, and plain requests to them."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.world.fake_cloud import FakeCloud

ANSWER = {"ANSWER": '{"statusCode": 200, "body": "fine"}'}
"""Variables of a function that answers as HTTP APIs expect."""


@dataclass(frozen=True)
class Reply:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's document."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Endpoint:
    """An API with the stage `scar` in front of a function that notes its events."""

    cloud: FakeCloud
    api: str
    url: str
    function: str

    def call(self, method: str = "GET", path: str = "/launch", body: Any = None, **headers: str) -> Reply:
        """Return a plain request below the stage; header names are written with underscores."""
        return ask(f"{self.url}/scar{path}", method, body, **headers)

    def events(self) -> list[dict[str, Any]]:
        """Return what the function got."""
        return [call["payload"] for call in self.cloud.calls(self.function)]


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> Reply:
    """Return a plain request; header names are written with underscores."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, given)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def make_endpoint(cloud: FakeCloud, function: str, *, variables: dict[str, str] | None = None, **more: Any) -> Endpoint:
    """Make a function and an API in front of it, with boto3."""
    cloud.function(function, variables)
    return put_in_front(cloud, function, **more)


def put_in_front(
    cloud: FakeCloud,
    function: str,
    *,
    routes: tuple[str, ...] = ("ANY /{proxy+}",),
    route: dict[str, Any] | None = None,
    integration: dict[str, Any] | None = None,
    stage: dict[str, Any] | None = None,
    **api: Any,
) -> Endpoint:
    """Make an API in front of a function."""
    client = cloud.client("apigatewayv2")
    made = client.create_api(Name=function, ProtocolType="HTTP", **api)
    key = made["ApiId"]
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    given = {"IntegrationType": "AWS_PROXY", "IntegrationUri": arn, "PayloadFormatVersion": "2.0"}
    target = client.create_integration(ApiId=key, **{**given, **(integration or {})})["IntegrationId"]
    for one in routes:
        client.create_route(ApiId=key, RouteKey=one, Target=f"integrations/{target}", **(route or {}))
    client.create_stage(ApiId=key, StageName="scar", AutoDeploy=True, **(stage or {}))
    cloud.client("lambda").add_permission(
        FunctionName=function,
        StatementId="endpoint",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{key}/scar/*",
    )
    return Endpoint(cloud, key, made["ApiEndpoint"], function)
