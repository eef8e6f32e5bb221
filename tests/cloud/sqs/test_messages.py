"""Messages of queues on the local cloud: none that was sent is lost to a kill."""

import json
from typing import Any

from tests.world.fake_cloud import FakeCloud, wait_for


def queue(cloud: FakeCloud, name: str) -> str:
    return str(cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def bodies(cloud: FakeCloud, url: str) -> list[str]:
    """Receive and delete everything."""
    client, found = cloud.client("sqs"), []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


def test_messages_that_were_sent_are_there_after_a_kill_and_deleted_ones_are_not(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    url, client = queue(own_cloud, "sturdy"), own_cloud.client("sqs")
    for number in range(5):
        client.send_message(QueueUrl=url, MessageBody=f"one {number}")
    entries = [{"Id": str(number), "MessageBody": f"batch {number}"} for number in range(5)]
    assert len(client.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 5
    received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=3)["Messages"]
    gone = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(received[:2])]
    client.delete_message_batch(QueueUrl=url, Entries=gone)
    client.delete_message(QueueUrl=url, ReceiptHandle=received[2]["ReceiptHandle"])
    own_cloud.kill()
    own_cloud.start()
    expected = {f"{kind} {number}" for kind in ("one", "batch") for number in range(5)}
    expected -= {message["Body"] for message in received}
    assert bodies(own_cloud, url) == sorted(expected)
    own_cloud.kill()
    own_cloud.start()
    # What the first start has restored is in a snapshot, from which it may come once more.
    assert set(bodies(own_cloud, url)) <= expected


def test_every_message_reaches_its_function_though_the_cloud_is_killed(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    url = queue(own_cloud, "worked-on")
    own_cloud.function("worker", {"SECONDS": "0.05"})
    own_cloud.client("lambda").create_event_source_mapping(
        FunctionName="worker",
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:worked-on",
        BatchSize=5,
        ScalingConfig={"MaximumConcurrency": 2},
    )
    client = own_cloud.client("sqs")
    for number in range(60):
        client.send_message(QueueUrl=url, MessageBody=json.dumps({"n": number}))
        if number % 20 == 19:
            own_cloud.kill()
            own_cloud.start()

    def seen() -> set[int]:
        records: list[Any] = [record for call in own_cloud.calls("worker") for record in call["payload"]["Records"]]
        return {json.loads(record["body"])["n"] for record in records}

    wait_for(lambda: seen() == set(range(60)), 60)


def test_a_message_of_a_failing_function_ends_in_the_dead_letter_queue(cloud: FakeCloud) -> None:
    dead = queue(cloud, "dead-letters")
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead-letters", "maxReceiveCount": 1}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "1"}
    client = cloud.client("sqs")
    url = client.create_queue(QueueName="failing", Attributes=attributes)["QueueUrl"]
    cloud.function("failing", {"FAILURES": "99"})
    cloud.client("lambda").create_event_source_mapping(
        FunctionName="failing", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:failing", BatchSize=1
    )
    client.send_message(QueueUrl=url, MessageBody="poison")
    (message,) = wait_for(lambda: client.receive_message(QueueUrl=dead).get("Messages"), 30)
    assert message["Body"] == "poison"


def test_messages_that_a_function_names_as_failed_come_again(cloud: FakeCloud) -> None:
    client = cloud.client("sqs")
    url = client.create_queue(QueueName="partly", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sent = client.send_message(QueueUrl=url, MessageBody="again")["MessageId"]
    cloud.function("partly", {"ANSWER": json.dumps({"batchItemFailures": [{"itemIdentifier": sent}]})})
    cloud.client("lambda").create_event_source_mapping(
        FunctionName="partly",
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:partly",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    wait_for(lambda: len(cloud.calls("partly")) >= 2, 30)
    assert {record["messageId"] for call in cloud.calls("partly") for record in call["payload"]["Records"]} == {sent}
