"""Results as people read them."""

from typing import Any

import pytest

from scar_foundation.errors import InputError
from scar_pulumi.cli.logs import milliseconds_since
from scar_pulumi.cli.output import count, next_steps, size


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1w", 604800)])
def test_since_reads_durations(text: str, seconds: int) -> None:
    assert milliseconds_since(text, 2_000_000_000.0) == (2_000_000_000 - seconds) * 1000


def test_since_reads_dates_and_never_precedes_the_epoch() -> None:
    assert milliseconds_since("2026-05-01T12:00:00+00:00", 0.0) == 1_777_636_800_000
    assert milliseconds_since("9999w", 1_000.0) == 0


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10 minutes", "-5m", "5y"])
def test_since_says_what_it_understands(text: str) -> None:
    with pytest.raises(InputError, match="write 30s, 10m"):
        milliseconds_since(text, 0.0)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (20_000_000, "20.0 MB"),
        (500_000_000, "500 MB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes_are_short(number: int, text: str) -> None:
    assert size(number) == text


def test_things_are_counted_in_words() -> None:
    assert [count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def outputs_of_clusters(*names: str) -> dict[str, Any]:
    """Return the outputs of a stack that has the same service on each of these clusters."""
    paths = {"inputs": [{"provider": "minio.default", "path": "raw/in"}], "outputs": [{"path": "results/out"}]}
    clusters = {name: {"endpoint": f"https://{name}", "services": {"sign": paths}} for name in names}
    return {"functions": {}, "buckets": [], "oscar": clusters}


def test_next_steps_name_the_cluster_where_there_are_several() -> None:
    assert list(next_steps(outputs_of_clusters("east", "west"))) == [
        "scar-pulumi put minio.east/raw/in FILE",
        "scar-pulumi get results/out FOLDER",
        "scar-pulumi logs east/sign",
    ]
    (put, _, logs) = next_steps(outputs_of_clusters("east"))
    assert (put, logs) == ("scar-pulumi put minio.default/raw/in FILE", "scar-pulumi logs sign")
