"""How often an HTTP API may be called, with how much and for how long; what is written down of it, and what lasts."""

import json
from typing import Any

from scar_components.api_gateway_endpoint import ACCESS_LOG_FORMAT
from tests.world.fake_cloud import FakeCloud, wait_for
from tests.world.http_endpoints import ask, make_endpoint

ANSWER = {"ANSWER": '{"statusCode": 200, "body": "fine"}'}


def test_more_calls_than_a_route_takes_are_told_so(cloud: FakeCloud) -> None:
    limits = {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 3}
    endpoint = make_endpoint(cloud, "throttled", variables=ANSWER, stage={"DefaultRouteSettings": limits})
    replies = [endpoint.call() for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert replies[-1].json == {"message": "Too Many Requests"}


def test_a_request_that_is_too_large_is_told_the_limit_and_the_way_out(cloud: FakeCloud) -> None:
    endpoint = make_endpoint(cloud, "large", variables=ANSWER)
    fits = endpoint.call("POST", body=b"x" * 6_000_000, content_type="text/plain")
    assert fits.status == 200
    encoded = endpoint.call("POST", body=b"x" * 6_000_000)
    beyond = endpoint.call("POST", body=b"x" * (10 * 1024 * 1024 + 1), content_type="text/plain")
    assert (encoded.status, beyond.status) == (413, 413)
    assert "a function takes 6,291,456 bytes and this comes to 8,00" in encoded.json["message"]
    assert "the limit is 10,485,760 bytes; put large files into the function's input bucket" in beyond.json["message"]
    assert len(endpoint.events()) == 1


def test_a_function_that_takes_too_long_is_a_504_with_its_request_id(cloud: FakeCloud) -> None:
    variables = {**ANSWER, "SECONDS": "1"}
    endpoint = make_endpoint(cloud, "slow", variables=variables, integration={"TimeoutInMillis": 200})
    reply = endpoint.call()
    assert reply.status == 504
    (call,) = cloud.calls("slow")
    assert reply.json["requestId"] == call["request"]


def test_every_request_is_a_line_of_the_access_log(cloud: FakeCloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/access/log")
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/access/log"
    settings = {"AccessLogSettings": {"DestinationArn": arn, "Format": ACCESS_LOG_FORMAT}}
    endpoint = make_endpoint(cloud, "logged", variables=ANSWER, routes=("POST /launch",), stage=settings)
    posted = endpoint.call("POST", body=b"x", user_agent='a"b')
    missing = endpoint.call("GET", "/nowhere")

    def events() -> list[dict[str, Any]]:
        found = logs.filter_log_events(logGroupName="/access/log")["events"]
        return [json.loads(event["message"]) for event in found]

    wait_for(lambda: len(events()) == 2)
    by_id = {event["requestId"]: event for event in events()}
    line = by_id[posted.headers["apigw-requestid"]]
    (call,) = cloud.calls("logged")
    assert (line["status"], line["routeKey"], line["path"]) == ("200", "POST /launch", "/scar/launch")
    assert (line["functionRequestId"], line["responseLength"]) == (call["request"], "4")
    assert by_id[missing.headers["apigw-requestid"]]["status"] == "404"


def test_a_domain_of_ones_own_leads_to_its_api(cloud: FakeCloud) -> None:
    endpoint = make_endpoint(cloud, "domain", variables=ANSWER)
    client = cloud.client("apigatewayv2")
    configuration = {"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/c", "EndpointType": "REGIONAL"}
    client.create_domain_name(DomainName="f.example.org", DomainNameConfigurations=[configuration])
    base = endpoint.url.partition("/_aws")[0]
    client.create_api_mapping(DomainName="f.example.org", ApiId=endpoint.api, Stage="scar")
    assert ask(f"{base}/launch", host="f.example.org").status == 200
    assert endpoint.events()[-1]["rawPath"] == "/scar/launch"


def test_apis_outlive_a_kill_with_everything_that_belongs_to_them(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    endpoint = make_endpoint(own_cloud, "lasting", variables=ANSWER, Tags={"a": "b"})
    client = own_cloud.client("apigatewayv2")
    before = [client.get_api(ApiId=endpoint.api), client.get_routes(ApiId=endpoint.api)]
    own_cloud.kill()
    own_cloud.start()
    after = [client.get_api(ApiId=endpoint.api), client.get_routes(ApiId=endpoint.api)]
    strip = [{key: value for key, value in one.items() if key != "ResponseMetadata"} for one in (*before, *after)]
    assert strip[:2] == strip[2:]
    assert endpoint.call().status == 200
    client.delete_api(ApiId=endpoint.api)
    assert endpoint.call().status == 404
