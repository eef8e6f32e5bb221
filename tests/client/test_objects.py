import pytest

from scar_foundation.errors import InputError
from scar_pulumi.client.objects import Location


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b", Location("b")),
        ("b/", Location("b")),
        ("b/in", Location("b", "in")),
        ("b/in/deep/", Location("b", "in/deep/")),
        ("s3://b/in", Location("b", "in")),
        ("b/a b+%c", Location("b", "a b+%c")),
    ],
)
def test_a_location_is_a_bucket_and_what_follows(text: str, expected: Location) -> None:
    assert Location.parse(text) == expected


@pytest.mark.parametrize("text", ["", "/", "/in", "s3://", "s3:///in"])
def test_a_location_needs_a_bucket(text: str) -> None:
    with pytest.raises(InputError, match="no bucket is given"):
        Location.parse(text)


def test_a_location_holds_its_object_and_its_folder_and_no_neighbours() -> None:
    place = Location("b", "in")
    assert [key for key in ("in", "in/", "in/a", "in/a/b", "inner/a", "in2", "x/in") if place.holds(key)] == [
        "in",
        "in/",
        "in/a",
        "in/a/b",
    ]
    assert Location("b").holds("anything")
