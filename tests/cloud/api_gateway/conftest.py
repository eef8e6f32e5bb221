"""An HTTP API in front of a function that notes its events."""

import pytest

from tests.world.fake_cloud import FakeCloud
from tests.world.http_endpoints import ANSWER, Endpoint, make_endpoint


@pytest.fixture(scope="module")
def endpoint(cloud: FakeCloud) -> Endpoint:
    routes = ("ANY /{proxy+}", "POST /exact", "GET /items/{id}", "ANY /items/{id}/{proxy+}")
    return make_endpoint(cloud, "events", variables=ANSWER, routes=routes)
