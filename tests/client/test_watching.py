"""What an upload starts, told before it is sent."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from scar_pulumi.client.watching import upload_warnings

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def watched(s3: Any, bucket: str, *rules: tuple[str, str, str]) -> None:
    entries = [
        {
            "LambdaFunctionArn": ARN + name,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": start}, {"Name": "suffix", "Value": end}]}},
        }
        for name, start, end in rules
    ]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": entries}
    )


def function(*, per_request: bool = False) -> Mapping[str, Any]:
    settings = {"outputs": [{"path": "pictures/out", **({"per_request": True} if per_request else {})}]}
    return {"Environment": {"Variables": {"SCAR_FUNCTION": json.dumps(settings)}}}


def nobody(arn: str) -> Mapping[str, Any]:
    raise AssertionError(arn)


def test_files_that_nobody_watches_are_told_with_what_is_watched(s3: Any, bucket: str) -> None:
    watched(s3, bucket, ("grey", "in/", ".png"), ("big", "a+b/", ""))
    assert list(upload_warnings(s3, nobody, bucket, ["in/a.png", "a b/x"])) == []
    told = f"in {bucket}, 'big' watches a b/, 'grey' watches in/ (files *.png)"
    assert list(upload_warnings(s3, nobody, bucket, ["inn/a.png"])) == [f"{bucket}/inn/a.png starts nothing: {told}"]
    assert list(upload_warnings(s3, nobody, bucket, ["in/a.png", "in/a.jpg", "x"])) == [
        f"2 of 3 files (in/a.jpg, x) start nothing: {told}"
    ]


def test_a_bucket_without_functions_and_one_that_does_not_exist_tell_nothing(s3: Any, bucket: str) -> None:
    assert list(upload_warnings(s3, nobody, bucket, ["a"])) == []
    assert list(upload_warnings(s3, nobody, "no-such-bucket-here", ["a"])) == []


@pytest.mark.parametrize("per_request", [False, True])
def test_files_of_one_name_in_several_folders_are_told_unless_results_are_kept_apart(
    s3: Any, bucket: str, per_request: bool
) -> None:
    watched(s3, bucket, ("grey", "in/", ""))
    keys = ["in/a/x.png", "in/b/x.png", "in/b/y.png", "in/c/y.png"]
    told = list(upload_warnings(s3, lambda _: function(per_request=per_request), bucket, keys))
    said = (
        "in/a/x.png and in/b/x.png (and 1 more such files) have the same name: results of 'grey' for them may "
        "overwrite each other in pictures/out; `per_request: true` on its output keeps them apart"
    )
    assert told == ([] if per_request else [said])
