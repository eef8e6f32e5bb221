"""Who may ask the local cloud."""

import pytest

from scar_pulumi.cloud.gateway import is_local_origin


@pytest.mark.parametrize(
    ("origin", "local"),
    [
        ("", True),
        ("http://localhost:3000", True),
        ("http://x.localhost", True),
        ("https://example.org", False),
        ("null", False),
    ],
)
def test_pages_from_elsewhere_are_not_served(origin: str, local: bool) -> None:
    assert is_local_origin(origin) is local
