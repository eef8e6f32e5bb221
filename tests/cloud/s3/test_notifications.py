"""A bucket's notification configuration: filters as S3 wants them, and what S3 refuses."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import FakeCloud

_ARN = "arn:aws:lambda:us-east-1:000000000000:function:filters"


def _entry(prefix: str = "", suffix: str = "", event: str = "s3:ObjectCreated:*") -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": prefix}, {"Name": "suffix", "Value": suffix}]
    return {"LambdaFunctionArn": _ARN, "Events": [event], "Filter": {"Key": {"FilterRules": rules}}}


def _put(cloud: FakeCloud, bucket: str, *entries: dict[str, Any]) -> None:
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": list(entries)}
    )


@pytest.fixture(scope="module")
def bucket(cloud: FakeCloud) -> str:
    cloud.function("filters")
    cloud.trigger("with-filters", "filters", "first/")
    return "with-filters"


@pytest.mark.parametrize(
    ("value", "key", "fires"),
    [
        ("year%3D2024/", "year=2024/a", True),
        ("year=2024/", "year=2024/b", False),
        ("a+b/", "a b/c", True),
        ("a b/", "a b/d", False),
        ("a%2Bb/", "a+b/e", True),
        ("%C3%A9t%C3%A9/", "été/f", True),
        ("été/", "été/g", False),
        ("plain/", "plain/h", True),
    ],
)
def test_only_filters_that_are_written_as_s3_wants_them_match(
    cloud: FakeCloud, bucket: str, value: str, key: str, fires: bool
) -> None:
    _put(cloud, bucket, _entry(value))
    shown = cloud.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    (entry,) = shown["LambdaFunctionConfigurations"]
    assert {rule["Name"]: rule["Value"] for rule in entry["Filter"]["Key"]["FilterRules"]} == {
        "prefix": value,
        "suffix": "",
    }
    before = _events(cloud)
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    assert _events(cloud) - before == fires


def _events(cloud: FakeCloud) -> int:
    """How many events of the function are on disk or have been run: an upload is answered after that."""
    waiting = {request_id for request_id, function, _ in cloud.spooled() if function == "filters"}
    return len(waiting | {call["request"] for call in cloud.calls("filters")})


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([_entry("in/"), _entry("in/deep/", event="s3:ObjectCreated:Put")], "ambiguously defined"),
        ([_entry("a+b/"), _entry("a+b/c%3D/")], "ambiguously defined"),
        ([_entry(f"{number:03}/") for number in range(101)], "at most 100"),
        ([_entry("x" * 1025)], "longer than 1024"),
    ],
)
def test_what_s3_refuses_is_refused(cloud: FakeCloud, bucket: str, entries: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ClientError, match=problem) as caught:
        _put(cloud, bucket, *entries)
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_entries_side_by_side_and_for_other_events_are_taken(cloud: FakeCloud, bucket: str) -> None:
    _put(cloud, bucket, _entry("in/", ".png"), _entry("in/", ".jpg"), _entry("in/", event="s3:ObjectRemoved:*"))
    shown = cloud.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    assert len(shown["LambdaFunctionConfigurations"]) == 3
