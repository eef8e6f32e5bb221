"""How often an HTTP API may be called, with how much and for how long; what is written down of it, and what lasts."""

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ANSWER, Endpoint, ask, make_endpoint


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


def test_a_domain_of_ones_own_leads_to_its_api(cloud: FakeCloud) -> None:
    endpoint = make_endpoint(cloud, "domain", variables=ANSWER)
    client = cloud.client("apigatewayv2")
    configuration = {"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/c", "EndpointType": "REGIONAL"}
    client.create_domain_name(DomainName="f.example.org", DomainNameConfigurations=[configuration])
    base = endpoint.url.partition("/_aws")[0]
    client.create_api_mapping(DomainName="f.example.org", ApiId=endpoint.api, Stage="scar")
    assert ask(f"{base}/launch", host="f.example.org").status == 200
    assert endpoint.events()[-1]["rawPath"] == "/scar/launch"


def test_an_api_is_reached_by_its_host_name_as_well(endpoint: Endpoint) -> None:
    base = endpoint.url.partition("/_aws")[0]
    for host in (f"{endpoint.api}.execute-api.localhost:1", f"{endpoint.api}.execute-api.us-east-1.amazonaws.com"):
        assert ask(f"{base}/scar/launch", host=host).status == 200
        assert endpoint.events()[-1]["requestContext"]["domainName"] == host


def test_what_does_not_exist_is_not_found(endpoint: Endpoint) -> None:
    for url in (f"{endpoint.url}/other/launch", f"{endpoint.url}/scar", endpoint.url):
        reply = ask(url)
        assert (reply.status, reply.json) == (404, {"message": "Not Found"})
