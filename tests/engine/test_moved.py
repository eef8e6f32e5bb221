"""Addresses in a local stack's state are compared with where the local cloud listens now."""

import pytest

from scar_pulumi.engine.backend import has_moved
from tests.world.deployed import resource

HERE = "http://127.0.0.1:23456"


@pytest.mark.parametrize(
    ("address", "moved"),
    [
        ("http://127.0.0.1:23456/_aws/execute-api/a1", False),
        ("http://127.0.0.1:4566/_aws/execute-api/a1", True),
        ("http://localhost:23456/_aws/execute-api/a1", True),
        ("https://a1.execute-api.eu-west-1.amazonaws.com", False),
        ("[secret]", False),
    ],
)
def test_an_address_at_another_port_has_moved(address: str, moved: bool) -> None:
    other = resource("aws:lambda/function:Function", {"apiEndpoint": "http://127.0.0.1:1"})
    api = resource("aws:apigatewayv2/api:Api", {"apiEndpoint": address})
    assert has_moved({"resources": [other, api]}, HERE) is moved


def test_a_stack_without_addresses_has_not_moved() -> None:
    assert not has_moved({}, HERE)
    assert not has_moved({"resources": [{"type": "aws:apigatewayv2/api:Api"}]}, HERE)
