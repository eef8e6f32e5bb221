"""Parts of large objects."""

import os

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import FakeCloud


def test_parts_of_a_large_object_are_those_of_the_object(cloud: FakeCloud) -> None:
    s3, bucket = cloud.client("s3"), "in-parts"
    s3.create_bucket(Bucket=bucket)
    body = os.urandom(9 * 1024 * 1024)
    etag = s3.put_object(Bucket=bucket, Key="parts/of it", Body=body, Metadata={"a": "b"})["ETag"]
    answer = s3.get_object(Bucket=bucket, Key="parts/of it", Range="bytes=1000000-1000009")
    assert answer["Body"].read() == body[1_000_000:1_000_010]
    assert (answer["ContentRange"], answer["ETag"]) == (f"bytes 1000000-1000009/{len(body)}", etag)
    assert (answer["ContentLength"], answer["Metadata"]) == (10, {"a": "b"})
    tail = s3.get_object(Bucket=bucket, Key="parts/of it", Range=f"bytes={len(body) - 5}-", IfMatch=etag)
    assert tail["Body"].read() == body[-5:]
    for wrong in ({"Range": f"bytes={len(body)}-"}, {"Range": "bytes=0-1", "IfMatch": '"other"'}):
        with pytest.raises(ClientError):
            s3.get_object(Bucket=bucket, Key="parts/of it", **wrong)
    s3.put_object(Bucket=bucket, Key="parts/of it", Body=body[::-1])
    changed = s3.get_object(Bucket=bucket, Key="parts/of it", Range="bytes=0-4")
    assert changed["Body"].read() == body[::-1][:5]
