"""HTTP APIs on disk."""

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ANSWER, make_endpoint


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
