"""Whom a request names in its signature."""

from scar_pulumi.cloud.signature import Caller, authorization, caller_of


def test_the_caller_is_read_from_the_header_and_from_a_presigned_query() -> None:
    assert caller_of([authorization("123456789012", "eu-west-1", "ecr")]) == Caller("123456789012", "eu-west-1", "ecr")
    query = "X-Amz-Credential=test%2F20260101%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Expires=60"
    assert caller_of([], query) == Caller("000000000000", "us-west-2", "s3")
    assert caller_of([(b"authorization", b"Basic abc")]) is None
