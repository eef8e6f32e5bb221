"""The way of a bucket's events into the queue: none of an object that was acknowledged is lost."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from scar_pulumi.cloud.s3.upload_events import notification_rules, upload_event
from tests.world.fake_cloud import FakeCloud, wait_for

_RULES = b"""<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<CloudFunctionConfiguration><Id>a</Id><CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:one</CloudFunction>
<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/</Value></FilterRule>
<FilterRule><Name>suffix</Name><Value>.png</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration>
<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:two:live</CloudFunction>
<Event>s3:ObjectCreated:Put</Event><Event>s3:ObjectRemoved:*</Event></CloudFunctionConfiguration>
<QueueConfiguration><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue><Event>s3:*</Event></QueueConfiguration>
</NotificationConfiguration>"""


@pytest.mark.parametrize(
    ("event", "key", "told"),
    [
        ("s3:ObjectCreated:Put", "in/a.png", ["one", "two"]),
        ("s3:ObjectCreated:Copy", "in/a.png", ["one"]),
        ("s3:ObjectCreated:Put", "in/a.jpg", ["two"]),
        ("s3:ObjectCreated:Copy", "out/a.png", []),
    ],
)
def test_rules_tell_which_functions_hear_of_an_object(event: str, key: str, told: list[str]) -> None:
    assert [rule.function for rule in notification_rules(_RULES) if rule.covers(event, key)] == told


@pytest.mark.parametrize(
    ("method", "path", "query", "event"),
    [
        ("PUT", "/bucket/key", "", "s3:ObjectCreated:Put"),
        ("PUT", "/bucket/key", "x-id=PutObject", "s3:ObjectCreated:Put"),
        ("PUT", "/bucket/key", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=9", "s3:ObjectCreated:Put"),
        ("PUT", "/bucket/key", "partNumber=1&uploadId=u", ""),
        ("PUT", "/bucket/key", "tagging", ""),
        ("POST", "/bucket/key", "uploadId=u", "s3:ObjectCreated:CompleteMultipartUpload"),
        ("POST", "/bucket/key", "uploads", ""),
        ("PUT", "/bucket", "", ""),
        ("GET", "/bucket/key", "", ""),
    ],
)
def test_an_upload_is_told_from_other_requests(method: str, path: str, query: str, event: str) -> None:
    assert upload_event({"method": method, "path": path, "query_string": query.encode(), "headers": []}) == event


def test_no_event_of_an_acknowledged_object_is_lost_when_the_daemon_is_killed(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("hears")
    own_cloud.trigger("heard", "hears", "in/")
    s3 = own_cloud.client("s3")
    acknowledged: set[str] = set()

    def put(number: int) -> None:
        try:
            s3.put_object(Bucket="heard", Key=f"in/{number}", Body=b"x")
        except (ClientError, BotoCoreError):
            return
        acknowledged.add(f"in/{number}")

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(put, number) for number in range(400)]
        wait_for(lambda: len(acknowledged) > 60)
        own_cloud.kill()
        for future in running:
            future.cancel()
    own_cloud.start()
    wait_for(lambda: acknowledged <= _heard(own_cloud))
    assert len(acknowledged) < 400


def test_uploads_in_parts_and_copies_are_waited_for_too(cloud: FakeCloud) -> None:
    cloud.function("parts")
    cloud.trigger("in-parts", "parts")
    s3 = cloud.client("s3")
    upload = s3.create_multipart_upload(Bucket="in-parts", Key="a b/ü")["UploadId"]
    part = s3.upload_part(Bucket="in-parts", Key="a b/ü", UploadId=upload, PartNumber=1, Body=b"x")
    assert not _spooled(cloud, "parts")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="in-parts", Key="a b/ü", UploadId=upload, MultipartUpload=parts)
    assert _spooled(cloud, "parts") == 1
    s3.copy_object(Bucket="in-parts", Key="copy", CopySource={"Bucket": "in-parts", "Key": "a b/ü"})
    assert _spooled(cloud, "parts") == 2


def test_nothing_is_waited_for_that_will_not_come(cloud: FakeCloud) -> None:
    cloud.function("leaves")
    cloud.trigger("left", "leaves", "in/")
    s3 = cloud.client("s3")
    s3.put_object(Bucket="left", Key="in/1", Body=b"x")
    assert _spooled(cloud, "leaves") == 1
    started = time.monotonic()
    s3.put_object(Bucket="left", Key="out/1", Body=b"x")
    cloud.client("lambda").delete_function(FunctionName="leaves")
    s3.put_object(Bucket="left", Key="in/2", Body=b"x")
    s3.put_bucket_notification_configuration(Bucket="left", NotificationConfiguration={})
    s3.put_object(Bucket="left", Key="in/3", Body=b"x")
    assert time.monotonic() - started < 1
    assert _spooled(cloud, "leaves") == 1


def test_an_event_that_the_end_of_the_local_cloud_interrupts_stays_queued(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("interrupted")
    (own_cloud.state / "runner" / "stopping").touch()
    functions = own_cloud.client("lambda")
    functions.invoke(FunctionName="interrupted", InvocationType="Event", Payload=b'"kept"')
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName="interrupted")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert [attempts for _, _, attempts in own_cloud.spooled()] == [0]
    own_cloud.stop()
    (own_cloud.state / "runner" / "stopping").unlink()
    own_cloud.start()
    wait_for(lambda: [call["payload"] for call in own_cloud.calls("interrupted")] == ["kept"])
    wait_for(lambda: not own_cloud.spooled())


def test_waiting_events_do_not_keep_others_waiting(cloud: FakeCloud) -> None:
    cloud.function("busy", {"SECONDS": "2"})
    cloud.function("free")
    for _ in range(8):
        cloud.client("lambda").invoke(FunctionName="busy", InvocationType="Event")
    cloud.client("lambda").invoke(FunctionName="free")
    status = cloud.status()
    assert status
    assert status.details["events"]["waiting"] + status.details["events"]["running"] > 0


def _heard(cloud: FakeCloud) -> set[str]:
    return {str(call["payload"]["Records"][0]["s3"]["object"]["key"]) for call in cloud.calls("hears")}


def _spooled(cloud: FakeCloud, name: str) -> int:
    """How many events of a function are on disk or have been run: at once, without waiting."""
    waiting = {request_id for request_id, function, _ in cloud.spooled() if function == name}
    return len(waiting | {call["request"] for call in cloud.calls(name)})
